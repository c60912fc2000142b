import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RollingMax, RollingSpread, RollingSum, RollingWeightedSum } from './rolling.js';

/** Whole numbers: their sums are exact in any order. */
const numbers = fc.array(fc.integer({ min: -1_000_000, max: 1_000_000 }), { maxLength: 120 });
const lengths = fc.integer({ min: 1, max: 40 });
const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

describe('a rolling window', () => {
  it.each([
    ['sum', RollingSum, sumOf],
    ['maximum', RollingMax, (window: readonly number[]) => Math.max(...window)],
    [
      'weighted sum',
      RollingWeightedSum,
      (window: readonly number[]) => sumOf(window.map((value, at) => value * (at + 1))),
    ],
  ] as const)('has the %s of exactly its last values, and none before it is full', (_what, Rolling, naive) => {
    fc.assert(
      fc.property(numbers, lengths, (values, length) => {
        const rolling = new Rolling(length);
        for (const [at, value] of values.entries()) {
          const expected = at + 1 < length ? undefined : naive(values.slice(at + 1 - length, at + 1));
          expect(rolling.peek(value)).toBe(expected);
          expect(rolling.next(value)).toBe(expected);
        }
      }),
    );
  });

  it('has the sum of its newest values', () => {
    fc.assert(
      fc.property(numbers, lengths, (values, length) => {
        const rolling = new RollingSum(length);
        for (const value of values) rolling.next(value);
        for (let count = 1; count <= Math.min(length, values.length); count++)
          expect(rolling.newest(count)).toBe(sumOf(values.slice(-count)));
      }),
    );
  });

  it('has the mean and deviation that two passes have, also of cents at 65,000', () => {
    fc.assert(
      fc.property(numbers, lengths, fc.constantFrom(0, 6_500_000, 1e12), (offsets, length, base) => {
        const spread = new RollingSpread(length);
        const values = offsets.map((offset) => base + (offset % 50));
        for (const [at, value] of values.entries()) {
          const ahead = spread.peek(value);
          const told = spread.next(value);
          expect(ahead).toEqual(told);
          expect(told === undefined).toBe(at + 1 < length);
          if (told) expectSpread(told, twoPasses(values.slice(at + 1 - length, at + 1), base));
        }
      }),
    );
  });

  it('has no deviation at all where nothing moves', () => {
    const spread = new RollingSpread(7);
    for (let at = 0; at < 100; at++) {
      const told = spread.next(65_000.1);
      if (told) expect(told).toEqual({ mean: 65_000.1, deviation: 0 });
    }
  });
});

/** Of whole numbers, from where they are near nothing: the distances from `base` are exact. */
function twoPasses(window: readonly number[], base: number): { mean: number; deviation: number } {
  const mean = sumOf(window.map((value) => value - base)) / window.length;
  const squares = sumOf(window.map((value) => (value - base - mean) ** 2));
  return { mean: base + mean, deviation: Math.sqrt(squares / window.length) };
}

function expectSpread(told: { mean: number; deviation: number }, exact: { mean: number; deviation: number }): void {
  expect(Math.abs(told.mean - exact.mean)).toBeLessThanOrEqual(Math.abs(exact.mean) * 1e-15 + 1e-13);
  expect(Math.abs(told.deviation - exact.deviation)).toBeLessThanOrEqual(
    exact.deviation * 1e-9 + Math.abs(exact.mean) * 1e-15,
  );
}

describe('of prices, a rolling window', () => {
  const price = (at: number): number => 65_000 + ((at * 7919) % 10_007) / 100;
  const windows = {
    sum: () => new RollingSum(20),
    'weighted sum': () => new RollingWeightedSum(20),
    maximum: () => new RollingMax(20),
    spread: () => new RollingSpread(20),
  };

  it.each(Object.entries(windows))('keeps nothing of one absurd tick that has left: %s', (_what, create) => {
    for (let absurdAt = 60; absurdAt < 80; absurdAt++) {
      const [plain, struck] = [create(), create()];
      for (let at = 0; at < 200; at++) {
        const expected = plain.next(price(at));
        const told = struck.next(at === absurdAt ? 1e15 : price(at));
        if (at < absurdAt || at >= absurdAt + 20) expect(told).toEqual(expected);
        else expect(told).not.toEqual(expected);
      }
    }
  });

  it.each(Object.entries(windows))('is as exact after two million as after its first: %s', (_what, create) => {
    const [long, fresh] = [create(), create()];
    const [count, beginsAt] = [2_000_000, 2_000_000 - 20];
    let told: unknown;
    let expected: unknown;
    for (let at = 0; at < count; at++) {
      told = long.next(price(at));
      if (at >= beginsAt) expected = fresh.next(price(at));
    }
    expect(told).toEqual(expected);
  });
});
