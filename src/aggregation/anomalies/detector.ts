import type { DetectorName, Severity } from '../../contracts/index.js';
import { bandOf, scoreOf } from './band.js';
import { type Moments, SampleWindow } from './sample-window.js';

export type DetectorOptions = Readonly<{
  detector: DetectorName;
  /** In the detector's own measure: standard deviations, or interquartile ranges. */
  threshold: number;
  /** Samples that make up what is normal, and how many it takes before any is scored. */
  window: number;
  warmUp: number;
  /** Samples for which an alarm is not told again. */
  refractory: number;
  /** A smaller move is none, however quiet it was; in the unit of the signal. */
  minMove: number;
  /** Which way out is an anomaly. */
  direction: 'both' | 'up';
}>;

/** An alarm is over when, after the refractory time, so many samples in a row were below this part of the threshold. */
const CALM_SAMPLES = 30;
const CALM_BELOW = 0.6;
/** Within an alarm only what is this many times as far off as what was told is told too. */
const ESCALATION = 2;
const SEVERITIES: readonly (readonly [ratio: number, severity: Severity])[] = [
  [3, 'critical'],
  [2, 'high'],
  [1.5, 'medium'],
];

export type VerdictState = 'warming-up' | 'normal' | 'alarming' | 'insufficient-variance';

/** What a detector made of one sample. */
export type Verdict = Readonly<{
  state: VerdictState;
  /** Numbers are null where nothing was scored. */
  score: number | null;
  threshold: number | null;
  expected: number | null;
  lower: number | null;
  upper: number | null;
  /** Samples it was compared with. */
  n: number;
  reason: string | null;
}>;

/** A verdict that is to be told. */
export type Finding = Readonly<{
  direction: 'up' | 'down';
  severity: Severity;
  score: number;
  threshold: number;
  value: number;
  expected: number;
  lower: number;
  upper: number;
}>;

/** An alarm from when it was told until it is calm again. */
type Episode = Readonly<{
  samples: number;
  calm: number;
  toldScore: number;
  /** Samples out of the band: kept apart from what is normal, unless there come enough of them to be it. */
  held: readonly number[];
}>;

/** All of a detector but its window's samples. */
export type DetectorState = Readonly<{ window: Moments; episode: Episode | null; last: Verdict }>;

/**
 * Tells when a signal leaves what its last samples let expect. A sample is scored before it is learnt. What is told once
 * is not told again while it lasts; what is out of the band is not learnt, so that one bad tick does not blind the
 * detector, but when as many such samples came in one alarm as a warm-up takes, they are the new normal.
 */
export class Detector {
  private episode: Episode | null = null;
  private verdict: Verdict;

  private constructor(
    private readonly options: DetectorOptions,
    private readonly window: SampleWindow,
  ) {
    this.verdict = this.unscored('warming-up');
  }

  static fresh(options: DetectorOptions): Detector {
    return new Detector(options, new SampleWindow(options.window));
  }

  /** As it was when `state` and `samples` were taken from it. */
  static restore(options: DetectorOptions, state: DetectorState, samples: Float64Array): Detector {
    const detector = new Detector(options, SampleWindow.restore(options.window, samples, state.window));
    detector.episode = state.episode;
    detector.verdict = state.last;
    return detector;
  }

  get last(): Verdict {
    return this.verdict;
  }

  get state(): DetectorState {
    return { window: this.window.moments, episode: this.episode, last: this.verdict };
  }

  samples(): Float64Array {
    return this.window.samples();
  }

  /** Scores a sample, then learns it. Returns what is to be told of it. */
  add(value: number): Finding | undefined {
    const { warmUp, direction } = this.options;
    const band = this.window.size < warmUp ? undefined : bandOf(this.window, this.options);
    if (!band) {
      this.verdict = this.unscored(this.window.size < warmUp ? 'warming-up' : 'insufficient-variance');
      this.window.add(value);
      return undefined;
    }
    const signed = scoreOf(value, band);
    const score = direction === 'up' ? Math.max(0, signed) : Math.abs(signed);
    const { threshold, expected, scale } = band;
    const bounds = { lower: band.low - threshold * scale, upper: band.high + threshold * scale };
    const n = this.window.size;

    this.age(score, threshold);
    const isOut = score >= threshold;
    const isTold = isOut && (this.episode === null || score >= ESCALATION * this.episode.toldScore);
    if (isTold) this.episode = { samples: 0, calm: 0, held: this.episode?.held ?? [], toldScore: score };
    if (isOut) this.hold(value);
    else this.window.add(value);
    const state = this.episode ? 'alarming' : 'normal';
    this.verdict = { state, score, threshold, expected, ...bounds, n, reason: isOut && !isTold ? 'told before' : null };
    if (!isTold) return undefined;
    const found = { score, threshold, value, expected, ...bounds };
    return { direction: signed > 0 ? 'up' : 'down', severity: severityOf(score / threshold), ...found };
  }

  /** An alarm goes on until it is old enough and calm. */
  private age(score: number, threshold: number): void {
    if (!this.episode) return;
    const samples = this.episode.samples + 1;
    const calm = score < CALM_BELOW * threshold ? this.episode.calm + 1 : 0;
    const isOver = samples >= this.options.refractory && calm >= CALM_SAMPLES;
    this.episode = isOver ? null : { ...this.episode, samples, calm };
  }

  private hold(value: number): void {
    const held = [...this.episode!.held, value];
    const isNewLevel = held.length >= this.options.warmUp;
    if (isNewLevel) this.window.replace(held);
    this.episode = { ...this.episode!, held: isNewLevel ? [] : held };
  }

  private unscored(state: VerdictState): Verdict {
    const n = this.window.size;
    const reason = state === 'warming-up' ? `${n} of ${this.options.warmUp} samples` : 'all samples are alike';
    return { state, score: null, threshold: null, expected: null, lower: null, upper: null, n, reason };
  }
}

export const severityOf = (ratio: number): Severity => SEVERITIES.find(([least]) => ratio >= least)?.[1] ?? 'low';
