import { Injectable } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter } from 'prom-client';
import type { EntityManager } from 'typeorm';
import {
  AnomalyDetectedV1,
  type AnomalyDetectedV1Data,
  type CandleData,
  CandlesClosedV1,
  CUSTOM_SOURCE,
  CustomPointsRecordedV1,
  type CustomPointsRecordedV1Data,
} from '../../contracts/index.js';
import { Bus, ConsumesBatch, Hears } from '../../platform/bus/index.js';
import { Settings } from '../../platform/config/index.js';
import { MINUTE_US } from '../candles/candle.js';
import { CandleStore, type SeriesKey } from '../candles/candle.store.js';
import { CustomPointStore } from '../custom/custom-point.store.js';
import { AnomalyStore, type NewAnomaly } from './anomaly.store.js';
import { DetectorStateStore } from './detector-state.store.js';
import { type Outcome, SeriesWatch, type StoredWatch } from './series-watch.js';
import { type Watched, watchedOf } from './watched.js';

/**
 * Scores every closed minute and every custom point. What a series knows, what was found in it and the telling of that
 * are one transaction: a retry begins where the last commit was, and two processes take turns at the row of a series.
 */
@Injectable()
export class AnomalyFinder {
  constructor(
    private readonly bus: Bus,
    private readonly candles: CandleStore,
    private readonly points: CustomPointStore,
    private readonly anomalies: AnomalyStore,
    private readonly states: DetectorStateStore,
    private readonly settings: Settings,
    @InjectMetric('anomalies_total') private readonly found: Counter<'kind' | 'severity'>,
    @InjectMetric('anomaly_samples_total') private readonly samples: Counter<'result'>,
  ) {}

  @ConsumesBatch(CandlesClosedV1, 'aggregation.detect-anomalies', { batch: 16 })
  async onCandlesClosed(events: readonly CandlesClosed[], tx: EntityManager): Promise<void> {
    const minutes = events.flatMap(({ candles }) => candles.filter(({ interval }) => interval === '1m'));
    const bySeries = Map.groupBy(minutes, ({ source, symbol }) => `${source} ${symbol}`);
    const series = [...bySeries.values()].map((entries) => ({ key: keyOf(entries[0]!), entries }));
    await this.advance(tx, series, {
      atUs: (candle) => candle.openTimeUs,
      add: (watch, candle) => watch.addCandle(candle),
      stored: async (key, page) => {
        const candles = await this.candles.range(key, '1m', { ...page, direction: 'backward' });
        return candles.filter(({ closed }) => closed);
      },
    });
  }

  @ConsumesBatch(CustomPointsRecordedV1, 'aggregation.detect-custom-anomalies', { batch: 16 })
  async onPointsRecorded(events: readonly CustomPointsRecordedV1Data[], tx: EntityManager): Promise<void> {
    const sent = events.flatMap(({ points }) => points);
    const byName = Map.groupBy(await this.points.standing(tx, sent), ({ name }) => name);
    const series = [...byName].map(([symbol, entries]) => ({ key: { source: CUSTOM_SOURCE, symbol }, entries }));
    await this.advance(tx, series, {
      atUs: (point) => point.atUs,
      add: (watch, point) => watch.addPoint(point),
      stored: ({ symbol }, page) => this.points.range(symbol, { ...page, direction: 'backward', position: undefined }),
    });
  }

  @Hears(AnomalyDetectedV1, 'aggregation.count-anomalies')
  onAnomalyDetected({ kind, severity }: AnomalyDetectedV1Data): void {
    this.found.inc({ kind, severity });
  }

  private async advance<Entry>(
    tx: EntityManager,
    all: readonly SeriesEntries<Entry>[],
    kind: EntryKind<Entry>,
  ): Promise<void> {
    const series = all
      .map((one) => ({ ...one, watched: watchedOf(one.key, this.settings.ANOMALIES) }))
      .filter(({ watched }) => watched.length > 0);
    if (series.length === 0) return;
    const stored = await this.states.lock(
      tx,
      series.map(({ key }) => key),
    );
    const saved: { key: SeriesKey; stored: StoredWatch }[] = [];
    const found: NewAnomaly[] = [];
    for (const [index, { key, watched, entries }] of series.entries()) {
      const inOrder = entries.toSorted(byTime(kind));
      const watch =
        SeriesWatch.restore(watched, stored[index]) ??
        (await warmedUp(key, watched, kind, Math.max(kind.atUs(inOrder[0]!), lastUs(stored[index]) + 1)));
      for (const entry of [...(await overtaken(key, watch, kind, inOrder)), ...inOrder].toSorted(byTime(kind))) {
        const { told, results } = kind.add(watch, entry);
        found.push(...told.map((finding) => anomalyOf(key, finding)));
        // counted before the commit: what one that fails had counted, which is rare, counts twice
        for (const result of results) this.samples.inc({ result });
      }
      saved.push({ key, stored: watch.stored() });
    }
    await this.states.save(tx, saved);
    if (found.length === 0) return;
    for (const anomaly of await this.anomalies.record(tx, found)) await this.bus.append(tx, AnomalyDetectedV1, anomaly);
  }
}

type CandlesClosed = Readonly<{ candles: readonly CandleData[] }>;
type SeriesEntries<Entry> = Readonly<{ key: SeriesKey; entries: readonly Entry[] }>;

/** What candles and points differ in. */
type EntryKind<Entry> = Readonly<{
  atUs(entry: Entry): number;
  add(watch: SeriesWatch, entry: Entry): Outcome;
  /** The last `limit` that were recorded in [fromUs, toUs), oldest first. */
  stored(key: SeriesKey, page: Readonly<{ fromUs: number; toUs: number; limit: number }>): Promise<readonly Entry[]>;
}>;

/** How far an event may run ahead of those before it: two claims of another process, at an event a minute. */
const MOST_OVERTAKEN_US = 128 * MINUTE_US;
const MOST_OVERTAKEN = 10_000;

const byTime =
  <Entry>({ atUs }: EntryKind<Entry>) =>
  (a: Entry, b: Entry): number =>
    atUs(a) - atUs(b);

/**
 * What was recorded between the last that was scored and the last of these, whose own event is still to come: events
 * come in any order, and taken for quiet minutes they would be lost, and be drops of the volume.
 */
async function overtaken<Entry>(
  key: SeriesKey,
  watch: SeriesWatch,
  { atUs, stored }: EntryKind<Entry>,
  entries: readonly Entry[],
): Promise<Entry[]> {
  if (watch.lastUs === undefined) return [];
  const known = new Set(entries.map(atUs));
  const fromUs = Math.max(watch.lastUs + 1, atUs(entries[0]!) - MOST_OVERTAKEN_US);
  const toUs = atUs(entries.at(-1)!);
  if (fromUs >= toUs) return [];
  return (await stored(key, { fromUs, toUs, limit: MOST_OVERTAKEN })).filter((entry) => !known.has(atUs(entry)));
}

/** A series without a state, or with one that does not fit, knows what its last entries say, and tells nothing of them. */
async function warmedUp<Entry>(
  key: SeriesKey,
  watched: readonly Watched[],
  { add, stored }: EntryKind<Entry>,
  toUs: number,
): Promise<SeriesWatch> {
  const watch = SeriesWatch.fresh(watched);
  const limit = Math.max(...watched.map(({ options }) => options.window)) + 1;
  for (const entry of await stored(key, { fromUs: 0, toUs, limit })) add(watch, entry);
  return watch;
}

/** What was scored once is not scored again, also when an older entry is the first to come. */
const lastUs = (stored: StoredWatch | undefined): number => stored?.state.before?.atUs ?? -1;

const keyOf = ({ source, symbol }: SeriesKey): SeriesKey => ({ source, symbol });

const anomalyOf = (key: SeriesKey, { direction: _direction, ...finding }: Outcome['told'][number]): NewAnomaly => ({
  ...key,
  ...finding,
});
