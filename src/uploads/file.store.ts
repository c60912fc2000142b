import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { type FileStatus, formatInstant } from '../contracts/index.js';
import type { Counts, UploadedFile, UploadOptions } from './file.js';
import type { Packing } from './unpacking/packing.js';

export type NewFile = Pick<
  UploadedFile,
  'id' | 'name' | 'packing' | 'options' | 'sha256' | 'unpackedSha256' | 'duplicateOf' | 'receivedAtUs'
> &
  Readonly<{ bytes: number }>;

/** A file that this process reads. Whoever claims it next raises the token. */
export type ClaimedFile = Readonly<{
  file: UploadedFile;
  token: string;
  /** Claims that came to where the reading stood, without a chunk since. */
  attempts: number;
  /** Where the reading stands; undefined before the first chunk. */
  memory: string | undefined;
}>;

/** What a chunk leaves behind. */
export type Checkpoint = Readonly<{
  format: string | null;
  counts: Omit<Counts, 'bytes'>;
  storedBytesRead: number;
  memory: string;
}>;

type Row = Readonly<
  Record<
    | 'id'
    | 'seq'
    | 'name'
    | 'sha256'
    | 'bytes'
    | 'stored_bytes_read'
    | 'read_bytes'
    | 'lines'
    | 'events'
    | 'trades'
    | 'bad'
    | 'truncated'
    | 'replaced'
    | 'received_us',
    string
  > &
    Record<'format' | 'unpacked_sha256' | 'duplicate_of' | 'error' | 'finished_us', string | null> & {
      status: FileStatus;
      packing: Packing;
      options: UploadOptions;
      is_stored: boolean;
    }
>;

const US = (column: string): string => `(extract(epoch from ${column}) * 1000000)::bigint`;
const FILE = `f.id, f.seq, f.name, f.status, f.packing, f.options, f.format, f.sha256, f.unpacked_sha256, f.duplicate_of, f.bytes,
  f.is_stored, f.stored_bytes_read, f.read_bytes, f.lines, f.events, f.trades, f.bad, f.truncated, f.replaced, f.error,
  ${US('f.received_at')} as received_us, ${US('f.finished_at')} as finished_us`;
const UNFINISHED = `f.status in ('received', 'processing')`;

/** Files: their rows, their contents' first ones, and who reads them. */
@Injectable()
export class FileStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  async insert(tx: EntityManager, file: NewFile): Promise<UploadedFile> {
    const rows = (await tx.query(
      `insert into uploads.file as f (id, name, packing, options, sha256, unpacked_sha256, duplicate_of, bytes, received_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning ${FILE}`,
      [
        file.id,
        file.name,
        file.packing,
        JSON.stringify(file.options),
        file.sha256,
        file.unpackedSha256,
        file.duplicateOf,
        file.bytes,
        formatInstant(file.receivedAtUs),
      ],
    )) as Row[];
    return fileOf(rows[0]!);
  }

  /** Makes a file the first of its contents, where none is yet; waits for another upload of the same that is at it. */
  async claimContent(tx: EntityManager, fileId: string, hashes: readonly string[]): Promise<void> {
    await tx.query(
      `insert into uploads.content (sha256, file_id) select hash, $1 from unnest($2::text[]) as hash order by hash on conflict do nothing`,
      [fileId, [...new Set(hashes)]],
    );
  }

  /** The oldest file with any of the contents. */
  async firstOf(
    hashes: readonly string[],
    tx: EntityManager = this.dataSource.manager,
  ): Promise<UploadedFile | undefined> {
    const rows = (await tx.query(
      `select ${FILE} from uploads.content c join uploads.file f on f.id = c.file_id
       where c.sha256 = any($1) order by f.seq limit 1`,
      [hashes],
    )) as Row[];
    return rows.map(fileOf)[0];
  }

  async one(id: string, tx: EntityManager = this.dataSource.manager): Promise<UploadedFile | undefined> {
    const rows = (await tx.query(`select ${FILE} from uploads.file f where f.id = $1`, [id])) as Row[];
    return rows.map(fileOf)[0];
  }

  /** Newest first. */
  async page(
    filter: Readonly<{ status?: FileStatus | undefined; beforeSeq?: string | undefined }>,
    limit: number,
  ): Promise<UploadedFile[]> {
    const rows = (await this.dataSource.query(
      `select ${FILE} from uploads.file f
       where ($1::text is null or f.status = $1) and ($2::bigint is null or f.seq < $2) order by f.seq desc limit $3`,
      [filter.status ?? null, filter.beforeSeq ?? null, limit],
    )) as Row[];
    return rows.map(fileOf);
  }

  /** Takes the oldest file that nobody reads, for `leaseMs`. */
  async claim(leaseMs: number, holder: string): Promise<ClaimedFile | undefined> {
    const [rows] = (await this.dataSource.query(
      `with next as (
         select id from uploads.file f where ${UNFINISHED} and (f.lease_until is null or f.lease_until < now())
         order by f.seq limit 1 for update skip locked
       )
       update uploads.file f set status = 'processing', lease_until = now() + $1 * interval '1 ms', token = f.token + 1,
         attempts = f.attempts + case when f.packing = 'none' or f.memory is null then 1 else 0 end, holder = $2
       from next where f.id = next.id
       returning ${FILE}, f.token, f.attempts, f.memory`,
      [leaseMs, holder],
    )) as [(Row & { token: string; attempts: number; memory: string | null })[], number];
    const row = rows[0];
    return row && { file: fileOf(row), token: row.token, attempts: row.attempts, memory: row.memory ?? undefined };
  }

  /** Whether this process still holds the file, for `leaseMs` more. */
  async renew(id: string, token: string, leaseMs: number): Promise<boolean> {
    const [, held] = (await this.dataSource.query(
      `update uploads.file f set lease_until = now() + $3 * interval '1 ms' where f.id = $1 and f.token = $2 and ${UNFINISHED}`,
      [id, token, leaseMs],
    )) as [unknown, number];
    return held > 0;
  }

  /** Leaves a file to whoever claims it next, after `waitMs`. An orderly end is no attempt. */
  async release(id: string, token: string, waitMs: number, isAttempt: boolean): Promise<void> {
    await this.dataSource.query(
      `update uploads.file f set lease_until = now() + $3 * interval '1 ms', attempts = greatest(0, f.attempts - case when $4 then 0 else 1 end)
       where f.id = $1 and f.token = $2 and ${UNFINISHED}`,
      [id, token, waitMs, isAttempt],
    );
  }

  /** Counts a claim that came to where the reading stood. */
  async noteAttempt(id: string, token: string): Promise<void> {
    await this.dataSource.query('update uploads.file set attempts = attempts + 1 where id = $1 and token = $2', [
      id,
      token,
    ]);
  }

  /** Who holds files now. */
  async holders(): Promise<string[]> {
    const rows = (await this.dataSource.query(
      `select distinct f.holder from uploads.file f where ${UNFINISHED} and f.lease_until > now() and f.holder is not null`,
    )) as { holder: string }[];
    return rows.map(({ holder }) => holder);
  }

  /** Makes due what holders that are no more had; the token keeps one honest that lives on. */
  async releaseLeases(holders: readonly string[]): Promise<void> {
    await this.dataSource.query(
      `update uploads.file f set lease_until = null where ${UNFINISHED} and f.lease_until > now() and f.holder = any($1)`,
      [holders],
    );
  }

  /**
   * Notes how far the reading is; false when another reader holds the file, or it was deleted, or this very chunk is
   * noted already.
   */
  async checkpoint(
    tx: EntityManager,
    { id, token, linesBefore }: Readonly<{ id: string; token: string; linesBefore: number }>,
    { format, counts, storedBytesRead, memory }: Checkpoint,
    leaseMs: number,
  ): Promise<boolean> {
    const [, updated] = (await tx.query(
      `update uploads.file f set format = $4, read_bytes = $5, lines = $6, events = $7, trades = $8, bad = $9, truncated = $10,
         replaced = $11, stored_bytes_read = $12, memory = $13, attempts = 0, lease_until = now() + $14 * interval '1 ms'
       where f.id = $1 and f.token = $2 and f.lines = $3 and ${UNFINISHED}`,
      [
        id,
        token,
        linesBefore,
        format,
        counts.readBytes,
        counts.lines,
        counts.events,
        counts.trades,
        counts.bad,
        counts.truncated,
        counts.replaced,
        storedBytesRead,
        memory,
        leaseMs,
      ],
    )) as [unknown, number];
    return updated > 0;
  }

  /** How many lines a reader has noted; undefined when it is no longer its file. */
  async linesNoted(id: string, token: string): Promise<number | undefined> {
    const rows = (await this.dataSource.query(
      `select f.lines from uploads.file f where f.id = $1 and f.token = $2 and ${UNFINISHED}`,
      [id, token],
    )) as { lines: string }[];
    return rows[0] && Number(rows[0].lines);
  }

  /** Ends a reading, whoever holds it when `token` is undefined. A failed file of which nothing is recorded may come again. */
  async finish(
    tx: EntityManager,
    id: string,
    token: string | undefined,
    { status, error }: Readonly<{ status: FileStatus; error: string | null }>,
  ): Promise<UploadedFile | undefined> {
    const [rows] = (await tx.query(
      `update uploads.file f set status = $3, error = $4, finished_at = now(), lease_until = null, token = f.token + 1,
         memory = case when f.bad > 0 then f.memory end
       where f.id = $1 and ($2::bigint is null or f.token = $2) and ${UNFINISHED} returning ${FILE}`,
      [id, token ?? null, status, error],
    )) as [Row[], number];
    await tx.query(
      `delete from uploads.content c using uploads.file f
       where c.file_id = $1 and f.id = $1 and f.status = 'failed' and f.events + f.trades = 0`,
      [id],
    );
    return rows.map(fileOf)[0];
  }

  /** Notes that a file's bytes are gone, or are about to. */
  async forgetBytes(tx: EntityManager, id: string): Promise<void> {
    await tx.query('update uploads.file set is_stored = false where id = $1', [id]);
  }

  /** Files whose bytes were kept for `retentionMs` after their reading; their bytes count as gone from now on. */
  async expire(retentionMs: number, limit: number): Promise<string[]> {
    const [rows] = (await this.dataSource.query(
      `update uploads.file set is_stored = false where id in (
         select id from uploads.file where is_stored and finished_at < now() - $1 * interval '1 ms' order by finished_at limit $2)
       returning id`,
      [retentionMs, limit],
    )) as [{ id: string }[], number];
    return rows.map(({ id }) => id);
  }

  /** Drops what readings knew that ended before `keptMs`: no bad line of theirs is left that may be read again. */
  async forgetReadings(keptMs: number, limit: number): Promise<number> {
    const [, forgotten] = (await this.dataSource.query(
      `update uploads.file set memory = null where id in (
         select id from uploads.file where memory is not null and finished_at < now() - $1 * interval '1 ms'
         order by finished_at limit $2)`,
      [keptMs, limit],
    )) as [unknown, number];
    return forgotten;
  }

  /** What its reading knew when it ended, or knows so far. */
  async memoryOf(tx: EntityManager, id: string): Promise<string | undefined> {
    const rows = (await tx.query('select memory from uploads.file where id = $1', [id])) as { memory: string | null }[];
    return rows[0]?.memory ?? undefined;
  }

  /** Those of the ids whose bytes are kept. */
  async stored(ids: readonly string[]): Promise<Set<string>> {
    const rows = (await this.dataSource.query('select id from uploads.file where is_stored and id = any($1::uuid[])', [
      ids,
    ])) as { id: string }[];
    return new Set(rows.map(({ id }) => id));
  }

  /** Files by whether they are read now. */
  async unfinished(): Promise<{ waiting: number; reading: number }> {
    const [row] = (await this.dataSource.query(
      `select (count(*) filter (where lease_until > now() and status = 'processing'))::int as reading,
              (count(*) filter (where lease_until is null or lease_until <= now() or status = 'received'))::int as waiting
       from uploads.file f where ${UNFINISHED}`,
    )) as [{ waiting: number; reading: number }];
    return row;
  }
}

const fileOf = (row: Row): UploadedFile => ({
  id: row.id,
  seq: row.seq,
  name: row.name,
  status: row.status,
  packing: row.packing,
  options: row.options,
  format: row.format,
  sha256: row.sha256,
  unpackedSha256: row.unpacked_sha256,
  duplicateOf: row.duplicate_of,
  isStored: row.is_stored,
  storedBytesRead: Number(row.stored_bytes_read),
  counts: {
    bytes: Number(row.bytes),
    readBytes: Number(row.read_bytes),
    lines: Number(row.lines),
    events: Number(row.events),
    trades: Number(row.trades),
    bad: Number(row.bad),
    truncated: Number(row.truncated),
    replaced: Number(row.replaced),
  },
  error: row.error,
  receivedAtUs: Number(row.received_us),
  finishedAtUs: row.finished_us === null ? null : Number(row.finished_us),
});
