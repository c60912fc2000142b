import { nineFields, oracleCandles } from '../bench/candle-oracle.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { INTERVALS, type IntervalName } from '../src/contracts/index.js';
import { type Replay, type ReplayOptions, startReplay } from '../src/ingestion/simulator/replay.server.js';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed, testDatabase, type TestDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';
import { SESSION_FILES, sessionTrades } from './support/recorded-session.js';

const FIRST_ID = 1520538925;
const TRADES = 14_515;

const runs: { title: string; options: Omit<ReplayOptions, 'file'> }[] = [
  { title: 'as fast as it is read', options: { speed: Infinity } },
  { title: 'at 100 times its speed', options: { speed: 100 } },
  { title: 'served twice', options: { speed: Infinity, repeat: 2 } },
  { title: 'shuffled within 5 s', options: { speed: 200, shuffleMs: 5000, seed: 7 } },
  { title: 'cut by five disconnects', options: { speed: 100, disconnects: 5, seed: 7 } },
  {
    title: 'served twice, shuffled and cut',
    options: { speed: 200, repeat: 2, shuffleMs: 5000, disconnects: 5, seed: 11 },
  },
];

if (!SESSION_FILES)
  process.stderr.write(
    'skipped: ../shared/data/market/binance-spot is not there, so no recorded session is replayed\n',
  );

describe.skipIf(!SESSION_FILES).each(runs)('the recorded ETHUSDT session, $title', ({ options }) => {
  let database: TestDatabase;
  let replay: Replay;
  let running: RunningApp;

  beforeAll(async () => {
    database = await testDatabase();
    replay = await startReplay({ ...options, file: SESSION_FILES!, limits: { weightPerMinute: Infinity } });
    running = await startApp(database.connection, {
      FEEDS: 'binance',
      BINANCE_SYMBOLS: 'ETHUSDT',
      BINANCE_WS_URL: replay.url,
      BINANCE_REST_URL: replay.restUrl,
      MODULES: 'ingestion,processing,aggregation',
    });
    await replay.finished;
    await eventually(async () => {
      const [state] = (await database.dataSource.query(
        `select (select count(*) from processing.trade)::int as trades, (select count(*) from bus.delivery)::int as waiting,
                (select count(*) from ingestion.gap where state in ('open', 'filling'))::int as gaps`,
      )) as [{ trades: number; waiting: number; gaps: number }];
      expect(state).toEqual({ trades: TRADES, waiting: 0, gaps: 0 });
    }, 30_000);
  });

  beforeEach(() => keepWhenRed());

  afterAll(async () => {
    await running?.close();
    await replay?.close();
  });

  it('gives 14,515 trades, each once, with contiguous ids and the frames’ own decimals', async () => {
    const [summary] = (await database.dataSource.query(
      `select count(*)::int as n, count(distinct trade_id)::int as distinct_ids, min(trade_id)::int as first, max(trade_id)::int as last, sum(price * size)::text as quote
       from processing.trade`,
    )) as [Record<string, unknown>];
    const trades = sessionTrades();
    const quote = trades.reduce(
      (sum, trade) => sum + BigInt(trade.price.replace('.', '')) * BigInt(trade.size.replace('.', '')),
      0n,
    );
    expect(summary).toMatchObject({ n: TRADES, distinct_ids: TRADES, first: FIRST_ID, last: FIRST_ID + TRADES - 1 });
    expect(BigInt((summary.quote as string).replace('.', '').padEnd(quote.toString().length, '0'))).toBe(quote);
  });

  it.each(Object.keys(INTERVALS) as IntervalName[])(
    'gives %s candles equal in nine fields to those of the frames',
    async (window) => {
      const { body } = await running.get(`/api/v1/ohlcv/ETHUSDT?window=${window}&source=binance`);
      const got = new Map(
        (body.candles as Record<string, unknown>[]).map((candle) => [candle.openTime, nineFields(candle)]),
      );
      expect(got).toEqual(oracleCandles(sessionTrades(), INTERVALS[window]));
      // what was traded before the recording began is not known: only the first candle lacks it
      const incomplete = (body.candles as { incomplete: boolean }[]).map((candle) => candle.incomplete);
      expect(incomplete).toEqual(incomplete.map((_, index) => index === 0));
    },
  );

  it('would not if trades were put into minutes by the time they were received', async () => {
    const byEventTime = oracleCandles(sessionTrades(), INTERVALS['1m']);
    const byReceiveTime = oracleCandles(
      sessionTrades().map((trade) => ({ ...trade, atUs: trade.receivedUs })),
      INTERVALS['1m'],
    );
    expect(byReceiveTime).not.toEqual(byEventTime);
    const { body } = await running.get('/api/v1/ohlcv/ETHUSDT?window=1m');
    const first = body.candles[0] as Record<string, unknown>;
    expect(nineFields(first)).not.toEqual(byReceiveTime.get(first.openTime as string));
  });
});
