import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppProcess } from '../bench/app-process.js';
import { nineFields, oracleCandles } from '../bench/candle-oracle.js';
import { formatInstant } from '../src/contracts/index.js';
import { simulatedMarket } from '../src/ingestion/simulator/market.js';
import { sampleSessions, type Session } from '../src/ingestion/simulator/sample.js';
import type { TapeTrade } from '../src/ingestion/simulator/tape.js';
import { eventually } from './support/eventually.js';

const CLI = join(import.meta.dirname, '../dist/src/cli.js');
const MINUTE_US = 60_000_000;
const SYMBOLS = ['BTCUSDT', 'ETHUSDT'];
/** So near to now that the feed has little to fetch behind it. */
const UNTIL_US = Math.floor((Date.now() * 1000) / MINUTE_US) * MINUTE_US;
const UNTIL = formatInstant(UNTIL_US);
const EARLIER_US = UNTIL_US - 60 * MINUTE_US;
const SAMPLE = sampleSessions(20, UNTIL_US);
/** It lies within what the first one left out. */
const EARLIER_SAMPLE = sampleSessions(20, EARLIER_US);

const market = simulatedMarket();
let dataDir: string;
let app: AppProcess;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'tapeline-seed-'));
  app = await AppProcess.create(dataDir, {});
});

afterAll(async () => {
  await app?.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

function seed(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [CLI, 'seed', '--markets', '2', ...args],
      { env: { PATH: process.env.PATH, DATA_DIR: dataDir } },
      (error, out, err) => resolve({ code: error ? (error.code as number) : 0, out, err }),
    );
  });
}

function tradesOf(symbol: string, { fromUs, toUs }: Session): TapeTrade[] {
  const from = market.firstIdSince(symbol, fromUs)!;
  return market.tradesFrom(symbol, from, market.firstIdSince(symbol, toUs)! - from, UNTIL_US);
}

const countOf = (sessions: readonly Session[]): number =>
  sessions
    .flatMap((session) => SYMBOLS.map((symbol) => tradesOf(symbol, session).length))
    .reduce((sum, count) => sum + count, 0);

/** Trades and minutes of the sampled markets until the end of the sample, told by the database itself. */
async function stored(): Promise<{ trades: number; minutes: number }> {
  const db = await app.database();
  const { rows } = await db.query<{ trades: number; minutes: number }>(
    `select count(*)::int as trades, count(distinct (symbol, date_trunc('minute', traded_at)))::int as minutes
     from processing.trade join processing.series s on s.id = series_id where symbol = any($1) and traded_at < $2`,
    [SYMBOLS, UNTIL],
  );
  await db.end();
  return rows[0]!;
}

type Candle = Record<string, unknown> & { openTime: string; closed: boolean; incomplete: boolean };
const get = async <T>(path: string): Promise<T> => (await fetch(`${app.url}/api/v1/${path}`)).json() as Promise<T>;
const minuteCandles = async (symbol: string): Promise<Candle[]> =>
  (await get<{ candles: Candle[] }>(`ohlcv/${symbol}?window=1m&limit=1000&to=${UNTIL}`)).candles;
const gaps = async (): Promise<Record<string, unknown>[]> =>
  (await get<{ items: Record<string, unknown>[] }>('gaps?limit=500')).items;

/** Every candle of the sample is that of all its trades, and says so but where a session begins or ends. */
async function compareCandles(sessions: readonly Session[]): Promise<void> {
  const edgesUs = sessions.flatMap(({ fromUs, toUs }) => [fromUs, toUs - MINUTE_US]);
  const edges = edgesUs.filter((atUs) => atUs !== UNTIL_US - MINUTE_US).map(formatInstant);
  for (const symbol of SYMBOLS) {
    const trades = sessions.flatMap((session) => tradesOf(symbol, session));
    const expected = oracleCandles(
      trades.map((trade) => ({ ...trade, atUs: trade.tradedAtUs })),
      60_000,
    );
    const candles = await minuteCandles(symbol);
    expect(new Map(candles.map((candle) => [candle.openTime, nineFields(candle)]))).toEqual(expected);
    expect(candles.filter(({ closed }) => !closed)).toEqual([]);
    const isLast = ({ openTime }: Candle): boolean => openTime === formatInstant(UNTIL_US - MINUTE_US);
    expect(candles.filter((one) => one.incomplete && !isLast(one)).map(({ openTime }) => openTime)).toEqual(
      edges.toSorted(),
    );
  }
}

describe('cli seed', () => {
  it('records a sample of a week on a fresh database, each trade once', async () => {
    const { code, out, err } = await seed('--minutes', '20', '--until', UNTIL);
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('source "simulator"');
    expect(out).toContain(`${countOf(SAMPLE).toLocaleString('en')} trades recorded in`);
    expect(out).toContain('15 sample rules installed');
  });

  it('finds nothing to do the second time', async () => {
    const { out } = await seed('--minutes', '20', '--until', UNTIL);
    expect(out).toContain('Nothing to do');
    expect(out).toContain('sample rules are there already');
  });

  it('leaves a database that Tapeline goes on with, and no gap that is fetched', async () => {
    app.start();
    await app.ready();
    expect(await stored()).toEqual({ trades: countOf(SAMPLE), minutes: 40 });
    await compareCandles(SAMPLE);
    expect((await get<{ items: unknown[] }>('rules')).items).toHaveLength(15);
    // the feed first heals what was traded since
    await eventually(async () => {
      const behind = await get<{ symbols: { symbol: string; trades: number }[]; openGaps: number }>('feeds/simulator');
      expect(behind.openGaps).toBe(0);
      expect(behind.symbols.every(({ trades }) => trades > 0)).toBe(true);
    }, 50_000);
    const ofSample = (await gaps()).filter(({ symbol }) => SYMBOLS.includes(symbol as string));
    const unfillable = ofSample.filter(({ state }) => state === 'unfillable');
    expect(Object.entries(Object.groupBy(unfillable, ({ reason }) => String(reason)))).toEqual([
      ['not part of the sample that cli seed recorded', expect.objectContaining({ length: 12 })],
      ['traded before this series was first read', expect.objectContaining({ length: 2 })],
    ]);
    const healed = ofSample.filter(({ state }) => state !== 'unfillable');
    expect(healed.map(({ state }) => state)).toEqual(healed.map(() => 'closed'));
    expect(healed.length).toBeLessThanOrEqual(4);
    expect(await stored()).toEqual({ trades: countOf(SAMPLE), minutes: 40 });
    expect(await get('24h-change/BTCUSDT')).toMatchObject({
      source: 'simulator',
      previousVolume: expect.stringMatching(/[1-9]/),
    });
  }, 90_000);

  it('records more of the same beside a running Tapeline, whose feed takes it for no hole', async () => {
    const { code, out } = await seed('--minutes', '20', '--until', formatInstant(EARLIER_US));
    expect([code, out]).toEqual([0, expect.stringContaining('beside a running Tapeline')]);
    expect(out).toContain(`${countOf(EARLIER_SAMPLE).toLocaleString('en')} trades recorded in`);
    const both = [...SAMPLE, ...EARLIER_SAMPLE];
    await eventually(async () => {
      await compareCandles(both);
      expect((await gaps()).filter(({ state }) => state === 'open' || state === 'filling')).toEqual([]);
    }, 30_000);
    expect(await stored()).toEqual({ trades: countOf(both), minutes: 80 });
  }, 60_000);

  it('says what it takes when it is asked wrongly', async () => {
    for (const wrong of [
      ['--markets', '11'],
      ['--minutes', '0'],
      ['--minutes', '1.5'],
      ['--until', 'tomorrow'],
    ]) {
      const { code, err } = await seed(...wrong);
      expect([wrong, code, err]).toEqual([wrong, 2, expect.stringContaining(wrong[0]!)]);
    }
    const future = formatInstant(UNTIL_US + 86_400_000_000);
    expect((await seed('--until', future)).err).toContain('a whole minute of the past');
  });
});
