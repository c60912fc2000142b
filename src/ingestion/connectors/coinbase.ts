import { canonicalDecimal, parseInstant, type Trade, type VenueId } from '../../contracts/index.js';
import {
  type Connector,
  FrameError,
  type HttpRequest,
  type Parsed,
  parseJson,
  type Product,
  requestTo,
  type TradeHistory,
} from './connector.js';
import { badTrade, isTradeId, readEveryRow, type Row } from './rows.js';

const EXCHANGE = 'Coinbase';
const WANTED = 'trade_id, price, size, time or side';
const CHANNELS = ['matches', 'heartbeat'];
const ABOUT_PRODUCT = /^(\S+) is (?:not a valid product|delisted)/;

/**
 * Coinbase Exchange: channel `matches`, healed by id over REST; `last_match` repeats the trade before the subscription,
 * which shows what a reconnect has missed.
 * Source: docs.cdp.coinbase.com/exchange/websocket-feed and a recorded session, as kept in reference/market.md 3.2.
 */
export const coinbase: Connector = {
  id: 'coinbase',
  exchange: EXCHANGE,
  connection: (wsUrl, venueSymbols) => ({
    url: wsUrl.replace(/\/$/, ''),
    frames: [JSON.stringify({ type: 'subscribe', product_ids: venueSymbols, channels: CHANNELS })],
  }),

  /** One trade a frame. `sequence` is not read: it counts the whole order book, and `matches` shows but some of it. */
  parse(raw, receivedAtUs): Parsed {
    const frame = parseJson(raw) as Row;
    switch (frame.type) {
      case 'match':
      case 'last_match': {
        const trade = coinbaseTrade('coinbase', frame.product_id, idText(frame.trade_id), frame, receivedAtUs);
        if (!trade) throw badTrade(`product_id, ${WANTED}`, raw);
        return { kind: 'trades', trades: [trade] };
      }
      case 'heartbeat':
        return heartbeat(frame);
      case 'subscriptions':
        return { kind: 'alive' };
      case 'error':
        return refusal(frame);
      default:
        return { kind: 'unknown' };
    }
  },

  symbolsPerConnection: 100,
  sendEveryMs: 200, // of eight messages a second
  silentAfterMs: 15_000, // a heartbeat a second and product
  attemptsPer5Min: 100, // of eight requests a second
  contiguousIds: true,

  spelling: (asked) => asked.toUpperCase().replace(/[/_]/, '-'),
  canonical: (venueSymbol) => venueSymbol.toUpperCase().replaceAll('-', ''),
  products: { request: productsRequest, parse: productsOf, weight: 1 },
  history: exchangeHistory('coinbase'),
};

/**
 * Trades by id from the Exchange's REST. `after` is exclusive and the answer newest first, so the oldest 1,000 from an
 * id on are those below that id + 1000; while the venue has not come that far, older ones than asked for are among them.
 * Public limit 10 requests/s an address.
 */
export function exchangeHistory(source: VenueId): TradeHistory {
  return {
    by: 'id',
    request: (restUrl, venueSymbol, from) =>
      requestTo(
        restUrl,
        `/products/${encodeURIComponent(venueSymbol)}/trades?limit=1000${from === undefined ? '' : `&after=${from + 1000n}`}`,
      ),
    parse(body, venueSymbol, receivedAtUs) {
      const rows = parseJson(body);
      if (!Array.isArray(rows))
        throw new FrameError('parse.bad-trade', 'the venue did not answer with a list of trades', body);
      return readEveryRow(rows, WANTED, (row) =>
        coinbaseTrade(source, venueSymbol, idText(row.trade_id), row, receivedAtUs),
      );
    },
    pageTrades: 1000,
    weight: 1,
    weightPerMinute: 80, // a tenth of it at once, which stays below ten requests a second
  };
}

export function productsRequest(restUrl: string): HttpRequest {
  return requestTo(restUrl, '/products');
}

/** `[{"id":"BTC-USD","status":"online","trading_disabled":false,…}]`; delisted products stay in the list. */
export function productsOf(body: string): Product[] {
  const rows = parseJson(body);
  if (!Array.isArray(rows)) throw new FrameError('parse.bad-trade', 'the venue did not answer with a list', body);
  return (rows as (Row | null)[]).flatMap((row) =>
    typeof row?.id === 'string'
      ? {
          venueSymbol: row.id,
          aliases: [row.id.replace('-', ''), row.id.replace('-', '/')],
          isTrading: row.status === 'online' && row.trading_disabled !== true,
        }
      : [],
  );
}

/**
 * A trade as both feeds and the REST of Coinbase write it. `side` is the resting maker's: the taker did the opposite
 * (the ticker frames of the recorded session, which carry the taker's side, differ in 107 of 107 trades).
 */
export function coinbaseTrade(
  source: VenueId,
  venueSymbol: unknown,
  tradeId: unknown,
  { price, size, time, side }: Row,
  receivedAtUs: number,
): Trade | undefined {
  if (typeof venueSymbol !== 'string' || venueSymbol === '' || !isTradeId(tradeId)) return undefined;
  if (typeof price !== 'string' || typeof size !== 'string' || typeof time !== 'string') return undefined;
  const tradedAtUs = parseInstant(time);
  const makerSide = typeof side === 'string' ? side.toLowerCase() : undefined;
  if (tradedAtUs === undefined || (makerSide !== 'buy' && makerSide !== 'sell')) return undefined;
  return {
    source,
    exchange: EXCHANGE,
    symbol: coinbase.canonical(venueSymbol),
    venueSymbol,
    tradeId,
    price: canonicalDecimal(price) ?? price,
    size: canonicalDecimal(size) ?? size,
    side: makerSide === 'buy' ? 'sell' : 'buy',
    tradedAtUs,
    receivedAtUs,
  };
}

/** `last_trade_id` was 0 for a time in 2020-21 (go-coinbasepro #89), whatever had been traded: it says nothing then. */
function heartbeat({ product_id: venueSymbol, last_trade_id: id }: Row): Parsed {
  const tradeId = idText(id);
  return typeof venueSymbol === 'string' && isTradeId(tradeId) && tradeId !== '0'
    ? { kind: 'alive', lastIds: [{ venueSymbol, tradeId }] }
    : { kind: 'alive' };
}

/** `{"type":"error","message":"Failed to subscribe","reason":"ETH-USD is not a valid product"}`; `reason` may lack. */
function refusal({ message, reason }: Row): Parsed {
  const words = [message, reason].filter((part) => typeof part === 'string');
  const venueSymbol = words.map((part) => ABOUT_PRODUCT.exec(part)?.[1]).find((found) => found !== undefined);
  const refused = { kind: 'refused', message: words.join(': ') || 'an error without words' } as const;
  return venueSymbol === undefined ? refused : { ...refused, venueSymbol };
}

const idText = (id: unknown): unknown => (Number.isSafeInteger(id) ? String(id) : id);
