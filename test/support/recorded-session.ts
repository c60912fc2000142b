import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const FOLDER = join(import.meta.dirname, '../../../shared/data/market/binance-spot');

/** Files of the recorded ETHUSDT session, in order; undefined where the shared data is not there. */
export const SESSION_FILES: readonly string[] | undefined = existsSync(FOLDER)
  ? ['ethusdt_20240808.gz', 'ethusdt_20240809.gz'].map((name) => join(FOLDER, name))
  : undefined;

export type SessionTrade = Readonly<{ id: number; price: string; size: string; atMs: number; receivedMs: number; buyerIsMaker: boolean }>;

/** The trades as recorded, read by nothing but JSON.parse. */
export function sessionTrades(): SessionTrade[] {
  return SESSION_FILES!.flatMap((file) =>
    gunzipSync(readFileSync(file))
      .toString()
      .split('\n')
      .filter((line) => line.includes('"e":"trade"'))
      .map((line) => {
        const { data } = JSON.parse(line.slice(line.indexOf(' ') + 1)) as { data: { t: number; p: string; q: string; T: number; m: boolean } };
        const receivedMs = Number(line.slice(0, line.indexOf(' ') - 6));
        return { id: data.t, price: data.p, size: data.q, atMs: data.T, receivedMs, buyerIsMaker: data.m };
      }),
  );
}

/** A candle's nine fields as canonical text, keyed `interval openTime`: worked out with BigInt, apart from our own code. */
export function expectedCandles(
  trades: readonly SessionTrade[],
  intervalMs: number,
  clock: (trade: SessionTrade) => number = (trade) => trade.atMs,
): Map<string, string[]> {
  const byWindow = Map.groupBy(trades, (trade) => Math.floor(clock(trade) / intervalMs) * intervalMs);
  return new Map(
    [...byWindow].map(([openMs, members]) => {
      const ordered = members.toSorted((a, b) => a.atMs - b.atMs || a.id - b.id);
      const buys = ordered.filter((trade) => !trade.buyerIsMaker);
      const prices = ordered.map((trade) => units(trade.price));
      const highest = prices.reduce((a, b) => (a > b ? a : b));
      const lowest = prices.reduce((a, b) => (a < b ? a : b));
      const volume = (some: readonly SessionTrade[]): bigint => some.reduce((sum, trade) => sum + units(trade.size), 0n);
      const quote = (some: readonly SessionTrade[]): bigint => some.reduce((sum, trade) => sum + units(trade.size) * units(trade.price), 0n);
      return [
        new Date(openMs).toISOString().replace('.000Z', 'Z'),
        [
          text(prices[0]!, 8),
          text(highest, 8),
          text(lowest, 8),
          text(prices.at(-1)!, 8),
          text(volume(ordered), 8),
          text(quote(ordered), 16),
          String(ordered.length),
          text(volume(buys), 8),
          text(quote(buys), 16),
        ],
      ];
    }),
  );
}

/** The same nine fields of a candle as the API answers it. */
export const nineFields = (candle: Record<string, unknown>): string[] =>
  ['open', 'high', 'low', 'close', 'volume', 'quoteVolume', 'trades', 'takerBuyVolume', 'takerBuyQuoteVolume'].map((field) => String(candle[field]));

/** Binance writes eight decimals, always. */
const units = (decimal: string): bigint => BigInt(decimal.replace('.', ''));

function text(value: bigint, scale: number): string {
  const digits = value.toString().padStart(scale + 1, '0');
  return `${digits.slice(0, -scale)}.${digits.slice(-scale)}`.replace(/\.?0+$/, '');
}
