import fc from 'fast-check';
import { expect, it } from 'vitest';
import { retryWaitMs } from './retry.js';

it('waits twice as long after every failure, half of it by chance, up to the most', () => {
  const pace = { firstMs: 1000, mostMs: 60_000 };
  expect([1, 2, 3, 7, 1000].map((failures) => retryWaitMs(failures, pace, () => 0))).toEqual([
    500, 1000, 2000, 30_000, 30_000,
  ]);
  fc.assert(
    fc.property(fc.nat(5000), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (failures, chance) => {
      const ms = retryWaitMs(failures, pace, () => chance);
      expect(ms).toBeGreaterThanOrEqual(500);
      expect(ms).toBeLessThanOrEqual(60_000);
    }),
  );
});
