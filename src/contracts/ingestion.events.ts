import { durable, volatile } from './event.js';
import type { Trade } from './trade.js';

/** Trades as the venues sent them since the last flush of a feed: unchecked, possibly repeated, in order of arrival. */
export type TradesReceivedV1Data = Readonly<{ trades: readonly Trade[] }>;
export const TradesReceivedV1 = volatile<TradesReceivedV1Data>('ingestion.trades-received.v1');

export type FeedState = 'connecting' | 'connected' | 'waiting' | 'stopped';

/** The connection of a feed changed its state. */
export type FeedChangedV1Data = Readonly<{
  source: string;
  state: FeedState;
  /** In words: why it changed, for a person. */
  reason: string;
  atUs: number;
}>;
export const FeedChangedV1 = volatile<FeedChangedV1Data>('ingestion.feed-changed.v1');

/** A run of trade ids that the venue has given out and that is not recorded here. */
export type GapV1Data = Readonly<{
  gapId: string;
  source: string;
  symbol: string;
  /** First and last missing id, both inclusive, decimal text. Some ids between them may be recorded. */
  fromTradeId: string;
  toTradeId: string;
  /** How many ids were missing when this was said; null where the venue numbers no trades. */
  missing: number | null;
  /** Where the venue numbers no trades: from when to when nobody listened, epoch microseconds. The ids follow from it. */
  fromUs?: number;
  toUs?: number;
}>;
/** Sent again, with the same id and narrower bounds, when a gap that cannot be filled shrinks. */
export const GapOpenedV1 = durable<GapV1Data>('ingestion.gap-opened.v1');
/** Every id of the gap is recorded, rejected, or stands in another gap; sent once per gap. */
export const GapClosedV1 = durable<GapV1Data>('ingestion.gap-closed.v1');
