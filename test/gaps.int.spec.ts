import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { GapClosedV1, GapOpenedV1, type Trade, TradesReceivedV1 } from '../src/contracts/index.js';
import { Bus } from '../src/platform/bus/index.js';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed, testDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';

let app: RunningApp;
let bus: Bus;

beforeAll(async () => {
  const database = await testDatabase();
  app = await startApp(database.connection, { MODULES: 'processing,aggregation' });
  bus = app.app.get(Bus);
  await bus.whenReady();
});

beforeEach(() => keepWhenRed());

afterAll(() => app?.close());

const START_US = Date.UTC(2026, 2, 1, 12) * 1000;
/** Two trades in each of the minutes 0, 2 and 4, and a hole of ids between 13 and 20. */
const trades = [
  [0, 10],
  [0, 11],
  [2, 12],
  [2, 13],
  [4, 20],
  [4, 21],
].map(([minute, id]): Trade => ({
  source: 'binance',
  exchange: 'Binance',
  symbol: 'GAPUSDT',
  venueSymbol: 'GAPUSDT',
  tradeId: String(id),
  price: '10',
  size: '1',
  tradedAtUs: START_US + minute! * 60_000_000 + id! * 1000,
  receivedAtUs: START_US,
}));
const gap = { gapId: '77', source: 'binance', symbol: 'GAPUSDT', fromTradeId: '14', toTradeId: '19', missing: 6 };

type CandleBody = { openTime: string; incomplete: boolean; filled?: boolean };
const candles = async (query = ''): Promise<CandleBody[]> =>
  ((await app.get(`/api/v1/ohlcv/GAPUSDT?window=1m${query}`)).body.candles ?? []) as CandleBody[];
const incomplete = async (): Promise<boolean[]> => (await candles()).map((candle) => candle.incomplete);
const minutes = async (): Promise<string[]> =>
  (await candles('&fill=previous')).map(
    (candle) => `${candle.openTime.slice(14, 16)}${candle.filled ? ' filled' : ''}`,
  );

it('marks the candles beside an open gap, makes up none across it, and takes both back when it closes', async () => {
  bus.emit(TradesReceivedV1, { trades });
  await eventually(async () => expect(await incomplete()).toEqual([false, false, false]));
  expect(await minutes()).toEqual(['00', '01 filled', '02', '03 filled', '04']);

  await bus.transaction((tx) => bus.append(tx, GapOpenedV1, gap));
  await eventually(async () => expect(await incomplete()).toEqual([false, true, true]));
  expect(await minutes()).toEqual(['00', '01 filled', '02', '04']);

  await bus.transaction((tx) => bus.append(tx, GapClosedV1, gap));
  await eventually(async () => expect(await incomplete()).toEqual([false, false, false]));
  await bus.transaction((tx) => bus.append(tx, GapOpenedV1, gap)); // told late, once more
  await eventually(async () => expect((await app.get('/health')).body.details.bus.status).toBe('up'));
  expect(await incomplete()).toEqual([false, false, false]);
});

it('pages through filled candles without loss or repetition, forward and backward', async () => {
  for (const start of ['', '&from=2026-03-01T00:00:00Z']) {
    const pages: string[][] = [];
    let cursor: string | null = null;
    do {
      const { body } = await app.get(
        `/api/v1/ohlcv/GAPUSDT?window=1m&fill=previous&limit=2${start}${cursor ? `&cursor=${cursor}` : ''}`,
      );
      pages.push((body.candles as CandleBody[]).map((candle) => candle.openTime.slice(14, 16)));
      cursor = body.nextCursor;
    } while (cursor);
    expect((start === '' ? pages.toReversed() : pages).flat()).toEqual(['00', '01', '02', '03', '04']);
  }
});
