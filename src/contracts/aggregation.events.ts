import { durable, volatile } from './event.js';
import type { IntervalName } from './interval.js';

/** One candle, a pure function of the recorded trades with tradedAt in [openTime, closeTime). Decimals are exact text. */
export type CandleData = Readonly<{
  source: string;
  symbol: string;
  interval: IntervalName;
  /** Epoch microseconds UTC, inclusive and exclusive. */
  openTimeUs: number;
  closeTimeUs: number;
  /** Prices of the first and last trade in order of (tradedAt, tradeId). */
  open: string;
  high: string;
  low: string;
  close: string;
  volume: string;
  quoteVolume: string;
  trades: number;
  takerBuyVolume: string;
  takerBuyQuoteVolume: string;
  closed: boolean;
  /** How often it changed after it was closed. */
  revision: number;
  /** A hole in the trades touches it. */
  incomplete: boolean;
}>;

/** Candles that changed with one batch of trades, open or not. */
export const CandlesUpdatedV1 = volatile<Readonly<{ candles: readonly CandleData[] }>>(
  'aggregation.candles-updated.v1',
);
/** The watermark passed the end of these windows. Sent once per candle. */
export const CandlesClosedV1 = durable<Readonly<{ candles: readonly CandleData[] }>>('aggregation.candles-closed.v1');
/** Late trades changed candles that were closed. Sent once per revision. */
export const CandlesRevisedV1 = durable<Readonly<{ candles: readonly CandleData[] }>>('aggregation.candles-revised.v1');
