import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { errorCode } from '../platform/errors/index.js';

export const DAY_US = 86_400_000_000;
/** PostgreSQL's code for a lock that was not to be had in time. */
export const LOCK_NOT_AVAILABLE = '55P03';

/** The days of event time, each a partition of the trades: made, packed, dropped. A day is written `2024-08-08`. */
@Injectable()
export class TradeDayStore {
  private readonly known = new Map<number, 'open' | 'dropped'>();

  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** Makes the partitions that these instants fall into, with their indexes, unless their days were dropped. */
  async open(tradedAtUs: readonly number[]): Promise<void> {
    for (const us of tradedAtUs) {
      const day = Math.floor(us / DAY_US);
      if (!this.known.has(day)) this.known.set(day, await this.openDay(day));
    }
  }

  /** Whether the day of an instant was dropped, as far as `open` was told; it never comes back. */
  isDropped(tradedAtUs: number): boolean {
    return this.known.get(Math.floor(tradedAtUs / DAY_US)) === 'dropped';
  }

  /** Another process dropped a day, or somebody a partition: the next `open` looks again. */
  forget(): void {
    this.known.clear();
  }

  /** Days that ended, and were first recorded here, longer than that ago, and have trades that are not packed. */
  async toPack(olderThanMs: number): Promise<string[]> {
    const rows = (await this.dataSource.query(
      `select day::text from processing.trade_day
       where ${OLDER_THAN} and coalesce(pg_relation_size(to_regclass('processing.trade_' || to_char(day, 'YYYYMMDD'))), 0) > 0
       order by day`,
      [olderThanMs],
    )) as { day: string }[];
    return rows.map((row) => row.day);
  }

  /** Days that ended, and were first recorded here, longer than that ago. */
  async toDrop(olderThanMs: number): Promise<string[]> {
    const rows = (await this.dataSource.query(
      `select day::text from processing.trade_day where ${OLDER_THAN} order by day`,
      [olderThanMs],
    )) as { day: string }[];
    return rows.map((row) => row.day);
  }

  /** The series that have trades of a day that are not packed. */
  async seriesOf(day: string): Promise<number[]> {
    const rows = (await this.dataSource.query(
      `select s.id from processing.series s where exists (
         select from processing.trade t where t.series_id = s.id
           and t.traded_at >= $1::date::timestamp at time zone 'UTC' and t.traded_at < ($1::date + 1)::timestamp at time zone 'UTC'
       ) order by s.id`,
      [day],
    )) as { id: number }[];
    return rows.map((row) => row.id);
  }

  /**
   * Gives back the disk of a partition that packing has emptied, which deleting does not. False when a trade has come
   * since, or when something holds the partition.
   */
  async empty(day: string): Promise<boolean> {
    return this.unlessLocked(async () =>
      this.dataSource.transaction(async (tx) => {
        const partition = partitionOf(day);
        await tx.query(`set local lock_timeout = '200ms'`);
        await tx.query(`lock table processing.${partition} in access exclusive mode`);
        const left = (await tx.query(`select from processing.${partition} limit 1`)) as unknown[];
        if (left.length > 0) return false;
        await tx.query(`truncate processing.${partition}`);
        await tx.query('update processing.trade_day set packed_at = now() where day = $1', [day]);
        return true;
      }),
    );
  }

  /**
   * Drops the partition of a day and refuses its trades from now on. False when something holds the table: dropping locks
   * all of it, and whoever records waits meanwhile, so it may not take long.
   */
  async drop(day: string): Promise<boolean> {
    return this.unlessLocked(async () => {
      await this.dataSource.transaction(async (tx) => {
        await tx.query(`set local lock_timeout = '200ms'`);
        await tx.query(LOCK_PARTITIONS);
        await tx.query(`drop table if exists processing.${partitionOf(day)}`);
        await tx.query('update processing.trade_day set dropped_at = now() where day = $1', [day]);
      });
      this.known.set(Math.floor((Date.parse(day) * 1000) / DAY_US), 'dropped');
      return true;
    });
  }

  /** Does work that one process at a time does over a database; false when another one is at it. */
  async alone(work: () => Promise<void>): Promise<boolean> {
    const session = this.dataSource.createQueryRunner();
    const key = `hashtext('processing.trade_day')`;
    try {
      const [{ won }] = (await session.query(`select pg_try_advisory_lock(${key}) as won`)) as [{ won: boolean }];
      if (!won) return false;
      try {
        await work();
      } finally {
        await session.query(`select pg_advisory_unlock(${key})`);
      }
      return true;
    } finally {
      await session.release();
    }
  }

  private async openDay(day: number): Promise<'open' | 'dropped'> {
    const from = new Date((day * DAY_US) / 1000).toISOString();
    const to = new Date(((day + 1) * DAY_US) / 1000).toISOString();
    const name = partitionOf(from);
    return this.dataSource.transaction(async (tx) => {
      await tx.query(LOCK_PARTITIONS);
      const [{ dropped, exists }] = (await tx.query(
        `insert into processing.trade_day (day) values ($1) on conflict (day) do update set day = excluded.day
         returning dropped_at is not null as dropped, to_regclass($2) is not null as exists`,
        [from.slice(0, 10), `processing.${name}`],
      )) as [{ dropped: boolean; exists: boolean }];
      if (dropped) return 'dropped';
      if (exists) return 'open';
      await tx.query(
        `create table processing.${name} partition of processing.trade for values from ('${from}') to ('${to}')`,
      );
      // 32 bytes a row, where a key of the partitioned table, which must hold the time, takes 70
      await tx.query(`create unique index ${name}_identity on processing.${name} (series_id, trade_id)`);
      await tx.query(`create index ${name}_time on processing.${name} (series_id, traded_at)`);
      return 'open';
    });
  }

  private async unlessLocked(work: () => Promise<boolean>): Promise<boolean> {
    try {
      return await work();
    } catch (error) {
      if (errorCode(error) === LOCK_NOT_AVAILABLE) return false;
      throw error;
    }
  }
}

const LOCK_PARTITIONS = `select pg_advisory_xact_lock(hashtext('processing.trade'))`;
const OLDER_THAN = `dropped_at is null and (day + 1)::timestamp at time zone 'UTC' <= now() - $1 * interval '1 ms'
  and recorded_at <= now() - $1 * interval '1 ms'`;

const partitionOf = (day: string): string => `trade_${day.slice(0, 10).replaceAll('-', '')}`;
