import { ema } from './averages.js';
import type { Bar, Indicator, Series } from './indicator.js';

export type MacdValue = Readonly<{ macd: number; signal: number; histogram: number }>;

/** Distance of a fast from a slow EMA of the closes, and the EMA of that distance. */
export class Macd implements Indicator {
  private readonly fast: Series;
  private readonly slow: Series;
  private readonly signal: Series;
  /** TA-Lib seeds the fast average late, so that both have their first value at the same bar. */
  private fastWaits: number;

  constructor(fast: number, slow: number, signal: number) {
    this.fast = ema(fast);
    this.slow = ema(slow);
    this.signal = ema(signal);
    this.fastWaits = slow - fast;
  }

  next({ close }: Bar): MacdValue | undefined {
    const slow = this.slow.next(close);
    if (this.fastWaits > 0) {
      this.fastWaits--;
      return undefined;
    }
    const fast = this.fast.next(close);
    if (fast === undefined || slow === undefined) return undefined;
    return valueOf(fast - slow, this.signal.next(fast - slow));
  }

  peek({ close }: Bar): MacdValue | undefined {
    const slow = this.slow.peek(close);
    const fast = this.fast.peek(close);
    if (fast === undefined || slow === undefined) return undefined;
    return valueOf(fast - slow, this.signal.peek(fast - slow));
  }
}

const valueOf = (macd: number, signal: number | undefined): MacdValue | undefined =>
  signal === undefined ? undefined : { macd, signal, histogram: macd - signal };
