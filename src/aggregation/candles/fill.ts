import type { OpenGap } from './gap.store.js';
import type { StoredCandle } from './candle.store.js';
import { gapBetween } from './holes.js';

/** A window without a trade, told as a flat candle at the close before it. */
export type FilledCandle = StoredCandle & Readonly<{ filled?: true }>;

/**
 * Puts flat candles of volume 0 where windows between two candles saw no trade. Where an open gap lies between them
 * nothing is made up. `before` is the candle ahead of the page, if any; the page is the windows from `fromUs` to `toUs`.
 */
export function fillQuietWindows(
  candles: readonly StoredCandle[],
  before: StoredCandle | undefined,
  fromUs: number,
  intervalUs: number,
  gaps: readonly OpenGap[],
  toUs = Infinity,
): FilledCandle[] {
  const filled: FilledCandle[] = [];
  let previous = before;
  for (const candle of candles) {
    if (previous && !gapBetween(previous, candle, gaps)) {
      const first = Math.max(previous.openTimeUs + intervalUs, fromUs);
      const end = Math.min(candle.openTimeUs, toUs);
      for (let openTimeUs = first; openTimeUs < end; openTimeUs += intervalUs) {
        filled.push(flatCandle(previous, openTimeUs, intervalUs));
      }
    }
    filled.push(candle);
    previous = candle;
  }
  return filled;
}

function flatCandle(previous: StoredCandle, openTimeUs: number, intervalUs: number): FilledCandle {
  const { source, symbol, interval, close, openId, closeId } = previous;
  const nothing = { volume: '0', quoteVolume: '0', trades: 0, takerBuyVolume: '0', takerBuyQuoteVolume: '0' };
  const flat = { open: close, high: close, low: close, close };
  return {
    source,
    symbol,
    interval,
    openTimeUs,
    closeTimeUs: openTimeUs + intervalUs,
    ...flat,
    ...nothing,
    closed: true,
    revision: 0,
    incomplete: false,
    openId,
    closeId,
    filled: true,
  };
}
