import { wilder } from './averages.js';
import type { Bar, Indicator, Series } from './indicator.js';

/** Average true range, smoothed as Wilder does. The first bar has no true range: there is no close before it. */
export class Atr implements Indicator {
  private closeBefore: number | undefined;
  private readonly ranges: Series;

  constructor(length: number) {
    this.ranges = wilder(length);
  }

  next(bar: Bar): number | undefined {
    const { closeBefore } = this;
    this.closeBefore = bar.close;
    return closeBefore === undefined ? undefined : this.ranges.next(trueRange(bar, closeBefore));
  }

  peek(bar: Bar): number | undefined {
    return this.closeBefore === undefined ? undefined : this.ranges.peek(trueRange(bar, this.closeBefore));
  }
}

const trueRange = ({ high, low }: Bar, closeBefore: number): number =>
  Math.max(high, closeBefore) - Math.min(low, closeBefore);
