import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { DeadLetterListStore, type LetterFilter } from './dead-letter-list.store.js';

export const JOB_STATES = ['running', 'done', 'cancelled'] as const;
export type JobState = (typeof JOB_STATES)[number];

/** What became of a job's letters so far; `failed` are dead again. */
export type JobCounts = Readonly<{
  pending: number;
  retrying: number;
  replayed: number;
  failed: number;
  other: number;
}>;

export type ReplayJob = Readonly<{
  id: string;
  filter: LetterFilter;
  ratePerSecond: number;
  state: JobState;
  total: number;
  counts: JobCounts;
  createdAtUs: number;
  finishedAtUs: number | null;
}>;

type Row = {
  id: string;
  filter: LetterFilter;
  rate_per_second: number;
  state: JobState;
  total: number;
  counts: JobCounts | null;
  live: JobCounts;
  created_us: string;
  finished_us: string | null;
};

const COUNTED = `(select jsonb_build_object(
    'pending', count(*) filter (where l.state = 'pending'), 'retrying', count(*) filter (where l.state = 'retrying'),
    'replayed', count(*) filter (where l.state = 'replayed'), 'failed', count(*) filter (where l.state = 'dead'),
    'other', j.total - count(*) filter (where l.state in ('pending', 'retrying', 'replayed', 'dead')))
  from bus.dead_letter l where l.job_id = j.id)`;
const COLUMNS = `j.id, j.filter, j.rate_per_second, j.state, j.total, j.counts, case when j.counts is null then ${COUNTED} end as live,
  (extract(epoch from j.created_at) * 1000000)::bigint as created_us,
  (extract(epoch from j.finished_at) * 1000000)::bigint as finished_us`;
const MOST_RUNNING = 10;

/** Replays by filter: rows that outlive the process. */
@Injectable()
export class ReplayJobStore {
  constructor(
    @Inject(DataSource) private readonly dataSource: DataSource,
    private readonly letters: DeadLetterListStore,
  ) {}

  /**
   * Marks every dead letter of the filter, of these kinds or of all, and makes the job that replays them; undefined when
   * too many run already.
   */
  async create(
    filter: LetterFilter,
    ratePerSecond: number,
    kinds: readonly string[] | null,
  ): Promise<string | undefined> {
    return this.letters.bounded(async (tx) => {
      // not the table: those that run renew their leases meanwhile
      await tx.query(`select pg_advisory_xact_lock(hashtext('bus.replay_job'))`);
      const rows = (await tx.query(
        `insert into bus.replay_job (filter, rate_per_second)
         select $1, $2 where (select count(*) from bus.replay_job where state = 'running') < $3 returning id`,
        [JSON.stringify(filter), ratePerSecond, MOST_RUNNING],
      )) as { id: string }[];
      const [job] = rows;
      if (!job) return undefined;
      const total = await this.letters.mark(tx, job.id, filter, kinds);
      await tx.query('update bus.replay_job set total = $2 where id = $1', [job.id, total]);
      return job.id;
    });
  }

  async one(id: string): Promise<ReplayJob | undefined> {
    const rows = (await this.dataSource.query(`select ${COLUMNS} from bus.replay_job j where j.id = $1`, [
      id,
    ])) as Row[];
    return rows.map(jobOf)[0];
  }

  /** Newest first. */
  async page(beforeId: string | undefined, limit: number): Promise<ReplayJob[]> {
    const rows = (await this.dataSource.query(
      `select ${COLUMNS} from bus.replay_job j where $1::bigint is null or j.id < $1 order by j.id desc limit $2`,
      [beforeId ?? null, limit],
    )) as Row[];
    return rows.map(jobOf);
  }

  /** Ends a running job: what it has not come to is dead as before. */
  async cancel(id: string): Promise<void> {
    await this.dataSource.transaction(async (tx) => {
      await tx.query(`select from bus.replay_job where id = $1 for update`, [id]);
      await tx.query(`update bus.dead_letter set state = 'dead' where job_id = $1 and state = 'pending'`, [id]);
      await tx.query(
        `update bus.replay_job j set state = 'cancelled', finished_at = now(), counts = ${COUNTED}, lease_until = null
         where id = $1 and state = 'running'`,
        [id],
      );
    });
  }

  /** Takes a job that nobody works on and that has letters of these kinds, or of any, or nothing left to wait for. */
  async claim(
    kinds: readonly string[] | null,
    holder: string,
    leaseMs: number,
  ): Promise<{ id: string; ratePerSecond: number } | undefined> {
    const [rows] = (await this.dataSource.query(
      `update bus.replay_job set holder = $2, lease_until = now() + $3 * interval '1 ms'
       where id = (
         select j.id from bus.replay_job j where j.state = 'running' and (j.lease_until is null or j.lease_until < now())
           and (exists (select from bus.dead_letter l where l.job_id = j.id and l.state = 'pending'
                        and ($1::text[] is null or l.source_kind = any($1)))
             or not exists (select from bus.dead_letter l where l.job_id = j.id and l.state in ('pending', 'retrying')))
         order by j.id limit 1 for update skip locked)
       returning id, rate_per_second as "ratePerSecond"`,
      [kinds, holder, leaseMs],
    )) as [{ id: string; ratePerSecond: number }[], number];
    return rows[0];
  }

  /** False when somebody else has the job by now. */
  async renew(id: string, holder: string, leaseMs: number): Promise<boolean> {
    const [, renewed] = (await this.dataSource.query(
      `update bus.replay_job set lease_until = now() + $3 * interval '1 ms' where id = $1 and holder = $2 and state = 'running'`,
      [id, holder, leaseMs],
    )) as [unknown, number];
    return renewed === 1;
  }

  async release(id: string, holder: string): Promise<void> {
    await this.dataSource.query(`update bus.replay_job set lease_until = null where id = $1 and holder = $2`, [
      id,
      holder,
    ]);
  }

  /** The next letters of a job, oldest first. */
  async next(id: string, kinds: readonly string[] | null, limit: number): Promise<string[]> {
    const rows = (await this.dataSource.query(
      `select id from bus.dead_letter where job_id = $1 and state = 'pending' and ($2::text[] is null or source_kind = any($2))
       order by id limit $3`,
      [id, kinds, limit],
    )) as { id: string }[];
    return rows.map((row) => row.id);
  }

  /** Ends a job that has come to all of its letters; what is under way is waited for. */
  async finish(id: string): Promise<void> {
    await this.dataSource.query(
      `update bus.replay_job j set state = 'done', finished_at = now(), counts = ${COUNTED}, lease_until = null
       where id = $1 and state = 'running'
         and not exists (select from bus.dead_letter l where l.job_id = j.id and l.state in ('pending', 'retrying'))`,
      [id],
    );
  }

  async trim(olderThanMs: number): Promise<void> {
    await this.dataSource.query(`delete from bus.replay_job where finished_at < now() - $1 * interval '1 ms'`, [
      olderThanMs,
    ]);
  }
}

function jobOf(row: Row): ReplayJob {
  return {
    id: row.id,
    filter: row.filter,
    ratePerSecond: row.rate_per_second,
    state: row.state,
    total: row.total,
    counts: row.counts ?? row.live,
    createdAtUs: Number(row.created_us),
    finishedAtUs: row.finished_us === null ? null : Number(row.finished_us),
  };
}
