import { Injectable } from '@nestjs/common';
import { INTERVALS, isPolled } from '../../contracts/index.js';
import { CandleStore, type SeriesKey } from '../candles/candle.store.js';
import { DAY_US, type DayChange, dayChange } from './day-change.js';
import { type Totals, type Window, WindowStore } from './window.store.js';

const MINUTE_US = INTERVALS['1m'] * 1000;

/** Windows that end with the minute of a series' last trade: event time, so those of a quiet symbol stay behind. */
@Injectable()
export class Windows {
  constructor(
    private readonly store: WindowStore,
    private readonly candles: CandleStore,
  ) {}

  /** The last `spanMs` of a series; undefined without candles. */
  async last(key: SeriesKey, spanMs: number): Promise<(Window & Totals) | undefined> {
    const untilUs = await this.untilUs(key);
    return untilUs === undefined ? undefined : this.between(key, untilUs - spanMs * 1000, untilUs);
  }

  /** From UTC midnight to the last minute; undefined without candles. */
  async session(key: SeriesKey): Promise<(Window & Totals) | undefined> {
    const untilUs = await this.untilUs(key);
    if (untilUs === undefined) return undefined;
    const lastUs = untilUs - MINUTE_US;
    return this.between(key, lastUs - (lastUs % DAY_US), untilUs);
  }

  /** The rolling day of each series against the one before, those without candles left out. */
  async dayChanges(keys: readonly SeriesKey[]): Promise<(Window & DayChange)[]> {
    const lastUs = await this.store.lastMinutesUs(keys);
    const days = keys.flatMap((key, i) => {
      const toUs = lastUs[i] === undefined ? undefined : lastUs[i] + MINUTE_US;
      return toUs === undefined ? [] : [{ ...key, fromUs: toUs - DAY_US, toUs }];
    });
    const befores = days.map((day) => ({ ...day, fromUs: day.fromUs - DAY_US, toUs: day.fromUs }));
    const totals = await this.store.totals([...days, ...befores]);
    return Promise.all(
      days.map(async (day, i) => ({
        ...day,
        ...dayChange(totals[i]!, totals[days.length + i], isPolled(day.source) ? await this.standing(day) : undefined),
      })),
    );
  }

  private async between(key: SeriesKey, fromUs: number, toUs: number): Promise<(Window & Totals) | undefined> {
    const window = { ...key, fromUs, toUs };
    const [totals] = await this.store.totals([window]);
    return totals && { ...window, ...totals };
  }

  /** End of the minute of the last trade. */
  private async untilUs(key: SeriesKey): Promise<number | undefined> {
    const [lastUs] = await this.store.lastMinutesUs([key]);
    return lastUs === undefined ? undefined : lastUs + MINUTE_US;
  }

  /** A polled value stands until the next, which may be the only one of the window. */
  private async standing({ fromUs, ...key }: Window): Promise<string | undefined> {
    const page = { fromUs: 0, toUs: fromUs, direction: 'backward', limit: 1 } as const;
    return (await this.candles.range(key, '1m', page))[0]?.close;
  }
}
