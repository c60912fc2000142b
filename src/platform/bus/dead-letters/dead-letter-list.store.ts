import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { boundedSearch } from '../../database/index.js';
import type { LetterSource, LetterState, Stage, Try } from './dead-letter.js';

/** Which letters; what is absent does not matter. */
export type LetterFilter = Readonly<{
  ids?: readonly string[] | undefined;
  stages?: readonly Stage[] | undefined;
  code?: string | undefined;
  states?: readonly LetterState[] | undefined;
  /** Kind, or kind and id. */
  source?: Readonly<{ kind: string; id?: string | undefined }> | undefined;
  fingerprint?: string | undefined;
  /** In the message whatever its case, in source, position and payload as it stands. */
  q?: string | undefined;
  /** Of the first failure; from inclusive, to exclusive. */
  fromUs?: number | undefined;
  toUs?: number | undefined;
}>;

export type Letter = Readonly<{
  id: string;
  stage: Stage;
  code: string;
  message: string;
  source: LetterSource;
  fingerprint: string;
  state: LetterState;
  attempts: number;
  tries: readonly Try[];
  contentType: string;
  payloadBytes: number;
  payloadSha256: string;
  isCut: boolean;
  firstFailedAtUs: number;
  lastFailedAtUs: number;
  editedAtUs: number | null;
  replayedAtUs: number | null;
  discardedAtUs: number | null;
  reason: string | null;
  discardedBy: string | null;
  jobId: string | null;
}>;

export type WholeLetter = Letter &
  Readonly<{ payload: Buffer; original: Readonly<{ payload: Buffer; bytes: number; sha256: string }> | null }>;

export type LetterGroup = Readonly<{
  fingerprint: string;
  count: number;
  dead: number;
  firstFailedAtUs: number;
  lastFailedAtUs: number;
  sample: Letter;
}>;

const US = (column: string): string => `(extract(epoch from ${column}) * 1000000)::bigint`;
const COLUMNS = `l.id, l.stage, l.code, l.message, l.source_kind, l.source_id, l.source_position, l.fingerprint, l.state, l.attempts,
  l.tries, l.content_type, l.payload_bytes, l.payload_sha256, l.payload_bytes > length(l.payload) as is_cut,
  ${US('l.first_failed_at')} as first_us, ${US('l.last_failed_at')} as last_us, ${US('l.edited_at')} as edited_us,
  ${US('l.replayed_at')} as replayed_us, ${US('l.discarded_at')} as discarded_us, l.reason, l.discarded_by, l.job_id`;

/** Parameters 1 to 11, as parametersOf gives them. */
const MATCHES = `($1::bigint[] is null or l.id = any($1)) and ($2::text[] is null or l.stage = any($2))
  and ($3::text is null or l.code = $3) and ($4::text[] is null or l.state = any($4))
  and ($5::text is null or l.source_kind = $5) and ($6::text is null or l.source_id = $6)
  and ($7::text is null or l.fingerprint = $7)
  and ($8::text is null or position(lower($8) in lower(l.message)) > 0 or l.source_id = $8 or l.source_position = $8
       or position(convert_to($8, 'UTF8') in l.payload) > 0)
  and ($9::bigint is null or l.first_failed_at >= to_timestamp($9 / 1e6))
  and ($10::bigint is null or l.first_failed_at < to_timestamp($10 / 1e6))
  and ($11::bigint is null or l.id < $11)`;
const BOUND = {
  withinMs: 10_000,
  code: 'letters.too-slow',
  advice: 'narrow it by stage, code, source, from or to',
} as const;

/** Letters as lists, groups and counts. */
@Injectable()
export class DeadLetterListStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** Newest first. */
  page(filter: LetterFilter, beforeId: string | undefined, limit: number): Promise<Letter[]> {
    return this.bounded(async (tx) => {
      const rows = (await tx.query(
        `select ${COLUMNS} from bus.dead_letter l where ${MATCHES} order by l.id desc limit $12`,
        [...parametersOf(filter, beforeId), limit],
      )) as Row[];
      return rows.map(letterOf);
    });
  }

  async one(id: string): Promise<WholeLetter | undefined> {
    const rows = (await this.dataSource.query(
      `select ${COLUMNS}, l.payload, l.original, l.original_bytes, l.original_sha256 from bus.dead_letter l where l.id = $1`,
      [id],
    )) as (Row & {
      payload: Buffer;
      original: Buffer | null;
      original_bytes: number | null;
      original_sha256: string | null;
    })[];
    return rows.map((row) => ({
      ...letterOf(row),
      payload: row.payload,
      original: row.original && { payload: row.original, bytes: row.original_bytes!, sha256: row.original_sha256! },
    }))[0];
  }

  /** By fingerprint, the one with the newest letter first. */
  groups(filter: LetterFilter, beforeId: string | undefined, limit: number): Promise<LetterGroup[]> {
    return this.bounded(async (tx) => {
      const rows = (await tx.query(
        `with grouped as (
           select l.fingerprint as print, count(*)::int as count, count(*) filter (where l.state = 'dead')::int as dead,
             min(l.first_failed_at) as first, max(l.last_failed_at) as last, max(l.id) as newest
           from bus.dead_letter l where ${MATCHES.replace('l.id < $11', 'true')} group by l.fingerprint
           having $11::bigint is null or max(l.id) < $11 order by max(l.id) desc limit $12
         )
         select g.print, g.count, g.dead, ${US('g.first')} as group_first_us, ${US('g.last')} as group_last_us, ${COLUMNS}
         from grouped g join bus.dead_letter l on l.id = g.newest order by g.newest desc`,
        [...parametersOf(filter, beforeId), limit],
      )) as (Row & { print: string; count: number; dead: number; group_first_us: string; group_last_us: string })[];
      return rows.map((row) => ({
        fingerprint: row.print,
        count: row.count,
        dead: row.dead,
        firstFailedAtUs: Number(row.group_first_us),
        lastFailedAtUs: Number(row.group_last_us),
        sample: letterOf(row),
      }));
    });
  }

  /** How many of which kind of source. */
  count(filter: LetterFilter): Promise<{ kind: string; count: number }[]> {
    return this.bounded(async (tx) => {
      const rows = (await tx.query(
        `select l.source_kind as kind, count(*)::int as count from bus.dead_letter l where ${MATCHES} group by 1 order by 1`,
        parametersOf(filter),
      )) as { kind: string; count: number }[];
      return rows;
    });
  }

  /** Discards dead letters; those in another state stay. Says how many. */
  discard(filter: LetterFilter, reason: string, by: string | undefined): Promise<number> {
    return this.bounded(async (tx) => {
      const [, discarded] = (await tx.query(
        `update bus.dead_letter l set state = 'discarded', reason = $12, discarded_by = $13, discarded_at = now()
         where ${MATCHES} and l.state = 'dead'`,
        [...parametersOf(filter), reason, by ?? null],
      )) as [unknown, number];
      return discarded;
    });
  }

  /** Runs what a filter may make costly, a few at a time and within bounds of time. */
  bounded<T>(work: (tx: EntityManager) => Promise<T>): Promise<T> {
    return boundedSearch(this.dataSource, BOUND, work);
  }

  /** Marks the dead letters of a filter, of these kinds or of all, for a job; says how many. */
  async mark(tx: EntityManager, jobId: string, filter: LetterFilter, kinds: readonly string[] | null): Promise<number> {
    const [, marked] = (await tx.query(
      `update bus.dead_letter l set state = 'pending', job_id = $12
       where ${MATCHES} and l.state = 'dead' and ($13::text[] is null or l.source_kind = any($13))`,
      [...parametersOf(filter), jobId, kinds],
    )) as [unknown, number];
    return marked;
  }
}

const parametersOf = (filter: LetterFilter, beforeId?: string): unknown[] => [
  filter.ids ?? null,
  filter.stages ?? null,
  filter.code ?? null,
  filter.states ?? null,
  filter.source?.kind ?? null,
  filter.source?.id ?? null,
  filter.fingerprint ?? null,
  filter.q ?? null,
  filter.fromUs ?? null,
  filter.toUs ?? null,
  beforeId ?? null,
];

type Row = {
  id: string;
  stage: Stage;
  code: string;
  message: string;
  source_kind: string;
  source_id: string;
  source_position: string | null;
  fingerprint: string;
  state: LetterState;
  attempts: number;
  tries: Try[];
  content_type: string;
  payload_bytes: number;
  payload_sha256: string;
  is_cut: boolean;
  first_us: string;
  last_us: string;
  edited_us: string | null;
  replayed_us: string | null;
  discarded_us: string | null;
  reason: string | null;
  discarded_by: string | null;
  job_id: string | null;
};

const usOf = (text: string | null): number | null => (text === null ? null : Number(text));

function letterOf(row: Row): Letter {
  return {
    id: row.id,
    stage: row.stage,
    code: row.code,
    message: row.message,
    source: {
      kind: row.source_kind,
      id: row.source_id,
      ...(row.source_position === null ? {} : { position: row.source_position }),
    },
    fingerprint: row.fingerprint,
    state: row.state,
    attempts: row.attempts,
    tries: row.tries,
    contentType: row.content_type,
    payloadBytes: row.payload_bytes,
    payloadSha256: row.payload_sha256,
    isCut: row.is_cut,
    firstFailedAtUs: Number(row.first_us),
    lastFailedAtUs: Number(row.last_us),
    editedAtUs: usOf(row.edited_us),
    replayedAtUs: usOf(row.replayed_us),
    discardedAtUs: usOf(row.discarded_us),
    reason: row.reason,
    discardedBy: row.discarded_by,
    jobId: row.job_id,
  };
}
