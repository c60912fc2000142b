import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { LetterState, Stage } from './dead-letter.js';

export type Standing = Readonly<{ state: LetterState; stage: Stage; count: number; oldestSeconds: number }>;

/** How many letters were deleted, and of them nobody had looked after. */
export type Trimmed = Readonly<{ letters: number; dead: readonly Readonly<{ stage: Stage; count: number }>[] }>;

/** What is over goes before what waits for a person; what is being replayed stays. */
const ORDER = `order by (state = 'dead'), id`;

/** How many letters there are, and which have to go. */
@Injectable()
export class LetterRetentionStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  async standing(): Promise<Standing[]> {
    const rows = (await this.dataSource.query(
      `select state, stage, count(*)::int as count, extract(epoch from now() - min(first_failed_at))::float8 as "oldestSeconds"
       from bus.dead_letter group by 1, 2`,
    )) as Standing[];
    return rows;
  }

  /** Letters and bytes of their payloads. */
  async size(): Promise<{ letters: number; bytes: number }> {
    const [row] = (await this.dataSource.query(
      `select count(*)::int as letters, coalesce(sum(length(payload) + coalesce(length(original), 0)), 0)::float8 as bytes
       from bus.dead_letter`,
    )) as [{ letters: number; bytes: number }];
    return row;
  }

  /** Deletes at most `limit` letters whose last failure, or whose end, is older. */
  trimOld(olderThanMs: number, limit: number): Promise<Trimmed> {
    return this.delete(
      `select id from bus.dead_letter where last_failed_at < now() - $1 * interval '1 ms' and state in ('dead', 'replayed', 'discarded')
         and coalesce(replayed_at, discarded_at, last_failed_at) < now() - $1 * interval '1 ms'
       order by last_failed_at limit $2`,
      [olderThanMs, limit],
    );
  }

  /** Deletes so many letters, those that are over first, the oldest first. */
  trimMost(limit: number): Promise<Trimmed> {
    return this.delete(
      `select id from bus.dead_letter where state in ('dead', 'replayed', 'discarded') ${ORDER} limit $1`,
      [limit],
    );
  }

  private async delete(which: string, parameters: readonly number[]): Promise<Trimmed> {
    const [rows] = (await this.dataSource.query(
      `delete from bus.dead_letter where id in (${which}) and state in ('dead', 'replayed', 'discarded') returning state, stage`,
      [...parameters],
    )) as [{ state: LetterState; stage: Stage }[], number];
    const dead = Map.groupBy(
      rows.filter(({ state }) => state === 'dead'),
      ({ stage }) => stage,
    );
    return { letters: rows.length, dead: [...dead].map(([stage, those]) => ({ stage, count: those.length })) };
  }
}
