import { expect, it } from 'vitest';
import { INTERVALS, type IntervalName } from '../../contracts/index.js';
import type { InputRef } from '../conditions/index.js';
import { Market } from '../inputs/index.js';
import type { HistoricalBar, History } from './history.service.js';
import type { HistoricalTrade, MarketKey, TradePosition } from './trade-position.js';
import { marketFrom } from './warm-market.js';
import { WarmUp } from './warm-up.service.js';

const MINUTE = 60_000_000;
const START = Date.UTC(2026, 2, 1, 12) * 1000;
const KEY = { source: 'simulator', symbol: 'BTCUSDT' };
const INPUTS: readonly InputRef[] = [
  { kind: 'window', fn: 'sum', of: 'volume', minutes: 20 },
  { kind: 'window', fn: 'max', of: 'price', minutes: 3 },
  { kind: 'indicator', spec: 'sma:3', output: '', interval: '5m' },
  { kind: 'indicator', spec: 'obv', output: '', interval: '1m' },
  { kind: 'variable', name: 'trades_24h' },
];

/** One every seven seconds, none in some minutes. */
const TRADES: readonly HistoricalTrade[] = Array.from({ length: 400 }, (_, i) => {
  const tradedAtUs = START + i * 7_000_000;
  return { tradeId: String(i), tradedAtUs, price: 100 + ((i * 7) % 13), size: 1 + (i % 3) };
}).filter(({ tradedAtUs }) => ![3, 11, 12, 13, 30].includes(Math.floor((tradedAtUs - START) / MINUTE)));

/** Candles of the trades before an instant; the last so many minutes of them are not closed. */
function historyOf(mergedUntilUs: number, openMinutes: number): History {
  const merged = TRADES.filter(({ tradedAtUs }) => tradedAtUs < mergedUntilUs);
  const closedUntilUs = merged.at(-1)!.tradedAtUs - openMinutes * MINUTE;
  const candles = (interval: IntervalName): HistoricalBar[] => {
    const stepUs = INTERVALS[interval] * 1000;
    return [...Map.groupBy(merged, ({ tradedAtUs }) => tradedAtUs - (tradedAtUs % stepUs))].map(
      ([openTimeUs, some]) => {
        const prices = some.map(({ price }) => price);
        return {
          openTimeUs,
          open: prices[0]!,
          high: Math.max(...prices),
          low: Math.min(...prices),
          close: prices.at(-1)!,
          volume: some.reduce((sum, { size }) => sum + size, 0),
          quoteVolume: some.reduce((sum, { size, price }) => sum + size * price, 0),
          trades: some.length,
          incomplete: false,
          isClosed: openTimeUs + stepUs <= closedUntilUs,
        };
      },
    );
  };
  const within = (fromUs: number, toUs: number) =>
    TRADES.filter(({ tradedAtUs }) => tradedAtUs >= fromUs && tradedAtUs < toUs);
  return {
    bars: (_: MarketKey, interval: IntervalName, untilUs: number, count: number) =>
      Promise.resolve(
        candles(interval)
          .filter(({ openTimeUs }) => openTimeUs + INTERVALS[interval] * 1000 <= untilUs)
          .slice(-count),
      ),
    tradesUpTo: (_: MarketKey, fromUs: number, { tradedAtUs }: TradePosition) =>
      Promise.resolve(within(fromUs, tradedAtUs + 1)),
    async *trades(_: MarketKey, fromUs: number, toUs: number) {
      yield await Promise.resolve(within(fromUs, toUs));
    },
  } as unknown as History;
}

const values = (market: Market): number[] => INPUTS.map((input) => market.value(input));

it.each([
  [0, true],
  [1, true],
  [2, true],
  [5, true],
  [9, true],
  [3, false],
  [4, false],
] as const)('makes a market as it lived, of candles %d minutes behind, the last open: %j', async (behind, isOpen) => {
  for (const at of [20, 150, 263, 340]) {
    const position = TRADES[at]!;
    const live = new Market(KEY);
    live.want(INPUTS);
    for (const trade of TRADES.slice(0, at + 1)) live.take(trade);
    const behindUs = Math.max(START + MINUTE, position.tradedAtUs - behind * MINUTE);
    const mergedUntilUs = isOpen ? behindUs : behindUs - (behindUs % MINUTE);
    const warmUp = new WarmUp(historyOf(mergedUntilUs, isOpen ? 1 : -1));
    const upTo = marketFrom(KEY, INPUTS, await warmUp.pastUpTo(KEY, INPUTS, position, () => undefined));
    expect(values(upTo)).toEqual(values(live));
    const before = marketFrom(KEY, INPUTS, await warmUp.pastBefore(KEY, INPUTS, position.tradedAtUs + 1));
    expect(values(before)).toEqual(values(live));
    const rest = TRADES.slice(at + 1);
    for (const market of [live, upTo, before]) for (const trade of rest) market.take(trade);
    expect(values(upTo)).toEqual(values(live));
    expect(values(before)).toEqual(values(live));
  }
});
