import { fromUnits, times, toUnits } from '../decimal8.js';
import type { TapeTrade } from '../tape.js';

/**
 * Texts of the venue's streams and the control frames it takes. Source: web-socket-streams.md of
 * binance/binance-spot-api-docs; frames compared with the recorded ones of /shared/data/market/binance-spot.
 */

/** Payload of `<symbol>@trade` or `@aggTrade` (here one trade each). eventUs is when the venue says it. */
export function tradePayload(
  channel: string,
  symbol: string,
  trade: TapeTrade,
  eventUs: number,
  microseconds: boolean,
): string {
  const at = venueTime(trade.tradedAtUs, microseconds);
  const event = venueTime(Math.max(eventUs, trade.tradedAtUs), microseconds);
  const deal = `"p":"${trade.price}","q":"${trade.size}"`;
  const tail = `"T":${at},"m":${trade.buyerIsMaker},"M":true}`;
  return channel === 'aggTrade'
    ? `{"e":"aggTrade","E":${event},"s":"${symbol}","a":${trade.id},${deal},"f":${trade.id},"l":${trade.id},${tail}`
    : `{"e":"trade","E":${event},"s":"${symbol}","t":${trade.id},${deal},${tail}`;
}

export function combinedFrame(stream: string, payload: string): string {
  return `{"stream":"${stream}","data":${payload}}`;
}

/** The payload of a recorded combined frame, its text unchanged. */
export function payloadOf(frame: string): string {
  return frame.slice(frame.indexOf('"data":') + 7, -1);
}

/** A recorded text with its milliseconds of `E` and `T` as microseconds. */
export function inMicroseconds(text: string): string {
  return text.replace(/"([ET])":(\d{13})(?=[,}])/g, '"$1":$2000');
}

/** Sent ahead of maintenance: the client opens a new connection at once. */
export function shutdownFrame(nowUs: number, combined: boolean, microseconds: boolean): string {
  const payload = `{"e":"serverShutdown","E":${venueTime(nowUs, microseconds)}}`;
  return combined ? combinedFrame('!serverShutdown', payload) : payload;
}

/** Row of `/api/v3/trades` and `/api/v3/historicalTrades`. */
export function tradeRow(trade: TapeTrade, microseconds: boolean): object {
  return {
    id: trade.id,
    price: trade.price,
    qty: trade.size,
    quoteQty: fromUnits(times(toUnits(trade.price), toUnits(trade.size))),
    time: venueTime(trade.tradedAtUs, microseconds),
    isBuyerMaker: trade.buyerIsMaker,
    isBestMatch: true,
  };
}

/** Row of `/api/v3/aggTrades`. */
export function aggTradeRow(trade: TapeTrade, microseconds: boolean): object {
  return {
    a: trade.id,
    p: trade.price,
    q: trade.size,
    f: trade.id,
    l: trade.id,
    T: venueTime(trade.tradedAtUs, microseconds),
    m: trade.buyerIsMaker,
    M: true,
  };
}

export function venueTime(timeUs: number, microseconds: boolean): number {
  return microseconds ? timeUs : Math.floor(timeUs / 1000);
}

type RequestId = number | string | null;

export type ControlRequest =
  | Readonly<{ method: 'SUBSCRIBE' | 'UNSUBSCRIBE'; streams: readonly string[]; id: RequestId }>
  | Readonly<{ method: 'LIST_SUBSCRIPTIONS'; id: RequestId }>
  | Readonly<{ method: 'SET_PROPERTY'; combined: boolean; id: RequestId }>
  | Readonly<{ method: 'GET_PROPERTY'; id: RequestId }>
  | Readonly<{ method: 'refused'; answer: string }>;

const METHODS = ['SUBSCRIBE', 'UNSUBSCRIBE', 'LIST_SUBSCRIPTIONS', 'SET_PROPERTY', 'GET_PROPERTY'] as const;
type Method = (typeof METHODS)[number];

/** A text frame of a client → what it asks, or the venue's documented error for it. */
export function readControl(text: string): ControlRequest {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return refused(3, 'Invalid JSON: expected value at line 1 column 1');
  }
  const { method, params, id = null } = Object(frame) as { method?: Method; params?: unknown; id?: unknown };
  if (method === undefined)
    return refused(2, `Invalid request: missing field \`method\` at line 1 column ${text.length}`);
  if (!isRequestId(id)) return refused(2, 'Invalid request: request ID must be an unsigned integer');
  const list: unknown[] = Array.isArray(params) ? params : [];
  switch (method) {
    case 'SUBSCRIBE':
    case 'UNSUBSCRIBE':
      if (list.length === 0 || !list.every((stream) => typeof stream === 'string'))
        return refused(2, 'Invalid request: params must be a list of stream names');
      return { method, streams: list as string[], id };
    case 'LIST_SUBSCRIPTIONS':
      return list.length > 0 ? refused(2, 'Invalid request: too many parameters') : { method, id };
    case 'SET_PROPERTY':
    case 'GET_PROPERTY':
      if (typeof list[0] !== 'string') return refused(2, 'Invalid request: property name must be a string');
      if (list[0] !== 'combined') return refused(0, 'Unknown property', id);
      if (list.length > (method === 'SET_PROPERTY' ? 2 : 1)) return refused(2, 'Invalid request: too many parameters');
      if (method === 'GET_PROPERTY') return { method, id };
      if (typeof list[1] !== 'boolean') return refused(1, 'Invalid value type: expected Boolean');
      return { method, combined: list[1], id };
    default: {
      const known = METHODS.map((name) => `\`${name}\``).join(', ');
      return refused(
        2,
        `Invalid request: unknown variant \`${String(method)}\`, expected one of ${known} at line 1 column 28`,
      );
    }
  }
}

export function controlResult(result: unknown, id: RequestId): string {
  return JSON.stringify({ result, id });
}

export function controlError(code: number, msg: string, id?: RequestId): string {
  return JSON.stringify(id === undefined ? { code, msg } : { code, msg, id });
}

function refused(code: number, msg: string, id?: RequestId): ControlRequest {
  return { method: 'refused', answer: controlError(code, msg, id) };
}

function isRequestId(id: unknown): id is RequestId {
  return id === null || Number.isSafeInteger(id) || (typeof id === 'string' && id.length <= 36);
}
