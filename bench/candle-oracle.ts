/** A trade as some source of truth gives it, apart from all code under test. */
export type OracleTrade = Readonly<{ id: number; price: string; size: string; atUs: number; buyerIsMaker: boolean }>;

/**
 * Nine fields of every candle as canonical text (open high low close volume quoteVolume trades takerBuyVolume
 * takerBuyQuoteVolume), by open time in RFC 3339. Worked out with BigInt over whole windows, sharing nothing with the
 * pipeline. Prices and sizes must have eight decimals, as Binance writes them.
 */
export function oracleCandles(trades: readonly OracleTrade[], intervalMs: number): Map<string, string[]> {
  const intervalUs = intervalMs * 1000;
  const byWindow = Map.groupBy(trades, (trade) => Math.floor(trade.atUs / intervalUs) * intervalMs);
  return new Map(
    [...byWindow].map(([openMs, members]) => [
      new Date(openMs).toISOString().replace('.000Z', 'Z'),
      nineFieldsOf(members),
    ]),
  );
}

function nineFieldsOf(members: readonly OracleTrade[]): string[] {
  const ordered = members.toSorted((a, b) => a.atUs - b.atUs || a.id - b.id);
  const buys = ordered.filter((trade) => !trade.buyerIsMaker);
  const prices = ordered.map((trade) => units(trade.price));
  const volume = (some: readonly OracleTrade[]): bigint => some.reduce((sum, trade) => sum + units(trade.size), 0n);
  const quote = (some: readonly OracleTrade[]): bigint =>
    some.reduce((sum, trade) => sum + units(trade.size) * units(trade.price), 0n);
  return [
    text(prices[0]!, 8),
    text(
      prices.reduce((a, b) => (a > b ? a : b)),
      8,
    ),
    text(
      prices.reduce((a, b) => (a < b ? a : b)),
      8,
    ),
    text(prices.at(-1)!, 8),
    text(volume(ordered), 8),
    text(quote(ordered), 16),
    String(ordered.length),
    text(volume(buys), 8),
    text(quote(buys), 16),
  ];
}

/** The same nine fields of a candle as the API answers it. */
export const nineFields = (candle: Record<string, unknown>): string[] =>
  ['open', 'high', 'low', 'close', 'volume', 'quoteVolume', 'trades', 'takerBuyVolume', 'takerBuyQuoteVolume'].map(
    (field) => String(candle[field]),
  );

const units = (decimal: string): bigint => BigInt(decimal.replace('.', ''));

function text(value: bigint, scale: number): string {
  const digits = value.toString().padStart(scale + 1, '0');
  return `${digits.slice(0, -scale)}.${digits.slice(-scale)}`.replace(/\.?0+$/, '');
}
