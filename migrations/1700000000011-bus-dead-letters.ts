import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Dead letters as a workbench: raw payload, attempts, fingerprint, replays. */
export class BusDeadLetters1700000000011 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      alter table bus.delivery add column tries jsonb;
      comment on column bus.delivery.tries is 'Failed attempts so far; null while none failed.';
      comment on column bus.delivery.event_id is 'Of bus.event; a negative one is the dead letter that is replayed.';

      alter table bus.dead_letter
        alter column payload type bytea using convert_to(payload, 'UTF8'),
        add column content_type text not null default 'text/plain; charset=utf-8',
        add column payload_bytes int,
        add column payload_sha256 text,
        add column original bytea,
        add column original_bytes int,
        add column original_sha256 text,
        add column edited_at timestamptz,
        add column fingerprint text,
        add column tries jsonb not null default '[]',
        add column retry_until timestamptz,
        add column job_id bigint,
        add column replayed_at timestamptz,
        add column discarded_at timestamptz,
        add column reason text,
        add column discarded_by text;
      alter table bus.dead_letter alter column payload set storage external;
      update bus.dead_letter set
        source_kind = case when source_kind = 'feed' and stage in ('validate', 'store') then 'trade' else source_kind end,
        content_type = case when stage in ('validate', 'store', 'process') then 'application/json' else content_type end,
        payload_bytes = length(payload), payload_sha256 = encode(sha256(payload), 'hex'),
        tries = jsonb_build_array(jsonb_build_object(
          'atUs', (extract(epoch from last_failed_at) * 1000000)::bigint, 'error', left(message, 500)));
      update bus.dead_letter set fingerprint = left(md5(concat_ws(' ', stage, code, source_kind, source_id,
        regexp_replace(message, '"[^"]*"|''[^'']*''|[0-9]+', '#', 'g'))), 16);
      alter table bus.dead_letter
        alter column payload_bytes set not null,
        alter column payload_sha256 set not null,
        alter column fingerprint set not null;
      comment on column bus.dead_letter.payload is 'As it came, cut at the bound of its kind; payload_bytes and payload_sha256 are of the whole.';
      comment on column bus.dead_letter.original is 'What the payload was before a person edited it.';
      comment on column bus.dead_letter.attempts is 'Counted when a replay begins, so a crash counts; also the token that only the last replay holds.';
      comment on column bus.dead_letter.tries is 'The last attempts that failed, oldest first.';
      comment on column bus.dead_letter.retry_until is 'While retrying: when the replay is taken for lost; null when somebody else reports its end.';
      create index dead_letter_standing on bus.dead_letter (state, stage, first_failed_at);
      create index dead_letter_group on bus.dead_letter (fingerprint, id);
      create index dead_letter_source on bus.dead_letter (source_kind, source_id, source_position);
      create index dead_letter_age on bus.dead_letter (last_failed_at);
      create index dead_letter_job on bus.dead_letter (job_id, state, id) where job_id is not null;

      create table bus.replay_job (
        id bigint generated always as identity primary key,
        filter jsonb not null,
        rate_per_second float8 not null,
        state text not null default 'running',
        total int not null default 0,
        counts jsonb,
        holder uuid,
        lease_until timestamptz,
        created_at timestamptz not null default now(),
        finished_at timestamptz
      );
      comment on table bus.replay_job is 'Replays by filter; the letters of a job carry its id, and their states are its progress.';
      comment on column bus.replay_job.counts is 'What became of the letters, kept when the job ends.';
      create index replay_job_running on bus.replay_job (id) where state = 'running';
    `);
  }

  /** What is no plain ASCII text is shown escaped from then on. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      drop table bus.replay_job;
      delete from bus.delivery where event_id < 0;
      drop index bus.dead_letter_standing, bus.dead_letter_group, bus.dead_letter_source, bus.dead_letter_age, bus.dead_letter_job;
      update bus.dead_letter set state = 'dead' where state <> 'dead';
      alter table bus.dead_letter
        alter column payload type text using encode(payload, 'escape'),
        drop column content_type, drop column payload_bytes, drop column payload_sha256, drop column original,
        drop column original_bytes, drop column original_sha256, drop column edited_at, drop column fingerprint,
        drop column tries, drop column retry_until, drop column job_id, drop column replayed_at,
        drop column discarded_at, drop column reason, drop column discarded_by;
      alter table bus.delivery drop column tries;
    `);
  }
}
