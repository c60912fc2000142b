import { canonicalDecimal, SYMBOL, type Trade } from '../contracts/index.js';

export type TradeFault = Readonly<{
  code: 'validate.price' | 'validate.size' | 'validate.trade-id' | 'validate.time' | 'validate.symbol';
  /** What was wrong, with the value. */
  message: string;
}>;

export type RejectedTrade = Readonly<{
  trade: Trade;
  fault: TradeFault | Readonly<{ code: 'store.refused'; message: string }>;
}>;

/** 2009-01-03, the day of the first bitcoin block: no trade is older. */
const EARLIEST_US = Date.UTC(2009, 0, 3) * 1000;
/** A venue's clock may run ahead of ours, but not by more. */
const AHEAD_US = 24 * 3_600_000_000;
/** Without leading zeros: ids are ordered as text, and 007 beside 7 would be one row but two trades. */
const INTEGER = /^(0|[1-9]\d{0,18})$/;
const LARGEST_ID = 2n ** 63n - 2n;

/** A trade with canonical decimals, or what is wrong with it. `nowUs` bounds how far in the future a trade may lie. */
export function checkTrade(trade: Trade, nowUs: number): Trade | TradeFault {
  const price = decimalOf(trade.price);
  if (price === undefined || price === '0' || price.charCodeAt(0) === 45) {
    return { code: 'validate.price', message: `price ${quote(trade.price)} is not a positive decimal` };
  }
  const size = decimalOf(trade.size);
  if (size === undefined || size.charCodeAt(0) === 45) {
    return { code: 'validate.size', message: `size ${quote(trade.size)} is not a non-negative decimal` };
  }
  if (!isTradeId(trade.tradeId)) {
    return {
      code: 'validate.trade-id',
      message: `trade id ${quote(trade.tradeId)} is not an integer between 0 and 2^63 - 2`,
    };
  }
  if (
    !Number.isSafeInteger(trade.tradedAtUs) ||
    trade.tradedAtUs < EARLIEST_US ||
    trade.tradedAtUs > nowUs + AHEAD_US
  ) {
    return {
      code: 'validate.time',
      message: `trade time ${String(trade.tradedAtUs)} is not in microseconds between 2009 and a day from now`,
    };
  }
  if (!SYMBOL.test(trade.symbol) || !SYMBOL.test(trade.venueSymbol.toUpperCase().replaceAll(/[/:]/g, '-'))) {
    return {
      code: 'validate.symbol',
      message: `symbol ${quote(trade.symbol)} (${quote(trade.venueSymbol)}) is malformed`,
    };
  }
  return price === trade.price && size === trade.size ? trade : { ...trade, price, size };
}

/** Parts trades that may be recorded, with canonical decimals, from those that may not. */
export function siftTrades(trades: readonly Trade[], nowUs: number, valid: Trade[], rejected: RejectedTrade[]): void {
  for (const trade of trades) {
    const checked = checkTrade(trade, nowUs);
    if ('code' in checked) rejected.push({ trade, fault: checked });
    else valid.push(checked);
  }
}

/** Ids above it are kept as text only: the end of a run of ids, which lies one above, must fit a bigint too. */
export function isTradeId(id: unknown): id is string {
  return typeof id === 'string' && INTEGER.test(id) && (id.length < 19 || BigInt(id) <= LARGEST_ID);
}

const decimalOf = (text: unknown): string | undefined =>
  typeof text === 'string' ? canonicalDecimal(text) : undefined;
const quote = (value: unknown): string => (JSON.stringify(value) ?? 'undefined').slice(0, 60);
