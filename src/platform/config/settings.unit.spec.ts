import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeSettings, readSettings, SettingsError } from './settings.js';

const faultsOf = (env: Record<string, string>): readonly string[] => {
  try {
    readSettings(env);
    return [];
  } catch (error) {
    return (error as SettingsError).faults;
  }
};

describe('settings', () => {
  it('stand on their defaults when the environment is empty', () => {
    expect(readSettings({})).toMatchObject({
      PORT: 8080,
      HOST: '127.0.0.1',
      FEEDS: ['simulator'],
      CANDLE_LATENESS_MS: 2000,
    });
  });

  it('lists every fault at once, with the name, the value and what would be right', () => {
    const faults = faultsOf({
      PORT: 'eighty',
      FEEDS: 'binance,nyse',
      BINANCE_WS_URL: 'http://x',
      LOG_LEVEL: 'loud',
      EVENTS_RETENTION: '5',
    });
    expect(faults).toHaveLength(5);
    expect(faults.join('\n')).toMatch(/PORT: "eighty" must/);
    expect(faults.join('\n')).toMatch(/FEEDS: .*nyse.* must be a list out of simulator, binance/);
    expect(faults.join('\n')).toMatch(/EVENTS_RETENTION: "5" .*such as 30s/);
  });

  it('never shows the value of a secret, neither in a fault nor in the description', () => {
    expect(faultsOf({ METRICS_TOKEN: 'short-secret' }).join()).not.toContain('short-secret');
    const described = describeSettings(
      readSettings({ DATABASE_URL: 'postgres://u:hunter2@db/x', METRICS_TOKEN: 'a-long-enough-token' }),
    );
    expect(JSON.stringify(described)).not.toMatch(/hunter2|long-enough/);
  });

  it('reads X_FILE, and names a file it cannot read', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'tapeline-settings-')), 'port');
    writeFileSync(file, '9000\n');
    expect(readSettings({ PORT_FILE: file }).PORT).toBe(9000);
    expect(faultsOf({ PORT_FILE: '/nowhere/port' })).toEqual(['PORT_FILE: cannot read /nowhere/port (ENOENT)']);
    expect(faultsOf({ PORT: '1', PORT_FILE: file })).toEqual(['PORT and PORT_FILE: give one of them, not both']);
  });

  it('refuses a database URL that names no host, and parts of one without the host', () => {
    for (const url of ['postgres://', 'postgres://u:hunter2@127.0.0.1:99999/x']) {
      expect(faultsOf({ DATABASE_URL: url })).toEqual([expect.stringContaining('must be a URL such as postgres://')]);
    }
    expect(faultsOf({ PSQL_USER: 'x', PSQL_PASS: 'hunter2' })).toEqual([
      'PSQL_USER, PSQL_PASS: given without PSQL_ADDR, the host they are for',
    ]);
    expect(faultsOf({ DATABASE_URL: 'postgres://u@%2Fvar%2Frun%2Fpostgresql/x' })).toEqual([]);
  });

  it('refuses a split of modules that would be silent', () => {
    expect(faultsOf({ MODULES: 'ingestion,streaming' })).toHaveLength(2);
    expect(faultsOf({ MODULES: 'ingestion,processing' })).toEqual([]);
    expect(faultsOf({ MODULES: 'aggregation' })).toEqual([]);
  });

  it('reads durations and lists', () => {
    const settings = readSettings({ EVENTS_RETENTION: '3h', BINANCE_SYMBOLS: ' BTCUSDT , ETHUSDT ' });
    expect(settings.EVENTS_RETENTION).toBe(10_800_000);
    expect(settings.BINANCE_SYMBOLS).toEqual(['BTCUSDT', 'ETHUSDT']);
  });
});
