import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { formatInstant } from '../../contracts/index.js';
import { errorCode, UNIQUE_VIOLATION } from '../../platform/errors/index.js';
import { LOCK_NOT_AVAILABLE } from '../trade-day.store.js';
import type { TradePosition } from '../trade-position.js';
import { type BlockHead, HOUR_US } from './packing-step.js';

/** A block that is to be stored: its trades are those from `first` to `last` in order. */
export type NewBlock = Readonly<{
  first: TradePosition;
  last: TradePosition;
  tradeIds: readonly string[];
  data: Buffer;
}>;

/** Loose trades that go into blocks, and the block that goes with them. */
export type Swap = Readonly<{
  seriesId: number;
  /** The first and the last of the trades, and how many they are. */
  from: TradePosition;
  to: TradePosition;
  trades: number;
  into?: BlockHead | undefined;
  blocks: readonly NewBlock[];
}>;

const LARGEST_ID = 2n ** 63n - 1n;

class SomethingElseIsThere extends Error {}

@Injectable()
export class TradeBlockStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /**
   * The data of the blocks that hold the first `limit` trades with tradedAt in [fromUs, toUs) behind (or before) a
   * position, in that direction; trades outside of it may stand beside them.
   */
  async nearest(
    seriesId: number,
    page: Readonly<{
      fromUs: number;
      toUs: number;
      direction: 'forward' | 'backward';
      position?: TradePosition | undefined;
      limit: number;
    }>,
  ): Promise<Buffer[]> {
    const isForward = page.direction === 'forward';
    const order = isForward ? 'asc' : 'desc';
    const position = page.position ? [formatInstant(page.position.tradedAtUs), page.position.tradeId] : [];
    const beyond = isForward
      ? '(last_at, last_id) > ($6::timestamptz, $7::bigint)'
      : '(first_at, first_id) < ($6::timestamptz, $7::bigint)';
    // a block lies within an hour, so the first that may hold fromUs begins with its hour; of the first block only some
    // trades may count, so it does not
    const rows = (await this.dataSource.query(
      `select data from (
         select data, first_at, first_id,
                sum(trades) over nearer - first_value(trades) over nearer as nearer_trades
         from (
           select data, first_at, first_id, trades from processing.trade_block
           where series_id = $1 and first_at >= $2 and first_at < $3 and last_at >= $4 ${page.position ? `and ${beyond}` : ''}
           order by first_at ${order}, first_id ${order} limit $5
         ) candidate
         window nearer as (order by first_at ${order}, first_id ${order} rows between unbounded preceding and 1 preceding)
       ) counted
       where nearer_trades is null or nearer_trades < $5
       order by first_at ${order}, first_id ${order}`,
      [
        seriesId,
        formatInstant(Math.floor(page.fromUs / HOUR_US) * HOUR_US),
        formatInstant(page.toUs),
        formatInstant(page.fromUs),
        page.limit,
        ...position,
      ],
    )) as { data: Buffer }[];
    return rows.map((row) => row.data);
  }

  /** The blocks of a series that begin in [fromUs, toUs), in order. */
  async heads(seriesId: number, fromUs: number, toUs: number): Promise<BlockHead[]> {
    const rows = (await this.dataSource.query(
      `select id, first_id, last_id, trades, (extract(epoch from first_at) * 1000000)::bigint as first_us,
              (extract(epoch from last_at) * 1000000)::bigint as last_us
       from processing.trade_block where series_id = $1 and first_at >= $2 and first_at < $3 order by first_at, first_id`,
      [seriesId, formatInstant(fromUs), formatInstant(toUs)],
    )) as (Record<'id' | 'first_id' | 'last_id' | 'first_us' | 'last_us', string> & { trades: number })[];
    return rows.map((row) => ({
      id: row.id,
      first: { tradedAtUs: Number(row.first_us), tradeId: row.first_id },
      last: { tradedAtUs: Number(row.last_us), tradeId: row.last_id },
      trades: row.trades,
    }));
  }

  /** The data of a block; undefined when it is there no more. */
  async data(seriesId: number, head: BlockHead): Promise<Buffer | undefined> {
    const rows = (await this.dataSource.query(
      `select data from processing.trade_block where series_id = $1 and first_at = $2 and first_id = $3 and id = $4`,
      [seriesId, formatInstant(head.first.tradedAtUs), head.first.tradeId, head.id],
    )) as { data: Buffer }[];
    return rows[0]?.data;
  }

  /**
   * Puts blocks in the place of the trades they hold, in one short transaction. False, and nothing is changed, when what
   * was read is no longer what is there, or when something is in the way for 300 ms. The exclusive lock keeps `recordMissing` from looking for a trade in the blocks before the commit and in the table after it.
   */
  async swap(swap: Swap): Promise<boolean> {
    const { seriesId, from, to, trades, into, blocks } = swap;
    try {
      await this.dataSource.transaction(async (tx) => {
        await tx.query(`set local lock_timeout = '300ms'`);
        if (into) {
          const [, removed] = (await tx.query(
            'delete from processing.trade_block where series_id = $1 and first_at = $2 and first_id = $3 and id = $4',
            [seriesId, formatInstant(into.first.tradedAtUs), into.first.tradeId, into.id],
          )) as [unknown, number];
          if (removed !== 1) throw new SomethingElseIsThere();
        }
        for (const block of blocks) {
          const ids = block.tradeIds.map(BigInt).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
          await tx.query(
            `insert into processing.trade_block (series_id, first_at, first_id, last_at, last_id, min_id, max_id, trades, ids, data)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
            [
              seriesId,
              formatInstant(block.first.tradedAtUs),
              block.first.tradeId,
              formatInstant(block.last.tradedAtUs),
              block.last.tradeId,
              String(ids[0]),
              String(ids.at(-1)),
              ids.length,
              multirange(ids),
              block.data,
            ],
          );
        }
        await tx.query(`select pg_advisory_xact_lock(hashtext('processing.trade_block'))`);
        const [, loose] = (await tx.query(
          `delete from processing.trade
           where series_id = $1 and traded_at >= $2 and traded_at <= $4
             and (traded_at, trade_id) >= ($2, $3) and (traded_at, trade_id) <= ($4, $5)`,
          [seriesId, formatInstant(from.tradedAtUs), from.tradeId, formatInstant(to.tradedAtUs), to.tradeId],
        )) as [unknown, number];
        if (loose !== trades) throw new SomethingElseIsThere();
      });
      return true;
    } catch (error) {
      const code = errorCode(error);
      if (error instanceof SomethingElseIsThere || code === LOCK_NOT_AVAILABLE || code === UNIQUE_VIOLATION)
        return false;
      throw error;
    }
  }

  /** Dropped days of which there are still blocks. */
  async daysLeftOver(): Promise<string[]> {
    const rows = (await this.dataSource.query(
      `select day::text from processing.trade_day where dropped_at is not null and exists (
         select from processing.trade_block where first_at >= day::timestamp at time zone 'UTC' and first_at < (day + 1)::timestamp at time zone 'UTC'
       ) order by day`,
    )) as { day: string }[];
    return rows.map((row) => row.day);
  }

  /** Removes some blocks of a day; returns how many. */
  async remove(day: string, limit: number): Promise<number> {
    const [, removed] = (await this.dataSource.query(
      `delete from processing.trade_block where ctid = any (array(
         select ctid from processing.trade_block
         where first_at >= $1::date::timestamp at time zone 'UTC' and first_at < ($1::date + 1)::timestamp at time zone 'UTC' limit $2))`,
      [day, limit],
    )) as [unknown, number];
    return removed;
  }

  /** What the blocks take on disk, with their indexes. */
  async bytes(): Promise<number> {
    const rows = (await this.dataSource.query(`select pg_total_relation_size('processing.trade_block') as bytes`)) as {
      bytes: string;
    }[];
    return Number(rows[0]!.bytes);
  }
}

/** Ids in order as runs. The largest id has none above it: its run is open. */
function multirange(ids: readonly bigint[]): string {
  const runs: string[] = [];
  for (let start = 0; start < ids.length;) {
    let end = start;
    while (ids[end + 1] === ids[end]! + 1n) end++;
    runs.push(`[${ids[start]},${ids[end] === LARGEST_ID ? '' : ids[end]! + 1n})`);
    start = end + 1;
  }
  return `{${runs.join(',')}}`;
}
