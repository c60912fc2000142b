import { DDSketch } from '@datadog/sketches-js';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { addTrades, MinuteSummaries } from '../src/aggregation/rollups/rollup.js';
import { RollupStore } from '../src/aggregation/rollups/rollup.store.js';
import { Summaries } from '../src/aggregation/rollups/summaries.service.js';
import { GapOpenedV1, INTERVAL_NAMES, INTERVALS, type Trade, TradesReceivedV1 } from '../src/contracts/index.js';
import { Bus } from '../src/platform/bus/index.js';
import { keepWhenRed } from './support/database.js';
import { eventually } from './support/eventually.js';
import { madeTrade, type Recording, startRecording } from './support/recording.js';

let recording: Recording;

beforeAll(async () => {
  recording = await startRecording();
});

beforeEach(() => keepWhenRed());

afterAll(() => recording?.close());

const get = (path: string) => recording.app().get(`/api/v1/metrics/${path}`);
const bus = (): Bus => recording.app().app.get(Bus);

const START_US = Date.UTC(2026, 0, 31, 23, 50) * 1000; // windows of all intervals end within the span
const DAY = '2026-01-31T00:00:00Z';

type Sent = Readonly<{ id: number; atUs: number; price: string; size: string }>;

const trade = (symbol: string, { id, atUs, price, size }: Sent, source = 'simulator'): Trade =>
  madeTrade({ source, symbol, tradeId: String(id), price, size, tradedAtUs: atUs });

const send = (symbol: string, trades: readonly Sent[], source?: string): void =>
  bus().emit(TradesReceivedV1, { trades: trades.map((one) => trade(symbol, one, source)) });

/** What is stored of a series, by window, and what the whole of its trades amounts to. */
async function stored(symbol: string): Promise<Map<string, string>> {
  const rows = (await recording.database.dataSource.query(
    `select measure, interval_name, (extract(epoch from open_time) * 1000000)::bigint as open_us, count, min, max, encode(bins, 'hex') as bins
     from aggregation.rollup where symbol = $1`,
    [symbol],
  )) as Record<string, string>[];
  return new Map(
    rows.map((row) => [
      `${row.measure} ${row.interval_name} ${row.open_us}`,
      [row.count, row.min, row.max, row.bins].join(' '),
    ]),
  );
}

function whole(trades: readonly Sent[]): Map<string, string> {
  const summaries = new Summaries();
  const expected = new Map<string, string>();
  for (const interval of INTERVAL_NAMES)
    for (const measure of ['price', 'volume'] as const) {
      const windows = Map.groupBy(trades, ({ atUs }) => atUs - (atUs % (INTERVALS[interval] * 1000)));
      for (const [openUs, those] of windows) {
        const summary = summaries.empty(measure);
        for (const one of those) summary.add(Number(measure === 'price' ? one.price : one.size));
        const { count, min, max, bins } = summary.stored();
        expected.set(
          `${measure} ${interval} ${openUs}`,
          [count, min, max, Buffer.from(bins).toString('hex')].join(' '),
        );
      }
    }
  return expected;
}

const tradesArbitrary = fc
  .array(
    fc.record({
      atUs: fc.integer({ min: 0, max: 1200 }).map((second) => START_US + second * 1_000_000),
      price: fc.integer({ min: 6_400_000, max: 6_600_000 }).map((cents) => String(cents / 100)),
      size: fc.integer({ min: 1, max: 2_000_000 }).map((units) => String(units / 1e6)),
    }),
    { minLength: 1, maxLength: 80 },
  )
  .map((trades): Sent[] =>
    trades.map((one, index) => ({ ...one, price: text(one.price), size: text(one.size), id: 1000 + index })),
  );

const text = (number: string): string =>
  Number(number)
    .toFixed(6)
    .replace(/\.?0+$/, '');

/** Every trade at least once, some repeated, in any order, cut into flushes anywhere. */
const deliveryArbitrary = tradesArbitrary.chain((trades) =>
  fc.record({
    trades: fc.constant(trades),
    order: fc.shuffledSubarray([...trades, ...trades], { minLength: trades.length, maxLength: trades.length * 2 }),
    flush: fc.integer({ min: 1, max: 20 }),
  }),
);

let run = 0;
const newSymbol = (): string => `ROLL${++run}`;

describe('rollups', () => {
  it('are those of the set of trades, whatever their order, split and repetition', async () => {
    await fc.assert(
      fc.asyncProperty(deliveryArbitrary, async ({ trades, order, flush }) => {
        const symbol = newSymbol();
        const sent = [...order, ...trades.filter((one) => !order.includes(one))];
        for (let at = 0; at < sent.length; at += flush) send(symbol, sent.slice(at, at + flush));
        await eventually(async () => expect(await stored(symbol)).toEqual(whole(trades)), 5000);
      }),
      { numRuns: 12 },
    );
  });

  it('take a late trade into the windows it belongs to', async () => {
    const symbol = newSymbol();
    const early: Sent[] = [1, 2, 3].map((id) => ({ id, atUs: START_US + id * 60_000_000, price: '100', size: '1' }));
    const late: Sent = { id: 4, atUs: START_US + 61_000_000, price: '130', size: '7' };
    send(symbol, early);
    await eventually(async () => expect(await stored(symbol)).toEqual(whole(early)));
    send(symbol, [late]);
    await eventually(async () => expect(await stored(symbol)).toEqual(whole([...early, late])));
    const { body } = await get(`${symbol}/rollups?window=1d`);
    expect(body.items).toMatchObject([{ openTime: DAY, price: { count: 4, max: 130 }, volume: { sum: 10, p99: 1 } }]);
  });

  it('are whole after a restart in the middle', async () => {
    const symbol = newSymbol();
    const trades: Sent[] = Array.from({ length: 300 }, (_, i) => ({
      id: i,
      atUs: START_US + i * 1_000_000,
      price: String(100 + (i % 7)),
      size: String(1 + (i % 3)),
    }));
    send(symbol, trades.slice(0, 150));
    await recording.restart();
    send(symbol, trades.slice(100));
    await eventually(async () => expect(await stored(symbol)).toEqual(whole(trades)));
  });

  it('lose nothing when several processes merge at once', async () => {
    const symbol = newSymbol();
    const store = recording.app().app.get(RollupStore);
    const series = { source: 'simulator', exchange: '', symbol, venueSymbol: symbol, firstReceivedAtUs: 0, sides: '-' };
    const parts = [0, 1, 2, 3].map((minute) => {
      const minutes = new MinuteSummaries(new Summaries().empty);
      const one = { tradeIds: ['1'], prices: ['5'], sizes: ['2'], tradedAtUs: [START_US + minute * 6e7] };
      addTrades(minutes, { ...series, ...one });
      return minutes.parts();
    });
    await Promise.all(
      Array.from({ length: 24 }, (_, i) =>
        bus().transaction((tx) => store.merge(tx, i % 2 ? parts[i % 4]!.toReversed() : parts[i % 4]!)),
      ),
    );
    const { body } = await get(`${symbol}/rollups`);
    expect(body.code).toBe('market.unknown-symbol'); // no candle: only rollups were written
    const rows = await recording.database.dataSource.query(
      `select count::int, sum from aggregation.rollup where symbol = $1 and measure = 'volume' and interval_name = '1d'`,
      [symbol],
    );
    expect(rows).toEqual([{ count: 24, sum: 48 }]);
  });

  it('hold what a statement may take many times over', async () => {
    const symbol = newSymbol();
    const trades: Sent[] = Array.from({ length: 3000 }, (_, i) => ({
      id: i,
      atUs: START_US - i * 60_000_000,
      price: '10',
      size: '1',
    }));
    for (let at = 0; at < trades.length; at += 500) send(symbol, trades.slice(at, at + 500));
    await eventually(async () => expect(await stored(symbol)).toEqual(whole(trades)), 20_000);
  });
});

describe('the routes of rollups', () => {
  const symbol = 'ROUTED';
  const trades: Sent[] = Array.from({ length: 240 }, (_, i) => ({
    id: i,
    atUs: START_US + i * 15_000_000,
    price: String(65_000 + i),
    size: i === 17 ? '0' : '0.5',
  }));

  beforeAll(async () => {
    send(symbol, trades);
    const counted = trades.filter(({ size }) => size !== '0');
    await eventually(async () => expect(await stored(symbol)).toEqual(whole(counted)));
  });

  it('tell the figures of each window', async () => {
    const { status, body } = await get(`${symbol}/rollups?window=1h`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      symbol,
      source: 'simulator',
      window: '1h',
      relativeError: { price: 0.0001, volume: 0.01 },
      nextCursor: null,
    });
    expect(body.items).toHaveLength(2);
    const [first] = body.items;
    expect(first).toMatchObject({
      openTime: '2026-01-31T23:00:00Z',
      closeTime: '2026-02-01T00:00:00Z',
      incomplete: false,
      price: { count: 39, min: 65_000, max: 65_039, range: 39 },
      volume: { count: 39, sum: 19.5, mean: 0.5, median: 0.5, standardDeviation: 0, coefficientOfVariation: 0 },
    });
    const prices = trades
      .slice(0, 40)
      .filter(({ size }) => size !== '0')
      .map(({ price }) => Number(price));
    const mean = prices.reduce((sum, one) => sum + one) / prices.length;
    const deviation = Math.sqrt(prices.reduce((sum, one) => sum + (one - mean) ** 2, 0) / prices.length);
    expect(first.price.mean).toBeCloseTo(mean, 6);
    expect(first.price.standardDeviation).toBeCloseTo(deviation, 6);
    expect(first.price.coefficientOfVariation).toBeCloseTo(deviation / mean, 12);
    for (const [name, share] of [
      ['median', 0.5],
      ['p95', 0.95],
      ['p99', 0.99],
    ] as const)
      expect(Math.abs(first.price[name] / prices[Math.floor(share * 38)]! - 1)).toBeLessThan(0.0001);
  });

  it('tell the same for one rolling window', async () => {
    const { body } = await get(`${symbol}/aggregated?window=15m`);
    // the last trade is at 00:49:45: the window is that of the 60 trades from 00:35 on
    expect(body).toMatchObject({
      symbol,
      source: 'simulator',
      window: '15m',
      from: '2026-02-01T00:35:00Z',
      to: '2026-02-01T00:50:00Z',
      price: { count: 60, min: 65_180, max: 65_239 },
      volume: { count: 60, sum: 30 },
    });
    const day = await get(`${symbol}/aggregated`);
    expect(day.body).toMatchObject({ window: '1d', price: { count: 239 }, volume: { sum: 119.5 } });
    const library = new DDSketch({ relativeAccuracy: 0.0001 });
    for (const { price, size } of trades) if (size !== '0') library.accept(Number(price));
    expect(day.body.price.p95).toBeCloseTo(library.getValueAtQuantile(0.95), 6);
  });

  it.each(['', '&from=2026-01-31T00:00:00Z'])('page through every window once (%s)', async (from) => {
    const seen: string[] = [];
    let cursor = '';
    do {
      const { body } = await get(`${symbol}/rollups?window=5m&limit=5${from}${cursor}`);
      const times = body.items.map(({ openTime }: { openTime: string }) => openTime);
      if (from === '') seen.unshift(...times);
      else seen.push(...times);
      cursor = body.nextCursor === null ? '' : `&cursor=${body.nextCursor}`;
    } while (cursor !== '');
    expect(seen).toHaveLength(12);
    expect(seen).toEqual([...new Set(seen)].sort());
  });

  it('say which windows a hole touches', async () => {
    const gap = { gapId: '77', source: 'simulator', symbol, venueSymbol: symbol, fromTradeId: '45', toTradeId: '46' };
    await bus().transaction((tx) => bus().append(tx, GapOpenedV1, gap as never));
    await eventually(async () => {
      const { body } = await get(`${symbol}/rollups?window=1h`);
      expect(body.items.map(({ incomplete }: { incomplete: boolean }) => incomplete)).toEqual([false, true]);
    });
  });

  it('have no volume of a polled series', async () => {
    send('EURUSD', [{ id: 1, atUs: START_US, price: '1.08', size: '0' }], 'poll');
    await eventually(async () => {
      const { body } = await get('EURUSD/rollups');
      expect(body.items).toMatchObject([{ price: { count: 1, median: 1.08 }, volume: null }]);
    });
    const { body } = await get('EURUSD/aggregated?window=1m');
    expect(body).toMatchObject({ source: 'poll', price: { count: 1 }, volume: null });
  });

  it.each([
    ['rollups?window=7m', 'window', '1m, 5m, 15m, 1h, 4h, 1d'],
    ['rollups?limit=0', 'limit', '1'],
    ['rollups?limit=1001', 'limit', '1000'],
    ['rollups?from=yesterday', 'from', 'RFC 3339'],
    ['rollups?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z', 'from', 'before to'],
    ['rollups?cursor=WyJ4Il0', 'cursor', 'nextCursor'],
    ['rollups?nope=1', 'nope', 'not a parameter'],
    ['aggregated?window=90s', 'window', 'whole minutes from 1m to 7d'],
    ['aggregated?window=8d', 'window', 'whole minutes from 1m to 7d'],
    ['aggregated?source=BAD', 'source', 'feed'],
  ])('refuse %s', async (path, field, expected) => {
    const { status, body } = await get(`${symbol}/${path}`);
    expect(status).toBe(400);
    expect(body.errors).toEqual([{ field, message: expect.stringContaining(expected) }]);
  });

  it.each(['rollups', 'aggregated'])('know no %s of what was never recorded', async (route) => {
    const { status, body } = await get(`NOPE/${route}`);
    expect([status, body.code]).toEqual([404, 'market.unknown-symbol']);
  });
});
