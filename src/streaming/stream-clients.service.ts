import { Injectable } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter, Gauge, Histogram } from 'prom-client';
import { Settings } from '../platform/config/index.js';
import { AppError } from '../platform/errors/index.js';
import { nowUs } from '../platform/observability/index.js';

export type Transport = 'sse' | 'ws';
export type CutReason = 'too-slow' | 'no-pong' | 'shutdown';

/** Counts the live clients of both transports and what they get; refuses those there is no room for. */
@Injectable()
export class StreamClients {
  private open = 0;
  private closing = false;

  constructor(
    private readonly settings: Settings,
    @InjectMetric('stream_clients') private readonly clients: Gauge<'transport'>,
    @InjectMetric('stream_sent_total') private readonly sentUpdates: Counter<'transport' | 'type'>,
    @InjectMetric('stream_cuts_total') private readonly cuts: Counter<'transport' | 'reason'>,
    @InjectMetric('trade_published_seconds') private readonly publishedAfter: Histogram<'transport'>,
  ) {}

  /** Throws the problem to answer with when no client can be taken. */
  assertRoom(): void {
    if (this.closing) throw new AppError('stream.too-many-clients', 'this process is shutting down');
    const limit = this.settings.STREAM_MAX_CLIENTS;
    if (this.open >= limit) {
      throw new AppError('stream.too-many-clients', `${limit} live clients are connected, which is STREAM_MAX_CLIENTS`);
    }
  }

  opened(transport: Transport): void {
    this.open++;
    this.clients.inc({ transport });
  }

  closed(transport: Transport): void {
    this.open--;
    this.clients.dec({ transport });
  }

  takeNoMore(): void {
    this.closing = true;
  }

  sent(transport: Transport, counts: ReadonlyMap<string, number>, clients: number): void {
    for (const [type, count] of counts) this.sentUpdates.inc({ transport, type }, count * clients);
  }

  cut(transport: Transport, reason: CutReason): void {
    this.cuts.inc({ transport, reason });
  }

  /** Trades were handed to sockets, the oldest of which reached this process at `receivedUs`. */
  published(transport: Transport, receivedUs: number): void {
    this.publishedAfter.observe({ transport }, Math.max(0, (nowUs() - receivedUs) / 1e6));
  }
}
