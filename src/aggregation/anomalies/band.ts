import type { DetectorName } from '../../contracts/index.js';
import type { SampleWindow } from './sample-window.js';

/** A scale is never taken for smaller than this part of the centre: a constant series would make every step infinite. */
const LEAST_RELATIVE_SCALE = 1e-3;
/** The standard deviation of a normal distribution over its mean absolute deviation, √(π/2). */
const NORMAL_OVER_ABSOLUTE = 1.2533;

/** Beyond it nothing is told anyway, and the bounds stay finite. */
const MOST_T = 1e6;

/** Where the next value is expected: beyond [low, high] its distance in units of `scale` is its score. */
export type Band = Readonly<{ expected: number; low: number; high: number; scale: number; threshold: number }>;

type Asked = Readonly<{ detector: DetectorName; threshold: number; minMove: number }>;

/** What the samples so far expect of the next one; undefined when nothing in them, nor a least move, gives a scale. */
export function bandOf(window: SampleWindow, asked: Asked): Band | undefined {
  const band = BANDS[asked.detector](window, asked.threshold);
  // a move that is too small to matter must not reach the threshold: that is a floor of the scale
  const scale = Math.max(band.scale, LEAST_RELATIVE_SCALE * Math.abs(band.expected), asked.minMove / band.threshold);
  return scale > 0 ? { ...band, scale } : undefined;
}

/** Distance beyond the band in units of its scale, signed: 0 within. */
export const scoreOf = (value: number, { low, high, scale }: Band): number =>
  value > high ? (value - high) / scale : value < low ? (value - low) / scale : 0;

const BANDS: Readonly<Record<DetectorName, (window: SampleWindow, threshold: number) => Band>> = {
  // no floor by the mean absolute deviation: it is 0 only where the standard deviation is 0 too
  zscore: (window, threshold) => around(window.mean, window.standardDeviation, threshold),

  /** Distance beyond the quartiles in interquartile ranges, which are 0 as soon as half of the samples are alike. */
  iqr: (window, threshold) => {
    const sorted = window.samples().sort();
    const [low, expected, high] = [quantile(sorted, 0.25), quantile(sorted, 0.5), quantile(sorted, 0.75)];
    const scale = Math.max(high - low, NORMAL_OVER_ABSOLUTE * meanAbsoluteDeviation(sorted, window.mean));
    return { expected, low, high, scale, threshold };
  },

  /** Where one further sample falls: mean ± t·s·√(1 + 1/n). `threshold` is what t tends to with many samples. */
  'prediction-interval': (window, threshold) => {
    const n = window.size;
    return around(window.mean, window.standardDeviation * Math.sqrt(1 + 1 / n), studentT(threshold, n - 1));
  },
};

const around = (mean: number, scale: number, threshold: number): Band => ({
  expected: mean,
  low: mean,
  high: mean,
  scale,
  threshold,
});

/** Between the two nearest samples in proportion, as R and NumPy do by default. */
function quantile(sorted: Float64Array, share: number): number {
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)]!;
  return below + (sorted[Math.ceil(at)]! - below) * (at - Math.floor(at));
}

function meanAbsoluteDeviation(samples: Float64Array, mean: number): number {
  let sum = 0;
  for (const value of samples) sum += Math.abs(value - mean);
  return sum / samples.length;
}

/**
 * The quantile of Student's t that leaves as much beyond it as `z` does of the normal distribution, by Wallace's formula
 * turned round (Ann. Math. Stat. 30, 1959); within 1 % of the tables from 10 degrees of freedom on, far tails included.
 */
export function studentT(z: number, degrees: number): number {
  const corrected = z * ((8 * degrees + 3) / (8 * degrees + 1));
  return Math.min(MOST_T, Math.sqrt(degrees * Math.expm1((corrected * corrected) / degrees)));
}
