import { INTERVALS } from '../contracts/index.js';

const MINUTE_US = INTERVALS['1m'] * 1000;
const HOUR_US = INTERVALS['1h'] * 1000;

/** A stretch of time, to be read from rows of one interval. */
export type Stretch = Readonly<{ interval: '1m' | '1h'; fromUs: number; toUs: number }>;

/**
 * Cuts [fromUs, toUs), both whole minutes, into whole hours and the minutes at its edges: a day is then read from about
 * 80 rows and not from 1,440. In order of time; together they are the whole, each instant once.
 */
export function cover(fromUs: number, toUs: number): Stretch[] {
  const firstHourUs = Math.ceil(fromUs / HOUR_US) * HOUR_US;
  const lastHourUs = Math.floor(toUs / HOUR_US) * HOUR_US;
  if (firstHourUs >= lastHourUs) return stretches('1m', fromUs, toUs);
  return [
    ...stretches('1m', fromUs, firstHourUs),
    ...stretches('1h', firstHourUs, lastHourUs),
    ...stretches('1m', lastHourUs, toUs),
  ];
}

const stretches = (interval: Stretch['interval'], fromUs: number, toUs: number): Stretch[] =>
  fromUs < toUs ? [{ interval, fromUs, toUs }] : [];

/** The start of the minute after an instant: where a rolling window that ends with that minute ends. */
export const endOfMinute = (us: number): number => (Math.floor(us / MINUTE_US) + 1) * MINUTE_US;
