import { Injectable } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter } from 'prom-client';
import type { EntityManager } from 'typeorm';
import { type RecordedSeries, type Trade, TradesRecordedV1, TradesRejectedV1 } from '../contracts/index.js';
import { Bus, type DeadLetter, DeadLetters } from '../platform/bus/index.js';
import { errorCode } from '../platform/errors/index.js';
import { ExpiredTrades } from './expired-trades.service.js';
import { safeId, type Series, SeriesStore } from './series.store.js';
import { appendTrade, emptyColumns, RecordedBatch } from './trade-batch.js';
import { TradeDayStore } from './trade-day.store.js';
import { isTradeId, type RejectedTrade } from './trade-rules.js';
import { TradeStore } from './trade.store.js';

/** There is no partition for the row: check_violation. */
const NO_PARTITION = '23514';

/** Trades that may be recorded, and those of days that were dropped. */
export type DueTrades = Readonly<{ lasting: readonly Trade[]; expired: readonly Trade[] }>;

/** The steps of recording, for whoever has trades: of feeds, of files, of dead letters. */
@Injectable()
export class TradeLedger {
  constructor(
    private readonly bus: Bus,
    private readonly deadLetters: DeadLetters,
    private readonly series: SeriesStore,
    private readonly trades: TradeStore,
    private readonly days: TradeDayStore,
    private readonly expired: ExpiredTrades,
    @InjectMetric('crypto_trades_total') private readonly recorded: Counter<'source' | 'symbol'>,
    @InjectMetric('trades_repeated_total') private readonly repeated: Counter<'source'>,
  ) {}

  /**
   * Makes the days and series of trades. To be called before anything of them is written: a new partition waits for
   * whoever holds the table.
   */
  async prepare(trades: readonly Trade[]): Promise<DueTrades> {
    await this.days.open(trades.map((trade) => trade.tradedAtUs));
    const isExpired = (trade: Trade): boolean => this.days.isDropped(trade.tradedAtUs);
    const expired = trades.filter(isExpired);
    const lasting = expired.length === 0 ? trades : trades.filter((trade) => !isExpired(trade));
    await this.series.load(lasting);
    return { lasting, expired };
  }

  /** Whether a day was dropped, or its partition, since it was prepared; the next `prepare` looks again. */
  hasLostDay(error: unknown): boolean {
    const isLost = errorCode(error) === NO_PARTITION;
    if (isLost) this.days.forget();
    return isLost;
  }

  /** The series of a prepared trade. */
  seriesOf(trade: Trade): Series {
    const series = this.series.get(trade.source, trade.venueSymbol);
    if (!series) throw new Error(`The series ${trade.source} ${trade.venueSymbol} could not be made`);
    return series;
  }

  /** Inserts trades that are believed new; throws unique_violation when one is not. */
  async insertNew(tx: EntityManager, trades: readonly Trade[], recorded: RecordedBatch): Promise<void> {
    if (trades.length === 0) return;
    const columns = emptyColumns();
    for (const trade of trades) {
      const { id } = this.seriesOf(trade);
      appendTrade(columns, id, trade);
      recorded.add(id, trade);
    }
    await this.trades.recordNew(tx, columns);
  }

  /** Inserts what of the trades is not recorded yet, as a row or in a block. */
  async insertMissing(tx: EntityManager, trades: readonly Trade[], recorded: RecordedBatch): Promise<void> {
    if (trades.length === 0) return;
    const columns = emptyColumns();
    // the first of each id, so that what is stored is what is told: PostgreSQL may take them in any order
    const firsts = new Map<string, Trade>();
    for (const trade of trades) {
      const { id } = this.seriesOf(trade);
      const key = `${id} ${BigInt(trade.tradeId)}`;
      if (firsts.has(key)) continue;
      firsts.set(key, trade);
      appendTrade(columns, id, trade);
    }
    const inserted = await this.trades.recordMissing(tx, columns);
    for (const [key, trade] of firsts) if (inserted.has(key)) recorded.add(this.seriesOf(trade).id, trade);
  }

  /** Tells what was new. */
  async tell(tx: EntityManager, { series }: RecordedBatch): Promise<void> {
    if (series.length > 0) await this.bus.append(tx, TradesRecordedV1, { series });
  }

  /** Keeps rejected trades as dead letters; whoever waits for their ids, or for those of dropped days, need not. */
  async refuse(
    tx: EntityManager,
    rejected: readonly RejectedTrade[],
    expired: readonly Trade[],
    areOfFile = false,
  ): Promise<void> {
    const letters = rejected.map(letterOf);
    await (areOfFile ? this.deadLetters.keepMany(tx, letters) : this.deadLetters.keep(tx, letters));
    const withId = [...rejected.map(({ trade }) => trade), ...expired].filter(({ tradeId }) => isTradeId(tradeId));
    if (withId.length === 0) return;
    await this.bus.append(tx, TradesRejectedV1, {
      rejected: withId.map(({ source, symbol, venueSymbol, tradeId }) => ({ source, symbol, venueSymbol, tradeId })),
    });
  }

  /** After the commit: no id of these trades is taken for new from now on. */
  raiseHighWaters(trades: readonly Trade[]): void {
    for (const trade of trades) {
      const series = this.seriesOf(trade);
      series.highWater = Math.max(series.highWater, safeId(trade.tradeId));
    }
  }

  /** After the commit: what became of trades. */
  count({ lasting, expired }: DueTrades, series: readonly RecordedSeries[]): void {
    this.expired.count(expired);
    const repeated = new Map<string, number>();
    for (const { source } of lasting) repeated.set(source, (repeated.get(source) ?? 0) + 1);
    for (const { source, symbol, tradeIds } of series) {
      repeated.set(source, (repeated.get(source) ?? 0) - tradeIds.length);
      this.recorded.inc({ source, symbol }, tradeIds.length);
    }
    for (const [source, count] of repeated) if (count > 0) this.repeated.inc({ source }, count);
  }
}

const letterOf = ({ trade, fault }: RejectedTrade): DeadLetter => ({
  stage: fault.code === 'store.refused' ? 'store' : 'validate',
  code: fault.code,
  message: fault.message,
  source: { kind: 'trade', id: trade.source, position: `${trade.venueSymbol} ${trade.tradeId}` },
  attempts: 1,
  payload: JSON.stringify(trade),
  contentType: 'application/json',
});
