import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppProcess } from '../bench/app-process.js';
import { MIGRATIONS } from '../migrations/index.js';

const APPLIED = MIGRATIONS.map(({ name }) => name);
const LAST = APPLIED.at(-1)!;
const CLI = join(import.meta.dirname, '../dist/src/cli.js');
let dataDir: string;
let app: AppProcess | undefined;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'tapeline-cli-'));
});

afterEach(async () => {
  await app?.stop();
  app = undefined;
  rmSync(dataDir, { recursive: true, force: true });
});

function cli(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [CLI, ...args],
      { env: { PATH: process.env.PATH, DATA_DIR: dataDir } },
      (error, out, err) => resolve({ code: error ? (error.code as number) : 0, out, err }),
    );
  });
}

describe('the command line', () => {
  it('migrates up, down and tells the version, on the embedded database of a stopped Tapeline', async () => {
    expect((await cli('migrate', 'version')).out).toBe('version none (0 applied)\n');
    expect((await cli('migrate', 'up')).out).toBe(
      `${APPLIED.map((name) => `up ${name}\n`).join('')}version ${LAST} (${APPLIED.length} applied)\n`,
    );
    expect((await cli('migrate', 'down')).out).toBe(
      `down ${LAST}\nversion ${APPLIED.at(-2)} (${APPLIED.length - 1} applied)\n`,
    );
    expect((await cli('migrate', 'up')).out).toContain(`up ${LAST}\nversion ${LAST}`);
  });

  it('reads beside a running Tapeline, and refuses to take its tables away', async () => {
    app = await AppProcess.create(dataDir, {});
    app.start();
    await app.ready();
    expect((await cli('migrate', 'version')).out).toContain(`(${APPLIED.length} applied)`);
    expect((await cli('doctor')).out).toMatch(/FEEDS=simulator[^]*database: PostgreSQL 18/);
    expect((await cli('dead-letters', 'groups')).out).toBe('no letters\n');
    const refused = await cli('migrate', 'down');
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('Stop it first')]);
    expect((await cli('migrate', 'version')).out).toContain(`(${APPLIED.length} applied)`);
    expect(await app.stop()).toBe(0);
  });

  it('says what it takes when it is asked wrongly', async () => {
    for (const args of [
      [],
      ['conjure'],
      ['migrate', 'sideways'],
      ['replay'],
      ['replay', '--file', 'x', '--speed', 'fast'],
      ['simulate', '--colour', 'red'],
      ['dead-letters'],
      ['dead-letters', 'show'],
      ['dead-letters', 'list', '--stage', 'odd'],
      ['dead-letters', 'discard', '17'],
    ]) {
      const { code, err } = await cli(...args);
      expect([args.join(' '), code, err]).toEqual([
        args.join(' '),
        2,
        expect.stringContaining('migrate up|down|version'),
      ]);
    }
    expect(await cli('--help')).toMatchObject({ code: 0, out: expect.stringContaining('simulate') });
    expect(await cli('replay', '--file', '/nowhere.gz')).toMatchObject({
      code: 1,
      err: expect.stringContaining('/nowhere.gz'),
    });
  });
});
