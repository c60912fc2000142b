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

/** What an anomaly is about: a market's price, volume or volatility, or the value of a custom series. */
export const ANOMALY_KINDS = [
  'price-spike',
  'price-drop',
  'volume-spike',
  'volume-drop',
  'volatility',
  'trend-reversal',
  'value-spike',
  'value-drop',
] as const;
export type AnomalyKind = (typeof ANOMALY_KINDS)[number];
export const DETECTORS = ['zscore', 'iqr', 'prediction-interval'] as const;
export type DetectorName = (typeof DETECTORS)[number];
export const SEVERITIES = ['low', 'medium', 'high', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What detectors look at: four of a market, and the values of a custom series. */
export const ANOMALY_SIGNALS = ['price', 'volume', 'volatility', 'trend', 'value'] as const;
export type AnomalySignal = (typeof ANOMALY_SIGNALS)[number];

/** Something a detector had not expected. Statistics are plain numbers in the unit of what was scored. */
export type AnomalyDetectedV1Data = Readonly<{
  anomalyId: string;
  /** A feed, or `custom`: then `symbol` is the name of the series. */
  source: string;
  symbol: string;
  kind: AnomalyKind;
  detector: DetectorName;
  severity: Severity;
  /** How far off in the detector's own measure; at or above the threshold. */
  score: number;
  threshold: number;
  /**
   * What came, and what was expected: a log return, a log volume, a volatility, the log return since a trend's extreme, or
   * the value of a custom series.
   */
  value: number;
  expected: number;
  lower: number;
  upper: number;
  /** End of the scored minute, or the instant of the custom point, epoch microseconds. */
  atUs: number;
}>;
/** Sent once per anomaly, when it begins, and again while it lasts only where it becomes twice as bad. */
export const AnomalyDetectedV1 = durable<AnomalyDetectedV1Data>('aggregation.anomaly-detected.v1');

/** Points of users' own series that were not recorded before and are now. */
export type CustomPointsRecordedV1Data = Readonly<{
  points: readonly Readonly<{
    name: string;
    key: string;
    /** Exact canonical decimal, of any sign. */
    value: string;
    atUs: number;
  }>[];
}>;
export const CustomPointsRecordedV1 = durable<CustomPointsRecordedV1Data>('aggregation.custom-points-recorded.v1');
