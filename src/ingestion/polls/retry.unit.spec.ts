import { describe, expect, it } from 'vitest';
import { pauseAskedMs, retryDelayMs } from './retry.js';

describe('the delay of a retry', () => {
  it('doubles to a cap, anywhere below it, and is never less than a second', () => {
    expect([1, 2, 3, 4, 10, 1000].map((failures) => retryDelayMs(failures, () => 1))).toEqual([
      2000, 4000, 8000, 16_000, 60_000, 60_000,
    ]);
    expect(retryDelayMs(4, () => 0.25)).toBe(4000);
    expect(retryDelayMs(10, () => 0)).toBe(1000);
  });
});

describe('Retry-After', () => {
  const NOW_MS = Date.UTC(2026, 7, 9, 12);

  it.each([
    ['120', 120_000],
    ['0', 0],
    ['Sun, 09 Aug 2026 12:00:30 GMT', 30_000],
    ['Sun, 09 Aug 2026 11:00:00 GMT', 0],
    ['99999999999', 24 * 3_600_000],
    ['soon', 0],
    ['', 0],
    [null, 0],
  ])('of %s asks for %d ms', (header, ms) => expect(pauseAskedMs(header, NOW_MS)).toBe(ms));
});
