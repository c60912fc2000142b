import { Injectable } from '@nestjs/common';
import { type IntervalName, INTERVALS } from '../../contracts/index.js';
import { badParameter } from '../../platform/errors/index.js';
import type { SeriesKey } from '../candles/candle.store.js';
import { GapStore } from '../candles/gap.store.js';
import { CloseStore, type History } from './close.store.js';
import { type Closes, closesOf, type Missing } from './closes.js';

/** The same windows of several series; epoch microseconds, `toUs` exclusive. */
export type CommonWindows = Readonly<{ fromUs: number; toUs: number; series: readonly Closes[] }>;

/** Finds the windows that several series have in common. */
@Injectable()
export class Correlations {
  constructor(
    private readonly closes: CloseStore,
    private readonly gaps: GapStore,
  ) {}

  /**
   * The closes of the last `length` windows up to the end of the closed candle that every series has reached, and of the
   * window before them, from which the first return is taken. Throws a 400 for a `length` that one of them lacks.
   */
  async commonCloses(
    keys: readonly SeriesKey[],
    { interval, length, missing }: Readonly<{ interval: IntervalName; length: number; missing: Missing }>,
  ): Promise<CommonWindows> {
    const intervalUs = INTERVALS[interval] * 1000;
    const toUs = commonEndUs(keys, interval, length, await this.closes.histories(keys, interval));
    const fromUs = toUs - length * intervalUs;
    const windows = { fromUs: fromUs - intervalUs, toUs, intervalUs };
    const [candles, gaps] = await Promise.all([
      this.closes.around(keys, interval, windows),
      Promise.all(keys.map((key) => this.gaps.openGaps(key))),
    ]);
    return { fromUs, toUs, series: keys.map((_, i) => closesOf(candles[i]!, gaps[i]!, windows, missing)) };
  }
}

function commonEndUs(
  keys: readonly SeriesKey[],
  interval: IntervalName,
  length: number,
  histories: readonly History[],
): number {
  const toUs = Math.min(...histories.map(({ endUs }) => endUs ?? 0));
  const returns = histories.map(({ firstUs }) =>
    firstUs === undefined ? 0 : Math.max(0, (toUs - firstUs) / (INTERVALS[interval] * 1000) - 1),
  );
  const most = Math.min(...returns);
  if (length <= most) return toUs;
  const { source, symbol } = keys[returns.indexOf(most)]!;
  throw badParameter(
    'length',
    `must be at most ${most}: ${source}:${symbol} has no more ${interval} windows before the common end`,
  );
}
