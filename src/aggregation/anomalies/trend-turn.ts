import { type DetectorOptions, type Finding, severityOf, type Verdict } from './detector.js';

/** Minutes over which the two averages look back, and for which a trend must have held to be one. */
const FAST = 30;
const SLOW = 120;
const HELD = 120;
/** The price is followed by at most so many usual returns a minute: a bad tick is hardly seen, a jump within minutes. */
const MOST_STEP = 5;

/** Everything of it: an average each, and the trend that holds. */
export type TrendState = Readonly<{
  samples: number;
  /** The log price, as the sum of the returns. */
  sum: number;
  /** The same as it is followed. */
  price: number;
  fast: number;
  slow: number;
  /** Mean square of the log returns. */
  square: number;
  /** 1 up, -1 down, 0 none yet, and for how many samples. */
  direction: number;
  held: number;
  /** The highest log price of a rise or the lowest of a fall, and how many samples ago. */
  extreme: number;
  sinceExtreme: number;
  last: Verdict;
}>;

/**
 * Tells when a trend that held for two hours turns: when the fast average of the log price crosses the slow one. The
 * score is the way from the trend's extreme to here over what a random walk goes in as many minutes, so that a market
 * that wanders is not told of; the least move keeps a quiet one silent.
 */
export class TrendTurn {
  private constructor(
    private readonly options: DetectorOptions,
    private now: TrendState | null,
  ) {}

  static fresh(options: DetectorOptions): TrendTurn {
    return new TrendTurn(options, null);
  }

  static restore(options: DetectorOptions, state: TrendState | null): TrendTurn {
    return new TrendTurn(options, state);
  }

  get last(): Verdict {
    return this.now?.last ?? unscored(0);
  }

  get state(): TrendState | null {
    return this.now;
  }

  /** It keeps no samples. */
  samples(): Float64Array {
    return new Float64Array();
  }

  /** Takes the log return of a minute. */
  add(move: number): Finding | undefined {
    const before = this.now ?? START;
    const samples = before.samples + 1;
    const sum = before.sum + move;
    const most = mostStep(before);
    const step = Math.max(-most, Math.min(most, sum - before.price));
    const price = before.price + step;
    const fast = before.fast + (price - before.fast) * weight(FAST, samples);
    const slow = before.slow + (price - before.slow) * weight(SLOW, samples);
    const square = before.square + (step * step - before.square) * weight(SLOW, samples);
    const direction = Math.sign(fast - slow) || before.direction;
    const averages = { samples, sum, price, fast, slow, square };
    if (direction === before.direction) {
      const isFurther = (price - before.extreme) * direction > 0;
      const extreme = isFurther ? price : before.extreme;
      const sinceExtreme = isFurther ? 0 : before.sinceExtreme + 1;
      const last = samples < SLOW ? unscored(samples) : { ...NORMAL, n: samples };
      this.now = { ...averages, direction, held: before.held + 1, extreme, sinceExtreme, last };
      return undefined;
    }
    const finding = samples < SLOW || before.held < HELD ? undefined : this.turn(before, price);
    const last = samples < SLOW ? unscored(samples) : finding ? verdictOf(finding, samples) : { ...NORMAL, n: samples };
    this.now = { ...averages, direction, held: 1, extreme: price, sinceExtreme: 0, last };
    return finding;
  }

  /** Scored with what was known before this sample. */
  private turn({ extreme, sinceExtreme, square }: TrendState, price: number): Finding | undefined {
    const { threshold, minMove } = this.options;
    const scale = Math.max(Math.sqrt(square * (sinceExtreme + 1)), minMove / threshold);
    const value = price - extreme;
    const score = scale > 0 ? Math.abs(value) / scale : 0;
    if (score < threshold) return undefined;
    const bounds = { expected: 0, lower: -threshold * scale, upper: threshold * scale };
    const direction = value > 0 ? 'up' : 'down';
    return { direction, severity: severityOf(score / threshold), score, threshold, value, ...bounds };
  }
}

const mostStep = ({ samples, square }: TrendState): number =>
  samples < FAST || square === 0 ? Infinity : MOST_STEP * Math.sqrt(square);

/** An exponential average that is the plain mean until it has seen enough. */
const weight = (span: number, samples: number): number => Math.max(2 / (span + 1), 1 / samples);

const UNSCORED = { score: null, threshold: null, expected: null, lower: null, upper: null };
const NORMAL: Verdict = { state: 'normal', ...UNSCORED, n: 0, reason: 'no turn' };

const unscored = (n: number): Verdict => ({ state: 'warming-up', ...UNSCORED, n, reason: `${n} of ${SLOW} samples` });

const START: TrendState = {
  samples: 0,
  sum: 0,
  price: 0,
  fast: 0,
  slow: 0,
  square: 0,
  direction: 0,
  held: 0,
  extreme: 0,
  sinceExtreme: 0,
  last: unscored(0),
};

const verdictOf = ({ score, threshold, expected, lower, upper }: Finding, n: number): Verdict => ({
  state: 'alarming',
  score,
  threshold,
  expected,
  lower,
  upper,
  n,
  reason: null,
});
