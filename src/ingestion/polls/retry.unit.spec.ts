import { describe, expect, it } from 'vitest';
import { retryDelayMs } from './retry.js';

describe('the delay of a retry', () => {
  it('doubles to a cap, anywhere below it, and is never less than a second', () => {
    expect([1, 2, 3, 4, 10, 1000].map((failures) => retryDelayMs(failures, () => 1))).toEqual([
      2000, 4000, 8000, 16_000, 60_000, 60_000,
    ]);
    expect(retryDelayMs(4, () => 0.25)).toBe(4000);
    expect(retryDelayMs(10, () => 0)).toBe(1000);
  });
});
