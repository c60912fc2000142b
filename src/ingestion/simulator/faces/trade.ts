import type { Tape, TapeTrade } from '../tape.js';
import type { Subscription } from './face.js';

/** What several venues make of a trade of the tape in the same way. */

/** `BTCUSDT` → `BTC`: a market in dollars, which other venues than Binance quote in USD. */
export function baseAsset(tapeSymbol: string): string | undefined {
  return tapeSymbol.endsWith('USDT') ? tapeSymbol.slice(0, -4) : undefined;
}

export function streamOf(tapeSymbol: string): string {
  return `${tapeSymbol.toLowerCase()}@trade`;
}

export function subscriptionTo(tapeSymbol: string, symbol: string): Subscription {
  return { stream: streamOf(tapeSymbol), symbol };
}

/** The newest trades known at nowUs, oldest first, at most `count`. */
export function latestTrades(tape: Tape, tapeSymbol: string, count: number, nowUs: number): TapeTrade[] {
  const last = tape.lastId(tapeSymbol, nowUs);
  return last === undefined ? [] : tape.tradesFrom(tapeSymbol, Math.max(0, last - count + 1), count, nowUs);
}

/** The side of the order that rested in the book, which both Coinbase feeds name: `sell` says that the taker bought. */
export function makerSide(trade: TapeTrade): 'buy' | 'sell' {
  return trade.buyerIsMaker ? 'buy' : 'sell';
}

/** "0.50000000" → "0.5", "70.00000000" → "70", or "70.0" where a venue always shows so many decimals. */
export function shortest(decimal: string, leastPlaces = 0): string {
  const dot = decimal.indexOf('.');
  if (dot < 0) return decimal;
  let end = decimal.length;
  while (end > dot + 1 + leastPlaces && decimal.charCodeAt(end - 1) === ZERO) end--;
  return decimal.slice(0, end === dot + 1 ? dot : end);
}

/** 1618677810244075 → "2021-04-17T16:43:30.244075Z" */
export function isoTime(timeUs: number): string {
  return `${isoSeconds(timeUs)}.${microsecondsOf(timeUs)}Z`;
}

/** The same instant in a precision the venue does not use: nine digits, or none on a whole second. */
export function isoTimeOtherwise(timeUs: number): string {
  return timeUs % 1_000_000 === 0 ? `${isoSeconds(timeUs)}Z` : `${isoSeconds(timeUs)}.${microsecondsOf(timeUs)}000Z`;
}

/** The six digits behind the second. */
export function microsecondsOf(timeUs: number): string {
  return String(timeUs % 1_000_000).padStart(6, '0');
}

function isoSeconds(timeUs: number): string {
  return new Date(Math.floor(timeUs / 1000)).toISOString().slice(0, 19);
}

const ZERO = 48;
