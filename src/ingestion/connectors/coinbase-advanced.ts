import { type Connector, FrameError, type Parsed, parseJson, type Product } from './connector.js';
import { coinbase, coinbaseTrade, exchangeHistory, productsOf, productsRequest } from './coinbase.js';
import { readRows, type Row } from './rows.js';

/**
 * Coinbase Advanced Trade: channel `market_trades` in batches of 250 ms, newest first; the first one of a subscription is
 * a snapshot of 100 trades, which heals a short loss by itself.
 *
 * Its trade ids are those of the Exchange, whose REST therefore heals it. Found: BTC-USD ids that public code recorded
 * from both feeds lie on one line of time (Exchange 1050206160 on 2026-07-04, Advanced 1068307673 on 08-08 and 1068572091
 * on 08-09, Exchange 1069822481 on 08-13 and 1092969670 on 09-15, Advanced 1099158137 on 09-27), and the venue's FAQ says
 * both have the same markets. Not found: one trade seen in both feeds, or a sentence of the venue about the ids.
 * Source: docs.cdp.coinbase.com advanced-trade websocket and a recording of 2026-08-09, as kept in reference/market.md 3.3.
 */
export const coinbaseAdvanced: Connector = {
  id: 'coinbase-advanced',
  exchange: coinbase.exchange,
  /** One channel a frame; without `heartbeats` the venue closes a quiet connection after 60 to 90 s. */
  connection: (wsUrl, venueSymbols) => ({
    url: wsUrl.replace(/\/$/, ''),
    frames: [
      JSON.stringify({ type: 'subscribe', product_ids: venueSymbols, channel: 'market_trades' }),
      JSON.stringify({ type: 'subscribe', channel: 'heartbeats' }),
    ],
  }),

  /** `sequence_num` counts the frames of the connection over all channels, acknowledgements too: none may be skipped. */
  parse(raw, receivedAtUs): Parsed {
    const frame = parseJson(raw) as Row;
    const sequence = frame.sequence_num;
    const parsed = meaning(frame, raw, receivedAtUs);
    return Number.isSafeInteger(sequence) ? { ...parsed, sequence: sequence as number } : parsed;
  },

  symbolsPerConnection: 100,
  sendEveryMs: 200, // of eight messages a second
  silentAfterMs: 15_000, // a heartbeat a second
  attemptsPer5Min: 100, // of eight connections a second
  contiguousIds: true,

  /** Books in USDC are those in USD: the venue streams BTC-USDC as BTC-USD. */
  spelling: (asked) => coinbase.spelling(asked).replace(/-USDC$/, '-USD'),
  canonical: coinbase.canonical,
  products: { request: productsRequest, parse: (body) => withoutUsdc(productsOf(body)), weight: 1 },
  history: exchangeHistory('coinbase-advanced'),
};

function meaning(frame: Row, raw: string, receivedAtUs: number): Parsed {
  if (frame.type === 'error')
    return { kind: 'refused', message: typeof frame.message === 'string' ? frame.message : 'an error without words' };
  if (frame.channel === 'market_trades') return tradesOf(frame.events, raw, receivedAtUs);
  return { kind: frame.channel === 'heartbeats' || frame.channel === 'subscriptions' ? 'alive' : 'unknown' };
}

function tradesOf(events: unknown, raw: string, receivedAtUs: number): Parsed {
  const lists = Array.isArray(events) ? (events as (Row | null)[]).map((event) => event?.trades) : [undefined];
  if (!lists.every(Array.isArray)) throw new FrameError('parse.bad-trade', 'an event without a list of trades', raw);
  return readRows(lists.flat(), 'product_id, trade_id, price, size, time or side', (row) =>
    coinbaseTrade('coinbase-advanced', row.product_id, row.trade_id, row, receivedAtUs),
  );
}

/** One entry for both books of a base: it trades where either does. */
function withoutUsdc(products: readonly Product[]): Product[] {
  const merged = new Map<string, Product>();
  for (const product of products) {
    const venueSymbol = coinbaseAdvanced.spelling(product.venueSymbol);
    const before = merged.get(venueSymbol);
    const own = product.venueSymbol === venueSymbol ? [] : [product.venueSymbol];
    merged.set(venueSymbol, {
      venueSymbol,
      aliases: [...(before?.aliases ?? []), ...own, ...product.aliases],
      isTrading: product.isTrading || (before?.isTrading ?? false),
    });
  }
  return [...merged.values()];
}
