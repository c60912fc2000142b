import { Injectable } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter } from 'prom-client';
import type { EntityManager } from 'typeorm';
import { CustomPointsRecordedV1, LogMinutesCountedV1, type LogMinutesCountedV1Data } from '../../contracts/index.js';
import { Bus, ConsumesBatch } from '../../platform/bus/index.js';
import { nowUs } from '../../platform/observability/index.js';
import { CustomPointStore } from './custom-point.store.js';
import { logMinutePoints } from './log-minute-points.js';

/** As many points as one request may send at most, so that who hears of them hears no more at once. */
const MOST_POINTS = 1000;

/** Makes of the lines of a minute points of the custom series `logs.trace` to `logs.fatal`, recorded as sent ones are. */
@Injectable()
export class LogLineCounter {
  constructor(
    private readonly bus: Bus,
    private readonly store: CustomPointStore,
    @InjectMetric('custom_points_total') private readonly total: Counter<'result'>,
  ) {}

  @ConsumesBatch(LogMinutesCountedV1, 'aggregation.count-log-lines', { batch: 16 })
  async onMinutesCounted(counted: readonly LogMinutesCountedV1Data[], tx: EntityManager): Promise<void> {
    const { points, leftOut } = logMinutePoints(counted, nowUs());
    let accepted = 0;
    for (let from = 0; from < points.length; from += MOST_POINTS) {
      const fresh = await this.store.record(tx, points.slice(from, from + MOST_POINTS));
      if (fresh.length > 0) await this.bus.append(tx, CustomPointsRecordedV1, { points: fresh });
      accepted += fresh.length;
    }
    this.bus.afterCommit(tx, () => {
      this.total.inc({ result: 'accepted' }, accepted);
      this.total.inc({ result: 'repeated' }, points.length - accepted);
      this.total.inc({ result: 'refused' }, leftOut);
    });
  }
}
