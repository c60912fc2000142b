import { type AnomalySignal, CUSTOM_SOURCE, DETECTORS, type DetectorName, isPolled } from '../../contracts/index.js';
import type { AnomalySetting } from '../../platform/config/index.js';
import type { SeriesKey } from '../candles/candle.store.js';
import type { DetectorOptions } from './detector.js';

/** One detector at one signal of a series. */
export type Watched = Readonly<{ signal: AnomalySignal; options: DetectorOptions }>;

/**
 * What is watched unless a setting says otherwise: z-scores only. Window, threshold and refractory time are those that
 * did well on labelled series (bench/nab.ts); the other detectors' thresholds tell about as often.
 */
const DEFAULTS: Readonly<Record<DetectorName, Omit<DetectorOptions, 'detector' | 'minMove' | 'direction'>>> = {
  zscore: { threshold: 5.5, window: 1000, warmUp: 30, refractory: 180 },
  'prediction-interval': { threshold: 5.5, window: 1000, warmUp: 30, refractory: 180 },
  iqr: { threshold: 5, window: 1000, warmUp: 30, refractory: 180 },
};

/** What tells of itself in each signal's own unit, and which way out of the band is an anomaly. */
const SIGNALS: Readonly<Record<AnomalySignal, Pick<DetectorOptions, 'minMove' | 'direction'>>> = {
  /** Log return: half a percent in a minute. */
  price: { minMove: 0.005, direction: 'both' },
  /** Log of volume: twice or half of it. */
  volume: { minMove: Math.LN2, direction: 'both' },
  /** Per square root of a minute: a range of half a percent. */
  volatility: { minMove: 0.003, direction: 'up' },
  /** Log return since the trend's extreme: one percent. */
  trend: { minMove: 0.01, direction: 'both' },
  value: { minMove: 0, direction: 'both' },
};
/** Of a trend's turn the score is that of a walk over hours: what stands out there is less than for one minute. */
const TREND_THRESHOLD = 2;

export function watchedOf(key: SeriesKey, settings: readonly AnomalySetting[]): Watched[] {
  const entries = settings.filter((entry) => isFor(entry, key));
  return signalsOf(key.source).flatMap((signal) =>
    detectorsOf(signal).flatMap((detector) => {
      const own = entries.filter(
        (entry) => entry.detector === detector && (entry.signals === undefined || entry.signals.includes(signal)),
      );
      const isOn = own.at(-1)?.enabled ?? detector === 'zscore';
      return isOn ? [{ signal, options: optionsOf(signal, detector, own) }] : [];
    }),
  );
}

const isFor = ({ symbols, source }: AnomalySetting, key: SeriesKey): boolean =>
  (symbols === '*' || symbols.includes(key.symbol)) && (source === undefined || source === key.source);

/** A polled source has prices but no volume. */
function signalsOf(source: string): AnomalySignal[] {
  if (source === CUSTOM_SOURCE) return ['value'];
  return isPolled(source) ? ['price', 'volatility', 'trend'] : ['price', 'volume', 'volatility', 'trend'];
}

/** A trend's turn is no sample of a distribution: it is scored against a random walk, which is a z-score. */
const detectorsOf = (signal: AnomalySignal): readonly DetectorName[] => (signal === 'trend' ? ['zscore'] : DETECTORS);

/** The defaults of detector and signal, with what the entries say laid over them one after the other. */
export function optionsOf(
  signal: AnomalySignal,
  detector: DetectorName,
  entries: readonly AnomalySetting[] = [],
): DetectorOptions {
  const options = { detector, ...DEFAULTS[detector], ...SIGNALS[signal] };
  if (signal === 'trend') options.threshold = TREND_THRESHOLD;
  for (const { threshold, window, warmUp, refractory, minMove } of entries) {
    options.threshold = threshold ?? options.threshold;
    options.window = window ?? options.window;
    options.warmUp = warmUp ?? options.warmUp;
    options.refractory = refractory ?? options.refractory;
    options.minMove = minMove ?? options.minMove;
  }
  return { ...options, warmUp: Math.min(options.warmUp, options.window) };
}
