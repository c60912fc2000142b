import { parseInstant, type Trade } from '../../contracts/index.js';
import { type Connector, FrameError, type Parsed, type Product, requestTo } from './connector.js';
import { decimalOfNumber, parseExactJson } from './exact-json.js';
import { isTradeId, jsonText, readEveryRow, readRows, type Row } from './rows.js';

const EXCHANGE = 'Kraken';
const SYMBOLS_PER_MESSAGE = 100;
const NOT_SUPPORTED = /^Currency pair not supported (\S+)/;

/**
 * Kraken's socket v2, channel `trade`; a subscription begins with the last 50 trades. REST cannot be asked by id, only
 * from an instant on. Prices are JSON numbers there and texts in REST.
 * Source: docs.kraken.com spot-websocket-v2/trade and rest-api/get-recent-trades, reference/market.md 3.4.
 */
export const kraken: Connector = {
  id: 'kraken',
  exchange: EXCHANGE,
  connection(wsUrl, venueSymbols) {
    const frames: string[] = [];
    for (let at = 0; at < venueSymbols.length; at += SYMBOLS_PER_MESSAGE) {
      const symbol = venueSymbols.slice(at, at + SYMBOLS_PER_MESSAGE);
      const params = { channel: 'trade', symbol, snapshot: true };
      frames.push(JSON.stringify({ method: 'subscribe', params, req_id: at + 1 }));
    }
    return { url: wsUrl.replace(/\/$/, ''), frames };
  },

  /** `side` is the taker's. */
  parse(raw, receivedAtUs): Parsed {
    const frame = parseExactJson(raw) as Row;
    if (frame.channel === 'trade') {
      if (!Array.isArray(frame.data)) throw new FrameError('parse.bad-trade', 'a trade frame without a list', raw);
      return readRows(frame.data, 'symbol, side, price, qty, trade_id or timestamp', (row) =>
        typeof row.symbol === 'string' && typeof row.timestamp === 'string'
          ? tradeOf(row.symbol, row.trade_id, row.price, row.qty, row.side, parseInstant(row.timestamp), receivedAtUs)
          : undefined,
      );
    }
    if (frame.channel === 'heartbeat' || frame.channel === 'status') return { kind: 'alive' };
    if (typeof frame.error === 'string') return refusal(frame, frame.error);
    if (frame.method === 'pong' || frame.success === true) return { kind: 'alive' };
    return { kind: 'unknown' };
  },

  symbolsPerConnection: 200,
  sendEveryMs: 250,
  silentAfterMs: 15_000, // a heartbeat a second when nothing else is sent
  attemptsPer5Min: 60, // of about 150 in ten minutes an address
  contiguousIds: true,

  spelling: (asked) =>
    asked
      .toUpperCase()
      .replace(/[-_]/, '/')
      .split('/')
      .map((asset) => PRESENT_NAMES[asset] ?? asset)
      .join('/'),
  canonical: (venueSymbol) => venueSymbol.toUpperCase().replaceAll('/', ''),
  products: { request: (restUrl) => requestTo(restUrl, '/0/public/AssetPairs'), parse: productsOf, weight: 1 },

  /** `since` is in nanoseconds and leaves its own instant out. About one request a second is allowed. */
  history: {
    by: 'time',
    request: (restUrl, venueSymbol, from) =>
      requestTo(
        restUrl,
        `/0/public/Trades?pair=${restPair(venueSymbol)}&count=1000${from === undefined ? '' : `&since=${from > 0n ? from * 1000n - 1n : 0n}`}`,
      ),
    parse(body, venueSymbol, receivedAtUs) {
      const { last: _, ...rest } = resultOf(body);
      const rows = Object.values(rest)[0];
      if (!Array.isArray(rows)) throw new FrameError('parse.bad-trade', 'an answer without a list of trades', body);
      // [price, volume, time, side, type, misc, trade_id]
      return readEveryRow(rows, 'price, volume, time, side or trade_id', (row) =>
        tradeOf(
          venueSymbol,
          row[6],
          row[0],
          row[1],
          row[3] === 'b' ? 'buy' : row[3] === 's' ? 'sell' : undefined,
          epochUs(row[2]),
          receivedAtUs,
        ),
      );
    },
    pageTrades: 1000,
    weight: 1,
    weightPerMinute: 50,
  },
};

/** v2 of the socket calls two assets as everyone does; REST and v1 keep the old names. */
const PRESENT_NAMES: Readonly<Record<string, string>> = { XBT: 'BTC', XDG: 'DOGE' };
const OLD_NAMES: Readonly<Record<string, string>> = { BTC: 'XBT', DOGE: 'XDG' };

function tradeOf(
  venueSymbol: string,
  tradeId: unknown,
  price: unknown,
  size: unknown,
  side: unknown,
  tradedAtUs: number | undefined,
  receivedAtUs: number,
): Trade | undefined {
  if (venueSymbol === '' || !isTradeId(tradeId) || typeof price !== 'string' || typeof size !== 'string')
    return undefined;
  if (tradedAtUs === undefined || (side !== 'buy' && side !== 'sell')) return undefined;
  return {
    source: 'kraken',
    exchange: EXCHANGE,
    symbol: kraken.canonical(venueSymbol),
    venueSymbol,
    tradeId,
    price: decimalOfNumber(price) ?? price,
    size: decimalOfNumber(size) ?? size,
    side,
    tradedAtUs,
    receivedAtUs,
  };
}

/** `symbol` stands beside `error` where the venue means one; its words name it too. */
function refusal(frame: Row, message: string): Parsed {
  const venueSymbol = typeof frame.symbol === 'string' ? frame.symbol : NOT_SUPPORTED.exec(message)?.[1];
  return venueSymbol === undefined ? { kind: 'refused', message } : { kind: 'refused', message, venueSymbol };
}

/** Seconds with a fraction, as text: `1688669597.8277369` → 1688669597827736. */
function epochUs(seconds: unknown): number | undefined {
  const match = /^(\d{1,10})(?:\.(\d+))?$/.exec(typeof seconds === 'string' ? seconds : '');
  return match ? Number(match[1] + (match[2] ?? '').slice(0, 6).padEnd(6, '0')) : undefined;
}

const restPair = (venueSymbol: string): string =>
  encodeURIComponent(
    venueSymbol
      .split('/')
      .map((asset) => OLD_NAMES[asset] ?? asset)
      .join(''),
  );

/** `{"error":[],"result":{…}}`; the venue answers 200 to what it refuses, too. */
function resultOf(body: string): Row {
  const { error, result } = parseExactJson(body) as Row;
  if (Array.isArray(error) && error.length > 0)
    throw new FrameError('parse.bad-trade', `the venue says ${jsonText(error)}`, body);
  if (typeof result !== 'object' || result === null)
    throw new FrameError('parse.bad-trade', 'an answer without a result', body);
  return result as Row;
}

/** A pair without `wsname` is not on the socket. One that may only be cancelled will not trade again; others do or will. */
function productsOf(body: string): Product[] {
  return (Object.values(resultOf(body)) as (Row | null)[]).flatMap((pair) => {
    if (typeof pair?.wsname !== 'string' || typeof pair.altname !== 'string') return [];
    const venueSymbol = kraken.spelling(pair.wsname);
    const aliases = new Set([pair.wsname, pair.altname, kraken.canonical(venueSymbol)]);
    return { venueSymbol, aliases: [...aliases], isTrading: pair.status !== 'cancel_only' };
  });
}
