import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { counts, type Labelled, nabScore, probationOf, type Profile, PROFILES } from '../bench/nab-score.js';
import { readNab } from '../bench/nab-series.js';
import { Detector } from '../src/aggregation/anomalies/detector.js';
import { optionsOf } from '../src/aggregation/anomalies/watched.js';

const FOLDER = join(import.meta.dirname, '../../shared/data/nab');
const series = readNab(FOLDER);
if (!series) process.stderr.write('skipped: ../shared/data/nab is not there, so no labelled series are scored\n');

const profiles = Object.keys(PROFILES) as Profile[];
const one: Labelled = { name: 'one', values: Array<number>(1000).fill(0), windows: [[400, 499]] };
const scoreOf = (...rows: number[]): number => nabScore([one], [rows], 'standard');

describe('the score of the benchmark', () => {
  it.each(profiles)('is 0 for silence and 100 for every window at its first row: %s', (profile) => {
    const labelled = [one, { ...one, windows: [[200, 220] as const, [600, 700] as const] }];
    const none: number[][] = [[], []];
    const first = labelled.map(({ windows }) => windows.map(([row]) => row));
    expect(nabScore(labelled, none, profile)).toBe(0);
    expect(nabScore(labelled, first, profile)).toBeCloseTo(100, 10);
  });

  it('counts the earliest detection of a window, and less the later it is', () => {
    expect(scoreOf(400, 410, 450)).toBeCloseTo(100, 10);
    expect(scoreOf(499)).toBeGreaterThan(50); // found at all is half of the way from missed to perfect
    expect(scoreOf(450)).toBeGreaterThan(scoreOf(490));
  });

  it('takes off for detections outside: all of it before any window, little just behind one', () => {
    expect(scoreOf(400) - scoreOf(300, 400)).toBeCloseTo(5.5, 6);
    expect(scoreOf(400) - scoreOf(400, 502)).toBeLessThan(1);
    expect(scoreOf(400) - scoreOf(400, 990)).toBeCloseTo(5.5, 1);
    expect(nabScore([one], [[300, 400]], 'low FP')).toBeLessThan(scoreOf(300, 400));
  });

  it('does not count the probation', () => {
    expect(probationOf(1000)).toBe(150);
    expect(probationOf(20_000)).toBe(750);
    expect(scoreOf(149)).toBe(0);
    expect(counts(one, [149, 150, 400, 401])).toEqual({ found: 1, falsePositives: 1 });
  });
});

describe.skipIf(!series)('the labelled series', () => {
  it('are read with their windows', () => {
    expect(series!.length).toBe(8);
    expect(series!.flatMap(({ windows }) => windows).length).toBe(15);
    for (const { values, windows } of series!) {
      expect(values.every(Number.isFinite)).toBe(true);
      for (const [first, last] of windows) expect(last - first).toBeGreaterThan(100);
    }
  });

  it('are scored with 45 at least by the detector as it is shipped', () => {
    const rows = series!.map(({ values }) => {
      const detector = Detector.fresh(optionsOf('value', 'zscore'));
      return values.flatMap((value, row) => (detector.add(value) ? [row] : []));
    });
    expect(nabScore(series!, rows, 'standard')).toBeGreaterThan(45);
  });
});
