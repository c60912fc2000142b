import { Injectable, Logger } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter } from 'prom-client';
import { formatInstant, type Trade } from '../contracts/index.js';

const SAY_EVERY_MS = 60_000;

/** Counts trades of days that were dropped: they are refused, as nobody knows whether they were recorded before. */
@Injectable()
export class ExpiredTrades {
  private readonly logger = new Logger('ExpiredTrades');
  private unsaid = 0;
  private saidMs = -Infinity;

  constructor(@InjectMetric('trades_expired_total') private readonly expired: Counter<'source'>) {}

  /** Call once they are told; a line a minute says how many there were. */
  count(trades: readonly Trade[]): void {
    const example = trades[0];
    if (!example) return;
    for (const { source } of trades) this.expired.inc({ source });
    this.unsaid += trades.length;
    if (performance.now() - this.saidMs < SAY_EVERY_MS) return;
    this.logger.warn(
      `Refused ${this.unsaid} trades of days that TRADES_RETENTION dropped, such as ${example.source} ` +
        `${example.venueSymbol} ${example.tradeId} of ${formatInstant(example.tradedAtUs)}`,
    );
    this.unsaid = 0;
    this.saidMs = performance.now();
  }
}
