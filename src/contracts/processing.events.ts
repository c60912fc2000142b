import { durable, volatile } from './event.js';
import type { TradesReceivedV1Data } from './ingestion.events.js';

/** The new trades of one series, one array per field, of one length, in order of arrival. */
export type RecordedSeries = Readonly<{
  source: string;
  exchange: string;
  symbol: string;
  venueSymbol: string;
  tradeIds: readonly string[];
  /** Exact canonical decimals. */
  prices: readonly string[];
  sizes: readonly string[];
  /** One character a trade, the taker's side: `b` buy, `s` sell, `-` not told. */
  sides: string;
  tradedAtUs: readonly number[];
  /** When the first of them to arrive did, epoch microseconds. */
  firstReceivedAtUs: number;
}>;

/** Trades that were not recorded before and are now; a repeated trade never appears twice. Each series stands once. */
export type TradesRecordedV1Data = Readonly<{ series: readonly RecordedSeries[] }>;
export const TradesRecordedV1 = durable<TradesRecordedV1Data>('processing.trades-recorded.v1');

/** Trades that failed validation and went to the dead letters, or of a day that was dropped: they will not be recorded. */
export type TradesRejectedV1Data = Readonly<{
  rejected: readonly Readonly<{ source: string; symbol: string; venueSymbol: string; tradeId: string }>[];
}>;
export const TradesRejectedV1 = durable<TradesRejectedV1Data>('processing.trades-rejected.v1');

/** Trades that found the queue in front of recording full. Where the venue can give them again they are fetched. */
export const TradesDroppedV1 = volatile<TradesReceivedV1Data>('processing.trades-dropped.v1');

/** Events of webhooks that are recorded now, by the delivery each came with. */
export type EventsRecordedV1Data = Readonly<{ deliveryIds: readonly string[] }>;
export const EventsRecordedV1 = durable<EventsRecordedV1Data>('processing.events-recorded.v1');
