/** Fewer common samples than this say nothing: two always lie on a line. */
const LEAST_SAMPLES = 3;

/** What the logarithm of a quotient of two doubles is sure of; a series that varies less does not vary. */
const NOISE = 4 * Number.EPSILON;

export type NoCorrelation = 'too-few-samples' | 'no-variance';

/** Pearson's correlation, in [-1, 1]; where there is none, null and why. */
export type Correlation = Readonly<
  { correlation: number; samples: number } | { correlation: null; samples: number; reason: NoCorrelation }
>;

/** The return of each window over the one before, of the closes of consecutive windows: one fewer. NaN is not known. */
export function logReturns(closes: Float64Array): Float64Array {
  const returns = new Float64Array(Math.max(0, closes.length - 1));
  for (let i = 0; i < returns.length; i++) returns[i] = Math.log(closes[i + 1]! / closes[i]!);
  return returns;
}

/** Correlation of two series of one length; a place where one of the two is NaN is left out. */
export function correlate(a: Float64Array, b: Float64Array): Correlation {
  const moments = new CoMoments();
  for (let i = 0; i < a.length; i++) moments.add(a[i]!, b[i]!);
  return moments.correlation();
}

/**
 * The correlation of every `length` consecutive places of two series: the first ends at place `length - 1`. No sample is
 * ever taken back out of a sum, so an absurd one leaves no trace behind: the series are cut into blocks of `length`, and
 * a window is the end of one block merged with the start of the next. Three steps a place, whatever the length.
 */
export function rollingCorrelations(a: Float64Array, b: Float64Array, length: number): Correlation[] {
  const rolling: Correlation[] = [];
  for (let block = 0; block + length <= a.length; block += length) {
    const ends = endsOfBlock(a, b, block, length);
    const start = new CoMoments();
    for (let i = 0; i < length && block + length + i <= a.length; i++) {
      rolling.push(ends[i]!.merged(start).correlation());
      start.add(a[block + length + i] ?? NaN, b[block + length + i] ?? NaN);
    }
  }
  return rolling;
}

/** What stands from each place of a block to its end. */
function endsOfBlock(a: Float64Array, b: Float64Array, block: number, length: number): CoMoments[] {
  const ends = Array.from<CoMoments>({ length });
  let end = new CoMoments();
  for (let i = length - 1; i >= 0; i--) {
    end = end.merged(new CoMoments());
    end.add(a[block + i]!, b[block + i]!);
    ends[i] = end;
  }
  return ends;
}

/** Means, sums of squared deviations and of their products, by Welford and Chan: centred, so nothing large cancels. */
class CoMoments {
  private n = 0;
  private meanA = 0;
  private meanB = 0;
  private squaresA = 0;
  private squaresB = 0;
  private products = 0;

  add(a: number, b: number): void {
    if (Number.isNaN(a) || Number.isNaN(b)) return;
    const [fromA, fromB] = [a - this.meanA, b - this.meanB];
    const share = this.n / ++this.n;
    this.meanA += fromA / this.n;
    this.meanB += fromB / this.n;
    // the same form for all three, so that a series is exactly 1 with itself and a pair the same both ways
    this.squaresA += fromA * fromA * share;
    this.squaresB += fromB * fromB * share;
    this.products += fromA * fromB * share;
  }

  /** Of the samples of both; neither changes. */
  merged(other: CoMoments): CoMoments {
    const both = new CoMoments();
    both.n = this.n + other.n;
    if (both.n === 0) return both;
    const [apartA, apartB] = [other.meanA - this.meanA, other.meanB - this.meanB];
    const share = other.n / both.n;
    both.meanA = this.meanA + apartA * share;
    both.meanB = this.meanB + apartB * share;
    both.squaresA = this.squaresA + other.squaresA + apartA * apartA * this.n * share;
    both.squaresB = this.squaresB + other.squaresB + apartB * apartB * this.n * share;
    both.products = this.products + other.products + apartA * apartB * this.n * share;
    return both;
  }

  correlation(): Correlation {
    const samples = this.n;
    if (samples < LEAST_SAMPLES) return { correlation: null, samples, reason: 'too-few-samples' };
    if (!this.varies(this.squaresA, this.meanA) || !this.varies(this.squaresB, this.meanB))
      return { correlation: null, samples, reason: 'no-variance' };
    // not the quotient by two roots: the root of a square is exact
    const correlation = this.products / Math.sqrt(this.squaresA * this.squaresB);
    return { correlation: Math.min(1, Math.max(-1, correlation)), samples };
  }

  private varies(squares: number, mean: number): boolean {
    return Math.sqrt(squares / this.n) > NOISE * Math.max(1, Math.abs(mean));
  }
}
