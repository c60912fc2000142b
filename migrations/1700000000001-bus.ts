import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Schema `bus`: durable events, one delivery row per consumer, dead letters. */
export class Bus1700000000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create schema bus;

      create sequence bus.event_id;
      create table bus.event (
        id bigint not null default nextval('bus.event_id'),
        at timestamptz not null default now(),
        name text not null,
        data json not null,
        trace text
      ) partition by range (at);
      -- compressing a batch of trades costs a third of what inserting them does; the rows are gone within hours
      alter table bus.event alter column data set storage external;
      create index event_position on bus.event (id);
      comment on table bus.event is 'One durable event a row, by the hour; trimmed once delivered and past EVENTS_RETENTION.';

      create table bus.consumer (
        name text primary key,
        event_name text not null
      );

      create table bus.delivery (
        consumer text not null,
        event_id bigint not null,
        event_at timestamptz not null,
        attempts int not null default 0,
        due_at timestamptz not null default now(),
        error text,
        primary key (consumer, event_id)
      ) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
      comment on column bus.delivery.attempts is 'Counted when claimed, so a crash counts; also the token that only the last claimer holds.';
      comment on column bus.delivery.due_at is 'When it may be claimed: at once, after a back-off, or when the lease of its claimer runs out.';

      create table bus.dead_letter (
        id bigint generated always as identity primary key,
        stage text not null,
        code text not null,
        message text not null,
        source_kind text not null,
        source_id text not null,
        source_position text,
        attempts int not null,
        state text not null default 'dead',
        payload text not null,
        first_failed_at timestamptz not null default now(),
        last_failed_at timestamptz not null default now()
      );
      create index dead_letter_recent on bus.dead_letter (stage, code, id desc);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop schema bus cascade');
  }
}
