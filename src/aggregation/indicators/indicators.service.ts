import { Injectable } from '@nestjs/common';
import type { IntervalName } from '../../contracts/index.js';
import { badParameter } from '../../platform/errors/index.js';
import { YEAR_9999_US } from '../../platform/http/index.js';
import type { IndicatorSpec, IndicatorValue } from '../../platform/indicators/index.js';
import type { SeriesKey } from '../candles/candle.store.js';
import { GapStore, type OpenGap } from '../candles/gap.store.js';
import { isTouched } from '../candles/holes.js';
import { type BarPage, BarStore, type StoredBar } from './bar.store.js';

/** The indicators at one candle; a value is null while its indicator warms up. */
export type IndicatorPoint = Readonly<{
  openTimeUs: number;
  /** False on the candle that is still open: its values move with every trade. */
  closed: boolean;
  /** A hole in the trades touches a candle that these values look at. */
  incomplete: boolean;
  /** In the order of the specs. */
  values: readonly (IndicatorValue | null)[];
}>;

/**
 * Indicators out of the stored candles. Nothing is kept between requests: what a late trade revised is revised here too,
 * and a restart changes nothing. As many candles ahead of the page are read as the values take to settle.
 */
@Injectable()
export class Indicators {
  constructor(
    private readonly bars: BarStore,
    private readonly gaps: GapStore,
  ) {}

  /** Indicators at a page of candles, oldest first, and where the next page begins. */
  async page(key: SeriesKey, interval: IntervalName, specs: readonly IndicatorSpec[], page: BarPage) {
    const settle = Math.max(...specs.map((spec) => spec.settle));
    const isBackward = page.direction === 'backward';
    // what settles the values of a page that goes backward lies right beyond it: one query reads both
    const [found, gaps] = await Promise.all([
      this.bars.range(key, interval, { ...page, limit: page.limit + (isBackward ? settle : 1) }),
      this.gaps.openGaps(key),
    ]);
    const shown = isBackward ? found.slice(-page.limit) : found.slice(0, page.limit);
    const ahead = isBackward ? found.slice(0, -page.limit) : await this.before(key, interval, shown[0], settle);
    const anchored = shown[0] ? await this.anchored(key, interval, specs, ahead[0] ?? shown[0], shown[0]) : [];
    const beyond = isBackward ? (ahead.length > 0 ? shown[0] : undefined) : found[page.limit];
    return { points: pointsOf(specs, interval, [...anchored, ...ahead], shown, gaps), nextUs: beyond?.openTimeUs };
  }

  /** Indicators at the last candle; undefined without any. */
  async latest(key: SeriesKey, interval: IntervalName, specs: readonly IndicatorSpec[]) {
    const { points } = await this.page(key, interval, specs, {
      fromUs: 0,
      toUs: YEAR_9999_US,
      direction: 'backward',
      limit: 1,
    });
    return points[0];
  }

  /** Throws the problem for `field` when the whole history is too short for a value. */
  async refuseBeyondHistory(field: string, key: SeriesKey, interval: IntervalName, specs: readonly IndicatorSpec[]) {
    const longest = specs.reduce((a, b) => (a.warmUp >= b.warmUp ? a : b));
    const count = await this.bars.count(key, interval, longest.warmUp);
    if (count < longest.warmUp)
      throw badParameter(
        field,
        `must not look further back than history: ${longest.name} takes ${longest.warmUp} candles of ${interval}, and ${key.symbol} has ${count}`,
      );
  }

  private async before(key: SeriesKey, interval: IntervalName, first: StoredBar | undefined, limit: number) {
    if (!first) return [];
    return this.bars.range(key, interval, { fromUs: 0, toUs: first.openTimeUs, direction: 'backward', limit });
  }

  /** What was not read yet of the candles that anchored indicators count: from the anchor of `first` up to `known`. */
  private async anchored(
    key: SeriesKey,
    interval: IntervalName,
    specs: readonly IndicatorSpec[],
    known: StoredBar,
    first: StoredBar,
  ) {
    const fromUs = anchorUs(specs, interval, first.openTimeUs);
    const toUs = known.openTimeUs;
    if (fromUs >= toUs) return [];
    return this.bars.range(key, interval, { fromUs, toUs, direction: 'forward', limit: MOST_ANCHORED });
  }
}

/** Above what the longest stretch holds that an anchored indicator counts from: a month of 15m. */
const MOST_ANCHORED = 3000;

/** From where on the bars matter to the indicators that count from an anchor; Infinity when none does. */
function anchorUs(specs: readonly IndicatorSpec[], interval: IntervalName, openTimeUs: number): number {
  return Math.min(...specs.map((spec) => spec.anchored?.(openTimeUs, interval) ?? Infinity));
}

function pointsOf(
  specs: readonly IndicatorSpec[],
  interval: IntervalName,
  before: readonly StoredBar[],
  shown: readonly StoredBar[],
  gaps: readonly OpenGap[],
): IndicatorPoint[] {
  const running = specs.map((spec) => spec.create(interval));
  const lookBack = Math.max(...specs.map((spec) => spec.warmUp));
  let touchedAt = -Infinity;
  let touchedUs = -Infinity;
  const points: IndicatorPoint[] = [];
  for (const [i, bar] of [...before, ...shown].entries()) {
    if (isTouched(bar, gaps)) [touchedAt, touchedUs] = [i, bar.openTimeUs];
    const values = running.map((indicator) => indicator.next(bar) ?? null);
    if (i < before.length) continue;
    const isHoled = touchedAt >= 0;
    points.push({
      openTimeUs: bar.openTimeUs,
      closed: bar.closed,
      incomplete: i - touchedAt < lookBack || (isHoled && touchedUs >= anchorUs(specs, interval, bar.openTimeUs)),
      values,
    });
  }
  return points;
}
