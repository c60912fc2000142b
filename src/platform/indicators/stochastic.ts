import { Sma } from './averages.js';
import type { Bar, Indicator } from './indicator.js';
import { RollingMax } from './rolling.js';

export type StochasticValue = Readonly<{ k: number; d: number }>;

/** Where the close stands in the range of the last bars, 0 to 100: smoothed (k), and smoothed again (d). */
export class Stochastic implements Indicator {
  private readonly highs: RollingMax;
  /** Of lows with their sign turned. */
  private readonly lows: RollingMax;
  private readonly k: Sma;
  private readonly d: Sma;

  constructor(length: number, slowing: number, smoothing: number) {
    this.highs = new RollingMax(length);
    this.lows = new RollingMax(length);
    this.k = new Sma(slowing);
    this.d = new Sma(smoothing);
  }

  next({ high, low, close }: Bar): StochasticValue | undefined {
    const raw = standing(close, this.highs.next(high), this.lows.next(-low));
    const k = raw === undefined ? undefined : this.k.next(raw);
    const d = k === undefined ? undefined : this.d.next(k);
    return k === undefined || d === undefined ? undefined : { k, d };
  }

  peek({ high, low, close }: Bar): StochasticValue | undefined {
    const raw = standing(close, this.highs.peek(high), this.lows.peek(-low));
    const k = raw === undefined ? undefined : this.k.peek(raw);
    const d = k === undefined ? undefined : this.d.peek(k);
    return k === undefined || d === undefined ? undefined : { k, d };
  }
}

/** Without a range TA-Lib answers 0. */
function standing(close: number, highest: number | undefined, turnedLowest: number | undefined): number | undefined {
  if (highest === undefined || turnedLowest === undefined) return undefined;
  const range = highest + turnedLowest;
  return range === 0 ? 0 : (100 * (close + turnedLowest)) / range;
}
