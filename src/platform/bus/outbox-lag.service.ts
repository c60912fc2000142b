import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Gauge } from 'prom-client';
import { Database } from '../database/index.js';
import { type ConsumerLag, EventStore } from './event.store.js';

const MEASURE_EVERY_MS = 5000;

/** Measures how far each consumer is behind, for metrics and health. */
@Injectable()
export class OutboxLag implements OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;
  latest: readonly ConsumerLag[] = [];

  constructor(
    database: Database,
    private readonly store: EventStore,
    @InjectMetric('bus_outbox_waiting') private readonly waiting: Gauge<'consumer'>,
    @InjectMetric('bus_outbox_lag_seconds') private readonly lag: Gauge<'consumer'>,
  ) {
    void database.whenReady().then(() => {
      this.timer = setInterval(() => void this.measure(), MEASURE_EVERY_MS).unref();
    });
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  private async measure(): Promise<void> {
    try {
      this.latest = await this.store.lag();
    } catch {
      return; // the database is away, which the health check says
    }
    for (const one of this.latest) {
      this.waiting.set({ consumer: one.consumer }, one.waiting);
      this.lag.set({ consumer: one.consumer }, one.oldestSeconds);
    }
  }
}
