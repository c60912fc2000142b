import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter } from 'prom-client';
import { CustomPointsRecordedV1 } from '../../contracts/index.js';
import { Bus } from '../../platform/bus/index.js';
import { AppError } from '../../platform/errors/index.js';
import { nowUs } from '../../platform/observability/index.js';
import { type CustomPoint, isSeriesName, readPoints } from './custom-point.js';
import { CustomPointStore, type CustomSeries } from './custom-point.store.js';

/** Records the points of users' own series, each once. */
@Injectable()
export class CustomPoints {
  constructor(
    private readonly bus: Bus,
    private readonly store: CustomPointStore,
    @InjectMetric('custom_points_total') private readonly total: Counter<'result'>,
  ) {}

  /** A series; throws `metrics.unknown-series` when there is none of that name. */
  async find(name: string): Promise<CustomSeries> {
    const series = isSeriesName(name) ? await this.store.find(name) : undefined;
    if (!series)
      throw new AppError(
        'metrics.unknown-series',
        `${name.slice(0, 80)} has no points; GET /api/v1/metrics/custom lists what has`,
      );
    return series;
  }

  /** All of them or, when one is wrong, none. */
  async record(sent: readonly unknown[]): Promise<{ accepted: number; repeated: number }> {
    try {
      const accepted = await this.recordOnce(this.read(sent));
      const repeated = sent.length - accepted;
      this.total.inc({ result: 'accepted' }, accepted);
      this.total.inc({ result: 'repeated' }, repeated);
      return { accepted, repeated };
    } catch (error) {
      if (error instanceof AppError) this.total.inc({ result: 'refused' }, sent.length);
      throw error;
    }
  }

  /** Deletes a series and what was made of it; points that are not summed up yet will not be. */
  remove(name: string): Promise<void> {
    return this.bus.transaction((tx) => this.store.remove(tx, name));
  }

  private recordOnce(points: readonly CustomPoint[]): Promise<number> {
    return this.bus.transaction(async (tx) => {
      const fresh = await this.store.record(tx, points);
      if (fresh.length > 0) await this.bus.append(tx, CustomPointsRecordedV1, { points: fresh });
      return fresh.length;
    });
  }

  /** The points of a request, each key once. */
  private read(sent: readonly unknown[]): CustomPoint[] {
    const { points, faults } = readPoints(sent, nowUs(), randomUUID);
    if (faults.length > 0)
      throw new AppError(
        'request.bad-parameter',
        faults.map(({ field, message }) => `${field} ${message}`).join('; '),
        {
          errors: faults,
        },
      );
    const byKey = new Map<string, CustomPoint>();
    for (const point of points) {
      const known = byKey.get(`${point.name} ${point.key}`);
      if (known && known.value !== point.value)
        throw new AppError('metrics.key-taken', `${point.name} is sent with two values under the key ${point.key}`);
      if (!known) byKey.set(`${point.name} ${point.key}`, point);
    }
    return [...byKey.values()];
  }
}
