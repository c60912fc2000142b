/**
 * The scoring of the Numenta Anomaly Benchmark (https://github.com/numenta/NAB, commit ea702d7): an early detection
 * within a labelled window is worth up to 1, a missed window costs, a detection outside costs, the less the closer it
 * comes after a window. Rows of the probation at the start do not count.
 */
export type Labelled = Readonly<{
  name: string;
  values: readonly number[];
  /** First and last row of each window, in order. */
  windows: readonly (readonly [first: number, last: number])[];
}>;

/** What a false positive and a missed window cost; a window found at its start is worth 1. */
export const PROFILES = {
  standard: { falsePositive: 0.11, falseNegative: 1 },
  'low FP': { falsePositive: 0.22, falseNegative: 1 },
  'low FN': { falsePositive: 0.11, falseNegative: 2 },
} as const;
export type Profile = keyof typeof PROFILES;

export const probationOf = (rows: number): number => Math.min(Math.floor(0.15 * rows), 750);

/** The detections of each series as one number: 0 for none at all, 100 for every window at its first row and no other. */
export function nabScore(
  series: readonly Labelled[],
  detections: readonly (readonly number[])[],
  profile: Profile,
): number {
  const { falseNegative } = PROFILES[profile];
  const windows = series.reduce((sum, { windows: own }) => sum + own.length, 0);
  const raw = series.reduce((sum, one, at) => sum + rawScore(one, detections[at]!, profile), 0);
  return (100 * (raw + falseNegative * windows)) / (windows * (1 + falseNegative));
}

/** Windows in which something was detected, and detections outside of any, after the probation. */
export function counts(
  { values, windows }: Labelled,
  rows: readonly number[],
): { found: number; falsePositives: number } {
  const counted = rows.filter((row) => row >= probationOf(values.length));
  const isIn = (row: number, [first, last]: readonly [number, number]): boolean => row >= first && row <= last;
  return {
    found: windows.filter((window) => counted.some((row) => isIn(row, window))).length,
    falsePositives: counted.filter((row) => !windows.some((window) => isIn(row, window))).length,
  };
}

function rawScore({ values, windows }: Labelled, rows: readonly number[], profile: Profile): number {
  const { falsePositive, falseNegative } = PROFILES[profile];
  const best = windows.map(() => -falseNegative);
  let outside = 0;
  for (const row of rows) {
    if (row < probationOf(values.length)) continue;
    const at = windows.findIndex(([first, last]) => row >= first && row <= last);
    if (at >= 0) {
      const [first, last] = windows[at]!;
      best[at] = Math.max(best[at]!, sigmoid(-(last - row + 1) / (last - first + 1)) / sigmoid(-1));
    } else {
      const before = windows.findLast(([, last]) => last < row);
      outside += falsePositive * (before ? sigmoid((row - before[1]) / (before[1] - before[0])) : -1);
    }
  }
  return outside + best.reduce((sum, one) => sum + one, 0);
}

const sigmoid = (place: number): number => (place > 3 ? -1 : 2 / (1 + Math.exp(5 * place)) - 1);
