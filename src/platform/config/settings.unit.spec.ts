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

  it('refuses addresses of venues with more than a place, and shows nothing of them', () => {
    for (const name of ['BINANCE_REST_URL', 'COINBASE_REST_URL', 'KRAKEN_REST_URL']) {
      for (const url of ['http://user:hunter2@h', 'http://user@h/hunter2', 'http://h?k=hunter2', 'http://h/#hunter2'])
        expect(faultsOf({ [name]: url })).toEqual([
          `${name}: the given value (not shown) must be an http:// or https:// URL without user, password, query and fragment`,
        ]);
      expect(faultsOf({ [name]: 'http://127.0.0.1:9443/base/' })).toEqual([]);
    }
    for (const venue of ['BINANCE', 'COINBASE', 'COINBASE_ADVANCED', 'KRAKEN', 'FINNHUB']) {
      for (const url of ['ws://user:hunter2@h', 'wss://h/v2#hunter2', 'wss://h?token=hunter2'])
        expect(faultsOf({ [`${venue}_WS_URL`]: url })).toEqual([
          `${venue}_WS_URL: the given value (not shown) must be a ws:// or wss:// URL without user, password, query and fragment`,
        ]);
    }
    expect(faultsOf({ FEAR_GREED_URL: 'https://user:hunter2@h/' })).toEqual([
      'FEAR_GREED_URL: the given value (not shown) must be an http:// or https:// URL without user and password',
    ]);
    expect(faultsOf({ FEAR_GREED_URL: 'https://h/?key=1' })).toEqual([]);
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

  it('reads polls with their paths, and shows nothing of them', () => {
    const [one, other] = [
      { symbol: 'EURUSD', url: 'https://x.example/?key=hunter2', value: '$.usd', every: '1m' },
      { symbol: 'GOLD', url: 'http://127.0.0.1:1/', value: '$[0]', time: '$[1]', timeUnit: 'ms', every: '5s' },
    ];
    const settings = readSettings({ FEEDS: 'poll', POLLS: JSON.stringify([one, other]) });
    expect(settings.POLLS).toMatchObject([
      { symbol: 'EURUSD', everyMs: 60_000, headers: {} },
      { symbol: 'GOLD', everyMs: 5000, timeUnit: 'ms', time: { text: '$[1]' } },
    ]);
    expect(settings.POLLS[0]!.value.find({ usd: 1 })).toEqual([['usd']]);
    expect(describeSettings(settings)).toMatchObject({ POLLS: '(set)', FEAR_GREED_EVERY: '1h' });
    expect(describeSettings(readSettings({}))).toMatchObject({ POLLS: '' });
  });

  it('names everything that is wrong with polls, by its place', () => {
    const good = { symbol: 'EURUSD', url: 'https://x.example', value: '$.usd', every: '1m' };
    const faults = faultsOf({
      FEEDS: 'poll',
      POLLS: JSON.stringify([
        good,
        { ...good, headers: { 'X-Key': 'hunter2' } },
        {
          symbol: 'eur/usd',
          url: 'ftp://hunter2',
          value: 'usd',
          time: '$.',
          every: '4s',
          headers: { 'a b': 'hunter2' },
        },
        { ...good, symbol: 'A', url: 'https://u:hunter2@x.example', timeUnit: 'h', every: '2d', headers: { a: 1 } },
        { symbol: 'B', interval: '1m' },
      ]),
    });
    expect(faults.map((fault) => fault.replace(/ .*/, ''))).toEqual([
      'POLLS[1].symbol:',
      ...['symbol', 'url', 'every', 'headers', 'time', 'value'].map((field) => `POLLS[2].${field}:`),
      ...['url', 'every', 'timeUnit', 'timeUnit', 'headers'].map((field) => `POLLS[3].${field}:`),
      ...['interval', 'url', 'every', 'value'].map((field) => `POLLS[4].${field}:`),
    ]);
    expect(faults.join()).not.toContain('hunter2');
  });

  it('refuses polls that are no list, too many, or nobody would read', () => {
    for (const POLLS of ['{"key":"hunter2"}', '[1]', 'hunter2', '[null]']) {
      expect(faultsOf({ FEEDS: 'poll', POLLS })).toEqual([
        'POLLS: the given value (not shown) must be a JSON list of objects',
      ]);
    }
    const one = { url: 'https://x.example', value: '$', every: '1m' };
    const many = Array.from({ length: 101 }, (_, i) => ({ ...one, symbol: `S${i}` }));
    expect(faultsOf({ FEEDS: 'poll', POLLS: JSON.stringify(many) })).toEqual(['POLLS: 101 entries, at most 100']);
    expect(faultsOf({ FEEDS: 'poll' })).toEqual(['POLLS: the feed poll needs a list of what to ask for']);
    expect(faultsOf({ POLLS: JSON.stringify(many.slice(1)) })).toEqual(['POLLS: given, but FEEDS does not name poll']);
  });

  it('refuses limits of uploads that are none', () => {
    expect(readSettings({ UPLOAD_STALL: '5s', FILES_RETENTION: '0', UPLOAD_READERS: '1' })).toMatchObject({
      UPLOAD_STALL: 5000,
      FILES_RETENTION: 0,
      UPLOAD_READERS: 1,
      UPLOAD_MAX_BYTES: 2_147_483_648,
      UPLOAD_MAX_UNPACKED_BYTES: 10_737_418_240,
    });
    for (const [name, value] of Object.entries({
      UPLOAD_MAX_BYTES: '0',
      UPLOAD_MAX_UNPACKED_BYTES: '10GB',
      UPLOAD_CONCURRENT: '0',
      UPLOAD_READERS: '17',
      UPLOAD_STALL: '0',
      UPLOAD_MAX_TIME: '999ms',
      FILES_RETENTION: 'never',
    }))
      expect(faultsOf({ [name]: value })).toEqual([expect.stringContaining(`${name}: ${JSON.stringify(value)}`)]);
  });

  it('reads durations and lists', () => {
    const settings = readSettings({ EVENTS_RETENTION: '3h', BINANCE_SYMBOLS: ' BTCUSDT , ETHUSDT ' });
    expect(settings.EVENTS_RETENTION).toBe(10_800_000);
    expect(settings.BINANCE_SYMBOLS).toEqual(['BTCUSDT', 'ETHUSDT']);
  });

  it('refuse networks that are none and mail servers that are no URL, without showing a password', () => {
    expect(readSettings({ ALLOW_PRIVATE_TARGETS: '10.0.0.0/8, fd00::/8,192.168.1.5' }).ALLOW_PRIVATE_TARGETS).toEqual([
      '10.0.0.0/8',
      'fd00::/8',
      '192.168.1.5',
    ]);
    for (const wrong of ['10.0.0.0/33', '10.0.0', 'fd00::/129', 'localhost', '10.0.0.0/8/8'])
      expect(() => readSettings({ ALLOW_PRIVATE_TARGETS: wrong }), wrong).toThrow('ALLOW_PRIVATE_TARGETS: ');
    expect(() => readSettings({ SMTP_URL: 'http://me:hidden@host' })).toThrow(
      'SMTP_URL: the given value (not shown) must be a URL such as',
    );
    expect(describeSettings(readSettings({ SMTP_URL: 'smtp://me:hidden@host:587' })).SMTP_URL).toBe('(set)');
  });
});
