import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FIRST, FoldTree, GREATEST, LEAST, SUM } from './fold-tree.js';
import { Moments, SpreadTree } from './spread-tree.js';

const leaf = fc.oneof(fc.integer({ min: -1000, max: 1000 }), fc.constant(NaN));
const written = fc.record({
  leaves: fc
    .integer({ min: 0, max: 6 })
    .chain((height) => fc.array(leaf, { minLength: 2 ** height, maxLength: 2 ** height })),
  writes: fc.array(fc.tuple(fc.nat(1000), leaf), { maxLength: 40 }),
  ends: fc.tuple(fc.nat(1000), fc.nat(1000)),
});

describe('any stretch of a ring', () => {
  it.each([
    ['sum', SUM],
    ['greatest', GREATEST],
    ['least', LEAST],
    ['first', FIRST],
  ] as const)('has the %s of its leaves, whatever was written', (_, by) => {
    fc.assert(
      fc.property(written, ({ leaves, writes, ends }) => {
        const ring = Float64Array.from(leaves, (value) => (by === FIRST || value === value ? value : 0));
        const tree = new FoldTree(ring, by);
        for (const [at, value] of writes) {
          ring[at % ring.length] = by === FIRST || value === value ? value : 0;
          tree.refresh(at % ring.length);
        }
        const [from, to] = ends.map((end) => end % ring.length).toSorted((a, b) => a - b) as [number, number];
        // whole numbers: in any order they make the same sum
        expect(tree.fold(from, to)).toBe(ring.subarray(from, to + 1).reduce(by.join, by.empty));
      }),
    );
  });

  it('has the spread of its leaves', () => {
    fc.assert(
      fc.property(written, ({ leaves, writes, ends }) => {
        const ring = Float64Array.from(leaves, (value) => 65_000 + (value === value ? value / 1000 : 0));
        const tree = new SpreadTree(ring);
        for (const [at, value] of writes) {
          ring[at % ring.length] = 65_000 + (value === value ? value / 1000 : 0);
          tree.refresh(at % ring.length);
        }
        const [from, to] = ends.map((end) => end % ring.length).toSorted((a, b) => a - b) as [number, number];
        const moments = new Moments();
        tree.fold(from, to, moments);
        const stretch = ring.subarray(from, to + 1);
        const mean = stretch.reduce((sum, value) => sum + (value - 65_000), 0) / stretch.length;
        const deviation = Math.sqrt(
          stretch.reduce((sum, value) => sum + (value - 65_000 - mean) ** 2, 0) / stretch.length,
        );
        expect(moments.deviation).toBeCloseTo(deviation, 9);
        expect(moments.count).toBe(stretch.length);
      }),
    );
  });
});
