import type { TapeTrade } from '../tape.js';
import { noLimits, type Face, type Reply, type Scene, type Subscription } from './face.js';
import { krakenRest } from './kraken-rest.js';
import { baseAsset, isoTime, isoTimeOtherwise, latestTrades, shortest, streamOf, subscriptionTo } from './trade.js';

/** Symbols of the `trade` channel, each with its symbol on the tape. */
type Talk = { readonly symbols: Map<string, string> };

/**
 * Kraken's v2: channel `trade` at `/v2`, heartbeats while a subscribed connection is quiet. v2 knows `BTC/USD` and
 * `DOGE/USD` only; `XBT` and `XDG` are names of REST.
 * Sources: docs.kraken.com/exchange/api-reference/spot-websocket-v2 (reference/market.md 3.4).
 */
export const kraken: Face<Talk> = {
  id: 'kraken',
  /** About 150 connections in ten minutes an address, one REST request a second. */
  limits: { ...noLimits, weightPerSecond: 1, weightBurst: 15, attemptsPer5Min: 75 },
  spelling(tapeSymbol) {
    const base = baseAsset(tapeSymbol);
    return base && `${base}/USD`;
  },
  open(url, { nowUs }) {
    if (url.pathname !== '/v2') return { status: 404 };
    return { talk: { symbols: new Map() }, texts: [statusFrame(nowUs)] };
  },
  hear(talk, text, scene) {
    const request = readRequest(text);
    const answer = answerTo(request, scene.nowUs);
    if (request.method === 'ping') return { texts: [answer({ method: 'pong' })] };
    if (request.method !== 'subscribe' && request.method !== 'unsubscribe')
      return { texts: [answer({ error: 'Unsupported method', success: false })] };
    if (request.channel !== 'trade')
      return { texts: [answer({ error: 'Unsupported channel', method: request.method, success: false })] };
    return request.method === 'subscribe'
      ? subscribe(talk, request, answer, scene)
      : unsubscribe(talk, request, answer);
  },
  tell: (_talk, spoken) =>
    [...Map.groupBy(spoken, ({ symbol }) => symbol)].map(([symbol, each]) =>
      tradesFrame(
        'update',
        each.map(({ frame: { trade } }) => tradeRow(symbol, trade!, isoTime(trade!.tradedAtUs))),
      ),
    ),
  tellInWrongUnit: (_talk, { symbol, frame: { trade } }) =>
    tradesFrame('update', [tradeRow(symbol, trade!, isoTimeOtherwise(trade!.tradedAtUs))]),
  beats: [
    {
      everyMs: 1000,
      whenQuiet: true,
      texts: ({ symbols }) => (symbols.size > 0 ? ['{"channel":"heartbeat"}'] : []),
    },
  ],
  error: () => '{"error":"Internal error","success":false}',
  rest: krakenRest,
};

const SNAPSHOT_TRADES = 50;

type Request = Readonly<{
  method: unknown;
  id: unknown;
  channel: unknown;
  symbols: readonly string[];
  snapshot: boolean;
}>;

type Answer = (fields: object) => string;

function readRequest(text: string): Request {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    frame = undefined;
  }
  const { method, params, req_id: id } = Object(frame) as Record<string, unknown>;
  const { channel, symbol, snapshot } = Object(params) as Record<string, unknown>;
  const symbols = [...new Set((Array.isArray(symbol) ? symbol : []).map(String))];
  return { method, id, channel, symbols, snapshot: snapshot !== false };
}

/** Each answer tells when the request came and, a little later, when the answer went. */
function answerTo({ id }: Request, nowUs: number): Answer {
  const times = { time_in: isoTime(nowUs), time_out: isoTime(nowUs + 18) };
  return (fields) => JSON.stringify({ ...fields, ...times, ...(id !== undefined && { req_id: id }) });
}

/** One answer a symbol; the snapshot follows it, at each subscription anew. */
function subscribe(talk: Talk, { symbols, snapshot }: Request, answer: Answer, scene: Scene): Reply {
  const texts: string[] = [];
  const subscriptions: Subscription[] = [];
  for (const symbol of symbols) {
    const tapeSymbol = scene.find(symbol);
    if (tapeSymbol === undefined) {
      const error = `Currency pair not supported ${symbol}`;
      texts.push(answer({ error, method: 'subscribe', success: false, symbol }));
      continue;
    }
    talk.symbols.set(symbol, tapeSymbol);
    subscriptions.push(subscriptionTo(tapeSymbol, symbol));
    texts.push(answer({ method: 'subscribe', result: { channel: 'trade', snapshot, symbol }, success: true }));
    if (snapshot) texts.push(snapshotFrame(symbol, tapeSymbol, scene));
  }
  return { texts, subscribe: subscriptions };
}

function unsubscribe(talk: Talk, { symbols }: Request, answer: Answer): Reply {
  const texts: string[] = [];
  const streams: string[] = [];
  for (const symbol of symbols) {
    const tapeSymbol = talk.symbols.get(symbol);
    if (tapeSymbol === undefined) {
      texts.push(answer({ error: 'Subscription Not Found', method: 'unsubscribe', success: false, symbol }));
      continue;
    }
    talk.symbols.delete(symbol);
    streams.push(streamOf(tapeSymbol));
    texts.push(answer({ method: 'unsubscribe', result: { channel: 'trade', symbol }, success: true }));
  }
  return { texts, unsubscribe: streams };
}

/** The connection's id is beyond what a float holds, as the venue's are. */
function statusFrame(nowUs: number): string {
  return `{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online","api_version":"v2","connection_id":${nowUs}187}]}`;
}

function snapshotFrame(symbol: string, tapeSymbol: string, { tape, nowUs }: Scene): string {
  const trades = latestTrades(tape, tapeSymbol, SNAPSHOT_TRADES, nowUs);
  return tradesFrame(
    'snapshot',
    trades.map((trade) => tradeRow(symbol, trade, isoTime(trade.tradedAtUs))),
  );
}

/** Rows are oldest first. */
function tradesFrame(type: 'snapshot' | 'update', rows: readonly string[]): string {
  return `{"channel":"trade","type":"${type}","data":[${rows.join(',')}]}`;
}

/** Numbers have one decimal at least: 77120.0. */
function tradeRow(symbol: string, trade: TapeTrade, timestamp: string): string {
  const side = trade.buyerIsMaker ? 'sell' : 'buy';
  const kind = trade.id % 3 === 0 ? 'market' : 'limit';
  return (
    `{"symbol":"${symbol}","side":"${side}","price":${shortest(trade.price, 1)},"qty":${shortest(trade.size, 1)},` +
    `"ord_type":"${kind}","trade_id":${trade.id},"timestamp":"${timestamp}"}`
  );
}
