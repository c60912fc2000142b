import type { Series } from './indicator.js';
import { RollingSum, RollingWeightedSum } from './rolling.js';

/** Simple moving average. */
export class Sma implements Series {
  private readonly sum: RollingSum;

  constructor(private readonly length: number) {
    this.sum = new RollingSum(length);
  }

  next(value: number): number | undefined {
    const sum = this.sum.next(value);
    return sum === undefined ? undefined : sum / this.length;
  }

  peek(value: number): number | undefined {
    const sum = this.sum.peek(value);
    return sum === undefined ? undefined : sum / this.length;
  }
}

/** Linearly weighted moving average: the newest weighs `length`, the oldest 1. */
export class Wma implements Series {
  private readonly sum: RollingWeightedSum;
  private readonly weights: number;

  constructor(length: number) {
    this.sum = new RollingWeightedSum(length);
    this.weights = (length * (length + 1)) / 2;
  }

  next(value: number): number | undefined {
    const sum = this.sum.next(value);
    return sum === undefined ? undefined : sum / this.weights;
  }

  peek(value: number): number | undefined {
    const sum = this.sum.peek(value);
    return sum === undefined ? undefined : sum / this.weights;
  }
}

/** Average that goes a share `alpha` of the way to each value; it begins, as TA-Lib's, with the mean of the first `length`. */
class RecursiveAverage implements Series {
  private seen = 0;
  /** While it warms up, the sum of what was seen. */
  private average = 0;

  constructor(
    private readonly length: number,
    private readonly alpha: number,
  ) {}

  next(value: number): number | undefined {
    if (this.seen >= this.length) return (this.average += this.alpha * (value - this.average));
    this.average += value;
    if (++this.seen < this.length) return undefined;
    return (this.average /= this.length);
  }

  peek(value: number): number | undefined {
    if (this.seen >= this.length) return this.average + this.alpha * (value - this.average);
    return this.seen + 1 < this.length ? undefined : (this.average + value) / this.length;
  }
}

const emaAlpha = (length: number): number => 2 / (length + 1);
const wilderAlpha = (length: number): number => 1 / length;

export const ema = (length: number): Series => new RecursiveAverage(length, emaAlpha(length));
/** Wilder's smoothing, of RSI and ATR. */
export const wilder = (length: number): Series => new RecursiveAverage(length, wilderAlpha(length));

const FORGOTTEN = 1e-13;

/** Values after which a recursive average has forgotten what it began with. */
const memory = (alpha: number): number => Math.ceil(Math.log(FORGOTTEN) / Math.log(1 - alpha));
export const emaMemory = (length: number): number => memory(emaAlpha(length));
export const wilderMemory = (length: number): number => memory(wilderAlpha(length));
