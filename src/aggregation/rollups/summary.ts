import { type BinMapping, Sketch } from './sketch.js';

const MOST_DECADES = 24;

/** What is stored of a summary, besides what its measure tells. */
export type StoredSummary = Readonly<{
  count: number;
  sum: number;
  mean: number;
  /** Sum of squared differences from the mean. */
  m2: number;
  min: number;
  max: number;
  bins: Uint8Array;
}>;

/** Values from `from`, inclusive, to `to`, exclusive. */
export type Decade = Readonly<{ from: number; to: number; count: number }>;

/**
 * What a set of numbers amounts to. Merging is associative and commutative, up to rounding: the summary of a day is that
 * of its minutes. Mean and deviation by Welford's and Chan's updates: of prices near 65,000 that differ by cents a sum of
 * squares would have lost the deviation to rounding.
 */
export class Summary {
  count = 0;
  sum = 0;
  mean = 0;
  private m2 = 0;
  min = Infinity;
  max = -Infinity;

  constructor(
    mapping: BinMapping,
    private readonly sketch = new Sketch(mapping),
  ) {}

  static from(stored: StoredSummary, mapping: BinMapping): Summary {
    const summary = new Summary(mapping, Sketch.decode(stored.bins, mapping));
    const { count, sum, mean, m2, min, max } = stored;
    return Object.assign(summary, { count, sum, mean, m2, min, max });
  }

  /** How far a quantile may be off, as a part of it. */
  get relativeError(): number {
    return this.sketch.mapping.relativeAccuracy;
  }

  /** Of the whole population, not the estimate from a sample. */
  get standardDeviation(): number {
    return Math.sqrt(this.m2 / this.count);
  }

  add(value: number): void {
    this.count++;
    this.sum += value;
    const off = value - this.mean;
    this.mean += off / this.count;
    this.m2 += off * (value - this.mean);
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
    this.sketch.add(value);
  }

  merge(other: Summary): void {
    if (other.count === 0) return;
    const count = this.count + other.count;
    const off = other.mean - this.mean;
    this.m2 += other.m2 + off * off * this.count * (other.count / count);
    this.mean += off * (other.count / count);
    this.count = count;
    this.sum += other.sum;
    this.min = Math.min(this.min, other.min);
    this.max = Math.max(this.max, other.max);
    this.sketch.merge(other.sketch);
  }

  /** The value that floor(share × (count - 1)) values stand before, within the relative error; NaN without values. */
  quantile(share: number): number {
    const value = this.sketch.valueAt(Math.floor(share * (this.count - 1)));
    return Math.min(this.max, Math.max(this.min, value));
  }

  /**
   * How many values lie from each power of ten to the next, ascending; those up to zero are left out. A value less than
   * twice the relative error below a power of ten may count above it. Beyond 24 decades the lower ones are one.
   */
  histogram(): Decade[] {
    const counts = new Map<number, number>();
    for (const [middle, count] of this.sketch.bins()) {
      if (middle <= 0) continue;
      // by the upper end of the bin: round sizes such as 0.1 and 1 count where they begin
      const end = (middle / (1 - this.relativeError)) * (1 + 1e-9);
      const decade = Math.floor(Math.log10(end));
      counts.set(decade, (counts.get(decade) ?? 0) + count);
    }
    const last = Math.max(...counts.keys());
    const first = Math.max(Math.min(...counts.keys()), last - MOST_DECADES + 1);
    const decades: Decade[] = [];
    for (let decade = first; decade <= last; decade++)
      decades.push({ from: 10 ** decade, to: 10 ** (decade + 1), count: counts.get(decade) ?? 0 });
    const below = [...counts].reduce((sum, [decade, count]) => (decade < first ? sum + count : sum), 0);
    return below === 0 ? decades : [{ ...decades[0]!, from: 0, count: decades[0]!.count + below }, ...decades.slice(1)];
  }

  stored(): StoredSummary {
    const { count, sum, mean, m2, min, max } = this;
    return { count, sum, mean, m2, min, max, bins: this.sketch.encode() };
  }
}
