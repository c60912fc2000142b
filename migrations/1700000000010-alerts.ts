import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Schema `alerts`: rules with their states, alerts with their history, silences, channels and what goes out by them. */
export class Alerts1700000000010 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create schema alerts;

      create sequence alerts.version as int;
      comment on sequence alerts.version is 'Of rules and channels: what is deleted and made anew is at no version that anybody has seen.';

      create table alerts.rule (
        id text primary key,
        body jsonb not null,
        fingerprint text not null,
        version int not null default nextval('alerts.version'),
        created_at timestamptz not null default now(),
        changed_at timestamptz not null default now()
      );
      comment on column alerts.rule.fingerprint is 'Of the fields that decide when it fires; while it stays, so do the states.';

      create table alerts.rule_state (
        rule_id text not null references alerts.rule on delete cascade,
        source text not null,
        symbol text not null,
        state jsonb not null,
        version int not null default 1,
        changed_at timestamptz not null default now(),
        primary key (rule_id, source, symbol)
      ) with (fillfactor = 50);
      comment on table alerts.rule_state is 'Where a rule stands with one series; without a row it is inactive.';

      create table alerts.position (
        source text not null,
        symbol text not null,
        traded_at_us bigint not null,
        trade_id text not null,
        primary key (source, symbol)
      ) with (fillfactor = 50);
      comment on table alerts.position is 'The last trade of a series that rules were evaluated at: where a restart goes on.';

      create table alerts.evaluator (epoch bigint not null);
      insert into alerts.evaluator values (0);
      comment on table alerts.evaluator is 'Raised by whoever begins to evaluate: what an earlier one still holds is refused from then on.';

      create table alerts.feed_silence (
        source text not null,
        since_us bigint not null,
        noted_us bigint not null,
        until_us bigint,
        primary key (source, since_us)
      );
      comment on table alerts.feed_silence is 'When a feed was lost, when that was seen, and until when: a backtest loses it likewise.';

      create table alerts.silence (
        id bigint generated always as identity primary key,
        matchers jsonb not null,
        starts_at timestamptz not null,
        ends_at timestamptz not null,
        schedule jsonb,
        comment text not null,
        created_by text,
        created_at timestamptz not null default now(),
        check (starts_at < ends_at)
      );
      create index silence_end on alerts.silence (ends_at);

      create table alerts.alert (
        id bigint generated always as identity primary key,
        rule_id text,
        name text not null,
        source text not null,
        symbol text not null,
        severity text not null,
        condition text not null,
        threshold float8,
        labels jsonb not null,
        channels text[] not null,
        phase text not null,
        opened_by text not null,
        started_at timestamptz not null,
        resolved_at timestamptz,
        resolution text,
        value float8,
        occurrences int not null default 1,
        cooldown_us bigint not null,
        notified boolean not null default false,
        silenced_by bigint references alerts.silence on delete set null,
        acknowledged_at timestamptz,
        acknowledged_by text,
        changed_at timestamptz not null default now()
      ) with (fillfactor = 80);
      comment on column alerts.alert.rule_id is 'Null for a manual one; stays when the rule is deleted.';
      comment on column alerts.alert.notified is 'Its firing was handed to notifications, so its resolve is too.';
      comment on column alerts.alert.silenced_by is 'The silence it is under now; an overlay that changes nothing else.';
      create unique index alert_open on alerts.alert (rule_id, source, symbol) where resolved_at is null and rule_id is not null;
      create index alert_unresolved on alerts.alert (id) where resolved_at is null;
      create index alert_of_rule on alerts.alert (rule_id, id);
      create index alert_of_symbol on alerts.alert (symbol, id);
      create index alert_age on alerts.alert (resolved_at) where resolved_at is not null;
      create index alert_start on alerts.alert (started_at);
      create index alert_of_silence on alerts.alert (silenced_by) where silenced_by is not null;

      create table alerts.transition (
        id bigint generated always as identity primary key,
        alert_id bigint not null references alerts.alert on delete cascade,
        kind text not null,
        at timestamptz not null,
        value float8,
        reason text,
        note text
      );
      create index transition_of_alert on alerts.transition (alert_id, id);
    `);
    await runner.query(`
      create table alerts.channel (
        name text primary key,
        type text not null,
        config jsonb not null,
        version int not null default nextval('alerts.version'),
        healthy boolean not null default true,
        unhealthy_reason text,
        unhealthy_since timestamptz,
        failures int not null default 0,
        paused_until timestamptz,
        created_at timestamptz not null default now(),
        changed_at timestamptz not null default now()
      );
      comment on column alerts.channel.config is 'With its secrets, which no answer shows.';
      comment on column alerts.channel.failures is 'Messages that did not go through, one after another.';

      create table alerts.notification (
        id uuid primary key,
        seq bigint generated always as identity unique,
        alert_id bigint not null,
        rule_id text,
        source text not null,
        symbol text not null,
        kind text not null,
        channel text not null,
        thread uuid not null,
        state text not null,
        attempts int not null default 0,
        next_at timestamptz not null default now(),
        batch uuid,
        payload jsonb not null,
        held int not null default 0,
        reason text,
        revives boolean not null default false,
        created_at timestamptz not null default now(),
        finished_at timestamptz
      ) with (fillfactor = 50);
      comment on column alerts.notification.thread is 'The first of its alert on its channel: what a firing and its resolve have in common.';
      comment on column alerts.notification.next_at is 'When it is due; while it is being sent, when that is taken for lost.';
      comment on column alerts.notification.batch is 'The message it goes out in, whose id every attempt carries: by it a receiver knows what it has had already.';
      comment on column alerts.notification.revives is 'It died of its channel: it is sent after all once that works again.';
      create unique index notification_once on alerts.notification (alert_id, kind, channel);
      create index notification_due on alerts.notification (channel, next_at) where state in ('pending', 'sending', 'held');
      create index notification_message on alerts.notification (batch) where batch is not null;
      create index notification_dead on alerts.notification (channel, seq) where state = 'dead';
      create index notification_of_rule on alerts.notification (rule_id, created_at);
      create index notification_age on alerts.notification (finished_at) where finished_at is not null;

      create table alerts.attempt (
        id bigint generated always as identity primary key,
        notification_id uuid not null references alerts.notification on delete cascade,
        message_id uuid not null,
        at timestamptz not null default now(),
        outcome text not null,
        reason text not null,
        status int,
        error text,
        duration_ms int not null
      );
      create index attempt_of_notification on alerts.attempt (notification_id, id);

      create table alerts.told (
        channel text not null references alerts.channel on delete cascade,
        rule_id text not null,
        source text not null,
        symbol text not null,
        told_at timestamptz not null,
        kind text not null,
        severity text not null,
        held int not null default 0,
        made_at timestamptz not null default now(),
        primary key (channel, rule_id, source, symbol)
      ) with (fillfactor = 80);
      comment on table alerts.told is 'The last firing that went to a channel, which limits repeats, and how many were held back since.';

      create table alerts.stopped_rule (
        rule_id text primary key,
        stopped_at timestamptz not null default now(),
        until timestamptz not null,
        notices int not null
      );
      comment on table alerts.stopped_rule is 'Rules that notified too often: their firings are held until then.';

      create table alerts.settings (
        one_row boolean primary key default true check (one_row),
        body jsonb not null,
        changed_at timestamptz not null default now()
      );
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop schema alerts cascade');
  }
}
