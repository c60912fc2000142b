import type { Tape, TapeTrade } from '../tape.js';
import { noLimits, type Face, type Reply, type Scene, type Subscription } from './face.js';
import { coinbaseRest } from './coinbase-rest.js';
import {
  baseAsset,
  isoTime,
  isoTimeOtherwise,
  latestTrades,
  makerSide,
  shortest,
  streamOf,
  subscriptionTo,
} from './trade.js';

/** What one connection asked for: per channel its products, each with its symbol on the tape. */
type Talk = { readonly channels: Map<string, Map<string, string>>; hasSubscribed: boolean };

/**
 * The Exchange feed: `matches` and `heartbeat`. `ticker` and `status` are acknowledged and stay silent.
 * Sources: docs.cdp.coinbase.com/exchange/websocket-feed (reference/market.md 3.2); frames compared with the recorded ones
 * of /shared/data/market/coinbase-exchange. The code of the close after 5 s is a guess, no page names it.
 */
export const coinbase: Face<Talk> = {
  id: 'coinbase',
  limits: {
    ...noLimits,
    weightPerSecond: 10,
    weightBurst: 15,
    attemptsPer5Min: 8 * 300,
    messagesPerSecond: 100,
  },
  spelling(tapeSymbol) {
    const base = baseAsset(tapeSymbol);
    return base && `${base}-USD`;
  },
  open(url) {
    if (url.pathname !== '/') return { status: 404 };
    return { talk: { channels: new Map(), hasSubscribed: false } };
  },
  hear(talk, text, scene) {
    const asked = readRequest(text);
    if (!asked) return { texts: [failed('Malformed JSON')] };
    if (asked.type !== 'subscribe' && asked.type !== 'unsubscribe')
      return { texts: [failed('Type has to be either subscribe or unsubscribe')] };
    if (asked.wishes.length === 0) return { texts: [failed('No channels provided')] };
    return asked.type === 'subscribe' ? subscribe(talk, asked.wishes, scene) : unsubscribe(talk, asked.wishes);
  },
  tell: (_talk, spoken) =>
    spoken.map(({ symbol, frame: { trade } }) => matchFrame('match', symbol, trade!, isoTime(trade!.tradedAtUs))),
  tellInWrongUnit: (_talk, { symbol, frame: { trade } }) =>
    matchFrame('match', symbol, trade!, isoTimeOtherwise(trade!.tradedAtUs)),
  beats: [{ everyMs: 1000, texts: heartbeats }],
  error: () => '{"type":"error","message":"Internal server error"}',
  expires: ({ hasSubscribed }, ageMs) => (hasSubscribed || ageMs < SUBSCRIBE_WITHIN_MS ? undefined : TOO_LATE),
  rest: coinbaseRest,
};

/** Both Coinbase feeds close a connection that has not subscribed to anything by then. */
export const SUBSCRIBE_WITHIN_MS = 5000;
export const TOO_LATE = { code: 1008, reason: 'no subscription within 5 seconds' };

const CHANNELS = new Set(['matches', 'heartbeat', 'ticker', 'ticker_batch', 'status']);
const PRIVATE_CHANNELS = new Set(['level2', 'level3', 'full', 'user']);

type Wish = Readonly<{ channel: string; products: readonly string[] }>;

/** Channels are names, or objects with products of their own that come on top of those of the whole frame. */
function readRequest(text: string): Readonly<{ type: unknown; wishes: readonly Wish[] }> | undefined {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { type, product_ids, channels } = Object(frame) as Record<string, unknown>;
  const wishes = (Array.isArray(channels) ? channels : []).map((channel: unknown): Wish => {
    const { name = channel, product_ids: own } = Object(channel) as Record<string, unknown>;
    return { channel: String(name), products: [...new Set([...texts(product_ids), ...texts(own)])] };
  });
  return { type, wishes };
}

function texts(list: unknown): string[] {
  return Array.isArray(list) ? list.map(String) : [];
}

/** What cannot be had is told in an error frame each; the rest is subscribed. The state comes behind each `last_match`. */
function subscribe(talk: Talk, wishes: readonly Wish[], { tape, nowUs, find }: Scene): Reply {
  const errors: string[] = [];
  const lastMatches: string[] = [];
  const subscriptions: Subscription[] = [];
  const found = new Map<string, string | undefined>();
  const resolve = (product: string): string | undefined => {
    if (!found.has(product)) {
      found.set(product, find(product));
      if (found.get(product) === undefined) errors.push(failed(`${product} is not a valid product`));
    }
    return found.get(product);
  };
  for (const { channel, products } of wishes) {
    if (!CHANNELS.has(channel)) {
      errors.push(failed(PRIVATE_CHANNELS.has(channel) ? NEEDS_KEY : `${channel} is not a valid channel`));
      continue;
    }
    const subscribed = talk.channels.get(channel) ?? new Map<string, string>();
    talk.channels.set(channel, subscribed);
    for (const product of products) {
      const tapeSymbol = subscribed.has(product) ? undefined : resolve(product);
      if (tapeSymbol === undefined) continue;
      subscribed.set(product, tapeSymbol);
      if (channel !== 'matches') continue;
      subscriptions.push(subscriptionTo(tapeSymbol, product));
      const [last] = latestTrades(tape, tapeSymbol, 1, nowUs);
      if (last) lastMatches.push(matchFrame('last_match', product, last, isoTime(last.tradedAtUs)));
    }
    if (subscribed.size === 0) talk.channels.delete(channel);
    else talk.hasSubscribed = true;
  }
  const state = talk.channels.size > 0 ? [stateFrame(talk)] : [];
  return { texts: [...errors, ...lastMatches, ...state], subscribe: subscriptions };
}

const NEEDS_KEY =
  'level2, level3, and full channels now require authentication. https://docs.cdp.coinbase.com/exchange/docs/websocket-auth';

/** A channel named without products goes as a whole. */
function unsubscribe(talk: Talk, wishes: readonly Wish[]): Reply {
  const streams: string[] = [];
  for (const { channel, products } of wishes) {
    const subscribed = talk.channels.get(channel);
    if (!subscribed) continue;
    for (const product of products.length > 0 ? products : [...subscribed.keys()]) {
      const tapeSymbol = subscribed.get(product);
      if (tapeSymbol === undefined) continue;
      subscribed.delete(product);
      if (channel === 'matches') streams.push(streamOf(tapeSymbol));
    }
    if (subscribed.size === 0) talk.channels.delete(channel);
  }
  return { texts: [stateFrame(talk)], unsubscribe: streams };
}

function stateFrame({ channels }: Talk): string {
  const state = [...channels].map(([name, products]) => ({
    name,
    product_ids: [...products.keys()],
    account_ids: null,
  }));
  return JSON.stringify({ type: 'subscriptions', channels: state });
}

function failed(reason: string): string {
  return JSON.stringify({ type: 'error', message: 'Failed to subscribe', reason });
}

function matchFrame(type: 'match' | 'last_match', product: string, trade: TapeTrade, time: string): string {
  const order = trade.id.toString(16).padStart(12, '0').slice(-12);
  return (
    `{"type":"${type}","trade_id":${trade.id},"maker_order_id":"00000000-0000-4000-8000-${order}",` +
    `"taker_order_id":"00000000-0000-4000-9000-${order}","side":"${makerSide(trade)}","size":"${shortest(trade.size)}",` +
    `"price":"${shortest(trade.price)}","product_id":"${product}","sequence":${sequenceOf(trade.id)},"time":"${time}"}`
  );
}

/** The product's count of all that happens in its book: from one trade to the next it rises by 19 or 50. */
function sequenceOf(tradeId: number): number {
  return tradeId * 37 + ((tradeId * 13) % 31);
}

function heartbeats({ channels }: Talk, { tape, nowUs }: Scene): string[] {
  const products = channels.get('heartbeat') ?? new Map<string, string>();
  return [...products].map(([product, tapeSymbol]) => heartbeatFrame(tape, product, tapeSymbol, nowUs));
}

function heartbeatFrame(tape: Tape, product: string, tapeSymbol: string, nowUs: number): string {
  const lastId = tape.lastId(tapeSymbol, nowUs) ?? 0;
  const sequence = sequenceOf(lastId) + 1;
  return `{"type":"heartbeat","last_trade_id":${lastId},"product_id":"${product}","sequence":${sequence},"time":"${isoTime(nowUs)}"}`;
}
