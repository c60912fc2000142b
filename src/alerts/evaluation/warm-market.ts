import type { AnomalyKind, IntervalName } from '../../contracts/index.js';
import type { Bar } from '../../platform/indicators/index.js';
import { type InputRef, inputKey } from '../conditions/index.js';
import { Market, type MarketTrade } from '../inputs/index.js';
import type { RunningRule } from './running-rule.js';
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

/** The distinct inputs of these rules. */
export function inputsOf(rules: readonly RunningRule[]): InputRef[] {
  const all = rules.flatMap(({ condition, resolveCondition }) => [
    ...condition.inputs,
    ...(resolveCondition?.inputs ?? []),
  ]);
  return [...new Map(all.map((input) => [inputKey(input), input])).values()];
}

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
  for (const [name, { value, atUs }] of past.points) market.tellCustom(name, value, atUs);
  if (past.sentiment) market.tellSentiment(past.sentiment.value, past.sentiment.atUs);
  return market;
}
