import { EventEmitter2 } from '@nestjs/event-emitter';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { nineFields, oracleCandles, type OracleTrade } from '../bench/candle-oracle.js';
import {
  type CandleData,
  CandlesUpdatedV1,
  INTERVALS,
  type IntervalName,
  type Trade,
  TradesReceivedV1,
  TradesRecordedV1,
} from '../src/contracts/index.js';
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

const START_US = Date.UTC(2026, 0, 31, 23, 50) * 1000; // windows of all intervals end within the span

/** Few distinct times and prices, so that ties in both are common. */
const tradesArbitrary = fc
  .array(
    fc.record({
      atUs: fc.integer({ min: 0, max: 1_200 }).map((second) => START_US + second * 1_000_000 + (second % 3)),
      price: fc.integer({ min: 1, max: 500_000_000 }).map((units) => decimal8(units)),
      size: fc.integer({ min: 1, max: 2_000_000_000 }).map((units) => decimal8(units)),
      buyerIsMaker: fc.boolean(),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((trades): OracleTrade[] => trades.map((trade, index) => ({ ...trade, id: 1000 + index })));

/** Every trade at least once, some repeated, in any order, cut into flushes anywhere. */
const deliveryArbitrary = tradesArbitrary.chain((trades) =>
  fc.record({
    trades: fc.constant(trades),
    order: fc.shuffledSubarray([...trades, ...trades], { minLength: trades.length, maxLength: trades.length * 2 }),
    cuts: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 20 }),
  }),
);

let run = 0;

it('gives the candles of the set of trades, whatever their order, split and repetition', async () => {
  await fc.assert(
    fc.asyncProperty(deliveryArbitrary, async ({ trades, order, cuts }) => {
      const symbol = `LAW${++run}`;
      const sent = [...order, ...trades.filter((trade) => !order.includes(trade))];
      for (const flush of pieces(sent, cuts))
        bus.emit(TradesReceivedV1, { trades: flush.map((trade) => received(symbol, trade)) });
      await eventually(async () => {
        for (const window of Object.keys(INTERVALS) as IntervalName[]) {
          const { body } = await app.get(`/api/v1/ohlcv/${symbol}?window=${window}&limit=1000`);
          const got = new Map(
            ((body.candles ?? []) as Record<string, unknown>[]).map((candle) => [candle.openTime, nineFields(candle)]),
          );
          expect(got).toEqual(oracleCandles(trades, INTERVALS[window]));
        }
      }, 3000);
    }),
    { numRuns: 60 },
  );
});

it('writes a candle once for what several flushes bring within a tenth of a second', async () => {
  const symbol = 'TOGETHER';
  const updates: CandleData[] = [];
  app.app
    .get(EventEmitter2)
    .on(CandlesUpdatedV1.name, ({ candles }: { candles: CandleData[] }) => updates.push(...candles));
  await eventually(() => expect(bus.isCaughtUp('aggregation.merge-candles')).toBe(true));
  await bus.transaction(async (tx) => {
    for (let id = 0; id < 10; id++) {
      const key = { source: 'simulator', exchange: 'Simulator', symbol, venueSymbol: symbol };
      const trade = { tradeIds: [String(id)], prices: ['5'], sizes: ['2'], sides: 'b', tradedAtUs: [START_US + id] };
      await bus.append(tx, TradesRecordedV1, { series: [{ ...key, ...trade, firstReceivedAtUs: START_US }] });
    }
  });
  await bus.idle('aggregation.merge-candles');
  const minutes = updates.filter((candle) => candle.symbol === symbol && candle.interval === '1m');
  expect(minutes.map(({ trades, volume }) => ({ trades, volume }))).toEqual([{ trades: 10, volume: '20' }]);
});

function received(symbol: string, trade: OracleTrade): Trade {
  return {
    source: 'simulator',
    exchange: 'Simulator',
    symbol,
    venueSymbol: symbol,
    tradeId: String(trade.id),
    price: trade.price,
    size: trade.size,
    side: trade.buyerIsMaker ? 'sell' : 'buy',
    tradedAtUs: trade.atUs,
    receivedAtUs: trade.atUs + 1000,
  };
}

function pieces<T>(items: readonly T[], cuts: readonly number[]): T[][] {
  const flushes: T[][] = [];
  for (let at = 0, turn = 0; at < items.length; turn++) {
    const size = cuts[turn % cuts.length]!;
    flushes.push(items.slice(at, at + size));
    at += size;
  }
  return flushes;
}

const decimal8 = (units: number): string => `${Math.floor(units / 1e8)}.${String(units % 1e8).padStart(8, '0')}`;
