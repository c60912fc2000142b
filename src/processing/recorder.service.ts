import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter, Histogram } from 'prom-client';
import type { EntityManager } from 'typeorm';
import {
  isPolled,
  type RecordedSeries,
  type Trade,
  TradesDroppedV1,
  TradesReceivedV1,
  type TradesReceivedV1Data,
  TradesRecordedV1,
  TradesRejectedV1,
} from '../contracts/index.js';
import { Bus, type DeadLetter, DeadLetters, HearsQueued } from '../platform/bus/index.js';
import { Settings } from '../platform/config/index.js';
import { errorCode, isDataError, UNIQUE_VIOLATION } from '../platform/errors/index.js';
import { HealthParts, type HealthReport, inSpan, nowUs } from '../platform/observability/index.js';
import { ExpiredTrades } from './expired-trades.service.js';
import { safeId, SeriesStore } from './series.store.js';
import { appendTrade, emptyColumns, RecordedBatch } from './trade-batch.js';
import { DAY_US, TradeDayStore } from './trade-day.store.js';
import { checkTrade, isTradeId, type TradeFault } from './trade-rules.js';
import { TradeStore } from './trade.store.js';

const TAKE_TRADES = 5000;
const RETRY_MS = { first: 50, most: 2000 };
/** A batch that waits longer makes the process not ready: a full disk answers queries, but takes no trade. */
const PATIENCE_MS = 3000;
/** How far the clocks of two processes over one database may be apart. */
const CLOCKS_APART_MS = 3_600_000;
/** There is no partition for the row: check_violation. */
const NO_PARTITION = '23514';

type Rejected = Readonly<{ trade: Trade; fault: TradeFault | Readonly<{ code: 'store.refused'; message: string }> }>;

type Recorded = Readonly<{
  /** What was to be recorded, and what of it was new. */
  lasting: readonly Trade[];
  series: readonly RecordedSeries[];
  /** Trades of days that were dropped. */
  expired: readonly Trade[];
}>;

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
    private readonly deadLetters: DeadLetters,
    private readonly seriesStore: SeriesStore,
    private readonly trades: TradeStore,
    private readonly days: TradeDayStore,
    private readonly expired: ExpiredTrades,
    private readonly settings: Settings,
    @InjectMetric('crypto_trades_total') private readonly recorded: Counter<'source' | 'symbol'>,
    @InjectMetric('trades_repeated_total') private readonly repeated: Counter<'source'>,
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
    const rejected: Rejected[] = [];
    const now = nowUs();
    for (const { trades } of batches) {
      for (const trade of trades) {
        const checked = checkTrade(trade, now);
        if ('code' in checked) rejected.push({ trade, fault: checked });
        else valid.push(checked);
      }
    }
    this.busySinceMs = Date.now();
    try {
      await this.record(valid, rejected);
    } finally {
      this.busySinceMs = undefined;
    }
  }

  private async record(valid: readonly Trade[], rejected: readonly Rejected[], trustHighWater = true): Promise<void> {
    for (let waitMs = RETRY_MS.first; ; waitMs = Math.min(waitMs * 2, RETRY_MS.most)) {
      let recorded: Recorded;
      try {
        recorded = await this.recordOnce(valid, rejected, trustHighWater);
      } catch (error) {
        if (errorCode(error) === NO_PARTITION) {
          this.days.forget();
          await this.waitOut(error, waitMs);
        } else if (trustHighWater && errorCode(error) === UNIQUE_VIOLATION) trustHighWater = false;
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
  private async isolate(valid: readonly Trade[], rejected: readonly Rejected[], error: unknown): Promise<void> {
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
    rejected: readonly Rejected[],
    trustHighWater: boolean,
  ): Promise<Recorded> {
    await this.days.open(valid.map((trade) => trade.tradedAtUs));
    const isExpired = (trade: Trade): boolean => this.days.isDropped(trade.tradedAtUs);
    const expired = valid.filter(isExpired);
    const lasting = expired.length === 0 ? valid : valid.filter((trade) => !isExpired(trade));
    await this.seriesStore.load(lasting);
    const { fresh, doubtful, highWaters } = this.split(lasting, trustHighWater);
    const series = await inSpan('processing.record-trades', undefined, { 'tapeline.trades': valid.length }, () =>
      this.bus.transaction(async (tx) => {
        if (rejected.length > 0) await this.keepRejected(tx, rejected);
        await this.tellRejected(tx, [...rejected.map(({ trade }) => trade), ...expired]);
        const recorded = new RecordedBatch();
        await this.insertFresh(tx, fresh, recorded);
        await this.insertDoubtful(tx, doubtful, recorded);
        if (recorded.series.length > 0) await this.bus.append(tx, TradesRecordedV1, { series: recorded.series });
        return recorded.series;
      }),
    );
    for (const [one, highWater] of highWaters) one.highWater = Math.max(one.highWater, highWater);
    return { lasting, expired, series };
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
    const highWaters = new Map<ReturnType<typeof this.seriesOf>, number>();
    for (const trade of valid) {
      const series = this.seriesOf(trade);
      const id = safeId(trade.tradeId);
      const highWater = highWaters.get(series) ?? series.highWater;
      if (trustHighWater && id > highWater && id !== Infinity && trade.tradedAtUs >= looseSinceUs) fresh.push(trade);
      else doubtful.push(trade);
      if (id > highWater) highWaters.set(series, id);
    }
    return { fresh, doubtful, highWaters };
  }

  private async insertFresh(tx: EntityManager, trades: readonly Trade[], recorded: RecordedBatch): Promise<void> {
    if (trades.length === 0) return;
    const columns = emptyColumns();
    for (const trade of trades) {
      const { id } = this.seriesOf(trade);
      appendTrade(columns, id, trade);
      recorded.add(id, trade);
    }
    await this.trades.recordNew(tx, columns);
  }

  private async insertDoubtful(tx: EntityManager, trades: readonly Trade[], recorded: RecordedBatch): Promise<void> {
    if (trades.length === 0) return;
    const columns = emptyColumns();
    for (const trade of trades) appendTrade(columns, this.seriesOf(trade).id, trade);
    const inserted = await this.trades.recordMissing(tx, columns);
    for (const trade of trades) {
      const { id } = this.seriesOf(trade);
      // deleted when told, so that a repeat within the batch is not told twice
      if (inserted.delete(`${id} ${BigInt(trade.tradeId)}`)) recorded.add(id, trade);
    }
  }

  private async keepRejected(tx: EntityManager, rejected: readonly Rejected[]): Promise<void> {
    await this.deadLetters.keep(
      tx,
      rejected.map(({ trade, fault }): DeadLetter => ({
        stage: fault.code === 'store.refused' ? 'store' : 'validate',
        code: fault.code,
        message: fault.message,
        source: { kind: 'feed', id: trade.source, position: `${trade.venueSymbol} ${trade.tradeId}` },
        attempts: 1,
        payload: JSON.stringify(trade),
      })),
    );
  }

  /** Whoever waits for these ids need not. */
  private async tellRejected(tx: EntityManager, trades: readonly Trade[]): Promise<void> {
    const withId = trades.filter(({ tradeId }) => isTradeId(tradeId));
    if (withId.length === 0) return;
    await this.bus.append(tx, TradesRejectedV1, {
      rejected: withId.map(({ source, symbol, venueSymbol, tradeId }) => ({ source, symbol, venueSymbol, tradeId })),
    });
  }

  /** From here on no trade can be in a block. */
  private looseSinceUs(): number {
    const packedAfterMs = this.settings.TRADES_COMPRESS_AFTER;
    if (packedAfterMs === 0) return -Infinity;
    return Math.floor((nowUs() + (CLOCKS_APART_MS - packedAfterMs) * 1000) / DAY_US) * DAY_US;
  }

  private seriesOf(trade: Trade) {
    const series = this.seriesStore.get(trade.source, trade.venueSymbol);
    if (!series) throw new Error(`The series ${trade.source} ${trade.venueSymbol} could not be made`);
    return series;
  }

  private report(): HealthReport {
    const sinceMs = this.waiting?.sinceMs ?? this.busySinceMs;
    if (sinceMs === undefined) return { up: true, details: {} };
    const waitingMs = Date.now() - sinceMs;
    const reason = this.waiting?.reason ?? 'the database has not answered yet';
    return { up: waitingMs < PATIENCE_MS, details: { waitingMs, reason } };
  }

  private observe({ lasting, expired, series }: Recorded): void {
    this.expired.count(expired);
    const now = nowUs();
    const repeated = new Map<string, number>();
    for (const { source } of lasting) repeated.set(source, (repeated.get(source) ?? 0) + 1);
    for (const one of series) {
      repeated.set(one.source, (repeated.get(one.source) ?? 0) - one.tradeIds.length);
      this.recorded.inc({ source: one.source, symbol: one.symbol }, one.tradeIds.length);
      if (isPolled(one.source)) continue; // a value may stand for days before it is asked for
      const [traded, arrived] = [one.tradedAtUs[0]!, one.firstReceivedAtUs];
      this.latency.observe({ stage: 'traded-to-received' }, Math.max(0, (arrived - traded) / 1e6));
      this.latency.observe({ stage: 'received-to-recorded' }, Math.max(0, (now - arrived) / 1e6));
    }
    for (const [source, count] of repeated) if (count > 0) this.repeated.inc({ source }, count);
  }
}
