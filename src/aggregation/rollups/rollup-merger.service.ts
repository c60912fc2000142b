import { setImmediate as breathe } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter } from 'prom-client';
import type { EntityManager } from 'typeorm';
import {
  CUSTOM_SOURCE,
  CustomPointsRecordedV1,
  type CustomPointsRecordedV1Data,
  TradesRecordedV1,
  type TradesRecordedV1Data,
} from '../../contracts/index.js';
import { ConsumesBatch } from '../../platform/bus/index.js';
import { CustomPointStore } from '../custom/custom-point.store.js';
import { addTrades, MinuteSummaries, type RollupPart } from './rollup.js';
import { RollupStore } from './rollup.store.js';
import { Summaries } from './summaries.service.js';

/**
 * Merges new numbers into the rollups of all intervals, in the transaction that settles their delivery. A second of
 * trades is summed up in memory first: however many, each window of each series is written once.
 */
@Injectable()
export class RollupMerger {
  constructor(
    private readonly store: RollupStore,
    private readonly points: CustomPointStore,
    private readonly summaries: Summaries,
    @InjectMetric('rollups_merged_total') private readonly merged: Counter,
  ) {}

  @ConsumesBatch(TradesRecordedV1, 'aggregation.roll-up-trades', { batch: 64, lingerMs: 1000 })
  async onTradesRecorded(events: readonly TradesRecordedV1Data[], tx: EntityManager): Promise<void> {
    const minutes = new MinuteSummaries(this.summaries.empty);
    for (const { series } of events) {
      for (const one of series) addTrades(minutes, one);
      await breathe(); // a second of trades in one go would hold up the trades that come meanwhile
    }
    await this.merge(tx, minutes.parts());
  }

  @ConsumesBatch(CustomPointsRecordedV1, 'aggregation.roll-up-custom-points', { batch: 64, lingerMs: 100 })
  async onCustomPointsRecorded(events: readonly CustomPointsRecordedV1Data[], tx: EntityManager): Promise<void> {
    const minutes = new MinuteSummaries(this.summaries.empty);
    const sent = events.flatMap(({ points }) => points);
    for (const { name, value, atUs } of await this.points.standing(tx, sent))
      minutes.of(CUSTOM_SOURCE, name, 'value').at(atUs).add(Number(value));
    await this.merge(tx, minutes.parts());
  }

  private async merge(tx: EntityManager, parts: readonly RollupPart[]): Promise<void> {
    await this.store.merge(tx, parts);
    this.merged.inc(parts.length);
  }
}
