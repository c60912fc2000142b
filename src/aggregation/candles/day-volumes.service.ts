import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Gauge } from 'prom-client';
import { Bus } from '../../platform/bus/index.js';
import { CandleStore } from './candle.store.js';

const MEASURE_EVERY_MS = 30_000;

/** Keeps the 24 h volumes that Prometheus reads. */
@Injectable()
export class DayVolumes implements OnApplicationBootstrap, OnModuleDestroy {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly bus: Bus,
    private readonly candles: CandleStore,
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
      for (const { source, symbol, volume } of await this.candles.dayVolumes())
        this.gauge.set({ source, symbol }, Number(volume));
    } catch {
      // the database is away, which the health check says
    }
  }
}
