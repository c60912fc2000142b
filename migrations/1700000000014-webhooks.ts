import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Schema `webhooks`: signed deliveries, each once. */
export class Webhooks1700000000014 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create schema webhooks;

      create table webhooks.delivery (
        id bigint generated always as identity primary key,
        source text not null,
        hook_id text not null,
        delivery_id text not null,
        type text not null,
        action text,
        status text not null check (status in ('received', 'processed', 'failed')),
        error text,
        headers jsonb not null,
        content_type text not null,
        body bytea not null,
        body_sha256 bytea not null,
        event jsonb,
        replay_of bigint,
        repeats int not null default 0,
        received_at timestamptz not null default now(),
        told_at timestamptz not null default now(),
        unique (source, hook_id, delivery_id)
      );
      comment on column webhooks.delivery.event is 'The payload brought to one shape: what is told again when a repeat comes; null while it cannot be read.';
      comment on column webhooks.delivery.replay_of is 'An earlier delivery with the same body under another id: GitHub signs no headers, so it may be a replay.';
      create index delivery_body on webhooks.delivery (source, body_sha256);
      create index delivery_type on webhooks.delivery (type, id);
      create index delivery_unprocessed on webhooks.delivery (status, id) where status <> 'processed';
      create index delivery_received on webhooks.delivery (received_at);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop schema webhooks cascade');
  }
}
