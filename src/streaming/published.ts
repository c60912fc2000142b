import {
  AlertFiredV1,
  type AlertFiredV1Data,
  AlertResolvedV1,
  AnomalyDetectedV1,
  anomalyBody,
  type AnyEvent,
  candleBody,
  type CandleData,
  CandlesClosedV1,
  CandlesRevisedV1,
  CandlesUpdatedV1,
  DeliveryReceivedV1,
  type DeliveryReceivedV1Data,
  type DurableEvent,
  FeedChangedV1,
  type FeedChangedV1Data,
  fileBody,
  type FileData,
  FileFinishedV1,
  FileProgressedV1,
  FileReceivedV1,
  formatInstant,
  type RecordedSeries,
  TradesRecordedV1,
} from '../contracts/index.js';
import { type Subject, UpdateGroup } from './update-group.js';

/** Updates as an event gives them: JSON objects of one subject. */
type Bodies = Readonly<{ subject: Omit<Subject, 'type'>; bodies: string[] }>;

type Published<Type extends string, Data> = Readonly<{
  /** What clients name in `types`; several events may share one. */
  type: Type;
  event: AnyEvent<Data>;
  /** The handler's name on the bus. */
  hearer: string;
  /** Always in the same order for the same data: ids count along it. */
  updates: (data: Data) => Bodies[];
  /** When the oldest of it reached this process, epoch microseconds. */
  receivedUs?: (data: Data) => number;
}>;

const published = <Type extends string, Data>(row: Published<Type, Data>): Published<Type, unknown> =>
  row as Published<Type, unknown>;

/** Every event that goes out live. A new one is one row here. */
export const PUBLISHED = [
  published({
    type: 'trade',
    event: TradesRecordedV1,
    hearer: 'streaming.publish-trades',
    updates: ({ series }) => series.map(tradesOf),
    receivedUs: ({ series }) => Math.min(...series.map((one) => one.firstReceivedAtUs)),
  }),
  published({
    type: 'candle',
    event: CandlesUpdatedV1,
    hearer: 'streaming.publish-candles',
    updates: ({ candles }) => candlesOf(candles),
  }),
  published({
    type: 'candle-closed',
    event: CandlesClosedV1,
    hearer: 'streaming.publish-closed-candles',
    updates: ({ candles }) => candlesOf(candles),
  }),
  published({
    type: 'candle-closed',
    event: CandlesRevisedV1,
    hearer: 'streaming.publish-revised-candles',
    updates: ({ candles }) => candlesOf(candles),
  }),
  published({
    type: 'anomaly',
    event: AnomalyDetectedV1,
    hearer: 'streaming.publish-anomalies',
    updates: (data) => [
      { subject: { source: data.source, symbol: data.symbol }, bodies: [JSON.stringify(anomalyBody(data))] },
    ],
  }),
  published({
    type: 'alert',
    event: AlertFiredV1,
    hearer: 'streaming.publish-fired-alerts',
    updates: (data) => [alertOf('firing', data)],
  }),
  published({
    type: 'alert',
    event: AlertResolvedV1,
    hearer: 'streaming.publish-resolved-alerts',
    updates: ({ startedAtUs, occurrences, ...data }) => [
      alertOf('resolved', data, { startedAt: formatInstant(startedAtUs), occurrences }),
    ],
  }),
  published({
    type: 'webhook',
    event: DeliveryReceivedV1,
    hearer: 'streaming.publish-webhooks',
    updates: (data) => [webhookOf(data)],
  }),
  published({
    type: 'feed',
    event: FeedChangedV1,
    hearer: 'streaming.publish-feeds',
    updates: (data) => [feedOf(data)],
  }),
  published({
    type: 'file',
    event: FileReceivedV1,
    hearer: 'streaming.publish-received-files',
    updates: (data) => [fileOf(data)],
  }),
  published({
    type: 'file',
    event: FileProgressedV1,
    hearer: 'streaming.publish-progress-of-files',
    updates: (data) => [fileOf(data)],
  }),
  published({
    type: 'file',
    event: FileFinishedV1,
    hearer: 'streaming.publish-finished-files',
    updates: (data) => [fileOf(data)],
  }),
];

export type StreamType = (typeof PUBLISHED)[number]['type'];
export const STREAM_TYPES: readonly StreamType[] = [...new Set(PUBLISHED.map((row) => row.type))];

const BY_EVENT = new Map(PUBLISHED.map((row) => [row.event.name, row]));

/** The durable events behind the given types, or behind all. */
export const durableEvents = (types: readonly string[] = STREAM_TYPES): DurableEvent<unknown>[] =>
  PUBLISHED.filter((row) => types.includes(row.type))
    .map((row) => row.event)
    .filter((event) => event.kind === 'durable');

/** One event as it goes out. `eventId` is absent for a volatile one. */
export type Publication = Readonly<{ eventId?: string; groups: readonly UpdateGroup[]; receivedUs?: number }>;

/** An event of the table as updates, serialised once for all clients. */
export function publicationOf(name: string, data: unknown, eventId?: string): Publication {
  const row = BY_EVENT.get(name);
  if (!row) throw new Error(`${name} is not published`);
  const all = row.updates(data);
  const count = all.reduce((sum, { bodies }) => sum + bodies.length, 0);
  let first = 0;
  const groups = all.map(({ subject, bodies }) => {
    const place = eventId === undefined ? undefined : { eventId, first, count };
    first += bodies.length;
    return new UpdateGroup({ type: row.type, ...subject }, bodies, place);
  });
  const receivedUs = row.receivedUs?.(data);
  return {
    groups,
    ...(eventId === undefined ? {} : { eventId }),
    ...(receivedUs === undefined || !Number.isFinite(receivedUs) ? {} : { receivedUs }),
  };
}

const SIDES: Readonly<Record<string, 'buy' | 'sell'>> = { b: 'buy', s: 'sell' };

function tradesOf({ source, symbol, tradeIds, prices, sizes, sides, tradedAtUs }: RecordedSeries): Bodies {
  const bodies = tradeIds.map((tradeId, index) => {
    const side = SIDES[sides[index]!];
    return JSON.stringify({
      symbol,
      source,
      price: prices[index],
      size: sizes[index],
      ...(side === undefined ? {} : { side }),
      tradeId,
      tradedAt: formatInstant(tradedAtUs[index]!),
    });
  });
  return { subject: { source, symbol }, bodies };
}

function candlesOf(candles: readonly CandleData[]): Bodies[] {
  const bySubject = new Map<string, Bodies>();
  for (const candle of candles) {
    const { source, symbol, interval: window } = candle;
    const key = `${source} ${symbol} ${window}`;
    let group = bySubject.get(key);
    if (!group) bySubject.set(key, (group = { subject: { source, symbol, window }, bodies: [] }));
    group.bodies.push(candleJson(candle));
  }
  return [...bySubject.values()];
}

function candleJson(candle: CandleData): string {
  const { symbol, source, interval: window } = candle;
  return JSON.stringify({ symbol, source, window, ...candleBody(candle) });
}

function alertOf(
  state: 'firing' | 'resolved',
  { alertId, atUs, source, symbol, ...data }: AlertFiredV1Data,
  more: Readonly<Record<string, unknown>> = {},
): Bodies {
  const body = { id: alertId, state, source, symbol, ...data, at: formatInstant(atUs), ...more };
  // a manual alert may be about no market
  const subject = { source, ...(symbol === '' ? {} : { symbol }) };
  return { subject, bodies: [JSON.stringify(body)] };
}

function feedOf({ source, state, reason, atUs }: FeedChangedV1Data): Bodies {
  return { subject: { source }, bodies: [JSON.stringify({ source, state, reason, at: formatInstant(atUs) })] };
}

/** A file is of no market. */
const fileOf = (data: FileData): Bodies => ({
  subject: { source: 'upload' },
  bodies: [JSON.stringify(fileBody(data))],
});

function webhookOf({ deliveryId, source, atUs, ...event }: DeliveryReceivedV1Data): Bodies {
  return { subject: { source }, bodies: [JSON.stringify({ deliveryId, source, ...event, at: formatInstant(atUs) })] };
}
