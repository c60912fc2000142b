import { noLimits, type Face, type Reply, type Spoken } from './face.js';
import { shortest, streamOf, subscriptionTo } from './trade.js';

/** Symbols, each with its symbol on the tape. */
type Talk = { readonly symbols: Map<string, string> };

/**
 * Finnhub's trades of Binance's markets: milliseconds, no trade ids, no sides, no acknowledgement, no history without pay.
 * Sources: reference/market.md 3.5; github finnhubio/Finnhub-API #472 on the error that names a symbol, #465 on 401.
 */
export const finnhub: Face<Talk> = {
  id: 'finnhub',
  limits: { ...noLimits, streamsPerConnection: 50 },
  spelling: (tapeSymbol) => `BINANCE:${tapeSymbol}`,
  open(url, { key }) {
    const token = url.searchParams.get('token');
    if (url.pathname !== '/') return { status: 404 };
    if (!token || (key !== undefined && token !== key)) return { status: 401 };
    return { talk: { symbols: new Map() }, exclusiveKey: token };
  },
  hear({ symbols }, text, { find, limits }): Reply {
    const { type, symbol } = readRequest(text);
    if (type === 'unsubscribe') {
      const tapeSymbol = symbols.get(symbol);
      symbols.delete(symbol);
      return tapeSymbol === undefined ? {} : { unsubscribe: [streamOf(tapeSymbol)] };
    }
    if (type !== 'subscribe' || symbols.has(symbol)) return {};
    if (symbols.size >= limits.streamsPerConnection) return { texts: [failed('Subscribing to too many symbols')] };
    const tapeSymbol = find(symbol);
    if (tapeSymbol === undefined) return { texts: [failed(`Invalid symbol ${symbol}`)] };
    symbols.set(symbol, tapeSymbol);
    return { subscribe: [subscriptionTo(tapeSymbol, symbol)] };
  },
  tell: (_talk, spoken) => {
    const rows = spoken.map((each) => tradeRow(each, milliseconds(each)));
    return Array.from({ length: Math.ceil(rows.length / ROWS_PER_FRAME) }, (_, page) =>
      tradesFrame(rows.slice(page * ROWS_PER_FRAME, (page + 1) * ROWS_PER_FRAME)),
    );
  },
  tellInWrongUnit: (_talk, spoken) => tradesFrame([tradeRow(spoken, inAnotherUnit(spoken))]),
  tellPriceOnly: (_talk, spoken) => tradesFrame([tradeRow(spoken, milliseconds(spoken), '0')]),
  beats: [{ everyMs: 60_000, texts: () => ['{"type":"ping"}'] }],
  error: () => failed('Internal error'),
};

/** More of one moment come in several frames; how many the venue puts in one is not known. */
const ROWS_PER_FRAME = 100;

function readRequest(text: string): Readonly<{ type: unknown; symbol: string }> {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    frame = undefined;
  }
  const { type, symbol } = Object(frame) as Record<string, unknown>;
  return { type, symbol: String(symbol) };
}

function failed(msg: string): string {
  return JSON.stringify({ type: 'error', msg });
}

/** Trades of all symbols of the connection together, oldest first. */
function tradesFrame(rows: readonly string[]): string {
  return `{"data":[${rows.join(',')}],"type":"trade"}`;
}

function tradeRow({ symbol, frame: { trade } }: Spoken, time: number, size = shortest(trade!.size)): string {
  return `{"c":null,"p":${shortest(trade!.price)},"s":"${symbol}","t":${time},"v":${size}}`;
}

function milliseconds({ frame: { trade } }: Spoken): number {
  return Math.floor(trade!.tradedAtUs / 1000);
}

/** Seconds where the instant is a whole one, else microseconds. */
function inAnotherUnit({ frame: { trade } }: Spoken): number {
  const timeUs = trade!.tradedAtUs;
  return timeUs % 1_000_000 === 0 ? timeUs / 1_000_000 : timeUs;
}
