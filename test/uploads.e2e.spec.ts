import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppProcess } from '../bench/app-process.js';
import { eventually } from './support/eventually.js';
import { BOUNDARY, multipart, sendMultipart } from './support/multipart.js';

if (!existsSync(join(import.meta.dirname, '../dist/src/main.js')))
  throw new Error('dist/ is missing: npm test builds it, or run npm run build');

let dataDir: string;
let app: AppProcess;

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'tapeline-upload-'));
  app = await AppProcess.create(dataDir, { MODULES: 'uploads', UPLOAD_STALL: '1s' });
  app.start();
  await app.ready();
});

afterEach(async () => {
  await app.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

const LINES = 60_000;
const content = (run: string): string =>
  Array.from({ length: LINES }, (_, at) =>
    at % 100 === 3
      ? `{"broken ${run} ${at}`
      : JSON.stringify({ level: 'warn', time: 1_700_000_000_000 + at * 500, msg: `${run} ${at}` }),
  ).join('\n');

type Told = Readonly<{ status: string; finishedAt: string | null; counts: Record<string, number> }>;
const fileOf = async (id: string): Promise<Told> =>
  (await (await fetch(`${app.url}/api/v1/files/${id}`)).json()) as Told;

describe('kill -9', () => {
  it.each([
    ['plain', (text: string) => Buffer.from(text)],
    ['packed', (text: string) => gzipSync(text)],
  ])('while a %s file is read loses no line and tells none twice', async (kind, pack) => {
    const parts = [{ name: 'file', fileName: 'a.log', value: pack(content(kind)) }];
    const { status, body } = await sendMultipart(`${app.url}/upload?format=json`, multipart(parts));
    expect(status).toBe(202);
    let seen = 0;
    for (let kills = 0; kills < 4; kills++) {
      await eventually(async () => {
        const { counts } = await fileOf(body.id);
        expect(counts.lines).toBeGreaterThan(seen + 500);
        seen = counts.lines!;
      }, 20_000);
      await app.kill();
      app.start();
      await app.ready();
    }
    expect(seen).toBeLessThan(LINES);
    const file = await eventually(async () => {
      const told = await fileOf(body.id);
      expect(told.finishedAt).toBeTypeOf('string');
      return told;
    }, 60_000);
    expect(file).toMatchObject({
      status: 'processed_with_errors',
      counts: { lines: LINES, events: LINES * 0.99, bad: LINES / 100 },
    });
    const db = await app.database();
    const { rows } = await db.query<{ line: number }>(
      `select (one->>'line')::int as line from bus.event e, json_array_elements(e.data->'events') as one
       where e.name = 'uploads.rows-parsed.v1' order by e.id, 1`,
    );
    const numbers = Array.from({ length: LINES }, (_, at) => at + 1);
    expect(rows.map(({ line }) => line)).toEqual(numbers.filter((line) => line % 100 !== 4));
    const letters = await db.query<{ line: number }>(
      'select source_position::int as line from bus.dead_letter order by 1',
    );
    expect(letters.rows.map(({ line }) => line)).toEqual(numbers.filter((line) => line % 100 === 4));
    await db.end();
  });

  it('in the middle of an upload leaves nothing of it for long', async () => {
    const folder = join(dataDir, 'uploads');
    const opening = multipart([{ name: 'file', fileName: 'a.log', value: '{}\n'.repeat(10_000) }]).subarray(
      0,
      -BOUNDARY.length,
    );
    const sent = sendMultipart(`${app.url}/upload`, opening, {
      neverEnds: true,
      headers: { 'content-length': '1000000' },
    }).catch(() => 'gone');
    await eventually(() => expect(readdirSync(folder)).toHaveLength(1));
    await app.kill();
    expect(await sent).toBe('gone');
    expect(readdirSync(folder)).toHaveLength(1);
    app.start();
    await app.ready();
    await eventually(() => expect(readdirSync(folder)).toEqual([]), 20_000);
    expect(await (await fetch(`${app.url}/api/v1/files`)).json()).toEqual({ items: [], nextCursor: null });
  });
});
