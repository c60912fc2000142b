import { Injectable } from '@nestjs/common';
import { InjectMetric, makeCounterProvider, makeGaugeProvider } from '@willsoto/nestjs-prometheus';
import type { Counter, Gauge } from 'prom-client';
import type { PollId } from '../../contracts/index.js';
import type { CircuitState } from '../../platform/outbound/index.js';
import type { PollFault } from './conditional-request.service.js';

export const POLL_METRICS = [
  makeCounterProvider({
    name: 'polls_total',
    help: 'Polls of REST sources, by what came of them',
    labelNames: ['source', 'outcome'],
  }),
  makeGaugeProvider({
    name: 'poll_circuit_state',
    help: '0 closed, 1 half-open (a probe is under way), 2 open (left alone after failures in a row)',
    labelNames: ['source', 'symbol'],
  }),
  makeGaugeProvider({
    name: 'poll_last_success_timestamp_seconds',
    help: 'When the poll was last answered well, epoch seconds',
    labelNames: ['source', 'symbol'],
  }),
  makeCounterProvider({
    name: 'poll_revisions_ignored_total',
    help: 'Values a source changed under a time already recorded: the first ones stand',
    labelNames: ['source'],
  }),
];

const CIRCUIT_LEVEL: Record<CircuitState, number> = { closed: 0, 'half-open': 1, open: 2 };

/** What Prometheus reads of the polls; symbols are those of the settings, so labels are bounded. */
@Injectable()
export class PollMetrics {
  constructor(
    @InjectMetric('polls_total') private readonly polls: Counter<'source' | 'outcome'>,
    @InjectMetric('poll_circuit_state') private readonly circuits: Gauge<'source' | 'symbol'>,
    @InjectMetric('poll_last_success_timestamp_seconds') private readonly successes: Gauge<'source' | 'symbol'>,
    @InjectMetric('poll_revisions_ignored_total') private readonly revisions: Counter<'source'>,
  ) {}

  polled(source: PollId, outcome: PollFault | 'news' | 'no-news' | 'not-modified'): void {
    this.polls.inc({ source, outcome });
  }

  succeeded(source: PollId, symbol: string, nowMs: number): void {
    this.successes.set({ source, symbol }, nowMs / 1000);
  }

  circuit(source: PollId, symbol: string, state: CircuitState): void {
    this.circuits.set({ source, symbol }, CIRCUIT_LEVEL[state]);
  }

  revised(source: PollId, count: number): void {
    this.revisions.inc({ source }, count);
  }
}
