import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Summaries } from './summaries.service.js';
import type { Summary } from './summary.js';

const summaries = new Summaries();

const summaryOf = (values: readonly number[], measure: 'price' | 'volume' | 'value' = 'value'): Summary => {
  const summary = summaries.empty(measure);
  for (const value of values) summary.add(value);
  return summary;
};

const valuesArbitrary = fc.array(
  fc.oneof(fc.integer({ min: -1000, max: 1000 }), fc.double({ min: 64_000, max: 66_000, noNaN: true })),
  { minLength: 1, maxLength: 100 },
);

/** Each value goes to one of three parts. */
const splitArbitrary = valuesArbitrary.chain((values) =>
  fc.tuple(fc.constant(values), fc.array(fc.nat(2), { minLength: values.length, maxLength: values.length })),
);

const near = (told: number, wanted: number, scale: number): void =>
  expect(Math.abs(told - wanted)).toBeLessThanOrEqual(1e-9 * Math.max(scale, 1e-9));

describe('a summary', () => {
  it('of merged parts is that of the whole', () => {
    fc.assert(
      fc.property(splitArbitrary, ([values, places]) => {
        const whole = summaryOf(values);
        const merged = summaries.empty('value');
        for (const place of [2, 0, 1]) merged.merge(summaryOf(values.filter((_, i) => places[i] === place)));
        const scale = Math.max(...values.map(Math.abs));
        expect([merged.count, merged.min, merged.max]).toEqual([whole.count, whole.min, whole.max]);
        expect(merged.stored().bins).toEqual(whole.stored().bins);
        near(merged.sum, whole.sum, scale * values.length);
        near(merged.mean, whole.mean, scale);
        near(merged.standardDeviation, whole.standardDeviation, scale);
      }),
    );
  });

  it('has the moments of its values', () => {
    fc.assert(
      fc.property(valuesArbitrary, (values) => {
        const summary = summaryOf(values);
        const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
        const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
        const scale = Math.max(...values.map(Math.abs));
        near(summary.mean, mean, scale);
        near(summary.standardDeviation, Math.sqrt(variance), scale);
      }),
    );
  });

  it('is read back as it was stored', () => {
    fc.assert(
      fc.property(valuesArbitrary, (values) => {
        const stored = summaryOf(values).stored();
        expect(summaries.stored('value', stored).stored()).toEqual(stored);
      }),
    );
  });

  it.each([
    ['at once', 1],
    ['merged from a thousand parts', 1000],
  ])('at the price of Bitcoin tells a deviation of a cent, %s', (_how, parts) => {
    // 65,000 ± 0.01 by turns: the deviation is 0.01 to the last digit that prices of two decimals have
    const merged = summaries.empty('price');
    for (let part = 0; part < parts; part++) {
      const prices = Array.from({ length: 200_000 / parts }, (_, i) => (i % 2 === 0 ? 64_999.99 : 65_000.01));
      merged.merge(summaryOf(prices, 'price'));
    }
    expect(merged.count).toBe(200_000);
    expect(Math.abs(merged.standardDeviation / 0.01 - 1)).toBeLessThan(1e-6);
  });

  it('tells prices within 0.01 %, sizes within 1 % and custom values within 0.1 %', () => {
    const values = Array.from({ length: 1001 }, (_, i) => 60_000 + i * 10);
    for (const [measure, error] of [
      ['price', 0.0001],
      ['volume', 0.01],
      ['value', 0.001],
    ] as const)
      for (const share of [0.5, 0.95, 0.99]) {
        const wanted = 60_000 + Math.floor(share * 1000) * 10;
        expect(Math.abs(summaryOf(values, measure).quantile(share) / wanted - 1)).toBeLessThanOrEqual(error);
      }
  });

  it('never tells a quantile beyond its extremes', () => {
    expect(summaryOf([100]).quantile(0.5)).toBe(100);
    expect(summaryOf([-3, 0, 7]).quantile(0)).toBe(-3);
    expect(summaryOf([-3, 0, 7]).quantile(0.5)).toBe(0);
  });
});

describe('the histogram of a summary', () => {
  it('counts by powers of ten, which belong to the decade they begin', () => {
    const sizes = [0.01, 0.011, 0.05, 0.1, 0.5, 1, 9.5, 100, 100, 250];
    expect(
      summaryOf(sizes, 'volume')
        .histogram()
        .map(({ count }) => count),
    ).toEqual([3, 2, 2, 0, 3]);
    expect(summaryOf(sizes, 'volume').histogram()[4]).toEqual({ from: 100, to: 1000, count: 3 });
  });

  it.each(Array.from({ length: 76 }, (_, i) => i - 38))('puts 1e%i where it begins', (power) => {
    const [decade] = summaryOf([Number(`1e${power}`)], 'volume').histogram();
    expect(decade!.from / Number(`1e${power}`)).toBeCloseTo(1, 9);
  });

  it('is bounded: what lies 24 decades below the largest is one', () => {
    const decades = summaryOf([1e-30, 1e-20, 1e-15, 1e9], 'volume').histogram();
    expect(decades).toHaveLength(24);
    expect(decades[0]).toMatchObject({ from: 0, count: 3 });
    expect(decades.at(-1)).toMatchObject({ from: 1e9, count: 1 });
  });

  it('of nothing above zero is empty', () => expect(summaryOf([0, -5]).histogram()).toEqual([]));
});
