import fc from 'fast-check';
import { expect, it } from 'vitest';
import { INTERVALS } from '../contracts/index.js';
import { cover, endOfMinute } from './cover.js';

const MINUTE_US = INTERVALS['1m'] * 1000;

it('covers every minute once, in order, with whole rows', () => {
  fc.assert(
    fc.property(fc.nat(10_000), fc.nat(5_000), (start, length) => {
      const [fromUs, toUs] = [start * MINUTE_US, (start + length) * MINUTE_US];
      let atUs = fromUs;
      for (const stretch of cover(fromUs, toUs)) {
        const rowUs = INTERVALS[stretch.interval] * 1000;
        expect(stretch.fromUs).toBe(atUs);
        expect([stretch.fromUs % rowUs, stretch.toUs % rowUs]).toEqual([0, 0]);
        atUs = stretch.toUs;
      }
      expect(atUs).toBe(Math.max(fromUs, toUs));
    }),
  );
});

it('reads a day from at most 29 rows', () => {
  for (let minute = 0; minute < 1440; minute++) {
    const fromUs = minute * MINUTE_US;
    const rows = cover(fromUs, fromUs + 1440 * MINUTE_US).map(
      ({ interval, ...stretch }) => (stretch.toUs - stretch.fromUs) / (INTERVALS[interval] * 1000),
    );
    expect(rows.reduce((sum, count) => sum + count)).toBeLessThanOrEqual(29);
  }
});

it('ends a rolling window with the minute of its last instant', () => {
  expect(endOfMinute(0)).toBe(MINUTE_US);
  expect(endOfMinute(MINUTE_US - 1)).toBe(MINUTE_US);
  expect(endOfMinute(MINUTE_US)).toBe(2 * MINUTE_US);
});
