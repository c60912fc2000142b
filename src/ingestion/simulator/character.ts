/** What sets a symbol's market apart. Prices move in 10^-priceDecimals, sizes in 10^-sizeDecimals; together at most 8. */
export type Character = Readonly<{
  symbol: string;
  basePrice: number;
  priceDecimals: number;
  sizeDecimals: number;
  tradesPerSecond: number;
  medianSize: number;
  /** Typical move of a day, as a share of the price. */
  dailyMove: number;
  /** Share of its moves that it has in common with the other markets, 0 to 1. */
  common: number;
}>;

const CHARACTERS: readonly Character[] = [
  character('BTCUSDT', 65_000, 2, 5, 6, 0.0021, 0.014, 0.9),
  character('ETHUSDT', 2_650, 2, 4, 4.5, 0.031, 0.017, 0.82),
  character('ADAUSDT', 0.4513, 4, 1, 1.2, 210, 0.024, 0.7),
  character('SOLUSDT', 148, 2, 3, 2.5, 0.72, 0.022, 0.72),
  character('DOTUSDT', 5.2, 3, 2, 0.8, 17, 0.022, 0.7),
  character('LINKUSDT', 14.2, 3, 2, 1, 7.3, 0.023, 0.68),
  character('UNIUSDT', 7.85, 3, 2, 0.7, 12, 0.025, 0.6),
  character('AVAXUSDT', 24.6, 3, 2, 0.9, 4.1, 0.024, 0.68),
  character('MATICUSDT', 0.5234, 4, 1, 0.6, 170, 0.024, 0.64),
  character('ATOMUSDT', 4.87, 3, 2, 0.5, 19, 0.022, 0.66),
];

export const simulatedSymbols: readonly string[] = CHARACTERS.map(({ symbol }) => symbol);

/** Throws RangeError for a symbol that has no simulated market. */
export function characterOf(symbol: string): Character {
  const found = CHARACTERS.find((each) => each.symbol === symbol);
  if (!found) throw new RangeError(`no simulated market ${symbol}; there are ${simulatedSymbols.join(', ')}`);
  return found;
}

function character(
  symbol: string,
  basePrice: number,
  priceDecimals: number,
  sizeDecimals: number,
  tradesPerSecond: number,
  medianSize: number,
  dailyMove: number,
  common: number,
): Character {
  return { symbol, basePrice, priceDecimals, sizeDecimals, tradesPerSecond, medianSize, dailyMove, common };
}
