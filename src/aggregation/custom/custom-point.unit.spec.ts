import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readPoints } from './custom-point.js';

const NOW_US = Date.UTC(2026, 7, 9) * 1000;

const valueOf = (value: unknown): string | undefined =>
  readPoints([{ name: 'a', value }], NOW_US, () => 'made').points[0]?.value;

describe('a sent point', () => {
  it('keeps a JSON number to its last digit', () => {
    fc.assert(
      fc.property(fc.double({ min: -1e15, max: 1e15, noNaN: true }), (number) => {
        const kept = valueOf(number);
        if (kept === undefined)
          expect(Math.abs(number)).toBeLessThan(1e-20); // more than 38 decimals
        else expect(Number(kept)).toBe(number === 0 ? 0 : number);
      }),
    );
  });

  it.each([
    [1e-7, '0.0000001'],
    [-1.25e-9, '-0.00000000125'],
    [-0, '0'],
    ['-0.50', '-0.5'],
    ['007', '7'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
  ])('of %j is %s', (sent, kept) => expect(valueOf(sent)).toBe(kept));

  it.each([[Number.MAX_SAFE_INTEGER + 1], [1e300], ['1e3'], ['+1'], [''], ['NaN'], [null], [true], [{}]])(
    'has no value of %j',
    (sent) => expect(valueOf(sent)).toBeUndefined(),
  );

  it('is known by its key, else by its instant however written, else by a key made for it', () => {
    const { points } = readPoints(
      [
        { name: 'a', value: 1, key: 'k', at: '2026-01-01T00:00:00Z' },
        { name: 'a', value: 1, at: '2026-01-01T01:00:00+01:00' },
        { name: 'a', value: 1, at: Date.UTC(2026, 0, 1) },
        { name: 'a', value: 1 },
      ],
      NOW_US,
      () => 'made',
    );
    expect(points.map(({ key }) => key)).toEqual(['k', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', 'made']);
    expect(points[3]!.atUs).toBe(NOW_US);
  });

  it('is told what is wrong with it and its neighbours, ten faults at most', () => {
    const { faults } = readPoints(
      Array.from({ length: 50 }, () => ({ name: 'A', value: 1 })),
      NOW_US,
      () => '',
    );
    expect(faults.map(({ field }) => field)).toEqual(Array.from({ length: 10 }, (_, i) => `points[${i}].name`));
  });
});
