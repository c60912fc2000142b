import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { TradesReceivedV1 } from '../src/contracts/index.js';
import { Bus } from '../src/platform/bus/index.js';
import type { RunningApp } from './support/app.js';
import { keepWhenRed } from './support/database.js';
import { eventually } from './support/eventually.js';
import { madeTrade, startRecording } from './support/recording.js';

let app: RunningApp;

beforeAll(async () => {
  app = (await startRecording({ FEEDS: 'binance' })).app();
});

beforeEach(() => keepWhenRed());

afterAll(() => app?.close());

const START_US = Date.UTC(2026, 2, 1, 12) * 1000;

type Given = Readonly<{ second: number; size: string; price?: string; side?: 'buy' | 'sell' }>;

const send = (symbol: string, given: readonly Given[], source = 'binance'): void =>
  app.app.get(Bus).emit(TradesReceivedV1, {
    trades: given.map(({ second, price = '10', ...trade }, i) =>
      madeTrade({ source, symbol, tradeId: String(i + 1), price, tradedAtUs: START_US + second * 1_000_000, ...trade }),
    ),
  });

/** The flow once every trade is in it. */
const flow = (symbol: string, query: string, trades: number) =>
  eventually(async () => {
    const { body } = await app.get(`/api/v1/flow/${symbol}?${query}`);
    expect(body.trades).toBe(trades);
    return body;
  });

/** And once their sizes are, which are summarised apart from the candles, and less often. */
const summarisedFlow = (symbol: string, query: string, trades: number) =>
  eventually(async () => {
    const body = await flow(symbol, query, trades);
    expect(body.tradeSizes.count).toBe(trades);
    return body;
  });

it('tells what takers bought and sold, how fast, and in what sizes', async () => {
  send('FLOW', [
    { second: -7200, size: '5', side: 'sell' },
    { second: 0, size: '0.5', side: 'buy' },
    { second: 1, size: '0.25', price: '12', side: 'sell' },
    { second: 59, size: '100', price: '10.00000001', side: 'buy' },
    { second: 61, size: '0', price: '11' },
    { second: 3540, size: '3', side: 'sell' },
  ]);
  const body = await summarisedFlow('FLOW', 'window=1h', 4);
  expect(body).toEqual({
    symbol: 'FLOW',
    source: 'binance',
    window: '1h',
    from: '2026-03-01T12:00:00Z',
    to: '2026-03-01T13:00:00Z',
    sides: true,
    volume: '103.75',
    quoteVolume: '1038.000001',
    takerBuyVolume: '100.5',
    takerSellVolume: '3.25',
    takerBuyQuoteVolume: '1005.000001',
    takerSellQuoteVolume: '33',
    imbalance: 0.9373494,
    trades: 4,
    tradesPerSecond: 0.0011,
    busiestMinute: { openTime: '2026-03-01T12:00:00Z', trades: 3, tradesPerSecond: 0.05 },
    tradeSizes: {
      count: 4,
      min: 0.25,
      max: 100,
      mean: 25.9375,
      median: expect.any(Number),
      p95: expect.any(Number),
      p99: expect.any(Number),
      relativeError: expect.any(Number),
      histogram: [
        { from: 0.1, to: 1, count: 2 },
        { from: 1, to: 10, count: 1 },
        { from: 10, to: 100, count: 0 },
        { from: 100, to: 1000, count: 1 },
      ],
    },
    incomplete: false,
  });
  expect(Math.abs(body.tradeSizes.median / 0.5 - 1)).toBeLessThanOrEqual(body.tradeSizes.relativeError + 1e-9);
  expect((await flow('FLOW', 'window=4h', 5)).incomplete).toBe(true); // it begins before the series does
});

it('adds up from hours and minutes to the trades of the window, for any of them', async () => {
  const trades = fc.record({
    second: fc.nat(5 * 3600),
    units: fc.integer({ min: 1, max: 10_000_000 }),
    side: fc.constantFrom('buy' as const, 'sell' as const),
  });
  const seen: [symbol: string, query: string, trades: number][] = [];
  await fc.assert(
    fc.asyncProperty(
      fc.array(trades, { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 300 }),
      async (all, minutes) => {
        const symbol = `LAW${seen.length}`;
        send(
          symbol,
          all.map(({ second, units, side }) => ({ second, size: sizeOf(units), side })),
        );
        const endSecond = (Math.floor(Math.max(...all.map(({ second }) => second)) / 60) + 1) * 60;
        const inside = all.filter(({ second }) => second >= endSecond - minutes * 60);
        const query = `window=${minutes}m&points=1m`;
        seen.push([symbol, query, inside.length]);
        const body = await flow(symbol, query, inside.length);
        const units = (side: string): number =>
          inside.reduce((sum, trade) => sum + (trade.side === side ? trade.units : 0), 0);
        const [bought, sold] = [units('buy'), units('sell')];
        expect([body.takerBuyVolume, body.takerSellVolume]).toEqual([sizeOf(bought), sizeOf(sold)]);
        expect(body.imbalance).toBeCloseTo((bought - sold) / (bought + sold), 7);
        const perMinute = Object.values(Object.groupBy(inside, ({ second }) => Math.floor(second / 60)));
        expect(body.busiestMinute.trades).toBe(Math.max(...perMinute.map((one) => one!.length)));
        expect(body.items).toHaveLength(perMinute.length);
        const sum = (field: string): number =>
          body.items.reduce((total: number, item: Record<string, string>) => total + Number(item[field]) * 1e4, 0);
        expect([sum('takerBuyVolume'), sum('takerSellVolume')].map(Math.round)).toEqual([bought, sold]);
      },
    ),
    { numRuns: 40 },
  );
  for (const one of seen) await summarisedFlow(...one);
});

/** Units of 10^-4 as canonical decimal text. */
const sizeOf = (units: number): string => String(units / 1e4);

it('shows the flow of each candle that opens in the window', async () => {
  send('POINTS', [
    { second: -1, size: '1', side: 'buy' },
    { second: 10, size: '1', side: 'buy' },
    { second: 400, size: '3', side: 'sell' },
    { second: 899, size: '1', side: 'buy' },
  ]);
  const { items } = await flow('POINTS', 'window=15m&points=5m', 3);
  expect(items).toEqual([
    {
      openTime: '2026-03-01T12:00:00Z',
      takerBuyVolume: '1',
      takerSellVolume: '0',
      takerBuyQuoteVolume: '10',
      takerSellQuoteVolume: '0',
      imbalance: 1,
      trades: 1,
      incomplete: false,
    },
    expect.objectContaining({ openTime: '2026-03-01T12:05:00Z', takerSellVolume: '3', imbalance: -1 }),
    expect.objectContaining({ openTime: '2026-03-01T12:10:00Z', takerBuyVolume: '1', imbalance: 1 }),
  ]);
});

it('says so where the venue does not tell the taker', async () => {
  send('AAPL', [{ second: 0, size: '2' }], 'finnhub');
  expect(await flow('AAPL', 'window=1m&points=1m', 1)).toMatchObject({
    source: 'finnhub',
    sides: false,
    volume: '2',
    takerBuyVolume: null,
    takerSellVolume: null,
    takerBuyQuoteVolume: null,
    takerSellQuoteVolume: null,
    imbalance: null,
    trades: 1,
    items: [{ takerBuyVolume: null, imbalance: null, trades: 1 }],
  });
});

it('has no sizes, no busiest minute and no imbalance where nothing but prices was seen', async () => {
  send('INDEX', [{ second: 0, size: '0', price: '42' }], 'fear-greed');
  await eventually(async () => expect((await app.get('/api/v1/flow/INDEX')).status).toBe(200));
  expect((await app.get('/api/v1/flow/INDEX')).body).toMatchObject({
    sides: false,
    volume: '0',
    imbalance: null,
    trades: 0,
    tradesPerSecond: 0,
    busiestMinute: null,
    tradeSizes: null,
  });
});

it.each([
  ['FLOW?window=90s', 400, 'window', /whole minutes from 1m to 7d/],
  ['FLOW?window=8d', 400, 'window', /whole minutes from 1m to 7d/],
  ['FLOW?window=60', 400, 'window', /whole minutes from 1m to 7d/],
  ['FLOW?points=2m', 400, 'points', /1m, 5m, 15m, 1h, 4h, 1d/],
  ['FLOW?window=7d&points=1m', 400, 'points', /one of 15m, 1h, 4h, 1d for a window of 7d/],
  ['FLOW?window=1h&points=4h', 400, 'points', /one of 1m, 5m, 15m, 1h for a window of 1h/],
  ['FLOW?source=K!', 400, 'source', /id of a feed/],
  ['FLOW?interval=1m', 400, 'interval', /not a parameter/],
  ['NOPE', 404, undefined, /NOPE was recorded/],
  ['FLOW?source=kraken', 404, undefined, /recorded from kraken/],
])('answers flow/%s with problem %i', async (path, status, field, message) => {
  const { status: answered, body } = await app.get(`/api/v1/flow/${path}`);
  expect([answered, body.errors?.[0].field]).toEqual([status, field]);
  expect(body.detail).toMatch(message);
});
