export type Side = 'buy' | 'sell';

/** A canonical symbol: `BTCUSDT`. */
export const SYMBOL = /^[A-Z0-9.-]{1,40}$/;

/** One trade as every venue is normalised to. Identity is (source, venueSymbol, tradeId). */
export type Trade = Readonly<{
  /** Connector id: `binance`, `simulator`. */
  source: string;
  exchange: string;
  /** Canonical: upper case, no separator: `BTCUSDT`. */
  symbol: string;
  /** As the venue spells it. */
  venueSymbol: string;
  /** The venue's id as decimal text of a non-negative integer up to 2^63 - 2. Larger is later within a symbol. */
  tradeId: string;
  /** Quote currency per unit, exact canonical decimal (see `canonicalDecimal`). */
  price: string;
  /** Base currency, exact canonical decimal. `0` is a price without a trade: it moves the last price, never volume. */
  size: string;
  /** The taker's side; absent where the venue does not say. */
  side?: Side;
  /** Event time at the venue, epoch microseconds UTC. */
  tradedAtUs: number;
  /** When the frame reached this process, epoch microseconds UTC. */
  receivedAtUs: number;
}>;
