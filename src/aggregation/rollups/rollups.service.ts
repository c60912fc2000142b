import { Injectable } from '@nestjs/common';
import { INTERVALS } from '../../contracts/index.js';
import { cursorAt, cutWindows, rangeOf } from '../../platform/http/index.js';
import type { SeriesKey } from '../candles/candle.store.js';
import { cover } from '../cover.js';
import type { Measure } from './rollup.js';
import { type Rollup, RollupStore } from './rollup.store.js';
import type { RollupsQuery } from './rollups.dto.js';
import { Summaries } from './summaries.service.js';
import type { Summary } from './summary.js';

export type RollupPage = Readonly<{
  /** Oldest first; `closeTimeUs` is exclusive. */
  items: readonly (Rollup & Readonly<{ closeTimeUs: number }>)[];
  nextCursor: string | null;
}>;

/** Reads rollups: stored windows, and any span merged from them. */
@Injectable()
export class Rollups {
  constructor(
    private readonly store: RollupStore,
    private readonly summaries: Summaries,
  ) {}

  /** What the numbers of [fromUs, toUs), both whole minutes, amount to; undefined without any. */
  async over(key: SeriesKey, measure: Measure, fromUs: number, toUs: number): Promise<Summary | undefined> {
    const whole = this.summaries.empty(measure);
    for (const part of await this.store.within(key, measure, cover(fromUs, toUs))) whole.merge(part);
    return whole.count === 0 ? undefined : whole;
  }

  /** The windows a request asks for; throws the problem of the parameter that is wrong. */
  async page(key: SeriesKey, measure: Measure, query: Omit<RollupsQuery, 'source'>): Promise<RollupPage> {
    const { window, limit } = query;
    const page = { ...rangeOf(query), limit };
    const found = await this.store.range(key, measure, window, { ...page, limit: limit + 1 });
    const { items, nextUs } = cutWindows(found, page);
    return {
      items: items.map((rollup) => ({ ...rollup, closeTimeUs: rollup.openTimeUs + INTERVALS[window] * 1000 })),
      nextCursor: cursorAt(nextUs),
    };
  }

  /** Another measure of the windows of a page, by their openTimeUs. */
  async alongside(key: SeriesKey, measure: Measure, { window }: RollupsQuery, { items }: RollupPage) {
    if (items.length === 0) return new Map<number, Summary>();
    const [fromUs, toUs] = [items[0]!.openTimeUs, items.at(-1)!.closeTimeUs];
    const page = { fromUs, toUs, direction: 'forward', limit: items.length } as const;
    const found = await this.store.range(key, measure, window, page);
    return new Map(found.map(({ openTimeUs, summary }) => [openTimeUs, summary]));
  }
}
