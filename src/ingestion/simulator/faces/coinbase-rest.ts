import type { Instrument } from '../tape.js';
import type { Rest, RestAnswer, RestRequest } from './face.js';
import { isoTime, latestTrades, makerSide, shortest } from './trade.js';

/**
 * The Exchange's public REST: its products and their trades, which are those of Advanced Trade too. Sources:
 * docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products and /exchange/rest-api/pagination.
 */
export const coinbaseRest: Rest = {
  weigh: (path) => (path === '/products' || PRODUCT.test(path) ? 1 : 0),
  answer(request) {
    if (request.path === '/products') return { status: 200, body: products(request) };
    const [, product, trades] = PRODUCT.exec(request.path) ?? [];
    const tapeSymbol = product === undefined ? undefined : request.find(product);
    if (tapeSymbol === undefined) return message(404, 'NotFound');
    if (trades) return answerTrades(request, tapeSymbol);
    return { status: 200, body: productInfo(instrumentOf(request, tapeSymbol), product!) };
  },
  refuse: (status) => message(status, REFUSALS[status] ?? 'Internal server error'),
};

const PRODUCT = /^\/products\/([^/]+)(\/trades)?$/;
const REFUSALS: Readonly<Record<number, string>> = {
  418: 'Public rate limit exceeded',
  429: 'Public rate limit exceeded',
  503: 'Service unavailable',
};
const PAGE = 1000;

/**
 * Newest first. `after` leads to what is older than that id, `before` to what is newer: without `after` to the newest of
 * all, not to the neighbours of the cursor. Decimals have eight places here, unlike those of the stream.
 */
function answerTrades({ tape, nowUs, query }: RestRequest, tapeSymbol: string): RestAnswer {
  const [limit = PAGE, after = Infinity, before = -1] = ['limit', 'after', 'before'].map((name) => whole(query, name));
  if ([limit, after, before].some(Number.isNaN) || limit === 0) return message(400, 'Invalid query parameter');
  const count = Math.min(limit, PAGE);
  const known = (tape.lastId(tapeSymbol, nowUs) ?? -1) + 1;
  const trades =
    after >= known
      ? latestTrades(tape, tapeSymbol, count, nowUs)
      : tape.tradesFrom(tapeSymbol, Math.max(0, after - count), Math.min(count, after), nowUs);
  const rows = trades.filter(({ id }) => id > before).toReversed();
  const [newest, oldest] = [rows[0], rows.at(-1)];
  return {
    status: 200,
    body: rows.map((trade) => ({
      trade_id: trade.id,
      side: makerSide(trade),
      size: trade.size,
      price: trade.price,
      time: isoTime(trade.tradedAtUs),
    })),
    headers: newest && oldest ? { 'cb-before': String(newest.id), 'cb-after': String(oldest.id) } : {},
  };
}

/** NaN for what is no whole number. */
function whole(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  return /^\d{1,15}$/.test(text) ? Number(text) : NaN;
}

function products(request: RestRequest): object[] {
  return request.symbols.map((product) => productInfo(instrumentOf(request, request.find(product)!), product));
}

function instrumentOf({ tape }: RestRequest, tapeSymbol: string): Instrument {
  return tape.instruments.find(({ symbol }) => symbol === tapeSymbol)!;
}

function productInfo({ baseAsset, tickSize, stepSize }: Instrument, product: string): object {
  return {
    id: product,
    base_currency: baseAsset,
    quote_currency: 'USD',
    quote_increment: shortest(tickSize),
    base_increment: shortest(stepSize),
    display_name: product,
    min_market_funds: '1',
    margin_enabled: false,
    post_only: false,
    limit_only: false,
    cancel_only: false,
    status: 'online',
    status_message: '',
    trading_disabled: false,
    fx_stablecoin: false,
    max_slippage_percentage: '0.02000000',
    auction_mode: false,
    high_bid_limit_percentage: '',
  };
}

function message(status: number, text: string): RestAnswer {
  return { status, body: { message: text } };
}
