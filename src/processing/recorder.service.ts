import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Histogram } from 'prom-client';
import {
  isPolled,
  type RecordedSeries,
  type Trade,
  TradesDroppedV1,
  TradesReceivedV1,
  type TradesReceivedV1Data,
} from '../contracts/index.js';
import { Bus, HearsQueued } from '../platform/bus/index.js';
import { Settings } from '../platform/config/index.js';
import { errorCode, isDataError, UNIQUE_VIOLATION } from '../platform/errors/index.js';
import { HealthParts, type HealthReport, inSpan, nowUs } from '../platform/observability/index.js';
import { safeId, type Series } from './series.store.js';
import { RecordedBatch } from './trade-batch.js';
import { DAY_US } from './trade-day.store.js';
import { type DueTrades, TradeLedger } from './trade-ledger.service.js';
import { type RejectedTrade, siftTrades } from './trade-rules.js';

const TAKE_TRADES = 5000;
const RETRY_MS = { first: 50, most: 2000 };
/** A batch that waits longer makes the process not ready: a full disk answers queries, but takes no trade. */
const PATIENCE_MS = 3000;
/** How far the clocks of two processes over one database may be apart. */
const CLOCKS_APART_MS = 3_600_000;

/** What was to be recorded, and what of it was new. */
type Recorded = Readonly<{ due: DueTrades; series: readonly RecordedSeries[] }>;

/** Records every valid trade once, and tells what was new in the same transaction. One batch is in flight at a time. */
@Injectable()
export class Recorder implements OnModuleDestroy {
  private readonly logger = new Logger('Recorder');
  private stopping = false;
  /** While the database does not take trades: since when, and why. */
  private waiting: { sinceMs: number; reason: string } | undefined;
  /** Since when the batch at hand is under way: a database that hangs neither takes nor refuses it. */
  private busySinceMs: number | undefined;

  constructor(
    health: HealthParts,
    private readonly bus: Bus,
    private readonly ledger: TradeLedger,
    private readonly settings: Settings,
    @InjectMetric('trade_latency_seconds') private readonly latency: Histogram<'stage'>,
  ) {
    health.register({ name: 'recording', gatesReadiness: true, check: () => this.report() });
  }

  onModuleDestroy(): void {
    this.stopping = true;
  }

  /** Waits out a database that is away; what arrives meanwhile queues up to its bound. */
  @HearsQueued(TradesReceivedV1, 'processing.record-trades', {
    bound: (settings) => settings.RECEIVE_QUEUE_TRADES,
    take: TAKE_TRADES,
    weigh: (data) => data.trades.length,
    dropped: TradesDroppedV1,
  })
  async onTradesReceived(batches: readonly TradesReceivedV1Data[]): Promise<void> {
    await this.bus.whenReady();
    const valid: Trade[] = [];
    const rejected: RejectedTrade[] = [];
    const now = nowUs();
    for (const { trades } of batches) siftTrades(trades, now, valid, rejected);
    this.busySinceMs = Date.now();
    try {
      await this.record(valid, rejected);
    } finally {
      this.busySinceMs = undefined;
    }
  }

  private async record(
    valid: readonly Trade[],
    rejected: readonly RejectedTrade[],
    trustHighWater = true,
  ): Promise<void> {
    for (let waitMs = RETRY_MS.first; ; waitMs = Math.min(waitMs * 2, RETRY_MS.most)) {
      let recorded: Recorded;
      try {
        recorded = await this.recordOnce(valid, rejected, trustHighWater);
      } catch (error) {
        if (this.ledger.hasLostDay(error)) await this.waitOut(error, waitMs);
        else if (trustHighWater && errorCode(error) === UNIQUE_VIOLATION) trustHighWater = false;
        else if (isDataError(error)) return this.isolate(valid, rejected, error);
        else await this.waitOut(error, waitMs);
        continue;
      }
      this.waiting = undefined;
      this.observe(recorded);
      return;
    }
  }

  /** Whatever is not the fault of a trade is waited for, in sight: no trade may be rejected for it. */
  private async waitOut(error: unknown, waitMs: number): Promise<void> {
    if (this.stopping) throw error;
    const reason = (error as Error).message;
    this.waiting = { sinceMs: this.waiting?.sinceMs ?? Date.now(), reason };
    this.logger.warn(`Recording waits ${waitMs} ms: ${reason}`);
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }

  /** One trade the database refuses must not hold up the others: halve until it stands alone, then reject it. */
  private async isolate(valid: readonly Trade[], rejected: readonly RejectedTrade[], error: unknown): Promise<void> {
    const message = (error as Error).message;
    const alone = valid[0];
    if (valid.length > 1) {
      const middle = valid.length >> 1;
      await this.record(valid.slice(0, middle), rejected, false);
      await this.record(valid.slice(middle), [], false);
    } else if (alone) {
      await this.record([], [...rejected, { trade: alone, fault: { code: 'store.refused', message } }], false);
    } else {
      this.logger.error(`Could not keep ${rejected.length} rejected trades: ${message}`);
    }
  }

  private async recordOnce(
    valid: readonly Trade[],
    rejected: readonly RejectedTrade[],
    trustHighWater: boolean,
  ): Promise<Recorded> {
    const due = await this.ledger.prepare(valid);
    const { fresh, doubtful, highWaters } = this.split(due.lasting, trustHighWater);
    const series = await inSpan('processing.record-trades', undefined, { 'tapeline.trades': valid.length }, () =>
      this.bus.transaction(async (tx) => {
        await this.ledger.refuse(tx, rejected, due.expired);
        const recorded = new RecordedBatch();
        await this.ledger.insertNew(tx, fresh, recorded);
        await this.ledger.insertMissing(tx, doubtful, recorded);
        await this.ledger.tell(tx, recorded);
        return recorded.series;
      }),
    );
    for (const [one, highWater] of highWaters) one.highWater = Math.max(one.highWater, highWater);
    return { due, series };
  }

  /**
   * Ids that only rise above all recorded ones are fresh; any other may be a repeat and takes the exact way. So does
   * whatever may lie in a packed day: another process may have recorded it since the high water was read, and the unique
   * index, which would tell, knows nothing of blocks.
   */
  private split(valid: readonly Trade[], trustHighWater: boolean) {
    const fresh: Trade[] = [];
    const doubtful: Trade[] = [];
    const looseSinceUs = this.looseSinceUs();
    const highWaters = new Map<Series, number>();
    for (const trade of valid) {
      const series = this.ledger.seriesOf(trade);
      const id = safeId(trade.tradeId);
      const highWater = highWaters.get(series) ?? series.highWater;
      if (trustHighWater && id > highWater && id !== Infinity && trade.tradedAtUs >= looseSinceUs) fresh.push(trade);
      else doubtful.push(trade);
      if (id > highWater) highWaters.set(series, id);
    }
    return { fresh, doubtful, highWaters };
  }

  /** From here on no trade can be in a block. */
  private looseSinceUs(): number {
    const packedAfterMs = this.settings.TRADES_COMPRESS_AFTER;
    if (packedAfterMs === 0) return -Infinity;
    return Math.floor((nowUs() + (CLOCKS_APART_MS - packedAfterMs) * 1000) / DAY_US) * DAY_US;
  }

  private report(): HealthReport {
    const sinceMs = this.waiting?.sinceMs ?? this.busySinceMs;
    if (sinceMs === undefined) return { up: true, details: {} };
    const waitingMs = Date.now() - sinceMs;
    const reason = this.waiting?.reason ?? 'the database has not answered yet';
    return { up: waitingMs < PATIENCE_MS, details: { waitingMs, reason } };
  }

  private observe({ due, series }: Recorded): void {
    this.ledger.count(due, series);
    const now = nowUs();
    for (const one of series) {
      if (isPolled(one.source)) continue; // a value may stand for days before it is asked for
      const [traded, arrived] = [one.tradedAtUs[0]!, one.firstReceivedAtUs];
      this.latency.observe({ stage: 'traded-to-received' }, Math.max(0, (arrived - traded) / 1e6));
      this.latency.observe({ stage: 'received-to-recorded' }, Math.max(0, (now - arrived) / 1e6));
    }
  }
}
