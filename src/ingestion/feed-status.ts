import type { FeedId, FeedState } from '../contracts/index.js';

/** What one symbol of a feed is doing. `unknown`: not on the venue's list; `refused`: the venue would not subscribe it. */
export type SymbolState = 'waiting' | 'trading' | 'quiet' | 'unknown' | 'refused';

export type SymbolStatus = Readonly<{
  venueSymbol: string;
  symbol: string;
  state: SymbolState;
  /** In words, where the state alone does not tell. */
  reason: string | undefined;
  /** Received since the process started. */
  trades: number;
  /** Over the last minute. */
  tradesPerSecond: number;
  lastTradedAtUs: number | undefined;
  lastReceivedAtUs: number | undefined;
}>;

/** What went wrong last, and when. */
export type Fault = Readonly<{ message: string; atUs: number }>;
export const faultNow = (message: string): Fault => ({ message, atUs: Date.now() * 1000 });

/** One of the venue's limits (or ours, below it), and how much of it is in use. */
export type LimitStatus = Readonly<{ name: string; used: number; allowed: number }>;

/** A feed as a person sees it; times are epoch microseconds. */
export type FeedStatus = Readonly<{
  source: FeedId;
  exchange: string;
  state: FeedState;
  sinceUs: number;
  /** In words: why it is in this state. */
  reason: string;
  lastError: string | undefined;
  lastErrorAtUs: number | undefined;
  lastFrameAtUs: number | undefined;
  frames: number;
  reconnects: number;
  connections: number;
  openGaps: number;
  missingTrades: number;
  limits: readonly LimitStatus[];
  symbols: readonly SymbolStatus[];
}>;

/** One source at work: a venue with its sockets, or a poll with its schedule. */
export interface RunningFeed {
  readonly source: FeedId;
  start(): void;
  stop(): Promise<void>;
  status(): FeedStatus;
}
