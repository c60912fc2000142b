import type { IntervalName } from '../../contracts/index.js';
import type { Bar, Indicator } from './indicator.js';
import { eraOf } from './sessions.js';

/**
 * On-balance volume: volume added where the close rose, taken away where it fell. Each era (`eraOf`) begins with the volume
 * of its first bar, as a series of TA-Lib's does.
 */
export class Obv implements Indicator {
  private eraEndUs = -Infinity;
  private closeBefore = NaN;
  private balance = 0;

  constructor(private readonly interval: IntervalName) {}

  next(bar: Bar): number {
    this.balance = this.peek(bar);
    this.closeBefore = bar.close;
    if (bar.openTimeUs >= this.eraEndUs) this.eraEndUs = eraOf(bar.openTimeUs, this.interval).endUs;
    return this.balance;
  }

  peek({ openTimeUs, close, volume }: Bar): number {
    if (openTimeUs >= this.eraEndUs) return volume;
    if (close > this.closeBefore) return this.balance + volume;
    return close < this.closeBefore ? this.balance - volume : this.balance;
  }
}
