import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { formatInstant, type Json, LOG_LEVELS, type LogLevel } from '../../contracts/index.js';
import { int8Array, textArray, timestamptzArray } from '../binary-array.js';
import { withinTime } from '../bounded-search.store.js';
import type { LogRow } from './log-row.js';

/** Rows of one level and format that were new. */
export type StoredCount = Readonly<{ level: LogLevel | null; format: string; count: number }>;

export type StoredLogEvent = Readonly<{
  id: string;
  atUs: number;
  level: LogLevel | null;
  message: string;
  format: string;
  /** Null when all else of the file has been dropped. */
  fileId: string | null;
  line: number;
  fields: Readonly<Record<string, Json>>;
  traceId: string | null;
}>;

export type LogFilter = Readonly<{
  /** For websearch_to_tsquery. */
  query?: string | undefined;
  levels?: readonly number[] | undefined;
  minLevel?: number | undefined;
  fileId?: string | undefined;
  format?: string | undefined;
  traceId?: string | undefined;
  fromUs?: number | undefined;
  toUs?: number | undefined;
  before?: Readonly<{ atUs: number; id: string }> | undefined;
}>;

/** A page ends early rather than hold more than this: a line may have 64 KiB. */
const PAGE_BYTES = 1024 * 1024;
const US = (column: string): string => `(extract(epoch from ${column}) * 1000000)::bigint`;
const COLUMNS = `e.id, ${US('e.at')} as at_us, e.level, e.message, e.format, e.fields, e.trace_id, e.id & 4294967295 as line, e.stored_on`;

@Injectable()
export class LogEventStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** Gives files their numbers, and widens their spans by these rows. */
  async touchFiles(tx: EntityManager, day: string, rows: readonly LogRow[]): Promise<Map<string, number>> {
    const spans = new Map<string, { firstUs: number; lastUs: number }>();
    for (const { fileId, event } of rows) {
      const span = spans.get(fileId);
      if (!span) spans.set(fileId, { firstUs: event.atUs, lastUs: event.atUs });
      else if (event.atUs < span.firstUs) span.firstUs = event.atUs;
      else if (event.atUs > span.lastUs) span.lastUs = event.atUs;
    }
    // in order, so that two that store of the same files wait for one another and not in a circle
    const ids = [...spans.keys()].sort();
    const firsts = timestamptzArray(ids.map((id) => spans.get(id)!.firstUs));
    const lasts = timestamptzArray(ids.map((id) => spans.get(id)!.lastUs));
    // a conflict would use up a number each time
    await tx.query(
      `insert into processing.log_file (file_id, first_at, last_at, first_day, last_day)
       select file_id, first_at, last_at, $4::date, $4::date from unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) as given(file_id, first_at, last_at)
       where not exists (select from processing.log_file f where f.file_id = given.file_id)
       order by file_id on conflict (file_id) do nothing`,
      [ids, firsts, lasts, day],
    );
    const [files] = (await tx.query(
      `with held as materialized (
         select no, file_id from processing.log_file where file_id = any($1::uuid[]) order by file_id for update
       )
       update processing.log_file f set first_at = least(f.first_at, given.first_at), last_at = greatest(f.last_at, given.last_at),
         first_day = least(f.first_day, $4::date), last_day = greatest(f.last_day, $4::date)
       from unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) as given(file_id, first_at, last_at) join held using (file_id)
       where f.no = held.no returning f.file_id, f.no`,
      [ids, firsts, lasts, day],
    )) as [{ file_id: string; no: number }[], number];
    return new Map(files.map(({ file_id, no }) => [file_id, no]));
  }

  /**
   * Stores rows whose files are touched, each once a day, in a savepoint: when PostgreSQL refuses one it throws, nothing of them
   * is stored, and the transaction goes on.
   */
  async store(
    tx: EntityManager,
    day: string,
    files: ReadonlyMap<string, number>,
    rows: readonly LogRow[],
  ): Promise<StoredCount[]> {
    await tx.query('savepoint log_rows');
    try {
      const stored = (await tx.query(
        `with stored as (
           insert into processing.log_event (id, at, stored_on, level, format, message, fields, trace_id, search)
           select id, at, $1, nullif(level, -1), format, message, fields::jsonb, nullif(trace_id, ''), to_tsvector('simple', words)
           from unnest($2::bigint[], $3::timestamptz[], $4::smallint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
             as given(id, at, level, format, message, fields, trace_id, words)
           on conflict do nothing returning level, format
         )
         select level, format, count(*)::int as count from stored group by level, format`,
        [
          day,
          int8Array(rows.map(({ fileId, event }) => idOf(files.get(fileId)!, event.line))),
          timestamptzArray(rows.map(({ event }) => event.atUs)),
          rows.map(({ level }) => level),
          textArray(rows.map(({ event }) => event.format)),
          textArray(rows.map(({ event }) => event.message)),
          textArray(rows.map(({ fields }) => fields)),
          textArray(rows.map(({ traceId }) => traceId ?? '')),
          textArray(rows.map(({ words }) => words)),
        ],
      )) as { level: number | null; format: string; count: number }[];
      await tx.query('release savepoint log_rows');
      return stored.map(({ level, format, count }) => ({ level: levelOf(level), format, count }));
    } catch (error) {
      await tx.query('rollback to savepoint log_rows');
      throw error;
    }
  }

  /** Newest first, by (at, id). A page may be shorter than `limit` before the end: `hasMore` says so. */
  async page(filter: LogFilter, limit: number): Promise<{ items: StoredLogEvent[]; hasMore: boolean }> {
    const { where, parameters } = await this.conditions(filter);
    if (where === undefined) return { items: [], hasMore: false };
    const rows = await withinTime(this.dataSource, 'narrow it by file, from or to, or by rarer words', (tx) =>
      tx.query(
        `with page as materialized (
           select ${COLUMNS} from processing.log_event e ${where} order by e.at desc, e.id desc limit ${limit + 1}
         ), weighed as (
           select *, count(*) over () as found,
             sum(octet_length(message) + octet_length(fields::text)) over (order by at_us desc, id desc rows between unbounded preceding and 1 preceding) as before
           from page
         )
         select w.*, f.file_id from weighed w left join processing.log_file f on f.no = (w.id >> 32)
         where coalesce(before, 0) < ${PAGE_BYTES} order by at_us desc, w.id desc`,
        parameters,
      ),
    );
    const found = rows as (Row & { found: string })[];
    return {
      items: found.slice(0, limit).map(eventOf),
      hasMore: Number(found[0]?.found ?? 0) > Math.min(found.length, limit),
    };
  }

  async find(id: string): Promise<StoredLogEvent | undefined> {
    const [row] = (await this.dataSource.query(
      `select ${COLUMNS}, f.file_id from processing.log_event e left join processing.log_file f on f.no = (e.id >> 32)
       where e.id = $1 limit 1`,
      [id],
    )) as Row[];
    return row && eventOf(row);
  }

  /** `where` is undefined when nothing can be found. What a file's span says keeps the search of it away from all else. */
  private async conditions(filter: LogFilter): Promise<{ where: string | undefined; parameters: unknown[] }> {
    const parameters: unknown[] = [];
    const conditions: string[] = [];
    const add = (condition: (...places: string[]) => string, ...values: unknown[]): void => {
      conditions.push(condition(...values.map((value) => `$${parameters.push(value)}`)));
    };
    const { query, levels, minLevel, fileId, format, traceId, fromUs, toUs, before } = filter;
    if (fileId !== undefined) {
      const [file] = (await this.dataSource.query(
        `select no, first_at::text as first, last_at::text as last, first_day::text as first_day, last_day::text as last_day
         from processing.log_file where file_id = $1`,
        [fileId],
      )) as { no: number; first: string; last: string; first_day: string; last_day: string }[];
      if (!file) return { where: undefined, parameters };
      add((a, b) => `e.id between ${a}::bigint and ${b}::bigint`, ...idsOf(file.no));
      add((a, b) => `e.at between ${a}::timestamptz and ${b}::timestamptz`, file.first, file.last);
      add((a, b) => `e.stored_on between ${a}::date and ${b}::date`, file.first_day, file.last_day);
    }
    if (query !== undefined) add((a) => `e.search @@ websearch_to_tsquery('simple', ${a})`, query);
    if (levels !== undefined) add((a) => `e.level = any(${a}::int[])`, levels);
    if (minLevel !== undefined) add((a) => `e.level >= ${a}::int`, minLevel);
    if (format !== undefined) add((a) => `e.format = ${a}`, format);
    if (traceId !== undefined) add((a) => `e.trace_id = ${a}`, traceId);
    if (fromUs !== undefined) add((a) => `e.at >= ${a}::timestamptz`, formatInstant(fromUs));
    if (toUs !== undefined) add((a) => `e.at < ${a}::timestamptz`, formatInstant(toUs));
    if (before) {
      add((a, b) => `(e.at, e.id) < (${a}::timestamptz, ${b}::bigint)`, formatInstant(before.atUs), before.id);
    }
    return { where: conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`, parameters };
  }
}

/** File numbers beyond two million make ids that a number cannot hold. */
const idOf = (no: number, line: number): string => String(BigInt(no) * 2n ** 32n + BigInt(line));
const idsOf = (no: number): [string, string] => [idOf(no, 0), idOf(no, 2 ** 32 - 1)];
const levelOf = (rank: number | null): LogLevel | null => (rank === null ? null : LOG_LEVELS[rank]!);

type Row = {
  id: string;
  at_us: string;
  level: number | null;
  message: string;
  format: string;
  fields: Record<string, Json>;
  trace_id: string | null;
  line: string;
  file_id: string | null;
};

const eventOf = (row: Row): StoredLogEvent => ({
  id: row.id,
  atUs: Number(row.at_us),
  level: levelOf(row.level),
  message: row.message,
  format: row.format,
  fileId: row.file_id,
  line: Number(row.line),
  fields: row.fields,
  traceId: row.trace_id,
});
