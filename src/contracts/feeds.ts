/** Ids of the connectors that `FEEDS` may name; the registry in ingestion must hold one connector for each. */
export const FEED_IDS = ['simulator', 'binance'] as const;
export type FeedId = (typeof FEED_IDS)[number];
