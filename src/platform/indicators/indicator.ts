import type { IntervalName } from '../../contracts/index.js';

/** One candle as indicators read it. */
export type Bar = Readonly<{
  /** Start of its window, epoch microseconds. */
  openTimeUs: number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
  quoteVolume: number;
}>;

/**
 * One value, or several by name (macd: macd, signal, histogram; bollinger: upper, middle, lower; stochastic: k, d).
 */
export type IndicatorValue = number | Readonly<Record<string, number>>;

/** One indicator over one series: constant work and memory a bar, whatever came before. */
export interface Indicator {
  /** Takes the next closed bar, in order of time; undefined while it warms up, or where there is no value. */
  next(bar: Bar): IndicatorValue | undefined;
  /** What `next` would answer, with nothing taken: for the bar that is still open. */
  peek(bar: Bar): IndicatorValue | undefined;
}

/** What a request or a rule names: `sma:20`, `macd:12:26:9`, `vwap:session`, `vwap:20`. */
export type IndicatorSpec = Readonly<{
  /** Canonical name with every parameter: `macd:12:26:9` also where `macd` was asked. */
  name: string;
  /** Bars until the first value, that bar included: TA-Lib's lookback + 1. For twap windows of time, empty ones too. */
  warmUp: number;
  /**
   * Bars to feed, the last included, so that its value no longer depends on where one began: for windows the warm-up; for
   * recursive ones (EMA, RSI, MACD, ATR) as many more as leave 1e-13 of what they began with.
   * An RSI whose closes stood still for nearly as long is the exception: it remembers the last that moved.
   */
  settle: number;
  /** Where the count begins that a bar is part of: it must be fed from there. Absent, `settle` bars are enough. */
  anchored?: (openTimeUs: number, interval: IntervalName) => number;
  /** Names of the values; none for a plain number. */
  outputs: readonly string[];
  create(interval: IntervalName): Indicator;
}>;

/** The same over plain numbers: what indicators are put together from. */
export interface Series {
  next(value: number): number | undefined;
  peek(value: number): number | undefined;
}

/** A series over the closes of bars. */
export class OfCloses implements Indicator {
  constructor(private readonly series: Series) {}

  next(bar: Bar): number | undefined {
    return this.series.next(bar.close);
  }

  peek(bar: Bar): number | undefined {
    return this.series.peek(bar.close);
  }
}
