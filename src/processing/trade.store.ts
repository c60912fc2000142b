import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { formatInstant, type Side } from '../contracts/index.js';
import { boolArray, int4Array, int8Array, numericArray, timestamptzArray } from './binary-array.js';
import type { TradeColumns } from './trade-batch.js';

const DAY_US = 86_400_000_000;

export type StoredTrade = Readonly<{ tradeId: string; price: string; size: string; side?: Side; tradedAtUs: number }>;

/** A place in a series in order of (tradedAt, tradeId). */
export type TradePosition = Readonly<{ tradedAtUs: number; tradeId: string }>;

@Injectable()
export class TradeStore {
  private readonly knownDays = new Set<number>();

  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /**
   * Inserts trades that are believed new. Throws unique_violation (23505) when one was recorded before: nothing is
   * stored then, and the caller repeats with `recordMissing`. Measured 1.5 times the speed of ON CONFLICT.
   */
  async recordNew(tx: EntityManager, trades: TradeColumns): Promise<void> {
    await tx.query(`${INSERT} select * from ${ROWS}`, parameters(trades));
  }

  /** Inserts the trades that are not recorded yet; returns `seriesId tradeId` of those, in no order. */
  async recordMissing(tx: EntityManager, trades: TradeColumns): Promise<Set<string>> {
    const rows = (await tx.query(
      `${INSERT} select * from ${ROWS} on conflict do nothing returning series_id, trade_id`,
      parameters(trades),
    )) as { series_id: number; trade_id: string }[];
    return new Set(rows.map((row) => `${row.series_id} ${row.trade_id}`));
  }

  /** Makes the day partitions that these instants fall into, with the index that is the identity of a trade. */
  async createPartitions(tradedAtUs: readonly number[]): Promise<void> {
    for (const us of tradedAtUs) {
      const day = Math.floor(us / DAY_US);
      if (this.knownDays.has(day)) continue;
      await this.createPartition(day);
      this.knownDays.add(day);
    }
  }

  /** The last trade of a series in event time. */
  async latest(seriesId: number): Promise<StoredTrade | undefined> {
    const rows = await this.read(`series_id = $1 order by traded_at desc, trade_id desc limit 1`, [seriesId]);
    return rows[0];
  }

  /** At most `limit` trades with tradedAt in [fromUs, toUs) after or before a position, oldest first. */
  async range(
    seriesId: number,
    page: Readonly<{
      fromUs: number;
      toUs: number;
      direction: 'forward' | 'backward';
      position?: TradePosition | undefined;
      limit: number;
    }>,
  ): Promise<StoredTrade[]> {
    const [than, order] = page.direction === 'forward' ? ['>', 'asc'] : ['<', 'desc'];
    const position = page.position ? [formatInstant(page.position.tradedAtUs), page.position.tradeId] : [];
    const rows = await this.read(
      `series_id = $1 and traded_at >= $2 and traded_at < $3
       ${page.position ? `and (traded_at, trade_id) ${than} ($5::timestamptz, $6::bigint)` : ''}
       order by traded_at ${order}, trade_id ${order} limit $4`,
      [seriesId, formatInstant(page.fromUs), formatInstant(page.toUs), page.limit, ...position],
    );
    return page.direction === 'forward' ? rows : rows.toReversed();
  }

  private async read(where: string, values: unknown[]): Promise<StoredTrade[]> {
    const rows = (await this.dataSource.query(
      `select trade_id, price::text, size::text, taker_buys, (extract(epoch from traded_at) * 1000000)::bigint as at_us
       from processing.trade where ${where}`,
      values,
    )) as { trade_id: string; price: string; size: string; taker_buys: boolean | null; at_us: string }[];
    return rows.map((row) => ({
      tradeId: row.trade_id,
      price: row.price,
      size: row.size,
      ...(row.taker_buys === null ? {} : { side: row.taker_buys ? ('buy' as const) : ('sell' as const) }),
      tradedAtUs: Number(row.at_us),
    }));
  }

  private async createPartition(day: number): Promise<void> {
    const from = new Date((day * DAY_US) / 1000);
    const to = new Date(((day + 1) * DAY_US) / 1000);
    const name = `trade_${from.toISOString().slice(0, 10).replaceAll('-', '')}`;
    await this.dataSource.transaction(async (tx) => {
      await tx.query(`select pg_advisory_xact_lock(hashtext('processing.trade'))`);
      const [{ exists }] = (await tx.query(`select to_regclass('processing.${name}') is not null as exists`)) as [
        { exists: boolean },
      ];
      if (exists) return;
      await tx.query(
        `create table processing.${name} partition of processing.trade for values from ('${from.toISOString()}') to ('${to.toISOString()}')`,
      );
      // 32 bytes a row, where a key of the partitioned table, which must hold the time, takes 70
      await tx.query(`create unique index ${name}_identity on processing.${name} (series_id, trade_id)`);
      await tx.query(`create index ${name}_time on processing.${name} (series_id, traded_at)`);
    });
  }
}

const INSERT = `insert into processing.trade (traded_at, received_at, trade_id, price, size, series_id, taker_buys)`;
const ROWS = `unnest($1::timestamptz[], $2::timestamptz[], $3::bigint[], $4::numeric[], $5::numeric[], $6::int[], $7::boolean[])`;

function parameters(trades: TradeColumns): Buffer[] {
  return [
    timestamptzArray(trades.tradedAtUs),
    timestamptzArray(trades.receivedAtUs),
    int8Array(trades.tradeIds),
    numericArray(trades.prices),
    numericArray(trades.sizes),
    int4Array(trades.seriesIds),
    boolArray(trades.sides),
  ];
}
