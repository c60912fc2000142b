import { type Edges, gapBetween } from '../candles/holes.js';
import type { OpenGap } from '../candles/gap.store.js';

/** A candle as far as its close goes. */
export type CloseOfCandle = Edges &
  Readonly<{
    close: number;
    /** Closed, and no hole touches it. */
    settled: boolean;
  }>;

/** Consecutive windows, epoch microseconds, `toUs` exclusive. */
export type Windows = Readonly<{ fromUs: number; toUs: number; intervalUs: number }>;

/** What a window without a trade stands for: nothing to compare, or a market in which the last price held. */
export const MISSING = ['skip', 'hold'] as const;
export type Missing = (typeof MISSING)[number];

/** The close of each window, NaN where there is none to use, and how many windows had what; together they are all. */
export type Closes = Readonly<{
  closes: Float64Array;
  /** Windows with a candle whose close is used. */
  candles: number;
  /** Windows in which nothing was traded. */
  missing: number;
  /** Windows of which not everything is known: their candle is incomplete, or they lie in a hole. Never used. */
  incomplete: number;
}>;

/**
 * The closes of the windows of one series. `candles` are in order of time, the one before the windows and the one after
 * them included, where there are such: whether a window without a candle was quiet or lies in a hole is told by the
 * candles on both sides of it.
 */
export function closesOf(
  candles: readonly CloseOfCandle[],
  gaps: readonly OpenGap[],
  { fromUs, toUs, intervalUs }: Windows,
  missing: Missing,
): Closes {
  const closes = new Float64Array((toUs - fromUs) / intervalUs).fill(NaN);
  const placeOf = (openTimeUs: number): number => (openTimeUs - fromUs) / intervalUs;
  const count = { candles: 0, missing: 0 };
  let previous: CloseOfCandle | undefined;
  for (const candle of candles) {
    const place = placeOf(candle.openTimeUs);
    const firstQuiet = previous ? Math.max(0, placeOf(previous.closeTimeUs)) : place;
    const endQuiet = Math.min(place, closes.length);
    if (previous && firstQuiet < endQuiet && !gapBetween(previous, candle, gaps)) {
      count.missing += endQuiet - firstQuiet;
      // an incomplete candle does not tell what price held after it
      if (missing === 'hold' && previous.settled) closes.fill(previous.close, firstQuiet, endQuiet);
    }
    if (candle.settled && place >= 0 && place < closes.length) {
      closes[place] = candle.close;
      count.candles++;
    }
    previous = candle;
  }
  return { closes, ...count, incomplete: closes.length - count.candles - count.missing };
}
