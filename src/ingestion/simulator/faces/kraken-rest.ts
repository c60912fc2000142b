import type { Instrument, Tape, TapeTrade } from '../tape.js';
import type { Rest, RestAnswer, RestRequest } from './face.js';
import { latestTrades, microsecondsOf, shortest } from './trade.js';

/**
 * Kraken's public REST: pairs and trades. It tells its refusals in an error list, those of its limits with status 200.
 * Sources: docs.kraken.com/api-reference/market-data (get-recent-trades, get-tradable-asset-pairs); github ccxt#15827 on
 * `since` and `last`.
 */
export const krakenRest: Rest = {
  weigh: (path) => (ROUTES[path] ? 1 : 0),
  answer(request) {
    const route = ROUTES[request.path];
    return route ? route(request) : refusal('EGeneral:Unknown method', 404);
  },
  refuse(status) {
    if (status === 429) return refusal('EAPI:Rate limit exceeded');
    return refusal(status === 503 ? 'EService:Unavailable' : 'EGeneral:Internal error', status);
  },
};

const ROUTES: Readonly<Record<string, (request: RestRequest) => RestAnswer>> = {
  '/0/public/Trades': answerTrades,
  '/0/public/AssetPairs': answerPairs,
};

const PAGE = 1000;

function refusal(error: string, status = 200): RestAnswer {
  return { status, body: { error: [error] } };
}

// ---- trades

/** Oldest first behind `since`, which is `last` of the page before; without it the newest. */
function answerTrades(request: RestRequest): RestAnswer {
  const { tape, nowUs, query } = request;
  const asked = query.get('pair');
  const since = query.get('since');
  const count = query.get('count') ?? String(PAGE);
  if (asked === null) return refusal('EGeneral:Invalid arguments');
  const pair = pairsOf(request).find((each) => names(each).includes(asked));
  if (!pair) return refusal('EQuery:Unknown asset pair');
  if (since !== null && !/^\d{1,19}$/.test(since)) return refusal('EGeneral:Invalid arguments:since');
  if (!/^[1-9]\d{0,3}$/.test(count)) return refusal('EGeneral:Invalid arguments:count');

  const { tapeSymbol } = pair;
  const limit = Math.min(Number(count), PAGE);
  const trades =
    since === null
      ? latestTrades(tape, tapeSymbol, limit, nowUs)
      : tradesBehind(tape, tapeSymbol, nanosecondsOf(since), limit, nowUs);
  const newest = trades.at(-1);
  const last = newest ? tradedAtNs(tape, tapeSymbol, newest) : (since ?? '0');
  return { status: 200, body: `{"error":[],"result":{"${pair.key}":[${trades.map(tradeRow)}],"last":"${last}"}}` };
}

/** The venue takes seconds as well. */
function nanosecondsOf(since: string): bigint {
  return since.length <= 10 ? BigInt(since) * 1_000_000_000n : BigInt(since);
}

function tradesBehind(tape: Tape, symbol: string, sinceNs: bigint, limit: number, nowUs: number): TapeTrade[] {
  const sinceUs = Number(sinceNs / 1000n);
  const first = tape.firstIdSince(symbol, sinceUs);
  if (first === undefined) return [];
  const next = tape.firstIdSince(symbol, sinceUs + 1) ?? Infinity;
  return tape.tradesFrom(symbol, Math.min(next, first + Number(sinceNs % 1000n) + 1), limit, nowUs);
}

/**
 * A trade's place in nanoseconds. The venue's `last` tells trades of one microsecond apart, so that a page that ends among
 * them loses none; the tape has whole microseconds, so it is the trade's place within its own.
 */
function tradedAtNs(tape: Tape, symbol: string, { id, tradedAtUs }: TapeTrade): bigint {
  const place = id - (tape.firstIdSince(symbol, tradedAtUs) ?? id);
  return BigInt(tradedAtUs) * 1000n + BigInt(Math.min(place, 999));
}

/** `["30243.40000","0.34507674",1688669597.827736,"b","m","",61044952]`: the taker's side, market or limit, trade id. */
function tradeRow({ id, price, size, tradedAtUs, buyerIsMaker }: TapeTrade): string {
  const time = shortest(`${Math.floor(tradedAtUs / 1_000_000)}.${microsecondsOf(tradedAtUs)}`, 1);
  const kind = id % 3 === 0 ? 'm' : 'l';
  return `["${shortest(price, 5)}","${size}",${time},"${buyerIsMaker ? 's' : 'b'}","${kind}","",${id}]`;
}

// ---- pairs

type Pair = Readonly<{ key: string; altname: string; wsname: string; base: string; tapeSymbol: string }>;

/** Assets that have an older name in REST, and that of their pair with the dollar. */
const OLDER_NAMES: Readonly<Record<string, Readonly<{ altname: string; base: string; key: string }>>> = {
  BTC: { altname: 'XBT', base: 'XXBT', key: 'XXBTZUSD' },
  ETH: { altname: 'ETH', base: 'XETH', key: 'XETHZUSD' },
  DOGE: { altname: 'XDG', base: 'XXDG', key: 'XDGUSD' },
};

function pairsOf({ symbols, find }: RestRequest): Pair[] {
  return symbols.map((symbol) => {
    const asset = symbol.slice(0, -'/USD'.length);
    const { altname, base, key } = OLDER_NAMES[asset] ?? { altname: asset, base: asset, key: `${asset}USD` };
    return { key, altname: `${altname}USD`, wsname: `${altname}/USD`, base, tapeSymbol: find(symbol)! };
  });
}

/** What a request may call it. */
function names({ key, altname, wsname }: Pair): string[] {
  return [key, altname, wsname];
}

/** One unknown pair among those asked for refuses them all. */
function answerPairs(request: RestRequest): RestAnswer {
  const pairs = pairsOf(request);
  const asked = request.query.get('pair')?.split(',');
  const chosen = asked?.map((name) => pairs.find((pair) => names(pair).includes(name))) ?? pairs;
  if (!chosen.every((pair) => pair !== undefined)) return refusal('EQuery:Unknown asset pair');
  const rows = chosen.map((pair) => {
    const instrument = request.tape.instruments.find(({ symbol }) => symbol === pair.tapeSymbol)!;
    return [pair.key, pairInfo(pair, instrument)] as const;
  });
  return { status: 200, body: { error: [], result: Object.fromEntries(rows) } };
}

function pairInfo({ altname, wsname, base }: Pair, { tickSize, stepSize }: Instrument): object {
  return {
    altname,
    wsname,
    aclass_base: 'currency',
    base,
    aclass_quote: 'currency',
    quote: 'ZUSD',
    lot: 'unit',
    cost_decimals: 5,
    pair_decimals: shortest(tickSize).length - '0.'.length,
    lot_decimals: 8,
    lot_multiplier: 1,
    ordermin: shortest(stepSize),
    costmin: '0.5',
    tick_size: shortest(tickSize),
    status: 'online',
  };
}
