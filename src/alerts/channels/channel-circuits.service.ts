import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Database } from '../../platform/database/index.js';
import { type CircuitReport, Circuits } from '../../platform/outbound/index.js';
import { ChannelStore } from './channel.store.js';

const LOOK_EVERY_MS = 5000;

/**
 * Shows which channels rest among the circuits. Their breaker is the channel's own row: every process keeps to it, it
 * outlives a restart, and `Retry-After` counts.
 */
@Injectable()
export class ChannelCircuits implements OnApplicationBootstrap, OnModuleDestroy {
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  private failing: readonly CircuitReport[] = [];

  constructor(
    private readonly database: Database,
    private readonly channels: ChannelStore,
    circuits: Circuits,
  ) {
    circuits.watch(() => this.failing);
  }

  onApplicationBootstrap(): void {
    void this.database.whenReady().then(() => {
      if (!this.stopped) this.timer = setInterval(() => void this.look(), LOOK_EVERY_MS).unref();
    });
  }

  onModuleDestroy(): void {
    this.stopped = true;
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    try {
      this.failing = (await this.channels.failing()).map(({ name, failures, pausedMs }) => ({
        target: `channel ${name}`,
        state: pausedMs > 0 ? 'open' : 'half-open',
        failures,
        openForMs: pausedMs,
      }));
    } catch {
      // the database is away, which its own part says
    }
  }
}
