import type { CandleData } from './aggregation.events.js';
import { exact, quotientText } from './decimal.js';
import { formatInstant } from './instant.js';

/** A volume-weighted average is rounded half up to so many decimals. */
export const VWAP_DECIMALS = 8;

/** A candle as REST and the live streams both tell it: instants as text, and its vwap (null without volume). */
export function candleBody(candle: CandleData) {
  const { open, high, low, close, volume, quoteVolume, trades } = candle;
  const { takerBuyVolume, takerBuyQuoteVolume, closed, revision, incomplete } = candle;
  return {
    openTime: formatInstant(candle.openTimeUs),
    closeTime: formatInstant(candle.closeTimeUs),
    open,
    high,
    low,
    close,
    volume,
    quoteVolume,
    trades,
    takerBuyVolume,
    takerBuyQuoteVolume,
    vwap: volume === '0' ? null : quotientText(exact(quoteVolume), exact(volume), VWAP_DECIMALS),
    closed,
    revision,
    incomplete,
  };
}
