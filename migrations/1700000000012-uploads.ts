import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Schema `uploads`: files, how far each is read. */
export class Uploads1700000000012 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create schema uploads;

      create table uploads.file (
        id uuid primary key,
        seq bigint generated always as identity,
        name text not null,
        status text not null default 'received'
          check (status in ('received', 'processing', 'processed', 'processed_with_errors', 'failed')),
        packing text not null check (packing in ('none', 'gzip', 'zstd')),
        options jsonb not null,
        format text,
        sha256 text not null,
        unpacked_sha256 text,
        duplicate_of uuid,
        bytes bigint not null,
        is_stored boolean not null default true,
        stored_bytes_read bigint not null default 0,
        read_bytes bigint not null default 0,
        lines bigint not null default 0,
        events bigint not null default 0,
        trades bigint not null default 0,
        bad bigint not null default 0,
        truncated bigint not null default 0,
        replaced bigint not null default 0,
        memory text,
        error text,
        received_at timestamptz not null,
        finished_at timestamptz,
        lease_until timestamptz,
        holder text,
        token bigint not null default 0,
        attempts int not null default 0
      ) with (fillfactor = 50);
      create unique index file_seq on uploads.file (seq);
      create index file_status on uploads.file (status, seq);
      create index file_unfinished on uploads.file (seq) where status in ('received', 'processing');
      create index file_kept on uploads.file (finished_at) where is_stored;
      create index file_known on uploads.file (finished_at) where memory is not null;
      comment on column uploads.file.unpacked_sha256 is 'Of the unpacked bytes; null where they cannot be unpacked to the end.';
      comment on column uploads.file.stored_bytes_read is 'Of the bytes as they came: what has been taken in, for percent.';
      comment on column uploads.file.memory is 'Where the reading stands, JSON; written in the transaction of each chunk, kept while bad lines may be read again.';
      comment on column uploads.file.holder is 'The process that reads it, or did last: host and pid.';
      comment on column uploads.file.token is 'Raised at each claim: who holds an older one reads no more.';
      comment on column uploads.file.attempts is 'Claims since the last chunk; of a packed file those that came to its place.';

      create table uploads.content (
        sha256 text primary key,
        file_id uuid not null references uploads.file on delete cascade
      );
      create index content_file on uploads.content (file_id);
      comment on table uploads.content is 'The first file of each content, by the bytes as they came and unpacked: what makes another a duplicate.';
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop schema uploads cascade`);
  }
}
