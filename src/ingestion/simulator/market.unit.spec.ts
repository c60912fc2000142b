import { assert, constantFrom, integer, nat, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { simulatedSymbols } from './character.js';
import { simulatedMarket } from './market.js';
import type { Tape, TapeTrade } from './tape.js';

const NOON_US = Date.UTC(2026, 7, 9, 12) * 1000;
const HOUR_US = 3_600_000_000;

describe('the simulated market', () => {
  const tape = simulatedMarket({ seed: 7 });
  const anySymbol = constantFrom(...simulatedSymbols);
  /** 1970 to 2096. */
  const anyTime = integer({ min: 0, max: 4_000_000_000 }).map((seconds) => seconds * 1_000_000);

  it('has ten markets against USDT', () => {
    expect(simulatedSymbols.join(' ')).toBe(
      'BTCUSDT ETHUSDT ADAUSDT SOLUSDT DOTUSDT LINKUSDT UNIUSDT AVAXUSDT MATICUSDT ATOMUSDT',
    );
    expect(tape.instruments.find(({ symbol }) => symbol === 'ADAUSDT')).toEqual({
      symbol: 'ADAUSDT',
      baseAsset: 'ADA',
      quoteAsset: 'USDT',
      tickSize: '0.00010000',
      stepSize: '0.10000000',
    });
  });

  it('numbers the trades of a symbol without a hole, in the order of time, across midnight', () => {
    const midnightUs = NOON_US + 12 * HOUR_US;
    const faults: string[] = [];
    for (const symbol of simulatedSymbols) {
      const trades = between(tape, symbol, midnightUs - HOUR_US, midnightUs + HOUR_US);
      expect(trades.length).toBeGreaterThan(1000);
      for (let i = 1; i < trades.length; i++) {
        if (trades[i]!.id !== trades[i - 1]!.id + 1) faults.push(`hole before ${trades[i]!.id}`);
        if (trades[i]!.tradedAtUs < trades[i - 1]!.tradedAtUs) faults.push(`time back at ${trades[i]!.id}`);
      }
    }
    expect(faults).toEqual([]);
  });

  it('is the same read forward, backward, piecemeal and after a restart', () => {
    const trades = between(tape, 'ETHUSDT', NOON_US, NOON_US + HOUR_US);
    const again = simulatedMarket({ seed: 7, symbols: ['ETHUSDT'] });
    const backward = trades.toReversed().map(({ id }) => again.tradesFrom('ETHUSDT', id, 1, Infinity)[0]);
    const inOneGo = JSON.stringify(trades);
    expect(trades.length).toBeGreaterThan(5000);
    expect(JSON.stringify(backward.toReversed()) === inOneGo).toBe(true);
    const restarted = between(simulatedMarket({ seed: 7 }), 'ETHUSDT', NOON_US, NOON_US + HOUR_US);
    expect(JSON.stringify(restarted) === inOneGo).toBe(true);
  });

  it('gives this very history for ever: a change here breaks every stored one', () => {
    expect(tape.tradesFrom('BTCUSDT', tape.firstIdSince('BTCUSDT', NOON_US)!, 2, Infinity)).toMatchInlineSnapshot(`
      [
        {
          "buyerIsMaker": true,
          "id": 10717617006,
          "price": "66020.87000000",
          "size": "0.00269000",
          "tradedAtUs": 1786276800412649,
        },
        {
          "buyerIsMaker": false,
          "id": 10717617007,
          "price": "66020.97000000",
          "size": "0.00081000",
          "tradedAtUs": 1786276800758865,
        },
      ]
    `);
    expect(tape.tradesFrom('ATOMUSDT', 12_345, 1, Infinity)).toMatchInlineSnapshot(`
      [
        {
          "buyerIsMaker": true,
          "id": 12345,
          "price": "5.14700000",
          "size": "5.07000000",
          "tradedAtUs": 30897814009,
        },
      ]
    `);
  });

  it('is another one with another seed', () => {
    const other = simulatedMarket({ seed: 8 });
    expect(between(other, 'BTCUSDT', NOON_US, NOON_US + 60e6)).not.toEqual(
      between(tape, 'BTCUSDT', NOON_US, NOON_US + 60e6),
    );
  });

  it('finds the id of an instant and the instant of an id', () => {
    assert(
      property(anySymbol, anyTime, (symbol, timeUs) => {
        const id = tape.firstIdSince(symbol, timeUs)!;
        const [trade] = tape.tradesFrom(symbol, id, 1, Infinity);
        expect(trade!.id).toBe(id);
        expect(trade!.tradedAtUs).toBeGreaterThanOrEqual(timeUs);
        expect(tape.lastId(symbol, timeUs - 1)).toBe(id === 0 ? undefined : id - 1);
        expect(tape.firstIdSince(symbol, trade!.tradedAtUs)).toBeLessThanOrEqual(id);
        expect(tape.lastId(symbol, trade!.tradedAtUs)).toBeGreaterThanOrEqual(id);
      }),
      { numRuns: 150 },
    );
  });

  it('never shows a trade ahead of its time, nor more than asked for', () => {
    assert(
      property(anySymbol, anyTime, nat(3000), integer({ min: 1, max: 1000 }), (symbol, nowUs, back, limit) => {
        const fromId = Math.max(0, (tape.lastId(symbol, nowUs) ?? 0) - back);
        const trades = tape.tradesFrom(symbol, fromId, limit, nowUs);
        expect(trades.length).toBeLessThanOrEqual(limit);
        expect(trades.every(({ tradedAtUs }) => tradedAtUs <= nowUs)).toBe(true);
        expect(trades.map(({ id }) => id)).toEqual(trades.map((_, i) => fromId + i));
      }),
      { numRuns: 150 },
    );
  });

  it('keeps to ticks and lots, above zero, in eight decimals', () => {
    assert(
      property(anySymbol, anyTime, (symbol, timeUs) => {
        const { tickSize, stepSize } = tape.instruments.find((each) => each.symbol === symbol)!;
        for (const { price, size } of tape.tradesFrom(symbol, tape.firstIdSince(symbol, timeUs)!, 50, Infinity)) {
          expect(price).toMatch(/^(0|[1-9]\d*)\.\d{8}$/);
          expect(size).toMatch(/^(0|[1-9]\d*)\.\d{8}$/);
          for (const [text, step] of [
            [price, tickSize],
            [size, stepSize],
          ] as const) {
            expect(whole(text)).toBeGreaterThan(0n);
            expect(whole(text) % whole(step)).toBe(0n);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it('moves like a market: by 0.7 to 12 % a day and never by a leap', () => {
    for (const seed of [1, 2]) {
      const day = between(simulatedMarket({ seed, rate: 0.2 }), 'BTCUSDT', NOON_US, NOON_US + 24 * HOUR_US);
      const prices = day.map(({ price }) => Number(price));
      const range = Math.max(...prices) / Math.min(...prices) - 1;
      expect(range).toBeGreaterThan(0.007);
      expect(range).toBeLessThan(0.12);
      const leaps = day.filter(
        ({ tradedAtUs }, i) =>
          i > 0 &&
          tradedAtUs - day[i - 1]!.tradedAtUs < 1_000_000 &&
          Math.abs(prices[i]! / prices[i - 1]! - 1) > 0.0015,
      );
      expect(leaps).toEqual([]);
    }
  });

  it('trades as often as the rate says, both sides about alike, with bursts', () => {
    const day = between(simulatedMarket({ seed: 3, rate: 0.1 }), 'BTCUSDT', NOON_US, NOON_US + 24 * HOUR_US);
    expect(day.length / 86_400).toBeCloseTo(0.6, 1);
    const bought = day.filter(({ buyerIsMaker }) => !buyerIsMaker).length / day.length;
    expect(bought).toBeGreaterThan(0.4);
    expect(bought).toBeLessThan(0.6);
    const atOnce = day.filter(({ tradedAtUs }, i) => tradedAtUs === day[i - 1]?.tradedAtUs).length;
    expect(atOnce / day.length).toBeGreaterThan(0.2);
  });

  it('refuses a symbol or a rate it does not have', () => {
    expect(() => simulatedMarket({ symbols: ['XRPUSDT'] })).toThrow('no simulated market XRPUSDT');
    expect(() => simulatedMarket({ rate: 0 })).toThrow('rate is 0');
  });
});

function between(tape: Tape, symbol: string, fromUs: number, toUs: number): TapeTrade[] {
  const first = tape.firstIdSince(symbol, fromUs)!;
  return tape.tradesFrom(symbol, first, tape.firstIdSince(symbol, toUs)! - first, toUs);
}

function whole(text: string): bigint {
  return BigInt(text.replace('.', ''));
}
