import { Injectable } from '@nestjs/common';
import {
  InjectMetric,
  makeCounterProvider,
  makeGaugeProvider,
  makeHistogramProvider,
} from '@willsoto/nestjs-prometheus';
import type { Counter, Gauge, Histogram } from 'prom-client';
import type { Answer } from '../channels/answer.js';
import { CHANNEL_TYPES, type ChannelType } from '../channels/channel.js';

export type Standing = Readonly<{
  pending: number;
  held: number;
  dead: number;
  oldestSeconds: number;
  unhealthy: number;
}>;

@Injectable()
export class NotificationMetrics {
  constructor(
    @InjectMetric('notifications_total') private readonly attempts: Counter<'type' | 'result' | 'reason'>,
    @InjectMetric('notifications_held_total') private readonly heldBack: Counter<'reason'>,
    @InjectMetric('notifications_suppressed_total') private readonly suppressions: Counter<'reason'>,
    @InjectMetric('notification_rules_stopped_total') private readonly stops: Counter,
    @InjectMetric('notification_delay_seconds') private readonly delay: Histogram<'type'>,
    @InjectMetric('notifications_waiting') private readonly waiting: Gauge<'state'>,
    @InjectMetric('notifications_oldest_pending_seconds') private readonly oldest: Gauge,
    @InjectMetric('notification_channels_unhealthy') private readonly unhealthy: Gauge,
  ) {}

  attempted(type: ChannelType, { reason }: Answer, result: string, notices: number): void {
    if (notices > 0) this.attempts.inc({ type, result, reason }, notices);
  }

  delivered(type: ChannelType, seconds: number): void {
    this.delay.observe({ type }, seconds);
  }

  held(reason: 'cooldown' | 'runaway'): void {
    this.heldBack.inc({ reason });
  }

  suppressed(reason: 'held' | 'no-channel', notices: number): void {
    this.suppressions.inc({ reason }, notices);
  }

  stoppedRule(): void {
    this.stops.inc();
  }

  measure({ pending, held, dead, oldestSeconds, unhealthy }: Standing): void {
    this.waiting.set({ state: 'pending' }, pending);
    this.waiting.set({ state: 'held' }, held);
    this.waiting.set({ state: 'dead' }, dead);
    this.oldest.set(oldestSeconds);
    this.unhealthy.set(unhealthy);
  }
}

const counter = (name: string, help: string, ...labelNames: string[]) =>
  makeCounterProvider({ name, help, labelNames });
const gauge = (name: string, help: string, ...labelNames: string[]) => makeGaugeProvider({ name, help, labelNames });

export const NOTIFICATION_METRICS = [
  counter(
    'notifications_total',
    `Attempts to notify, by channel type (${CHANNEL_TYPES.join(', ')}), what came of them and why`,
    'type',
    'result',
    'reason',
  ),
  counter('notifications_held_total', 'Firings that were held back at first, by why', 'reason'),
  counter('notifications_suppressed_total', 'Notifications that never went out, by why', 'reason'),
  counter('notification_rules_stopped_total', 'Rules that were stopped because they notified too often'),
  gauge('notifications_waiting', 'Notifications that wait, are held back, or were given up', 'state'),
  gauge('notifications_oldest_pending_seconds', 'Age of the oldest notification that has not gone out'),
  gauge('notification_channels_unhealthy', 'Channels whose last message met a permanent fault'),
  makeHistogramProvider({
    name: 'notification_delay_seconds',
    help: 'From being queued, with the transition, to the answer of the receiver',
    labelNames: ['type'],
    buckets: [0.1, 0.25, 0.5, 1, 1.5, 2, 5, 10, 30, 60, 300, 1800, 3600],
  }),
];
