/** So much of the squared deviations gone with one sample, what is left of them is mostly rounding. */
const CANCELLED = 1e-6;

/**
 * The last samples of a signal, with their mean and variance kept as they come and go: Welford's way, which keeps its
 * digits where a sum of squares loses them all. What rounding leaves is thrown away by computing both anew from the
 * samples, once a window and whenever a sample leaves that made up nearly all of the variance.
 */
export class SampleWindow {
  private readonly ring: Float64Array;
  private oldest = 0;
  private count = 0;
  private center = 0;
  private squares = 0;
  private sinceRecomputed = 0;

  constructor(readonly capacity: number) {
    this.ring = new Float64Array(capacity);
  }

  static restore(capacity: number, samples: ArrayLike<number>, moments: Moments): SampleWindow {
    const window = new SampleWindow(capacity);
    window.ring.set(samples);
    window.count = samples.length;
    window.center = moments.mean;
    window.squares = moments.squares;
    window.sinceRecomputed = moments.sinceRecomputed;
    return window;
  }

  get size(): number {
    return this.count;
  }

  get mean(): number {
    return this.center;
  }

  /** Of a sample: divided by one less than their number. 0 for fewer than two. */
  get standardDeviation(): number {
    return this.count < 2 ? 0 : Math.sqrt(Math.max(0, this.squares) / (this.count - 1));
  }

  /** What to store beside the samples, so that the restored window goes on to the same bits. */
  get moments(): Moments {
    return { mean: this.center, squares: this.squares, sinceRecomputed: this.sinceRecomputed };
  }

  /** Oldest first. */
  samples(): Float64Array {
    const ordered = new Float64Array(this.count);
    for (let i = 0; i < this.count; i++) ordered[i] = this.ring[(this.oldest + i) % this.capacity]!;
    return ordered;
  }

  add(value: number): void {
    if (this.count < this.capacity) {
      this.ring[(this.oldest + this.count++) % this.capacity] = value;
      const off = value - this.center;
      this.center += off / this.count;
      this.squares += off * (value - this.center);
      return;
    }
    const gone = this.ring[this.oldest]!;
    this.ring[this.oldest] = value;
    this.oldest = (this.oldest + 1) % this.capacity;
    const before = { mean: this.center, squares: this.squares };
    this.center += (value - gone) / this.count;
    this.squares += (value - gone) * (value - this.center + gone - before.mean);
    if (++this.sinceRecomputed >= this.capacity || this.squares < before.squares * CANCELLED) this.recompute();
  }

  /** Forgets everything but these. */
  replace(samples: readonly number[]): void {
    this.oldest = 0;
    this.count = 0;
    this.center = 0;
    this.squares = 0;
    this.sinceRecomputed = 0;
    for (const value of samples.slice(-this.capacity)) this.add(value);
  }

  /** In order of time, so that a restored window, which starts its ring at another place, rounds alike. */
  private recompute(): void {
    this.center = 0;
    this.squares = 0;
    this.sinceRecomputed = 0;
    for (let i = 0; i < this.count; i++) {
      const value = this.ring[(this.oldest + i) % this.capacity]!;
      const off = value - this.center;
      this.center += off / (i + 1);
      this.squares += off * (value - this.center);
    }
  }
}

export type Moments = Readonly<{ mean: number; squares: number; sinceRecomputed: number }>;
