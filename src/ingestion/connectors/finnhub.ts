import type { Trade } from '../../contracts/index.js';
import { type Connector, FrameError, microsecondsOf, type Parsed } from './connector.js';
import { decimalOfNumber, parseExactJson } from './exact-json.js';
import { madeId } from '../made-ids.js';
import { readRows, type Row } from './rows.js';

const EXCHANGE = 'Finnhub';

/**
 * Finnhub's trades of stocks, currencies and crypto. It sends no trade id, no sequence and no side, and its history costs:
 * what is missed while a connection is down cannot be healed, only told.
 * Source: finnhub.io's documentation and measurements in public code, as kept in reference/market.md 3.5.
 */
export const finnhub: Connector = {
  id: 'finnhub',
  exchange: EXCHANGE,
  /** One frame a symbol; the venue acknowledges none. */
  connection: (wsUrl, venueSymbols, key = '') => ({
    url: `${wsUrl.replace(/\/$/, '')}?token=${encodeURIComponent(key)}`,
    frames: venueSymbols.map((symbol) => JSON.stringify({ type: 'subscribe', symbol })),
  }),

  /**
   * Several symbols in one frame, and rows that are equal in everything are trades of their own: ids are made of the
   * frame's arrival and the place in it. `v` 0 is a price without a trade.
   */
  parse(raw, receivedAtUs): Parsed {
    const frame = parseExactJson(raw) as Row;
    if (frame.type === 'trade') {
      if (!Array.isArray(frame.data)) throw new FrameError('parse.bad-trade', 'a trade frame without a list', raw);
      return readRows(frame.data, 's, p, v or t', (row, index) => tradeOf(row, index, receivedAtUs));
    }
    if (frame.type === 'ping') return { kind: 'alive' };
    if (frame.type === 'error') return refusal(frame.msg);
    return { kind: 'unknown' };
  },

  symbolsPerConnection: 1000, // the plan of the key allows fewer: FINNHUB_MAX_SYMBOLS
  sendEveryMs: 100,
  silentAfterMs: 150_000, // a ping a minute
  isExclusive: true,
  attemptsPer5Min: 30,
  contiguousIds: false,

  spelling: (asked) => asked.toUpperCase(),
  /** `BINANCE:BTCUSDT` and `OANDA:EUR_USD` lose exchange and separator; a stock (`BRK.B`) stays as it is. */
  canonical(venueSymbol) {
    const colon = venueSymbol.indexOf(':');
    return colon < 0 ? venueSymbol : venueSymbol.slice(colon + 1).replace(/[-_/]/g, '');
  },
};

/** `Invalid symbol X` names it (github finnhubio/Finnhub-API #472); `Subscribing to too many symbols` names none. */
function refusal(msg: unknown): Parsed {
  const message = typeof msg === 'string' ? msg : 'an error without words';
  const venueSymbol = /^Invalid symbol (\S+)$/.exec(message)?.[1];
  return { kind: 'refused', message, ...(venueSymbol !== undefined && { venueSymbol }) };
}

function tradeOf({ s, p, v, t }: Row, index: number, receivedAtUs: number): Trade | undefined {
  if (typeof s !== 'string' || s === '' || typeof p !== 'string' || typeof v !== 'string') return undefined;
  if (typeof t !== 'string' || !/^\d{12,16}$/.test(t)) return undefined;
  return {
    source: 'finnhub',
    exchange: EXCHANGE,
    symbol: finnhub.canonical(s),
    venueSymbol: s,
    tradeId: madeId(receivedAtUs, index),
    price: decimalOfNumber(p) ?? p,
    size: decimalOfNumber(v) ?? v,
    tradedAtUs: microsecondsOf(Number(t)),
    receivedAtUs,
  };
}
