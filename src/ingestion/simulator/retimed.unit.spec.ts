import { assert, constantFrom, integer, property, tuple } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { simulatedSymbols } from './character.js';
import { simulatedMarket } from './market.js';
import { bunched, wholeMilliseconds } from './retimed.js';
import type { Tape } from './tape.js';

const NOON_US = Date.UTC(2026, 7, 9, 12) * 1000;
const BUNCHES = { everyTrades: 2000, trades: 735 };

const market = simulatedMarket({ seed: 3, rate: 20 });
const inBursts = bunched(market, BUNCHES);
const inBoth = wholeMilliseconds(inBursts);

const anyMoment = tuple(
  constantFrom('BTCUSDT', 'ETHUSDT', 'ATOMUSDT'),
  integer({ min: 0, max: 600_000_000 }).map((sinceUs) => NOON_US + sinceUs),
);

describe('a market in bursts', () => {
  it('has runs of 735 trades at one instant, that of the last one, and leaves all else as it is', () => {
    const first = market.lastId('BTCUSDT', NOON_US)! + 1;
    const trades = inBursts.tradesFrom('BTCUSDT', first, 5000, NOON_US + 600_000_000);
    const plain = market.tradesFrom('BTCUSDT', first, 5000, NOON_US + 600_000_000);
    expect(trades.length).toBe(5000);
    const start = trades.findIndex(({ id }) => id % 2000 === 0);
    const run = trades.slice(start, start + 735);
    expect(new Set(run.map(({ tradedAtUs }) => tradedAtUs))).toEqual(new Set([plain[start + 734]!.tradedAtUs]));
    expect(trades[start + 735]).toEqual(plain[start + 735]);
    expect(trades.map((trade) => ({ ...trade, tradedAtUs: 0 }))).toEqual(
      plain.map((trade) => ({ ...trade, tradedAtUs: 0 })),
    );
  });

  it('is refused when its runs overlap', () => {
    expect(() => bunched(market, { everyTrades: 700, trades: 735 })).toThrow('overlap');
  });
});

describe.each([
  ['in bursts', inBursts],
  ['at whole milliseconds', wholeMilliseconds(market)],
  ['in bursts at whole milliseconds', inBoth],
])('the market %s', (_name, tape) => {
  it('shows nothing that has not happened, by stream and by history alike, whoever asks when', () => {
    assert(
      property(anyMoment, integer({ min: 1, max: 3000 }), ([symbol, nowUs], limit) => {
        const last = tape.lastId(symbol, nowUs)!;
        const stream = `${symbol.toLowerCase()}@trade`;
        const from = last - limit + 1;
        const trades = tape.tradesFrom(symbol, from, limit + 50, nowUs);
        expect(trades.map(({ id }) => id)).toEqual(Array.from({ length: limit }, (_, i) => from + i));
        expect(trades.every((trade, i) => i === 0 || trade.tradedAtUs >= trades[i - 1]!.tradedAtUs)).toBe(true);
        expect(trades.at(-1)!.tradedAtUs).toBeLessThanOrEqual(nowUs);
        expect(tape.cursorAt(stream, nowUs)).toBe(last);
        expect(tape.framesAfter(stream, from - 1, limit + 50, nowUs).map(({ trade }) => trade)).toEqual(trades);
        expect(tape.tradesFrom(symbol, from, limit, nowUs + 900_000_000)).toEqual(trades);
      }),
      { numRuns: 60 },
    );
  });

  it('finds the first trade at or after an instant', () => {
    assert(
      property(anyMoment, ([symbol, sinceUs]) => {
        const id = tape.firstIdSince(symbol, sinceUs)!;
        const [before, first] = timesAround(tape, symbol, id);
        expect(before).toBeLessThan(sinceUs);
        expect(first).toBeGreaterThanOrEqual(sinceUs);
      }),
      { numRuns: 100 },
    );
  });

  it('is silent where the market is', () => {
    expect(tape.instruments.map(({ symbol }) => symbol)).toEqual(simulatedSymbols);
    expect(tape.framesAfter('nousdt@trade', -1, 10, NOON_US)).toEqual([]);
    expect(tape.cursorAt('btcusdt@kline_1m', NOON_US)).toBeUndefined();
  });
});

it('a market at whole milliseconds has no finer times', () => {
  const trades = inBoth.tradesFrom('BTCUSDT', inBoth.lastId('BTCUSDT', NOON_US)! - 999, 1000, NOON_US);
  expect(trades.filter(({ tradedAtUs }) => tradedAtUs % 1000 !== 0)).toEqual([]);
  expect(trades).toHaveLength(1000);
});

function timesAround(tape: Tape, symbol: string, id: number): number[] {
  return tape.tradesFrom(symbol, id - 1, 2, NOON_US + 3_600_000_000).map(({ tradedAtUs }) => tradedAtUs);
}
