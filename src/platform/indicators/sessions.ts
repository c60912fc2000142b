import type { IntervalName } from '../../contracts/index.js';

const DAY_US = 86_400_000_000;

type Span = Readonly<{ startUs: number; endUs: number }>;
type Period = (us: number) => Span;

/**
 * The session of `vwap:session`, which a bar that opens then is part of: the UTC day, as traders anchor it; for 1d the UTC
 * month, since a session of one bar would say nothing.
 */
export const sessionOf = (openTimeUs: number, interval: IntervalName): Span =>
  (interval === '1d' ? month : day)(openTimeUs);
export const sessionStartUs = (openTimeUs: number, interval: IntervalName): number =>
  sessionOf(openTimeUs, interval).startUs;

const ERAS: Readonly<Record<IntervalName, Period>> = {
  '1m': day,
  '5m': day,
  '15m': month,
  '1h': month,
  '4h': year,
  '1d': year,
};

/**
 * What one run of `obv` counts over: long enough to show a trend, short enough to be read again (2,976 bars at most): the
 * UTC day for 1m and 5m, the month for 15m and 1h, the year for 4h and 1d.
 */
export const eraOf = (openTimeUs: number, interval: IntervalName): Span => ERAS[interval](openTimeUs);
export const eraStartUs = (openTimeUs: number, interval: IntervalName): number => eraOf(openTimeUs, interval).startUs;

function day(us: number): Span {
  const startUs = Math.floor(us / DAY_US) * DAY_US;
  return { startUs, endUs: startUs + DAY_US };
}

function month(us: number): Span {
  const date = new Date(Math.floor(us / 1000));
  const [years, months] = [date.getUTCFullYear(), date.getUTCMonth()];
  return { startUs: Date.UTC(years, months) * 1000, endUs: Date.UTC(years, months + 1) * 1000 };
}

function year(us: number): Span {
  const years = new Date(Math.floor(us / 1000)).getUTCFullYear();
  return { startUs: Date.UTC(years, 0) * 1000, endUs: Date.UTC(years + 1, 0) * 1000 };
}
