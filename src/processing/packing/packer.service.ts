import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter, Gauge, Histogram } from 'prom-client';
import { Settings } from '../../platform/config/index.js';
import { Database } from '../../platform/database/index.js';
import { isTransientDatabaseError } from '../../platform/errors/index.js';
import type { TradeRecord } from '../trade-batch.js';
import { DAY_US, TradeDayStore } from '../trade-day.store.js';
import type { TradePosition } from '../trade-position.js';
import { TradeStore } from '../trade.store.js';
import { HOUR_US, isSame, merge, nextStep, pieces, positionAt, slice } from './packing-step.js';
import { seal, unseal } from './sealed-block.store.js';
import { type NewBlock, TradeBlockStore } from './trade-block.store.js';

const FIRST_PASS_MS = 20_000;
const PASS_EVERY_MS = 10 * 60_000;
/** Encoding so many holds the event loop for some 10 ms, and a page of them is opened in 2. */
export const BLOCK_TRADES = 16_384;
const REMOVE_BLOCKS = 64;
/** After each step as long a rest as it took, so that a backlog leaves half of the processor to recording. */
const LONGEST_REST_MS = 500;

/** What was done with a day: trades that were packed, and the blocks they are in now, with older trades or without. */
type Tally = { trades: number; blocks: number; held: number; bytes: number; isWhole: boolean };

/**
 * Packs the trades of old days into blocks and drops the oldest (TRADES_COMPRESS_AFTER, TRADES_RETENTION). Every step is
 * one short transaction of its own, and what is left is found in the tables, so a pass may end anywhere and the next
 * one goes on.
 */
@Injectable()
export class Packer implements OnModuleDestroy {
  private readonly logger = new Logger('Packer');
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();
  private stopping = false;
  private endRest: () => void = () => undefined;

  constructor(
    database: Database,
    private readonly settings: Settings,
    private readonly days: TradeDayStore,
    private readonly trades: TradeStore,
    private readonly blocks: TradeBlockStore,
    @InjectMetric('trades_packed_total') private readonly packed: Counter,
    @InjectMetric('trade_packing_put_off_total') private readonly putOff: Counter<'reason'>,
    @InjectMetric('trade_days_dropped_total') private readonly dropped: Counter,
    @InjectMetric('trade_days_to_pack') private readonly waiting: Gauge,
    @InjectMetric('trade_blocks_bytes') private readonly blocksBytes: Gauge,
    @InjectMetric('trade_packing_pass_seconds') private readonly duration: Histogram,
  ) {
    void database.whenReady().then(() => this.schedule(FIRST_PASS_MS));
  }

  /** Resolves when the step at hand is done, within a second. */
  async onModuleDestroy(): Promise<void> {
    this.stopping = true;
    clearTimeout(this.timer);
    this.endRest();
    await this.running;
  }

  /** Drops and packs every day that is due; false when another process is at it. Throws when the database is away. */
  async pass(): Promise<boolean> {
    const stopTimer = this.duration.startTimer();
    const won = await this.days.alone(async () => {
      await this.dropDays();
      await this.packDays();
    });
    if (won) stopTimer();
    this.blocksBytes.set(await this.blocks.bytes());
    return won;
  }

  private schedule(afterMs: number): void {
    if (this.stopping) return;
    this.timer = setTimeout(() => {
      this.running = this.pass()
        .then(() => undefined)
        .catch((error: Error) => this.logger.warn(`A pass over old trades ended early: ${error.message}`))
        .then(() => this.schedule(PASS_EVERY_MS));
    }, afterMs).unref();
  }

  private async dropDays(): Promise<void> {
    const retentionMs = this.settings.TRADES_RETENTION;
    for (const day of retentionMs === 0 ? [] : await this.days.toDrop(retentionMs)) {
      if (this.stopping) return;
      if (!(await this.days.drop(day))) {
        this.putOff.inc({ reason: 'locked' });
        return;
      }
      this.dropped.inc();
      this.logger.log(`Dropped the trades of ${day}; its candles are kept`);
    }
    for (const day of await this.blocks.daysLeftOver())
      while (!this.stopping && (await this.blocks.remove(day, REMOVE_BLOCKS)) > 0);
  }

  private async packDays(): Promise<void> {
    const olderThanMs = this.settings.TRADES_COMPRESS_AFTER;
    const days = olderThanMs === 0 ? [] : await this.days.toPack(olderThanMs);
    this.waiting.set(days.length);
    for (const day of days) {
      const tally = await this.packDay(day);
      if (tally.trades > 0) {
        const each = (tally.bytes / tally.held).toFixed(1);
        this.logger.log(`Packed ${tally.trades} trades of ${day} into ${tally.blocks} blocks, ${each} bytes a trade`);
      }
      if (this.stopping) return;
      if (!tally.isWhole) continue;
      if (await this.days.empty(day)) this.waiting.dec();
      else this.putOff.inc({ reason: 'locked' });
    }
  }

  private async packDay(day: string): Promise<Tally> {
    const tally: Tally = { trades: 0, blocks: 0, held: 0, bytes: 0, isWhole: true };
    for (const seriesId of await this.days.seriesOf(day)) {
      try {
        tally.isWhole = (await this.packSeries(seriesId, day, tally)) && tally.isWhole;
      } catch (error) {
        if (isTransientDatabaseError(error)) throw error;
        // one block that cannot be read, say, must not hold up all others
        this.putOff.inc({ reason: 'failed' });
        this.logger.error(`Series ${seriesId} of ${day} stays as it is: ${(error as Error).message}`);
        tally.isWhole = false;
      }
      if (this.stopping) break;
    }
    return tally;
  }

  /** Packs what a series traded on a day, step by step; false when something of it is left. */
  private async packSeries(seriesId: number, day: string, tally: Tally): Promise<boolean> {
    const fromUs = Date.parse(day) * 1000;
    let after: TradePosition | undefined;
    while (!this.stopping) {
      const startedMs = performance.now();
      const page = { fromUs, toUs: fromUs + DAY_US, after, limit: BLOCK_TRADES };
      const rows = await this.trades.record(seriesId, page);
      if (rows.tradeIds.length === 0) return true;
      const step = await this.packSome(seriesId, rows, tally);
      if (!step) {
        this.putOff.inc({ reason: 'changed' });
        return false;
      }
      after = step;
      await this.rest(performance.now() - startedMs);
    }
    return false;
  }

  /** Packs the first of these rows; returns where they end, or undefined when they were not what is there. */
  private async packSome(seriesId: number, rows: TradeRecord, tally: Tally): Promise<TradePosition | undefined> {
    const hoursFrom = Math.floor(rows.tradedAtUs[0]! / HOUR_US) * HOUR_US;
    const heads = await this.blocks.heads(seriesId, hoursFrom, rows.tradedAtUs.at(-1)! + HOUR_US);
    const { take, into } = nextStep(rows, rows.tradeIds.length < BLOCK_TRADES, heads, BLOCK_TRADES);
    let taken = slice(rows, 0, take);
    const [from, to] = [positionAt(taken, 0), positionAt(taken, take - 1)];
    if (into) {
      const data = await this.blocks.data(seriesId, into);
      if (!data) return undefined;
      taken = merge((await unseal(data)).record(), taken);
    }
    const blocks: NewBlock[] = [];
    for (const piece of pieces(taken, BLOCK_TRADES)) blocks.push(await blockOf(piece));
    if (!(await this.blocks.swap({ seriesId, from, to, trades: take, into, blocks }))) return undefined;
    this.packed.inc(take);
    tally.trades += take;
    tally.blocks += blocks.length;
    tally.held += taken.tradeIds.length;
    tally.bytes += blocks.reduce((sum, { data }) => sum + data.length, 0);
    return to;
  }

  private rest(workedMs: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.stopping) return resolve();
      this.endRest = resolve;
      setTimeout(resolve, Math.min(workedMs, LONGEST_REST_MS));
    });
  }
}

/** A block that was opened again and compared: only then its rows may go. */
async function blockOf(trades: TradeRecord): Promise<NewBlock> {
  const data = await seal(trades);
  if (!isSame((await unseal(data)).record(), trades)) throw new Error('a block does not read back as it was written');
  return {
    first: positionAt(trades, 0),
    last: positionAt(trades, trades.tradeIds.length - 1),
    tradeIds: trades.tradeIds,
    data,
  };
}
