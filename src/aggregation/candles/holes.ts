import type { OpenGap } from './gap.store.js';

/** What tells whether a hole touches a candle. */
export type Edges = Readonly<{ openTimeUs: number; closeTimeUs: number; openId: string; closeId: string }>;

/** Whether trades of a candle, or right before or after it, may be missing: the `incomplete` of a candle. */
export function isTouched(candle: Edges, gaps: readonly OpenGap[]): boolean {
  if (gaps.length === 0) return false;
  const [first, last] = [BigInt(candle.openId), BigInt(candle.closeId)];
  return gaps.some(({ fromTradeId, toTradeId, fromUs, toUs }) =>
    fromUs === undefined || toUs === undefined
      ? fromTradeId <= last + 1n && toTradeId >= first - 1n
      : fromUs < candle.closeTimeUs && toUs >= candle.openTimeUs,
  );
}
