import { DDSketch } from '@datadog/sketches-js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MOST_BINS, Sketch } from './sketch.js';

const mapping = new DDSketch({ relativeAccuracy: 0.01 }).mapping;

const sketchOf = (values: readonly number[], mostBins = MOST_BINS): Sketch => {
  const sketch = new Sketch(mapping, mostBins);
  for (const value of values) sketch.add(value);
  return sketch;
};

/** Of any sign and magnitude a decimal of 38 digits a side has, near each other or not. */
const valueArbitrary = fc.oneof(
  fc.constant(0),
  fc.double({ min: 60_000, max: 70_000, noNaN: true }),
  fc.tuple(fc.integer({ min: -38, max: 32 }), fc.integer({ min: -1e6, max: 1e6 })).map(([e, x]) => x * 10 ** e),
);
const valuesArbitrary = fc.array(valueArbitrary, { minLength: 1, maxLength: 200 });

/** The value that floor(share × (n - 1)) others stand before. */
const exactQuantile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))]!;

describe('a sketch', () => {
  it('tells every quantile within its error', () => {
    fc.assert(
      fc.property(valuesArbitrary, fc.double({ min: 0, max: 1, noNaN: true }), (values, share) => {
        const wanted = exactQuantile(values, share);
        const told = sketchOf(values).valueAt(Math.floor(share * (values.length - 1)));
        expect(Math.abs(told - wanted)).toBeLessThanOrEqual(Math.abs(wanted) * 0.01 * (1 + 1e-9));
      }),
    );
  });

  it('tells what the library tells of the same values', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 1e-3, max: 1e3, noNaN: true }), { minLength: 1 }), (values) => {
        const library = new DDSketch({ relativeAccuracy: 0.01 });
        for (const value of values) library.accept(value);
        const sketch = sketchOf(values);
        for (let rank = 0; rank < values.length; rank++)
          expect(sketch.valueAt(rank)).toBe(library.getValueAtQuantile(rank / Math.max(1, values.length - 1)));
      }),
    );
  });

  it('of merged parts has the bins of the whole, in any split', () => {
    fc.assert(
      fc.property(valuesArbitrary, fc.nat(), fc.integer({ min: 1, max: 20 }), (values, seed, mostBins) => {
        const parts = [0, 1, 2].map((part) =>
          sketchOf(
            values.filter((_, i) => (i * 7 + seed) % 3 === part),
            mostBins,
          ),
        );
        const merged = new Sketch(mapping, mostBins);
        for (const part of parts) merged.merge(part);
        expect([...merged.bins()]).toEqual([...sketchOf(values, mostBins).bins()]);
      }),
    );
  });

  it('is read back as it was written', () => {
    fc.assert(
      fc.property(valuesArbitrary, (values) => {
        const sketch = sketchOf(values);
        const read = Sketch.decode(sketch.encode(), mapping);
        expect([...read.bins()]).toEqual([...sketch.bins()]);
      }),
    );
  });

  it('is written with counts beyond 32 bits', () => {
    const sketch = sketchOf([1, 1, 5]);
    for (let doubled = 0; doubled < 45; doubled++) sketch.merge(Sketch.decode(sketch.encode(), mapping));
    expect([...Sketch.decode(sketch.encode(), mapping).bins()].map(([, count]) => count)).toEqual([2 ** 46, 2 ** 45]);
  });

  it.each([
    ['that end too soon', (bytes: Uint8Array) => bytes.subarray(0, -1)],
    ['that go on', (bytes: Uint8Array) => new Uint8Array([...bytes, 0])],
    ['that are none', () => new Uint8Array()],
  ])('refuses bytes %s', (_what, spoil) => {
    expect(() => Sketch.decode(spoil(sketchOf([1, 2, 3]).encode()), mapping)).toThrow(RangeError);
  });

  it('is bounded: the lowest values are counted in the lowest bin that is kept', () => {
    const values = Array.from({ length: 50 }, (_, i) => 1.1 ** i);
    const sketch = sketchOf(values, 10);
    expect(sketch.size).toBe(10);
    expect(sketch.valueAt(0)).toBeCloseTo(1.1 ** 40, -1);
    expect(sketch.valueAt(49)).toBeGreaterThan(1.1 ** 49 * 0.99);
    expect([...sketch.bins()].reduce((sum, [, count]) => sum + count, 0)).toBe(50);
  });

  it('takes a value of another magnitude for one bin', () => {
    expect(sketchOf([65_000, 1e-9, 65_001, 1e30]).encode().length).toBeLessThan(25);
  });
});
