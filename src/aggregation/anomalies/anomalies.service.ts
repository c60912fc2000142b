import { Injectable } from '@nestjs/common';
import { anomalyBody } from '../../contracts/index.js';
import { Settings } from '../../platform/config/index.js';
import type { SeriesKey } from '../candles/candle.store.js';
import type { AnomalyState, SeriesAnomaliesBody, SignalStateBody } from './anomalies.dto.js';
import { AnomalyStore } from './anomaly.store.js';
import { DetectorStateStore } from './detector-state.store.js';
import { type Watched, watchedOf } from './watched.js';

/** A series is in the first of these that one of its signals is in. */
const FIRST_COMES: readonly AnomalyState[] = ['alarming', 'normal', 'warming-up', 'insufficient-variance'];

/** What stands about the anomalies of a series. */
@Injectable()
export class Anomalies {
  constructor(
    private readonly anomalies: AnomalyStore,
    private readonly states: DetectorStateStore,
    private readonly settings: Settings,
  ) {}

  /** The state of the detectors of a series, and its latest anomaly. A series nobody recorded is one that warms up. */
  async stateOf(key: SeriesKey): Promise<SeriesAnomaliesBody> {
    const watched = watchedOf(key, this.settings.ANOMALIES);
    const [stored, last] = await Promise.all([this.states.stateOf(key), this.anomalies.latest(key)]);
    const signals: Record<string, SignalStateBody> = {};
    for (const { signal, options } of watched) {
      const own = stored?.detectors.find((one) => one.signal === signal && one.detector === options.detector);
      const body = { detector: options.detector, ...(own?.last ?? unknown(options)) };
      const known = signals[signal];
      if (!known || shareOf(body) > shareOf(known)) signals[signal] = body;
    }
    const states = new Set(Object.values(signals).map(({ state }) => state));
    const [first] = watched;
    return {
      state: FIRST_COMES.find((state) => states.has(state)) ?? 'off',
      samples: first ? signals[first.signal]!.n : 0,
      needed: first?.options.warmUp ?? 0,
      signals,
      last: last ? anomalyBody(last) : null,
    };
  }
}

const shareOf = ({ score, threshold }: SignalStateBody): number => (score ?? 0) / (threshold ?? 1);

/** Nothing of it was seen yet. */
const unknown = ({ warmUp }: Watched['options']): Omit<SignalStateBody, 'detector'> => ({
  state: 'warming-up',
  score: null,
  threshold: null,
  expected: null,
  lower: null,
  upper: null,
  n: 0,
  reason: `0 of ${warmUp} samples`,
});
