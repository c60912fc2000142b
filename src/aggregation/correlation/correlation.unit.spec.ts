import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { correlate, logReturns, rollingCorrelations } from './correlation.js';

const of = (...values: number[]): Float64Array => Float64Array.from(values);

/** Closes as of a market at some price level: some windows without one. */
const market = (length: number) =>
  fc
    .record({
      level: fc.constantFrom(1e-6, 1, 65_000),
      steps: fc.array(fc.option(fc.integer({ min: -300, max: 300 }), { nil: NaN, freq: 8 }), {
        minLength: length,
        maxLength: length,
      }),
    })
    .map(({ level, steps }) => {
      let price = level;
      return Float64Array.from(steps, (step) => (Number.isNaN(step) ? NaN : (price *= 1 + step / 1e5)));
    });
const markets = fc
  .integer({ min: 2, max: 60 })
  .chain((length) =>
    fc.record({ a: market(length), b: market(length), scale: fc.double({ min: 1e-3, max: 1e3, noNaN: true }) }),
  );

/** The definition, in integers: with sums of squares, which doubles could not afford. */
function defined(a: Float64Array, b: Float64Array): number | undefined {
  const both = [...a.keys()].filter((i) => !Number.isNaN(a[i]! + b[i]!));
  const n = BigInt(both.length);
  const [x, y] = [a, b].map((values) => both.map((i) => units(values[i]!))) as [bigint[], bigint[]];
  const sum = (values: readonly bigint[]): bigint => values.reduce((total, value) => total + value, 0n);
  const moment = (left: readonly bigint[], right: readonly bigint[]): bigint =>
    n * sum(left.map((value, i) => value * right[i]!)) - sum(left) * sum(right);
  const [xy, xx, yy] = [moment(x, y), moment(x, x), moment(y, y)];
  return n < 3n || xx === 0n || yy === 0n ? undefined : Number(xy) / (Math.sqrt(Number(xx)) * Math.sqrt(Number(yy)));
}

/** A return as an integer of 2^-150, exactly: the finest one is of some 2^-53, with 53 digits after it. */
function units(value: number): bigint {
  let [shift, scaled] = [0, value];
  for (; !Number.isInteger(scaled); shift++) scaled *= 2;
  return BigInt(scaled) << BigInt(150 - shift);
}

describe('the correlation of two series', () => {
  it('is what the definition says, whatever the price level', () => {
    fc.assert(
      fc.property(markets, ({ a, b }) => {
        const [x, y] = [logReturns(a), logReturns(b)];
        const { correlation } = correlate(x, y);
        if (correlation !== null) expect(correlation).toBeCloseTo(defined(x, y)!, 9);
      }),
    );
  });

  it('is the same both ways, within [-1, 1], and exactly 1 with itself', () => {
    fc.assert(
      fc.property(markets, ({ a, b }) => {
        const [x, y] = [logReturns(a), logReturns(b)];
        const one = correlate(x, y);
        expect(correlate(y, x)).toEqual(one);
        if (one.correlation !== null) expect(Math.abs(one.correlation)).toBeLessThanOrEqual(1);
        const itself = correlate(x, x);
        if (itself.correlation !== null) expect(itself.correlation).toBe(1);
      }),
    );
  });

  it('does not depend on the unit of a price', () => {
    fc.assert(
      fc.property(markets, ({ a, b, scale }) => {
        const scaled = a.map((price) => price * scale);
        const [one, other] = [a, scaled].map((closes) => correlate(logReturns(closes), logReturns(b)));
        expect(other!.samples).toBe(one!.samples);
        if (one!.correlation !== null) expect(other!.correlation).toBeCloseTo(one!.correlation, 7);
      }),
    );
  });

  it('is known on known numbers', () => {
    expect(correlate(of(1, 2, 3, 4), of(2, 4, 6, 8))).toEqual({ correlation: 1, samples: 4 });
    expect(correlate(of(1, 2, 3, 4), of(8, 6, 4, 2))).toEqual({ correlation: -1, samples: 4 });
    expect(correlate(of(1, 2, 3), of(1, 3, 2)).correlation).toBeCloseTo(0.5, 15);
    expect(correlate(of(-1, 0, 1, 0), of(0, -1, 0, 1)).correlation).toBe(0);
  });

  it('leaves out where one of the two is not known', () => {
    expect(correlate(of(1, 2, NaN, 3, 9), of(2, 4, 5, 6, NaN))).toEqual({ correlation: 1, samples: 3 });
  });

  it('says why there is none: fewer than 3 samples, or no variance', () => {
    expect(correlate(of(1, 2, NaN), of(1, 2, 3))).toEqual({
      correlation: null,
      samples: 2,
      reason: 'too-few-samples',
    });
    expect(correlate(of(0, 0, 0), of(1, 2, 3))).toEqual({ correlation: null, samples: 3, reason: 'no-variance' });
    const growing = logReturns(Float64Array.from({ length: 50 }, (_, i) => 65_000 * 1.1 ** i)); // but for rounding, constant
    expect(correlate(growing, growing)).toMatchObject({ correlation: null, reason: 'no-variance' });
  });
});

describe('rolling correlations', () => {
  it('are those of every stretch of the length, each by itself', () => {
    fc.assert(
      fc.property(markets, fc.integer({ min: 2, max: 20 }), ({ a, b }, length) => {
        const [x, y] = [logReturns(a), logReturns(b)];
        const rolling = rollingCorrelations(x, y, length);
        expect(rolling).toHaveLength(Math.max(0, x.length - length + 1));
        for (const [i, one] of rolling.entries()) {
          const alone = correlate(x.subarray(i, i + length), y.subarray(i, i + length));
          expect({ ...one, correlation: 0 }).toEqual({ ...alone, correlation: 0 });
          if (alone.correlation !== null) expect(one.correlation).toBeCloseTo(alone.correlation, 9);
        }
      }),
    );
  });

  it('keep no trace of an absurd value that has left them', () => {
    const [x, y] = [5, 7].map((seed) => Float64Array.from({ length: 400 }, (_, i) => Math.sin(i * i * seed) * 1e-4));
    const clean = rollingCorrelations(x!, y!, 20);
    for (const at of [0, 19, 20, 33, 200]) {
      const [dirtyX, dirtyY] = [x!, y!].map((values) => values.with(at, 1e15));
      const rolling = rollingCorrelations(dirtyX!, dirtyY!, 20);
      rolling.forEach(({ correlation }, i) => {
        if (at < i || at >= i + 20) expect(correlation).toBeCloseTo(clean[i]!.correlation!, 12);
        else expect(correlation).toBeCloseTo(1, 6);
      });
    }
  });

  it('are none where the length is more than there is', () => {
    expect(rollingCorrelations(of(1, 2, 3), of(1, 2, 3), 4)).toEqual([]);
  });
});
