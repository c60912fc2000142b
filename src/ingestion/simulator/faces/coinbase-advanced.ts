import type { TapeTrade } from '../tape.js';
import { coinbaseRest } from './coinbase-rest.js';
import { coinbase, SUBSCRIBE_WITHIN_MS, TOO_LATE } from './coinbase.js';
import { noLimits, type Face, type Reply, type Scene, type Subscription, type Text } from './face.js';
import { isoTime, isoTimeOtherwise, latestTrades, makerSide, shortest, streamOf, subscriptionTo } from './trade.js';

type Talk = {
  /** Products of `market_trades`, each with its symbol on the tape. */
  readonly products: Map<string, string>;
  heartbeats: boolean;
  heartbeatCounter: number;
  hasSubscribed: boolean;
};

/**
 * Advanced Trade: `market_trades` and `heartbeats`, one channel a request. Each frame but an error carries the
 * connection's count. A product in USDC is streamed as the one in USD.
 * Sources: docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket and a recording (reference/market.md 3.3).
 */
export const coinbaseAdvanced: Face<Talk> = {
  id: 'coinbase-advanced',
  limits: { ...noLimits, weightPerSecond: 10, weightBurst: 15, attemptsPer5Min: 8 * 300, messagesPerSecond: 8 },
  gatherMs: 250,
  spelling: (tapeSymbol) => coinbase.spelling(tapeSymbol),
  open(url) {
    if (url.pathname !== '/') return { status: 404 };
    return { talk: { products: new Map(), heartbeats: false, heartbeatCounter: 0, hasSubscribed: false } };
  },
  hear(talk, text, scene) {
    const { type, channel, products } = readRequest(text);
    if (channel !== 'market_trades' && channel !== 'heartbeats') return { texts: [FAILURE] };
    if (type === 'subscribe')
      return channel === 'heartbeats' ? beat(talk, true, scene) : subscribe(talk, products, scene);
    if (type === 'unsubscribe')
      return channel === 'heartbeats' ? beat(talk, false, scene) : unsubscribe(talk, products, scene);
    return { texts: [FAILURE] };
  },
  tell: (_talk, spoken, nowUs) =>
    [...Map.groupBy(spoken, ({ symbol }) => symbol)].map(([product, each]) => {
      const rows = each.map(({ frame: { trade } }) => tradeRow(product, trade!, shortTime(trade!.tradedAtUs)));
      return tradesFrame('update', rows.toReversed(), nowUs);
    }),
  tellInWrongUnit: (_talk, { symbol, frame: { trade } }, nowUs) =>
    tradesFrame('update', [tradeRow(symbol, trade!, isoTimeOtherwise(trade!.tradedAtUs))], nowUs),
  beats: [{ everyMs: 1000, texts: heartbeat }],
  error: () => '{"type":"error","message":"internal error"}',
  expires({ hasSubscribed }, ageMs, quietMs) {
    if (!hasSubscribed && ageMs >= SUBSCRIBE_WITHIN_MS) return TOO_LATE;
    return quietMs >= QUIET_UP_TO_MS ? { code: 1000, reason: 'no updates' } : undefined;
  },
  rest: coinbaseRest,
};

/** With `heartbeats` a connection is never so quiet. */
const QUIET_UP_TO_MS = 90_000;
const SNAPSHOT_TRADES = 100;
const FAILURE = '{"type":"error","message":"failure to subscribe"}';

function readRequest(text: string): Readonly<{ type: unknown; channel: unknown; products: readonly string[] }> {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    frame = undefined;
  }
  const { type, channel, product_ids } = Object(frame) as Record<string, unknown>;
  const products = (Array.isArray(product_ids) ? product_ids : []).map(String);
  return { type, channel, products: [...new Set(products.map((product) => product.replace(/-USDC$/, '-USD')))] };
}

/** The venue's error names no product: the others are subscribed all the same. Each new one starts with a snapshot. */
function subscribe(talk: Talk, products: readonly string[], scene: Scene): Reply {
  const texts: Text[] = [];
  const subscriptions: Subscription[] = [];
  for (const product of products) {
    if (talk.products.has(product)) continue;
    const tapeSymbol = scene.find(product);
    if (tapeSymbol === undefined) {
      texts.push(FAILURE);
      continue;
    }
    talk.products.set(product, tapeSymbol);
    talk.hasSubscribed = true;
    subscriptions.push(subscriptionTo(tapeSymbol, product));
    texts.push(snapshotFrame(product, tapeSymbol, scene));
  }
  return { texts: [...texts, stateFrame(talk, scene.nowUs)], subscribe: subscriptions };
}

/** Without products all of the channel go. */
function unsubscribe(talk: Talk, products: readonly string[], { nowUs }: Scene): Reply {
  const streams: string[] = [];
  for (const product of products.length > 0 ? products : [...talk.products.keys()]) {
    const tapeSymbol = talk.products.get(product);
    if (tapeSymbol !== undefined) streams.push(streamOf(tapeSymbol));
    talk.products.delete(product);
  }
  return { texts: [stateFrame(talk, nowUs)], unsubscribe: streams };
}

function beat(talk: Talk, wanted: boolean, { nowUs }: Scene): Reply {
  talk.heartbeats = wanted;
  if (wanted) talk.hasSubscribed = true;
  return { texts: [stateFrame(talk, nowUs)] };
}

function heartbeat(talk: Talk, { nowUs }: Scene): Text[] {
  if (!talk.heartbeats) return [];
  const counter = talk.heartbeatCounter++;
  const current = `${isoTime(nowUs).replace('T', ' ').slice(0, -1)}${NANOSECONDS} +0000 UTC m=+${counter}.${NANOSECONDS}`;
  return [envelope('heartbeats', nowUs, `{"current_time":"${current}","heartbeat_counter":${counter}}`)];
}

function stateFrame({ products, heartbeats }: Talk, nowUs: number): Text {
  const subscriptions = {
    ...(products.size > 0 && { market_trades: [...products.keys()] }),
    ...(heartbeats && { heartbeats: ['heartbeats'] }),
  };
  return envelope('subscriptions', nowUs, JSON.stringify({ subscriptions }));
}

function snapshotFrame(product: string, tapeSymbol: string, { tape, nowUs }: Scene): Text {
  const trades = latestTrades(tape, tapeSymbol, SNAPSHOT_TRADES, nowUs);
  const rows = trades.map((trade) => tradeRow(product, trade, shortTime(trade.tradedAtUs)));
  return tradesFrame('snapshot', rows.toReversed(), nowUs);
}

/** Rows are newest first. */
function tradesFrame(type: 'snapshot' | 'update', rows: readonly string[], nowUs: number): Text {
  return envelope('market_trades', nowUs, `{"type":"${type}","trades":[${rows.join(',')}]}`);
}

function tradeRow(product: string, trade: TapeTrade, time: string): string {
  return (
    `{"product_id":"${product}","trade_id":"${trade.id}","price":"${shortest(trade.price)}",` +
    `"size":"${shortest(trade.size)}","time":"${time}","side":"${makerSide(trade).toUpperCase()}"}`
  );
}

function envelope(channel: string, nowUs: number, event: string): Text {
  const head = `{"channel":"${channel}","timestamp":"${isoTime(nowUs).slice(0, -1)}${NANOSECONDS}Z","sequence_num":`;
  return (sequence) => `${head}${sequence},"events":[${event}]}`;
}

/** The clock here has none; the venue's envelopes do. */
const NANOSECONDS = '169';

/** Without the zeros at its end: "…:48.167634Z", "…:48.1676Z", "…:48Z". */
function shortTime(timeUs: number): string {
  return `${shortest(isoTime(timeUs).slice(0, -1))}Z`;
}
