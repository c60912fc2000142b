import type { AnomalyKind, AnomalySignal, CandleData, DetectorName } from '../../contracts/index.js';
import { Detector, type DetectorState, type Finding, type Verdict } from './detector.js';
import {
  type MarketState,
  marketSamples,
  pointSamples,
  type PointState,
  type SkipReason,
  type Taken,
} from './market-signals.js';
import { TrendTurn, type TrendState } from './trend-turn.js';
import type { Watched } from './watched.js';

/** Change it when a state that was stored means something else to the code: every series is then warmed up anew. */
const VERSION = 1;

export type Told = Finding & Readonly<{ kind: AnomalyKind; detector: DetectorName; atUs: number }>;

/** What became of one sample: scored, or why not. */
export type SampleResult = SkipReason | 'scored' | 'warming-up' | 'insufficient-variance';

export type Outcome = Readonly<{ told: readonly Told[]; results: readonly SampleResult[] }>;

/** All that a series knows, to be stored: as JSON, and the samples of all its windows one after the other. */
export type WatchState = Readonly<{
  version: number;
  /** The last candle, or the last point. */
  before: MarketState | PointState | null;
  detectors: readonly Readonly<{
    signal: AnomalySignal;
    detector: DetectorName;
    window: number;
    /** How many samples of the window are stored. */
    samples: number;
    state: DetectorState | TrendState | null;
    last: Verdict;
  }>[];
}>;
export type StoredWatch = Readonly<{ state: WatchState; samples: Float64Array }>;

type Running = Watched & Readonly<{ by: Detector | TrendTurn }>;

/** Every detector of one series, fed alike whether live, restored in between, or warmed up. */
export class SeriesWatch {
  private before: MarketState | PointState | null = null;

  private constructor(private readonly running: readonly Running[]) {}

  static fresh(watched: readonly Watched[]): SeriesWatch {
    return new SeriesWatch(watched.map(begun));
  }

  /** Goes on from what was stored; undefined where that does not hold the windows that are watched now. */
  static restore(watched: readonly Watched[], stored: StoredWatch | undefined): SeriesWatch | undefined {
    if (stored?.state.version !== VERSION) return undefined;
    let at = 0;
    const places = stored.state.detectors.map((one) => ({ ...one, from: at, to: (at += one.samples) }));
    const running: Running[] = [];
    for (const one of watched) {
      const found = places.find(
        ({ signal, detector, window }) =>
          signal === one.signal && detector === one.options.detector && window === one.options.window,
      );
      if (!found) return undefined;
      running.push(resumed(one, found.state, stored.samples.subarray(found.from, found.to)));
    }
    const watch = new SeriesWatch(running);
    watch.before = stored.state.before;
    return watch;
  }

  /** Of the last entry that was taken; undefined before the first. */
  get lastUs(): number | undefined {
    return this.before?.atUs;
  }

  addCandle(candle: CandleData): Outcome {
    return this.take(marketSamples(candle, this.before as MarketState | null));
  }

  addPoint(point: Readonly<{ value: string; atUs: number }>): Outcome {
    return this.take(pointSamples(point, this.before as PointState | null));
  }

  stored(): StoredWatch {
    const windows = this.running.map(({ by }) => by.samples());
    const detectors = this.running.map(({ signal, options: { detector, window }, by }, index) => {
      return { signal, detector, window, samples: windows[index]!.length, state: by.state, last: by.last };
    });
    const samples = new Float64Array(windows.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const window of windows) {
      samples.set(window, at);
      at += window.length;
    }
    return { state: { version: VERSION, before: this.before, detectors }, samples };
  }

  private take({ samples, skipped, after }: Taken<MarketState | PointState>): Outcome {
    this.before = after;
    const told: Told[] = [];
    const results: SampleResult[] = [...skipped];
    for (const { signal, value, atUs } of samples) {
      for (const { options, by } of this.running.filter((one) => one.signal === signal)) {
        const finding = by.add(value);
        const { state } = by.last;
        results.push(state === 'normal' || state === 'alarming' ? 'scored' : state);
        if (finding) told.push({ ...finding, kind: kindOf(signal, finding), detector: options.detector, atUs });
      }
    }
    return { told, results };
  }
}

const begun = (one: Watched): Running => ({
  ...one,
  by: one.signal === 'trend' ? TrendTurn.fresh(one.options) : Detector.fresh(one.options),
});

const resumed = (one: Watched, state: DetectorState | TrendState | null, samples: Float64Array): Running => ({
  ...one,
  by:
    one.signal === 'trend'
      ? TrendTurn.restore(one.options, state as TrendState | null)
      : Detector.restore(one.options, state as DetectorState, samples),
});

function kindOf(signal: AnomalySignal, { direction }: Finding): AnomalyKind {
  if (signal === 'volatility') return 'volatility';
  if (signal === 'trend') return 'trend-reversal';
  return `${signal}-${direction === 'up' ? 'spike' : 'drop'}`;
}
