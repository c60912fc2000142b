import {
  canonicalDecimal,
  type Side,
  SYMBOL,
  type Trade,
  UPLOAD_EXCHANGE,
  UPLOAD_SOURCE,
} from '../../contracts/index.js';
import { bad, type Reading, type ReadOptions } from './format.js';
import { timeOfValue } from './timestamps.js';

/** What a line tells of a trade, as it stands there. */
export type RawTrade = Readonly<{
  symbol: string;
  source: string;
  id: string;
  price: string;
  size: string;
  side?: Side | undefined;
  atUs: number;
}>;

/** As recording would refuse it: here it still has its line. */
const EARLIEST_US = Date.UTC(2009, 0, 3) * 1000;
const DAY_US = 86_400_000_000;
const INTEGER = /^(0|[1-9]\d{0,18})$/;
const LARGEST_ID = 2n ** 63n - 2n;
const LONGEST_NUMBER = 80;
const QUOTED = 40;

/** A trade, or what of it cannot be one. */
export function tradeReading({ symbol, source, id, price, size, side, atUs }: RawTrade, options: ReadOptions): Reading {
  const [exactPrice, exactSize] = [decimalIn(price), decimalIn(size)];
  if (exactPrice === undefined || exactPrice === '0' || exactPrice.startsWith('-'))
    return bad(`its price ${quoted(price)} is not a positive decimal`);
  if (exactSize === undefined || exactSize.startsWith('-'))
    return bad(`its size ${quoted(size)} is not a non-negative decimal`);
  if (!isId(id)) return bad(`its id ${quoted(id)} is not an integer between 0 and 2^63 - 2`);
  if (atUs < EARLIEST_US || atUs > options.receivedAtUs + DAY_US)
    return bad('its time is before 2009 or more than a day ahead');
  const trade: Trade = {
    source,
    exchange: source === 'binance' ? 'Binance' : UPLOAD_EXCHANGE,
    symbol,
    venueSymbol: symbol,
    tradeId: id,
    price: exactPrice,
    size: exactSize,
    ...(side === undefined ? {} : { side }),
    tradedAtUs: atUs,
    receivedAtUs: options.receivedAtUs,
  };
  return { kind: 'trade', trade };
}

export const isId = (text: string): boolean => INTEGER.test(text) && (text.length < 19 || BigInt(text) <= LARGEST_ID);

/** `1.50`, `1.5e-7`: a number as tables and JSON write it, to an exact canonical decimal; undefined where it is none. */
export function decimalIn(text: string): string | undefined {
  if (text.length > LONGEST_NUMBER) return undefined;
  const match = WITH_EXPONENT.exec(text);
  if (!match) return canonicalDecimal(text);
  const [, sign = '', whole = '', fraction = '', exponent] = match;
  const point = whole.length + Number(exponent);
  const digits = whole + fraction;
  if (point <= 0) return canonicalDecimal(`${sign}0.${'0'.repeat(-point)}${digits}`);
  const padded = digits.padEnd(point, '0');
  return canonicalDecimal(`${sign}${padded.slice(0, point)}.${padded.slice(point)}0`);
}
const WITH_EXPONENT = /^(-?)(\d+)(?:\.(\d+))?[eE]([+-]?\d{1,2})$/;

/** Upper case, without what parts its currencies: `btc-usd` and `BTC/USD` are `BTCUSD`. */
export function symbolIn(text: string): string | undefined {
  if (text.length > QUOTED) return undefined;
  const symbol = text.toUpperCase().replaceAll(/[\s/_:-]/g, '');
  return SYMBOL.test(symbol) ? symbol : undefined;
}

/** Of the client's word, else of an archive's name: `BTCUSDT-trades-2024-08-08.zip` says `BTCUSDT`. */
export function symbolOfFile({ symbol, name = '' }: ReadOptions): string | undefined {
  if (symbol !== undefined) return symbolIn(symbol);
  const [, told] = /^([A-Za-z0-9_]{2,40})-(?:trades|aggTrades)-/.exec(name.slice(0, 100)) ?? [];
  return told === undefined ? undefined : symbolIn(told);
}

export const NO_SYMBOL = 'nothing tells its symbol: say symbol when you upload the file again';

/** `undefined` where nothing is said, `null` where it cannot be understood. */
export function sideIn(text: string): Side | undefined | null {
  switch (text.toLowerCase()) {
    case '':
      return undefined;
    case 'buy':
    case 'b':
    case 'bid':
      return 'buy';
    case 'sell':
    case 's':
    case 'ask':
      return 'sell';
    default:
      return null;
  }
}

/** The buyer was the maker: the taker sold. */
export function sideOfMaker(buyerIsMaker: string): Side | undefined | null {
  const word = buyerIsMaker.toLowerCase();
  if (word === 'true' || word === '1') return 'sell';
  if (word === 'false' || word === '0') return 'buy';
  return word === '' ? undefined : null;
}

export const timeIn = (text: string, options: ReadOptions): number | undefined => timeOfValue(text, options);

/** What the file's trades are recorded under, where nothing but the client tells. */
export const sourceOf = ({ source }: ReadOptions): string => source ?? UPLOAD_SOURCE;

export const quoted = (text: string): string => JSON.stringify(text.slice(0, QUOTED).toWellFormed());
