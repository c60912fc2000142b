import { Injectable } from '@nestjs/common';
import { YEAR_9999_US } from '../platform/http/index.js';
import { unseal } from './packing/sealed-block.store.js';
import type { DecodedTrades } from './packing/trade-block.js';
import { TradeBlockStore } from './packing/trade-block.store.js';
import { comparePositions } from './trade-position.js';
import { type StoredTrade, type TradePage, TradeStore } from './trade.store.js';

/** Every recorded trade, whether it is a row or packed into a block. */
@Injectable()
export class TradeHistory {
  constructor(
    private readonly trades: TradeStore,
    private readonly blocks: TradeBlockStore,
  ) {}

  /** The last trade of a series in event time. */
  async latest(seriesId: number): Promise<StoredTrade | undefined> {
    const page = { fromUs: 0, toUs: YEAR_9999_US, direction: 'backward', limit: 1 } as const;
    return (await this.range(seriesId, page))[0];
  }

  /**
   * At most `limit` trades of a page, oldest first. Rows are read first: a trade that is packed meanwhile is then seen
   * twice, which is mended here, and never not at all.
   */
  async range(seriesId: number, page: TradePage): Promise<StoredTrade[]> {
    const loose = await this.trades.range(seriesId, page);
    const packed: StoredTrade[] = [];
    const isForward = page.direction === 'forward';
    const within = loose.length < page.limit ? page : upTo(page, loose);
    for (const data of await this.blocks.nearest(seriesId, within)) {
      if (packed.length >= page.limit) break; // the nearest block may or may not have been enough
      const found = cut(await unseal(data), within);
      if (isForward) packed.push(...found);
      else packed.unshift(...found);
    }
    if (packed.length === 0) return loose;
    const merged = merge(loose, packed);
    return isForward ? merged.slice(0, page.limit) : merged.slice(-page.limit);
  }
}

/** The part of a page that a full page of rows leaves: nothing that lies behind its last trade can be in the answer. */
function upTo(page: TradePage, loose: readonly StoredTrade[]): TradePage {
  return page.direction === 'forward'
    ? { ...page, toUs: Math.min(page.toUs, loose.at(-1)!.tradedAtUs + 1) }
    : { ...page, fromUs: Math.max(page.fromUs, loose[0]!.tradedAtUs) };
}

/** The trades of a block that belong to a page, oldest first, and no more of them than it takes. */
function cut(trades: DecodedTrades, page: TradePage): StoredTrade[] {
  const { tradedAtUs, length } = trades;
  let from = tradedAtUs.findIndex((us) => us >= page.fromUs);
  let to = tradedAtUs.findLastIndex((us) => us < page.toUs) + 1;
  if (from < 0) from = length;
  const { position } = page;
  if (position && page.direction === 'forward') {
    const start = tradedAtUs.findIndex((us) => us >= position.tradedAtUs);
    from = Math.max(from, start < 0 ? length : start);
    while (from < to && comparePositions(trades.trade(from), position) <= 0) from++;
  } else if (position) {
    to = Math.min(to, tradedAtUs.findLastIndex((us) => us <= position.tradedAtUs) + 1);
    while (from < to && comparePositions(trades.trade(to - 1), position) >= 0) to--;
  }
  if (page.direction === 'forward') to = Math.min(to, from + page.limit);
  else from = Math.max(from, to - page.limit);
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => trades.trade(from + index));
}

/** Both in order; what stands in both is told once. */
function merge(a: readonly StoredTrade[], b: readonly StoredTrade[]): StoredTrade[] {
  const merged: StoredTrade[] = [];
  for (let [i, j] = [0, 0]; i < a.length || j < b.length;) {
    const order = i >= a.length ? 1 : j >= b.length ? -1 : comparePositions(a[i]!, b[j]!);
    merged.push(order <= 0 ? a[i]! : b[j]!);
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  return merged;
}
