import { type IntervalName, INTERVAL_NAMES, INTERVALS } from '../contracts/index.js';

const MINUTE_US = INTERVALS['1m'] * 1000;
const COARSEST_FIRST = INTERVAL_NAMES.toReversed();

/** A stretch of time, to be read from rows of one interval. */
export type Stretch = Readonly<{ interval: IntervalName; fromUs: number; toUs: number }>;

/**
 * Cuts [fromUs, toUs), both whole minutes, into the longest windows that fit, and ever shorter ones towards its edges: a
 * day is then read from at most 29 rows and not from 1,440. In order of time; together they are the whole, each instant once.
 */
export function cover(fromUs: number, toUs: number, intervals: readonly IntervalName[] = COARSEST_FIRST): Stretch[] {
  const [interval, ...finer] = intervals;
  if (interval === undefined || fromUs >= toUs) return [];
  const us = INTERVALS[interval] * 1000;
  const [firstUs, lastUs] = [Math.ceil(fromUs / us) * us, Math.floor(toUs / us) * us];
  if (firstUs >= lastUs) return cover(fromUs, toUs, finer);
  return [...cover(fromUs, firstUs, finer), { interval, fromUs: firstUs, toUs: lastUs }, ...cover(lastUs, toUs, finer)];
}

/** The start of the minute after an instant: where a rolling window that ends with that minute ends. */
export const endOfMinute = (us: number): number => (Math.floor(us / MINUTE_US) + 1) * MINUTE_US;
