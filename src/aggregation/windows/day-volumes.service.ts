import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Gauge } from 'prom-client';
import { Bus } from '../../platform/bus/index.js';
import { endOfMinute } from '../cover.js';
import { DAY_US } from './day-change.js';
import { WindowStore } from './window.store.js';

const MEASURE_EVERY_MS = 30_000;

/** Keeps the 24 h volumes that Prometheus reads. */
@Injectable()
export class DayVolumes implements OnApplicationBootstrap, OnModuleDestroy {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly bus: Bus,
    private readonly store: WindowStore,
    @InjectMetric('crypto_volume_24h') private readonly gauge: Gauge<'source' | 'symbol'>,
  ) {}

  onApplicationBootstrap(): void {
    void this.bus.whenReady().then(() => {
      this.timer = setInterval(() => void this.measure(), MEASURE_EVERY_MS).unref();
      void this.measure();
    });
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  private async measure(): Promise<void> {
    try {
      const toUs = endOfMinute(Date.now() * 1000);
      const days = (await this.store.openSeries()).map((key) => ({ ...key, fromUs: toUs - DAY_US, toUs }));
      const totals = await this.store.totals(days);
      this.gauge.reset(); // a series that is not recorded any more has no volume of today
      for (const [i, { source, symbol }] of days.entries())
        this.gauge.set({ source, symbol }, Number(totals[i]?.volume ?? 0));
    } catch {
      // the database is away, which the health check says
    }
  }
}
