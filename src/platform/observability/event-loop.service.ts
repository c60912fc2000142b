import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { HealthReport } from './health.service.js';

const WINDOW_MS = 10_000;
/** A loop that stood still for longer within the last window is not live. */
const STALL_LIMIT_MS = 5000;

/** Measures how late the event loop runs. */
@Injectable()
export class EventLoop implements OnApplicationShutdown {
  private readonly delay = monitorEventLoopDelay({ resolution: 20 });
  private readonly timer: NodeJS.Timeout;
  private last = { p99Ms: 0, maxMs: 0 };

  constructor() {
    this.delay.enable();
    this.timer = setInterval(() => {
      this.last = this.current();
      this.delay.reset();
    }, WINDOW_MS).unref();
  }

  report(): HealthReport {
    const now = this.current();
    const maxMs = Math.max(now.maxMs, this.last.maxMs);
    return { up: maxMs < STALL_LIMIT_MS, details: { p99DelayMs: this.last.p99Ms || now.p99Ms, maxDelayMs: maxMs } };
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
    this.delay.disable();
  }

  private current() {
    const ms = (nanoseconds: number): number =>
      Number.isFinite(nanoseconds) ? Math.max(0, Math.round(nanoseconds / 1e6) - 20) : 0;
    return { p99Ms: ms(this.delay.percentile(99)), maxMs: ms(this.delay.max) };
  }
}
