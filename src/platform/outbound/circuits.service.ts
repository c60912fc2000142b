import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Gauge } from 'prom-client';
import { HealthParts } from '../observability/index.js';
import type { CircuitBreaker, CircuitState } from './circuit-breaker.js';

const MEASURE_EVERY_MS = 5000;
const MOST_TOLD = 50;
const LEVEL: Record<CircuitState, number> = { closed: 0, 'half-open': 1, open: 2 };

export type CircuitReport = Readonly<{
  /** What is called, by a name of ours: an address may hold a key. */
  target: string;
  state: CircuitState;
  failures: number;
  openForMs: number;
}>;

/** Every place outside that this process calls, and whether it is left alone for now: in /health and as a metric. */
@Injectable()
export class Circuits implements OnModuleDestroy {
  private readonly sources: (() => readonly CircuitReport[])[] = [];
  private readonly timer = setInterval(() => this.measure(), MEASURE_EVERY_MS).unref();
  private told = new Set<string>();

  constructor(
    health: HealthParts,
    @InjectMetric('outbound_circuit_state') private readonly level: Gauge<'target'>,
  ) {
    health.register({ name: 'outbound', gatesReadiness: false, check: () => ({ up: true, details: this.report() }) });
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  /** `nowMs` is the clock that the breaker is told the time by. */
  register(target: string, circuit: CircuitBreaker, nowMs: () => number): void {
    this.watch(() => {
      const now = nowMs();
      const { failures } = circuit;
      return [{ target, state: circuit.state(now), failures, openForMs: circuit.openForMs(now) }];
    });
  }

  /** For who keeps such states elsewhere, and of targets that come and go. */
  watch(source: () => readonly CircuitReport[]): void {
    this.sources.push(source);
    this.measure();
  }

  private report(): Record<string, unknown> {
    const all = this.sources.flatMap((source) => source());
    const failing = all.filter(({ state, failures }) => state !== 'closed' || failures > 0);
    return {
      targets: all.length,
      failing: failing.slice(0, MOST_TOLD).map(({ target, state, failures, openForMs }) => ({
        target,
        state,
        failures,
        openForSeconds: Math.ceil(openForMs / 1000),
      })),
    };
  }

  private measure(): void {
    const all = this.sources.flatMap((source) => source());
    for (const { target, state } of all) this.level.set({ target }, LEVEL[state]);
    const now = new Set(all.map(({ target }) => target));
    for (const target of this.told) if (!now.has(target)) this.level.remove({ target });
    this.told = now;
  }
}
