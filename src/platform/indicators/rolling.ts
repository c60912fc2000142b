import type { Series } from './indicator.js';

/*
 * Windows over the last `length` values. Values come in blocks of `length`; a window is the tail of the block before and
 * the head of this one, and tails are summed up once a block. Nothing is ever subtracted, so a value is gone without trace
 * when it leaves, and errors do not grow with the length of the series: a running sum that takes away what leaves keeps
 * what was rounded off while 1e15 was in it. The classes repeat the frame: one class that is given how to join two values
 * was measured two to three times slower.
 */

/** Sum of the last `length` values; undefined before there are as many. */
export class RollingSum implements Series {
  private readonly values: Float64Array;
  /** Sum of the block before, from each place to its end. */
  private readonly tails: Float64Array;
  private sum = 0;
  private place = 0;
  private lacking: number;

  constructor(private readonly length: number) {
    this.values = new Float64Array(length);
    this.tails = new Float64Array(length + 1);
    this.lacking = length;
  }

  /** Values still to come before the window is full. */
  get missing(): number {
    return this.lacking;
  }

  next(value: number): number | undefined {
    this.values[this.place++] = value;
    this.sum += value;
    const sum = this.tails[this.place]! + this.sum;
    if (this.place === this.length) this.endBlock();
    if (this.lacking > 0) this.lacking--;
    return this.lacking > 0 ? undefined : sum;
  }

  peek(value: number): number | undefined {
    return this.lacking > 1 ? undefined : this.tails[this.place + 1]! + (this.sum + value);
  }

  /** Sum of the newest `count` values, one by one. */
  newest(count: number): number {
    let sum = 0;
    for (let back = 1; back <= count; back++) sum += this.values[(this.place - back + this.length) % this.length]!;
    return sum;
  }

  private endBlock(): void {
    let sum = 0;
    for (let place = this.length - 1; place >= 0; place--) {
      sum += this.values[place]!;
      this.tails[place] = sum;
    }
    this.sum = 0;
    this.place = 0;
  }
}

/** Greatest of the last `length` values; undefined before there are as many. */
export class RollingMax implements Series {
  private readonly values: Float64Array;
  private readonly tails: Float64Array;
  private greatest = -Infinity;
  private place = 0;
  private lacking: number;

  constructor(private readonly length: number) {
    this.values = new Float64Array(length);
    this.tails = new Float64Array(length + 1).fill(-Infinity);
    this.lacking = length;
  }

  next(value: number): number | undefined {
    this.values[this.place++] = value;
    if (value > this.greatest) this.greatest = value;
    const greatest = Math.max(this.tails[this.place]!, this.greatest);
    if (this.place === this.length) this.endBlock();
    if (this.lacking > 0) this.lacking--;
    return this.lacking > 0 ? undefined : greatest;
  }

  peek(value: number): number | undefined {
    return this.lacking > 1 ? undefined : Math.max(this.tails[this.place + 1]!, this.greatest, value);
  }

  private endBlock(): void {
    let greatest = -Infinity;
    for (let place = this.length - 1; place >= 0; place--) {
      if (this.values[place]! > greatest) greatest = this.values[place]!;
      this.tails[place] = greatest;
    }
    this.greatest = -Infinity;
    this.place = 0;
  }
}

/** Sum of the last `length` values, the oldest once, the newest `length` times. */
export class RollingWeightedSum implements Series {
  private readonly values: Float64Array;
  private readonly weightedTails: Float64Array;
  private sum = 0;
  private weighted = 0;
  private place = 0;
  private lacking: number;

  constructor(private readonly length: number) {
    this.values = new Float64Array(length);
    this.weightedTails = new Float64Array(length + 1);
    this.lacking = length;
  }

  next(value: number): number | undefined {
    this.values[this.place++] = value;
    this.sum += value;
    this.weighted += this.place * value;
    const total = this.total(this.place, this.sum, this.weighted);
    if (this.place === this.length) this.endBlock();
    if (this.lacking > 0) this.lacking--;
    return this.lacking > 0 ? undefined : total;
  }

  peek(value: number): number | undefined {
    if (this.lacking > 1) return undefined;
    const place = this.place + 1;
    return this.total(place, this.sum + value, this.weighted + place * value);
  }

  /** In the window, a value of this block weighs more than in the block by all that stay of the one before. */
  private total(place: number, sum: number, weighted: number): number {
    return this.weightedTails[place]! + (weighted + (this.length - place) * sum);
  }

  private endBlock(): void {
    let sum = 0;
    let weighted = 0;
    for (let place = this.length - 1; place >= 0; place--) {
      sum += this.values[place]!;
      weighted += sum;
      this.weightedTails[place] = weighted;
    }
    this.sum = 0;
    this.weighted = 0;
    this.place = 0;
  }
}

export type Spread = Readonly<{ mean: number; deviation: number }>;

/**
 * Mean and population standard deviation of the last `length` values: Welford's within the tail and the head, joined as
 * Chan's parallel form does. No squares of prices are subtracted from each other: at 65,000 that leaves six digits of a
 * deviation of 1.
 */
export class RollingSpread {
  private readonly values: Float64Array;
  private readonly tailMeans: Float64Array;
  private readonly tailSquares: Float64Array;
  private mean = 0;
  /** Sum of squared distances from the mean. */
  private squares = 0;
  private place = 0;
  private lacking: number;

  constructor(private readonly length: number) {
    this.values = new Float64Array(length);
    this.tailMeans = new Float64Array(length + 1);
    this.tailSquares = new Float64Array(length + 1);
    this.lacking = length;
  }

  next(value: number): Spread | undefined {
    this.values[this.place++] = value;
    const distance = value - this.mean;
    this.mean += distance / this.place;
    this.squares += distance * (value - this.mean);
    if (this.lacking > 0) this.lacking--;
    const spread = this.lacking > 0 ? undefined : this.joined(this.place, this.mean, this.squares);
    if (this.place === this.length) this.endBlock();
    return spread;
  }

  peek(value: number): Spread | undefined {
    if (this.lacking > 1) return undefined;
    const place = this.place + 1;
    const distance = value - this.mean;
    const mean = this.mean + distance / place;
    return this.joined(place, mean, this.squares + distance * (value - mean));
  }

  private joined(place: number, mean: number, squares: number): Spread {
    const tailMean = this.tailMeans[place]!;
    const apart = mean - tailMean;
    const share = place / this.length;
    const all = this.tailSquares[place]! + squares + apart * apart * share * (this.length - place);
    return { mean: tailMean + apart * share, deviation: Math.sqrt(all / this.length) };
  }

  private endBlock(): void {
    let mean = 0;
    let squares = 0;
    for (let place = this.length - 1; place >= 0; place--) {
      const value = this.values[place]!;
      const distance = value - mean;
      mean += distance / (this.length - place);
      squares += distance * (value - mean);
      this.tailMeans[place] = mean;
      this.tailSquares[place] = squares;
    }
    this.mean = 0;
    this.squares = 0;
    this.place = 0;
  }
}
