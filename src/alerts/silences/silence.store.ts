import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { formatInstant } from '../../contracts/index.js';
import { epochUs } from '../../platform/database/index.js';
import type { Matcher, Schedule, Silence } from './silence.js';

export type NewSilence = Omit<Silence, 'id' | 'createdAtUs'>;

const SILENCE = `s.id, s.matchers, ${epochUs('s.starts_at')} as starts_us, ${epochUs('s.ends_at')} as ends_us, s.schedule, s.comment, s.created_by,
  ${epochUs('s.created_at')} as created_us`;

type Row = Readonly<{
  id: string;
  matchers: Matcher[];
  starts_us: string;
  ends_us: string;
  schedule: Schedule | null;
  comment: string;
  created_by: string | null;
  created_us: string;
}>;

@Injectable()
export class SilenceStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  async insert(tx: EntityManager, silence: NewSilence): Promise<Silence> {
    const { matchers, startsAtUs, endsAtUs, schedule, comment, createdBy } = silence;
    const rows = (await tx.query(
      `insert into alerts.silence as s (matchers, starts_at, ends_at, schedule, comment, created_by)
       values ($1, $2, $3, $4, $5, $6) returning ${SILENCE}`,
      [
        JSON.stringify(matchers),
        formatInstant(startsAtUs),
        formatInstant(endsAtUs),
        schedule === undefined ? null : JSON.stringify(schedule),
        comment,
        createdBy ?? null,
      ],
    )) as Row[];
    return silenceOf(rows[0]!);
  }

  async one(id: string): Promise<Silence | undefined> {
    const rows = (await this.dataSource.query(`select ${SILENCE} from alerts.silence s where s.id = $1`, [
      id,
    ])) as Row[];
    return rows.map(silenceOf)[0];
  }

  /** Newest first. */
  async page(
    filter: Readonly<{ isEnded?: boolean | undefined; beforeId?: string | undefined }>,
    limit: number,
  ): Promise<Silence[]> {
    const rows = (await this.dataSource.query(
      `select ${SILENCE} from alerts.silence s
       where ($1::boolean is null or (s.ends_at <= now()) = $1) and ($2::bigint is null or s.id < $2) order by s.id desc limit $3`,
      [filter.isEnded ?? null, filter.beforeId ?? null, limit],
    )) as Row[];
    return rows.map(silenceOf);
  }

  /** Those that have not ended, by id. */
  async unended(tx: EntityManager = this.dataSource.manager): Promise<Silence[]> {
    const rows = (await tx.query(
      `select ${SILENCE} from alerts.silence s where s.ends_at > now() order by s.id`,
    )) as Row[];
    return rows.map(silenceOf);
  }

  async remove(tx: EntityManager, id: string): Promise<boolean> {
    const [, removed] = (await tx.query('delete from alerts.silence where id = $1', [id])) as [unknown, number];
    return removed > 0;
  }

  /** Deletes those that ended the longest ago. Returns how many. */
  async trim(olderThanMs: number, limit: number): Promise<number> {
    const [, removed] = (await this.dataSource.query(
      `delete from alerts.silence where id in
         (select id from alerts.silence where ends_at < now() - $1 * interval '1 millisecond' order by ends_at limit $2)`,
      [olderThanMs, limit],
    )) as [unknown, number];
    return removed;
  }
}

const silenceOf = (row: Row): Silence => ({
  id: row.id,
  matchers: row.matchers,
  startsAtUs: Number(row.starts_us),
  endsAtUs: Number(row.ends_us),
  ...(row.schedule !== null && { schedule: row.schedule }),
  comment: row.comment,
  ...(row.created_by !== null && { createdBy: row.created_by }),
  createdAtUs: Number(row.created_us),
});
