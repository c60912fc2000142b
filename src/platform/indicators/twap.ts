import { INTERVALS, type IntervalName } from '../../contracts/index.js';
import type { Bar, Indicator } from './indicator.js';
import { RollingSum } from './rolling.js';

/**
 * Time-weighted average price: mean of (open + high + low + close) / 4 over the last `length` windows of time. A window
 * without a bar had no trade, so the close before it held; it counts for the warm-up too.
 */
export class Twap implements Indicator {
  private readonly prices: RollingSum;
  private readonly intervalUs: number;
  private openTimeUs = NaN;
  private close = NaN;

  constructor(
    private readonly length: number,
    interval: IntervalName,
  ) {
    this.prices = new RollingSum(length);
    this.intervalUs = INTERVALS[interval] * 1000;
  }

  next(bar: Bar): number | undefined {
    for (let empty = this.emptyBefore(bar); empty > 0; empty--) this.prices.next(this.close);
    this.openTimeUs = bar.openTimeUs;
    this.close = bar.close;
    const sum = this.prices.next(typicalPrice(bar));
    return sum === undefined ? undefined : sum / this.length;
  }

  peek(bar: Bar): number | undefined {
    const empty = this.emptyBefore(bar);
    const sum = empty === 0 ? this.prices.peek(typicalPrice(bar)) : this.sumAfter(empty, bar);
    return sum === undefined ? undefined : sum / this.length;
  }

  /** Windows without a bar since the last one; more than fill the average make no difference. */
  private emptyBefore({ openTimeUs }: Bar): number {
    const windows = Math.round((openTimeUs - this.openTimeUs) / this.intervalUs);
    return windows > 1 ? Math.min(windows - 1, this.length) : 0;
  }

  private sumAfter(empty: number, bar: Bar): number | undefined {
    if (this.prices.missing > empty + 1) return undefined;
    const closes = Math.min(empty, this.length - 1);
    return this.prices.newest(this.length - 1 - closes) + closes * this.close + typicalPrice(bar);
  }
}

const typicalPrice = ({ open, high, low, close }: Bar): number => (open + high + low + close) / 4;
