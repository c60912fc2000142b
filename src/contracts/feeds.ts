/** Connectors that stream trades over a socket; the registry in ingestion/connectors must hold one for each. */
export const VENUE_IDS = ['simulator', 'binance', 'coinbase', 'coinbase-advanced', 'kraken', 'finnhub'] as const;
export type VenueId = (typeof VENUE_IDS)[number];

/** Sources that are asked over REST on a schedule; the registry in ingestion/polls must hold one for each. */
export const POLL_IDS = ['fear-greed', 'poll'] as const;
export type PollId = (typeof POLL_IDS)[number];

/** What `FEEDS` may name. */
export const FEED_IDS = [...VENUE_IDS, ...POLL_IDS] as const;
export type FeedId = VenueId | PollId;

/** Its entries are observed values, not trades: prices of size 0 that make candles without volume. */
export const isPolled = (source: string): source is PollId => (POLL_IDS as readonly string[]).includes(source);

/** Where points of users' own series stand in place of a feed's trades; no feed may be called so. */
export const CUSTOM_SOURCE = 'custom';
/** Of a custom series. */
export const SERIES_NAME = /^[a-z][a-z0-9._-]{0,79}$/;

/** Where trades of files stand that are of no feed, and what stands for their exchange; no feed may be called so. */
export const UPLOAD_SOURCE = 'upload';
export const UPLOAD_EXCHANGE = 'Upload';

/** What trades of files may be recorded under; of a feed only where they have its ids. */
export const FILE_SOURCES = [UPLOAD_SOURCE, 'binance'] as const;

/**
 * Whether the venue says who the taker was; where it does not, there is no telling buys from sells. Of files some say it
 * and some do not.
 */
export const tellsSides = (source: string): boolean =>
  source !== 'finnhub' && source !== UPLOAD_SOURCE && !isPolled(source);
