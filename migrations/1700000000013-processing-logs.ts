import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Log events and events of webhooks. */
export class ProcessingLogs1700000000013 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table processing.log_file (
        no int generated always as identity primary key,
        file_id uuid not null unique,
        first_at timestamptz not null,
        last_at timestamptz not null,
        first_day date not null,
        last_day date not null
      );
      comment on table processing.log_file is 'Files that log events came from: a short number for each, the span of its events and the days they were stored on.';

      create table processing.log_event (
        id bigint not null,
        at timestamptz not null,
        stored_on date not null,
        level smallint,
        format text not null,
        message text not null,
        fields jsonb not null,
        trace_id text,
        search tsvector not null
      ) partition by range (stored_on);
      comment on table processing.log_event is 'A partition for each day of storing, made and dropped by src/processing/logs.';
      comment on column processing.log_event.id is 'Number of the file, shifted left by 32, plus the line: the identity; unique by an index of each partition.';
      comment on column processing.log_event.level is '0 trace to 5 fatal; null where the line tells none.';
      comment on column processing.log_event.search is 'Words of the message and of the values of the fields, split in src/processing/logs/search-words.ts.';
      create index log_event_at on processing.log_event (at, id);
      create index log_event_bad on processing.log_event (at, id) where level >= 3;
      create index log_event_trace on processing.log_event (trace_id) where trace_id is not null;
      create index log_event_search on processing.log_event using gin (search);

      create table processing.event (
        id bigint generated always as identity primary key,
        source text not null,
        delivery_id text not null,
        type text not null,
        action text,
        repository text,
        actor text,
        ref text,
        number bigint,
        url text,
        fields jsonb not null,
        at timestamptz not null,
        recorded_at timestamptz not null default now(),
        unique (source, delivery_id)
      );
      comment on table processing.event is 'What deliveries of webhooks told, each once.';
      create index event_at on processing.event (at, id);
      create index event_recorded on processing.event (recorded_at);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table processing.event, processing.log_event, processing.log_file');
  }
}
