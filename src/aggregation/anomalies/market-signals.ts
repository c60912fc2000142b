import { type AnomalySignal, type CandleData, isPolled } from '../../contracts/index.js';
import { MINUTE_US } from '../candles/candle.js';

/** A longer silence is a closed market or an outage: the move across it is not a minute's, and its volume is unknown. */
const MOST_QUIET_MINUTES = 15;
/** Parkinson's estimate of the volatility from the range: σ = ln(high/low) / (2·√ln 2). */
const RANGE_TO_VOLATILITY = 1 / (2 * Math.sqrt(Math.LN2));

export type Sample = Readonly<{ signal: AnomalySignal; value: number; atUs: number }>;
/** Why a candle or a point gave fewer samples than it might. */
export type SkipReason = 'late' | 'incomplete' | 'no-reference' | 'not-finite';
/** Start and close of the candle before; its close is null where a hole touches it. */
export type MarketState = Readonly<{ atUs: number; close: number | null }>;
export type Taken<State> = Readonly<{
  samples: readonly Sample[];
  skipped: readonly SkipReason[];
  after: State | null;
}>;

/**
 * What one minute candle says of its market, after the one before it.
 *
 * - `price`: log return against the close before. A minute without a candle is no sample.
 * - `volume`: log(1 + volume) in quote currency: in base currency a minute of Bitcoin is far below 1, where that is no
 *   logarithm. A minute without a trade, between two that are whole, is a volume of 0.
 * - `volatility`: from the range, which sees the whole minute where its open and close may be equal, and which is nearer
 *   to a normal distribution than absolute or squared returns are (Alizadeh, Brandt, Diebold 2002).
 * - `trend`: the same return, of which the trend is the sum: across a hole there is none, so nothing turns there.
 *
 * A candle that a hole touches gives nothing, and the return after it spans the hole: it gives no price and no trend either.
 */
export function marketSamples(candle: CandleData, before: MarketState | null): Taken<MarketState> {
  if (before && candle.openTimeUs <= before.atUs) return { samples: [], skipped: ['late'], after: before };
  if (candle.incomplete)
    return { samples: [], skipped: ['incomplete'], after: { atUs: candle.openTimeUs, close: null } };

  const polled = isPolled(candle.source);
  const quiet = before ? Math.round((candle.openTimeUs - before.atUs) / MINUTE_US) - 1 : 0;
  const reference = polled || quiet <= MOST_QUIET_MINUTES ? (before?.close ?? null) : null;
  const close = Number(candle.close);
  const atUs = candle.closeTimeUs;
  const samples: Sample[] = [];
  if (reference !== null) {
    if (!polled)
      for (let minute = quiet; minute > 0; minute--)
        samples.push({ signal: 'volume', value: 0, atUs: atUs - minute * MINUTE_US });
    samples.push({ signal: 'price', value: Math.log(close / reference), atUs });
  }
  if (!polled) samples.push({ signal: 'volume', value: Math.log1p(Number(candle.quoteVolume)), atUs });
  const range = Math.log(Number(candle.high) / Number(candle.low));
  samples.push({ signal: 'volatility', value: range * RANGE_TO_VOLATILITY, atUs });
  if (reference !== null) samples.push({ signal: 'trend', value: Math.log(close / reference), atUs });

  const finite = samples.filter(({ value }) => Number.isFinite(value));
  const skipped = samples.filter(({ value }) => !Number.isFinite(value)).map((): SkipReason => 'not-finite');
  if (reference === null) skipped.push('no-reference');
  return { samples: finite, skipped, after: { atUs: candle.openTimeUs, close } };
}

/** The instant of the last point of a custom series. */
export type PointState = Readonly<{ atUs: number }>;

/** A point of a custom series is its value; one that is not later than the one before is none. */
export function pointSamples(
  point: Readonly<{ value: string; atUs: number }>,
  before: PointState | null,
): Taken<PointState> {
  if (before && point.atUs <= before.atUs) return { samples: [], skipped: ['late'], after: before };
  const value = Number(point.value);
  const after = { atUs: point.atUs };
  if (!Number.isFinite(value)) return { samples: [], skipped: ['not-finite'], after };
  return { samples: [{ signal: 'value', value, atUs: point.atUs }], skipped: [], after };
}
