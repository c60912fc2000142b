import { aggTradeRow, tradeRow, venueTime } from './binance-wire.js';
import { Klines, klineWidthsUs } from './binance-kline.js';
import type { Instrument, Tape, TapeTrade } from '../tape.js';
import type { RestAnswer, RestRequest, VenueLimits } from './face.js';

/** Request weight of a path, 0 when there is none such. Source: rest-api.md of binance/binance-spot-api-docs. */
export function requestWeight(path: string): number {
  return ROUTES[path]?.weight ?? 0;
}

/**
 * Answers one GET of the venue's public REST. It yields now and then during long work, so that whoever drives it can let
 * others in between. `startTime` and `endTime` may be milliseconds or microseconds.
 */
export function* answerRest({ tape, nowUs, path, query, headers }: RestRequest): Generator<void, RestAnswer> {
  const route = ROUTES[path];
  if (!route) return { status: 404, body: {} };
  const microseconds = /^microsecond$/i.test(String(headers['x-mbx-time-unit'] ?? ''));
  try {
    const request = { tape, nowUs, query, microseconds };
    return { status: 200, body: 'steps' in route ? yield* route.steps(request) : route.answer(request) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { status: 400, body: { code: error.code, msg: error.message } };
  }
}

/** The venue's answers of overload and failure; 418 is the ban that follows on many a 429. */
export function refuseRest(status: number, { weightPerMinute }: VenueLimits): RestAnswer {
  if (status === 429) {
    const msg = `Too much request weight used; current limit is ${weightPerMinute} request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.`;
    return { status, body: { code: -1003, msg } };
  }
  if (status === 418)
    return {
      status,
      body: { code: -1003, msg: 'Way too much request weight used; IP banned. Please use WebSocket Streams.' },
    };
  return { status, body: { code: -1000, msg: 'An unknown error occurred while processing the request.' } };
}

type Request = Readonly<{ tape: Tape; nowUs: number; query: URLSearchParams; microseconds: boolean }>;
type Route = Readonly<
  { weight: number } & (
    { answer: (request: Request) => unknown } | { steps: (request: Request) => Generator<void, unknown> }
  )
>;

const ROUTES: Readonly<Record<string, Route>> = {
  '/api/v3/ping': { weight: 1, answer: ping },
  '/api/v3/time': { weight: 1, answer: time },
  '/api/v3/exchangeInfo': { weight: 20, answer: exchangeInfo },
  '/api/v3/trades': { weight: 25, answer: recentTrades },
  '/api/v3/historicalTrades': { weight: 25, answer: historicalTrades },
  '/api/v3/aggTrades': { weight: 4, answer: aggTrades },
  '/api/v3/klines': { weight: 2, steps: klines },
};

/** One answer reads no more trades than this: about ten seconds' work. */
const MOST_TRADES = 5_000_000;
const TRADES_A_STEP = 2000;

class Refusal extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

function ping(): unknown {
  return {};
}

function time({ nowUs, microseconds }: Request): unknown {
  return { serverTime: venueTime(nowUs, microseconds) };
}

function exchangeInfo({ tape, nowUs, query, microseconds }: Request): unknown {
  const asked = query.get('symbol') ? [query.get('symbol')!] : symbolList(query.get('symbols'));
  const chosen = asked?.map((symbol) => instrument(tape, symbol)) ?? tape.instruments;
  return {
    timezone: 'UTC',
    serverTime: venueTime(nowUs, microseconds),
    rateLimits: [{ rateLimitType: 'REQUEST_WEIGHT', interval: 'MINUTE', intervalNum: 1, limit: 6000 }],
    exchangeFilters: [],
    symbols: chosen.map(symbolInfo),
  };
}

function recentTrades({ tape, nowUs, query, microseconds }: Request): unknown {
  return newest(tape, symbolOf(tape, query), limitOf(query), nowUs).map((trade) => tradeRow(trade, microseconds));
}

function historicalTrades({ tape, nowUs, query, microseconds }: Request): unknown {
  const symbol = symbolOf(tape, query);
  const fromId = whole(query, 'fromId');
  const limit = limitOf(query);
  const trades =
    fromId === undefined ? newest(tape, symbol, limit, nowUs) : tape.tradesFrom(symbol, fromId, limit, nowUs);
  return trades.map((trade) => tradeRow(trade, microseconds));
}

function aggTrades({ tape, nowUs, query, microseconds }: Request): unknown {
  const symbol = symbolOf(tape, query);
  const fromId = whole(query, 'fromId');
  const startUs = instant(query, 'startTime');
  const endUs = instant(query, 'endTime');
  const limit = limitOf(query);
  let trades: TapeTrade[];
  if (fromId !== undefined) {
    if (startUs !== undefined || endUs !== undefined)
      throw new Refusal(-1128, 'Combination of optional parameters invalid.');
    trades = tape.tradesFrom(symbol, fromId, limit, nowUs);
  } else if (startUs !== undefined) {
    const first = tape.firstIdSince(symbol, startUs);
    trades = first === undefined ? [] : tape.tradesFrom(symbol, first, limit, nowUs);
    trades = trades.filter((trade) => trade.tradedAtUs <= (endUs ?? Infinity));
  } else if (endUs === undefined) {
    trades = newest(tape, symbol, limit, nowUs);
  } else {
    const known = (tape.lastId(symbol, nowUs) ?? -1) + 1;
    const end = Math.min(tape.firstIdSince(symbol, endUs + 1) ?? known, known);
    const first = Math.max(0, end - limit);
    trades = tape.tradesFrom(symbol, first, limit, nowUs).filter((trade) => trade.id < end);
  }
  return trades.map((trade) => aggTradeRow(trade, microseconds));
}

function* klines({ tape, nowUs, query, microseconds }: Request): Generator<void, unknown> {
  const symbol = symbolOf(tape, query);
  const widthUs = klineWidthsUs[query.get('interval') ?? ''];
  if (widthUs === undefined) throw new Refusal(-1120, 'Invalid interval.');
  const limit = limitOf(query);
  const startUs = instant(query, 'startTime');
  const [newestTrade] = newest(tape, symbol, 1, nowUs);
  if (!newestTrade) return [];

  const lastUs = Math.min(instant(query, 'endTime') ?? Infinity, Math.max(nowUs, newestTrade.tradedAtUs));
  let lastOpenUs = Math.floor(lastUs / widthUs) * widthUs;
  const firstOpenUs =
    startUs === undefined ? lastOpenUs - (limit - 1) * widthUs : Math.ceil(startUs / widthUs) * widthUs;
  if (firstOpenUs > lastOpenUs) return [];
  lastOpenUs = Math.min(lastOpenUs, firstOpenUs + (limit - 1) * widthUs);

  const endUs = lastOpenUs + widthUs;
  const firstId = tape.firstIdSince(symbol, firstOpenUs) ?? newestTrade.id + 1;
  const endId = Math.min(tape.firstIdSince(symbol, endUs) ?? Infinity, newestTrade.id + 1);
  if (endId - firstId > MOST_TRADES)
    throw new Refusal(-1127, `Lookup interval is too big: it has more than ${MOST_TRADES} trades.`);

  const before = tape.tradesFrom(symbol, firstId - 1, 1, nowUs).find((trade) => trade.id < firstId);
  const rows = new Klines(widthUs, firstOpenUs, microseconds, before);
  for (let id = firstId; id < endId;) {
    const trades = tape.tradesFrom(symbol, id, Math.min(TRADES_A_STEP, endId - id), nowUs);
    const last = trades.at(-1);
    if (!last) break;
    for (const trade of trades) rows.add(trade);
    id = last.id + 1;
    yield;
  }
  return rows.finish(lastOpenUs);
}

function newest(tape: Tape, symbol: string, limit: number, nowUs: number): TapeTrade[] {
  const last = tape.lastId(symbol, nowUs);
  return last === undefined ? [] : tape.tradesFrom(symbol, Math.max(0, last - limit + 1), limit, nowUs);
}

function symbolOf(tape: Tape, query: URLSearchParams): string {
  const symbol = query.get('symbol');
  if (!symbol) throw new Refusal(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.");
  return instrument(tape, symbol).symbol;
}

function instrument(tape: Tape, symbol: string): Instrument {
  const found = tape.instruments.find((each) => each.symbol === symbol);
  if (!found) throw new Refusal(-1121, 'Invalid symbol.');
  return found;
}

/** `["BTCUSDT","ETHUSDT"]` */
function symbolList(text: string | null): string[] | undefined {
  if (text === null) return undefined;
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list)) return list.map(String);
  } catch {
    // answered below
  }
  throw new Refusal(-1100, "Illegal characters found in parameter 'symbols'.");
}

/** 500 unless asked; the venue cuts more than 1000 down without a word. */
function limitOf(query: URLSearchParams): number {
  const limit = whole(query, 'limit') ?? 500;
  if (limit === 0) throw new Refusal(-1130, "Data sent for parameter 'limit' is not valid.");
  return Math.min(limit, 1000);
}

function whole(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (!/^\d{1,19}$/.test(text))
    throw new Refusal(-1100, `Illegal characters found in parameter '${name}'; legal range is '^[0-9]{1,20}$'.`);
  return Number(text);
}

/** Milliseconds or microseconds, told apart by their size; milliseconds of that size lie after the year 5000. */
function instant(query: URLSearchParams, name: string): number | undefined {
  const value = whole(query, name);
  if (value === undefined) return undefined;
  return value >= 1e14 ? value : value * 1000;
}

function symbolInfo({ symbol, baseAsset, quoteAsset, tickSize, stepSize }: Instrument): object {
  return {
    symbol,
    status: 'TRADING',
    baseAsset,
    baseAssetPrecision: 8,
    quoteAsset,
    quotePrecision: 8,
    quoteAssetPrecision: 8,
    orderTypes: ['LIMIT', 'MARKET'],
    isSpotTradingAllowed: true,
    isMarginTradingAllowed: false,
    filters: [
      { filterType: 'PRICE_FILTER', minPrice: tickSize, maxPrice: '1000000.00000000', tickSize },
      { filterType: 'LOT_SIZE', minQty: stepSize, maxQty: '9000000.00000000', stepSize },
    ],
    permissions: ['SPOT'],
  };
}
