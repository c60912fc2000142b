import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { formatInstant, GapOpenedV1, type Trade, TradesReceivedV1 } from '../src/contracts/index.js';
import { Bus } from '../src/platform/bus/index.js';
import type { RunningApp } from './support/app.js';
import { keepWhenRed } from './support/database.js';
import { eventually } from './support/eventually.js';
import { madeTrade, startRecording } from './support/recording.js';

let app: RunningApp;

const START_US = Date.UTC(2026, 2, 1, 12) * 1000;
const MINUTE_US = 60_000_000;

/** Closes by the minute; 0 is a minute without a trade. */
const MARKETS = {
  AAA: [100, 101, 99, 102, 102.5, 101.5, 103, 104, 103.5, 105],
  BBB: [10, 10.2, 9.8, 10.4, 10.5, 10.3, 10.6, 10.8, 10.7, 11],
  QUIET: [50, 51, 50, 0, 0, 52, 51, 50.5, 53, 52],
  FLAT: [7, 7, 7, 7, 7, 7, 7, 7, 7, 7],
  HOLED: [20, 21, 20, 0, 0, 22, 21, 20.5, 23, 22],
  YOUNG: [0, 0, 0, 0, 0, 0, 5, 6, 5, 6],
} as const;
const END_US = START_US + 10 * MINUTE_US;

beforeAll(async () => {
  const recording = await startRecording({ FEEDS: 'binance,kraken' });
  app = recording.app();
  const bus = app.app.get(Bus);
  for (const [symbol, prices] of Object.entries(MARKETS))
    bus.emit(TradesReceivedV1, { trades: trades(symbol, prices) });
  bus.emit(TradesReceivedV1, { trades: trades('AAA', MARKETS.BBB, 'kraken') });
  const hole = { gapId: '5', source: 'binance', symbol: 'HOLED', fromTradeId: '104', toTradeId: '105', missing: 2 };
  await bus.transaction((tx) => bus.append(tx, GapOpenedV1, hole));
  await eventually(async () => {
    const [row] = (await recording.database.dataSource.query(
      `select (select count(*) from aggregation.candle where interval_name = '1m' and closed)::int as candles, (select count(*) from aggregation.gap)::int as gaps`,
    )) as unknown[];
    expect(row).toEqual({ candles: 60, gaps: 1 });
  });
});

beforeEach(() => keepWhenRed());

afterAll(() => app?.close());

/**
 * One trade a minute, with the ids 101, 102, …: minutes without one have no id either. One more, at a price no one should
 * see, closes the last of them and stays in an open candle.
 */
function trades(symbol: string, prices: readonly number[], source = 'binance'): Trade[] {
  const all = [...prices, 1_000_000].map((price, minute) =>
    madeTrade({
      source,
      symbol,
      tradeId: String(101 + minute),
      price: String(price),
      tradedAtUs: START_US + minute * MINUTE_US + 5_000_000,
    }),
  );
  return all.filter((trade) => trade.price !== '0');
}

const get = (query: string) => app.get(`/api/v1/correlation?interval=1m&${query}`);

/** Pearson, as the textbook has it. */
function pearson(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value) / values.length;
  const [offA, offB] = [a, b].map((values) => values.map((value) => value - mean(values))) as [number[], number[]];
  const dot = (x: readonly number[], y: readonly number[]): number =>
    x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  return dot(offA, offB) / Math.sqrt(dot(offA, offA) * dot(offB, offB));
}
const returns = (prices: readonly number[]): number[] =>
  prices.slice(1).map((price, i) => Math.log(price / prices[i]!));

describe('the correlation of symbols', () => {
  it('is that of the log returns of their last closed candles', async () => {
    const { status, body } = await get('symbols=AAA,BBB&length=9');
    const expected = pearson(returns(MARKETS.AAA), returns(MARKETS.BBB));
    expect([status, body]).toEqual([
      200,
      {
        interval: '1m',
        length: 9,
        missing: 'skip',
        from: formatInstant(START_US + MINUTE_US),
        to: formatInstant(END_US),
        symbols: ['AAA', 'BBB'].map((symbol) => ({
          symbol,
          source: 'binance',
          candles: 10,
          missing: 0,
          incomplete: 0,
        })),
        matrix: [
          [1, expect.closeTo(expected, 12)],
          [expect.closeTo(expected, 12), 1],
        ],
        pairs: [{ a: 'AAA', b: 'BBB', samples: 9, skipped: 0, correlation: expect.closeTo(expected, 12) }],
      },
    ]);
    expect(body.matrix[0][1]).toBe(body.matrix[1][0]);
  });

  it('is also told by feed: the same prices of two feeds are exactly 1', async () => {
    const { body } = await get('symbols=kraken:AAA,BBB,AAA&length=9');
    expect(body.symbols.map((one: Record<string, unknown>) => `${one.source}:${one.symbol}`)).toEqual([
      'kraken:AAA',
      'binance:BBB',
      'binance:AAA',
    ]);
    expect(body.matrix[0][1]).toBe(1);
    expect(body.pairs.map(({ a, b }: Record<string, unknown>) => `${a} ${b}`)).toEqual([
      'kraken:AAA BBB',
      'kraken:AAA AAA',
      'BBB AAA',
    ]);
    expect((await get('symbols=AAA,binance:BBB&length=9&source=kraken')).body.pairs[0].correlation).toBe(1);
  });

  it('skips windows in which one of the two did not trade, or lets the last close stand', async () => {
    const skip = (await get('symbols=AAA,BBB,QUIET&length=9')).body;
    expect(skip.symbols[2]).toMatchObject({ candles: 8, missing: 2, incomplete: 0 });
    const spans = [0, 1, 5, 6, 7, 8]; // places of the returns whose window and the one before were traded in
    const [a, quiet] = [MARKETS.AAA, MARKETS.QUIET].map((prices) => spans.map((i) => returns(prices)[i]!));
    expect(skip.pairs[0]).toMatchObject({ a: 'AAA', b: 'BBB', samples: 9, skipped: 0 });
    expect(skip.pairs[1]).toMatchObject({ a: 'AAA', b: 'QUIET', samples: 6, skipped: 3 });
    expect(skip.pairs[1].correlation).toBeCloseTo(pearson(a!, quiet!), 12);

    const hold = (await get('symbols=AAA,QUIET&length=9&missing=hold')).body;
    const held = MARKETS.QUIET.map((price) => (price === 0 ? 50 : price));
    expect(hold.symbols[1]).toMatchObject({ candles: 8, missing: 2, incomplete: 0 });
    expect(hold.pairs[0]).toMatchObject({ samples: 9, skipped: 0 });
    expect(hold.pairs[0].correlation).toBeCloseTo(pearson(returns(MARKETS.AAA), returns(held)), 12);
  });

  it('never uses what lies in a hole: unknown is not quiet', async () => {
    for (const missing of ['skip', 'hold']) {
      const { body } = await get(`symbols=AAA,HOLED&length=9&missing=${missing}`);
      // the candles of minutes 2 and 5 touch the hole between them
      expect(body.symbols[1]).toMatchObject({ candles: 6, missing: 0, incomplete: 4 });
      const spans = [0, 6, 7, 8];
      const [a, holed] = [MARKETS.AAA, MARKETS.HOLED].map((prices) => spans.map((i) => returns(prices)[i]!));
      expect(body.pairs[0]).toMatchObject({ samples: 4, skipped: 5 });
      expect(body.pairs[0].correlation).toBeCloseTo(pearson(a!, holed!), 12);
    }
  });

  it('is null where nothing varies or too little is common, and says which', async () => {
    const { body } = await get('symbols=AAA,FLAT&length=9');
    expect(body.pairs[0]).toMatchObject({ correlation: null, reason: 'no-variance', samples: 9 });
    expect(body.matrix).toEqual([
      [1, null],
      [null, 1],
    ]);
    expect((await get('symbols=AAA,BBB&length=2')).body.pairs[0]).toMatchObject({
      correlation: null,
      reason: 'too-few-samples',
      samples: 2,
    });
  });

  it('rolls over every stretch of windows, each by its end', async () => {
    const { body } = await get('symbols=AAA,BBB&length=9&rolling=4');
    const [a, b] = [returns(MARKETS.AAA), returns(MARKETS.BBB)];
    expect(body.rolling).toEqual([
      {
        a: 'AAA',
        b: 'BBB',
        items: Array.from({ length: 6 }, (_, i) => ({
          time: formatInstant(START_US + (i + 5) * MINUTE_US),
          correlation: expect.closeTo(pearson(a.slice(i, i + 4), b.slice(i, i + 4)), 9),
        })),
      },
    ]);
    expect(body.rolling[0].items.at(-1).time).toBe(body.to);
    expect((await get('symbols=AAA,BBB&length=9&rolling=9')).body.rolling[0].items).toHaveLength(1);
  });
});

const many = (count: number): string => Array.from({ length: count }, (_, i) => `S${i}`).join(',');
const problems: [query: string, status: number, field: string | undefined, message: RegExp][] = [
  ['symbols=AAA,BBB&interval=7m', 400, 'interval', /1m, 5m, 15m, 1h, 4h, 1d/],
  ['symbols=AAA,BBB&length=1', 400, 'length', /2 to 1000/],
  ['symbols=AAA,BBB&length=1001', 400, 'length', /2 to 1000/],
  ['symbols=AAA,BBB&length=ten', 400, 'length', /2 to 1000/],
  ['symbols=AAA,BBB&length=10', 400, 'length', /at most 9: binance:AAA/],
  ['symbols=AAA,YOUNG&length=9', 400, 'length', /at most 3: binance:YOUNG/],
  ['symbols=AAA,BBB&interval=1d&length=5', 400, 'length', /at most 0: binance:AAA/],
  ['symbols=AAA,BBB&length=9&rolling=10', 400, 'rolling', /2 to length, which is 9/],
  ['symbols=AAA,BBB&length=9&rolling=1', 400, 'rolling', /2 to 1000/],
  ['symbols=AAA,BBB,QUIET,FLAT,HOLED,YOUNG&length=3&rolling=3', 400, 'rolling', /10 pairs, which 5 symbols have/],
  ['symbols=AAA,BBB&missing=zero', 400, 'missing', /skip or hold/],
  ['symbols=AAA', 400, 'symbols', /2 to 50 different/],
  ['length=9', 400, 'symbols', /2 to 50 different/],
  ['symbols=', 400, 'symbols', /2 to 50 different/],
  ['symbols=AAA,BBB,AAA', 400, 'symbols', /different/],
  ['symbols=AAA,binance:AAA&length=9', 400, 'symbols', /binance:AAA/],
  ['symbols=AAA,BINANCE:BBB', 400, 'symbols', /binance:BTCUSDT/],
  [`symbols=${many(51)}`, 400, 'symbols', /2 to 50 different/],
  ['symbols=AAA,BBB&source=K!', 400, 'source', /id of a feed/],
  ['symbols=AAA,BBB&window=1h', 400, 'window', /not a parameter/],
  [`symbols=${many(50)}`, 404, undefined, /S0|recorded/],
  ['symbols=AAA,NOPE', 404, undefined, /NOPE/],
  ['symbols=AAA,kraken:BBB', 404, undefined, /BBB was recorded from kraken/],
];

it.each(problems)('answers %s with problem %i', async (query, status, field, message) => {
  const path = query.includes('interval=')
    ? `/api/v1/correlation?${query}`
    : `/api/v1/correlation?interval=1m&${query}`;
  const { status: answered, body } = await app.get(path);
  expect([answered, body.errors?.map((error: { field: string }) => error.field)]).toEqual([
    status,
    field === undefined ? undefined : [field],
  ]);
  expect(body.detail).toMatch(message);
  expect(body.detail).not.toMatch(/(must be .*) and \1/);
});
