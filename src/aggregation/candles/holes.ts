import type { StoredCandle } from './candle.store.js';
import type { OpenGap } from './gap.store.js';

/** What of a candle tells which holes touch it, or lie beside it. */
export type Edges = Pick<StoredCandle, 'openTimeUs' | 'closeTimeUs' | 'openId' | 'closeId'>;

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

/** Whether an open gap lies between a candle and a later one of its series. */
export function gapBetween(a: Edges, b: Edges, gaps: readonly OpenGap[]): boolean {
  const [after, before] = [BigInt(a.closeId), BigInt(b.openId)];
  return gaps.some(({ fromTradeId, toTradeId, fromUs, toUs }) =>
    fromUs === undefined || toUs === undefined
      ? fromTradeId < before && toTradeId > after
      : fromUs < b.closeTimeUs && toUs >= a.openTimeUs,
  );
}
