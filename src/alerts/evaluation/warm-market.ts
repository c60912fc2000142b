import type { AnomalyKind, IntervalName } from '../../contracts/index.js';
import type { Bar } from '../../platform/indicators/index.js';
import type { InputRef } from '../conditions/index.js';
import { Market, type MarketTrade } from '../inputs/index.js';
import type { MarketKey } from './trade-position.js';

/** What was before the first trade that is evaluated. */
export type MarketPast = Readonly<{
  /** Closed bars, oldest first; those of the minute end where `trades` begin. */
  bars: ReadonlyMap<IntervalName, readonly Bar[]>;
  trades: readonly MarketTrade[];
  anomalies: readonly Readonly<{ kind: AnomalyKind; atUs: number }>[];
  /** The last point of each custom series. */
  points: ReadonlyMap<string, Readonly<{ value: number; atUs: number }>>;
  sentiment: Readonly<{ value: number; atUs: number }> | undefined;
}>;

/** A market that stands behind its past, and behind what came while that was read. */
export function marketFrom(
  key: MarketKey,
  inputs: readonly InputRef[],
  past: MarketPast,
  meanwhile: readonly MarketTrade[] = [],
): Market {
  const market = new Market(key);
  market.want(inputs);
  for (const [interval, bars] of past.bars) market.warm(interval, bars);
  for (const trade of past.trades) market.take(trade);
  for (const trade of meanwhile) market.take(trade);
  for (const { kind, atUs } of past.anomalies) market.tell(kind, atUs);
  for (const [name, point] of past.points) market.readCustom(name, point);
  if (past.sentiment) market.tellSentiment(past.sentiment.value, past.sentiment.atUs);
  return market;
}
