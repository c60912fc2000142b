/** A place in a series in order of (tradedAt, tradeId). */
export type TradePosition = Readonly<{ tradedAtUs: number; tradeId: string }>;

/** Below, equal to or above 0 as `a` lies before, at or behind `b`. */
export const comparePositions = (a: TradePosition, b: TradePosition): number =>
  a.tradedAtUs - b.tradedAtUs || compareIds(a.tradeId, b.tradeId);

/** Decimal text of integers without leading zeros: the longer is larger. */
export const compareIds = (a: string, b: string): number => a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
