export type MarketKey = Readonly<{ source: string; symbol: string }>;

/** Where evaluation stands in the trades of a series; they are in order of time, then id. */
export type TradePosition = Readonly<{ tradedAtUs: number; tradeId: string }>;

/** A trade as a market takes it. */
export type HistoricalTrade = TradePosition & Readonly<{ price: number; size: number }>;

/** Whether `a` stands before `b`. Ids are decimal text of any length. */
export function beforeIt(a: TradePosition, b: TradePosition): boolean {
  if (a.tradedAtUs !== b.tradedAtUs) return a.tradedAtUs < b.tradedAtUs;
  if (a.tradeId.length !== b.tradeId.length) return a.tradeId.length < b.tradeId.length;
  return a.tradeId < b.tradeId;
}

export const inOrder = (a: TradePosition, b: TradePosition): number => (beforeIt(a, b) ? -1 : beforeIt(b, a) ? 1 : 0);

export const keyText = ({ source, symbol }: MarketKey): string => `${source} ${symbol}`;
