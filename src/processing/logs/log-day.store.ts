import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { errorCode } from '../../platform/errors/index.js';

/** PostgreSQL's code for a lock that was not to be had in time. */
const LOCK_NOT_AVAILABLE = '55P03';
const LOCK = `select pg_advisory_xact_lock(hashtext('processing.log_event'))`;

/** The days on which log events were stored, each a partition. A day is written `2026-11-21`. */
@Injectable()
export class LogDayStore {
  private opened: string | undefined;

  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** Makes the partition of a day, unless it is there. Nobody waits for it: a table is attached under a lock that lets others read and write. */
  async open(day: string): Promise<void> {
    if (this.opened === day) return;
    const name = partitionOf(day);
    await this.dataSource.transaction(async (tx) => {
      await tx.query(LOCK);
      const [{ exists }] = (await tx.query('select to_regclass($1) is not null as exists', [`processing.${name}`])) as [
        { exists: boolean },
      ];
      if (exists) return;
      await tx.query(`create table processing.${name} (like processing.log_event including all excluding indexes)`);
      // an index of the whole table would have to hold the day
      await tx.query(`create unique index ${name}_identity on processing.${name} (id)`);
      await tx.query(
        `alter table processing.log_event attach partition processing.${name} for values from ('${day}') to ('${dayAfter(day)}')`,
      );
    });
    this.opened = day;
  }

  /** Somebody dropped a partition: the next `open` looks again. */
  forget(): void {
    this.opened = undefined;
  }

  /** Days that ended longer ago than that, the oldest first. */
  async toDrop(olderThanMs: number): Promise<string[]> {
    const rows = (await this.dataSource.query(
      `select day::text from (
         select to_date(substr(c.relname, 11), 'YYYYMMDD') as day from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = 'processing.log_event'::regclass
       ) partition
       where (day + 1)::timestamp at time zone 'UTC' <= now() - $1 * interval '1 ms' order by day`,
      [olderThanMs],
    )) as { day: string }[];
    return rows.map(({ day }) => day);
  }

  /** Drops a day, and the files that have nothing left. False when something holds the table: whoever stores would wait. */
  async drop(day: string): Promise<boolean> {
    try {
      await this.dataSource.transaction(async (tx) => {
        await tx.query(`set local lock_timeout = '200ms'`);
        await tx.query(LOCK);
        await tx.query(`drop table if exists processing.${partitionOf(day)}`);
        await tx.query('delete from processing.log_file where last_day <= $1', [day]);
      });
      return true;
    } catch (error) {
      if (errorCode(error) === LOCK_NOT_AVAILABLE) return false;
      throw error;
    }
  }
}

const partitionOf = (day: string): string => `log_event_${day.replaceAll('-', '')}`;
const dayAfter = (day: string): string => new Date(Date.parse(day) + 86_400_000).toISOString().slice(0, 10);
