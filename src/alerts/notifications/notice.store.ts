import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { formatInstant, type Severity } from '../../contracts/index.js';
import { epochUs } from '../../platform/database/index.js';
import type { Ending, Firing, NewNotification, SeriesOfRule, Told } from './notice-batch.js';
import type { StoppedRule } from './notification.js';

/** Queues notices in the transaction of what they tell. */
@Injectable()
export class NoticeStore {
  /** Names of the channels that alerts were to be told on so far. */
  async channelsOf(tx: EntityManager, alertIds: readonly string[]): Promise<string[]> {
    if (alertIds.length === 0) return [];
    const rows = (await tx.query(
      `select distinct channel from alerts.notification where alert_id = any($1::bigint[]) and kind <> 'resolved'`,
      [alertIds],
    )) as { channel: string }[];
    return rows.map(({ channel }) => channel);
  }

  /** What channels were told last; locked until the end of `tx`, also where they were told nothing yet. */
  async told(tx: EntityManager, of: readonly (SeriesOfRule & Readonly<{ channel: string }>)[]): Promise<Told[]> {
    if (of.length === 0) return [];
    const rows = (await tx.query(
      `insert into alerts.told as t (channel, rule_id, source, symbol, told_at, kind, severity)
       select distinct channel, rule_id, source, symbol, '-infinity'::timestamptz, '', 'low'
       from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as n (channel, rule_id, source, symbol)
       order by channel, rule_id, source, symbol
       on conflict (channel, rule_id, source, symbol) do update set channel = excluded.channel
       returning channel, rule_id, source, symbol, case when told_at > '-infinity' then ${epochUs('told_at')} end as told_us,
         kind, severity, held`,
      keysOf(of),
    )) as ToldRow[];
    return rows.map(toldOf);
  }

  /** Firings go out to channels now, or were held until they were over: the next one says how many. */
  async tell(tx: EntityManager, changes: readonly Told[]): Promise<void> {
    if (changes.length === 0) return;
    await tx.query(
      `update alerts.told t set told_at = coalesce(n.told_at, t.told_at), kind = coalesce(n.kind, t.kind),
         severity = coalesce(n.severity, t.severity), held = n.held + case when n.told_at is null then t.held else 0 end
       from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::int[])
         as n (channel, rule_id, source, symbol, told_at, kind, severity, held)
       where (t.channel, t.rule_id, t.source, t.symbol) = (n.channel, n.rule_id, n.source, n.symbol)`,
      [
        ...keysOf(changes),
        changes.map(({ last }) => (last ? formatInstant(last.atUs) : null)),
        changes.map(({ last }) => last?.kind ?? null),
        changes.map(({ last }) => last?.severity ?? null),
        changes.map(({ held }) => held),
      ],
    );
  }

  /** Alerts of the rules whose firing went out since. */
  async recent(
    tx: EntityManager,
    ruleIds: readonly string[],
    sinceUs: number,
  ): Promise<(SeriesOfRule & Readonly<{ alertId: string }>)[]> {
    if (ruleIds.length === 0) return [];
    return (await tx.query(
      `select distinct rule_id as "ruleId", source, symbol, alert_id as "alertId" from alerts.notification
       where rule_id = any($1) and created_at > $2 and kind <> 'resolved' and state not in ('held', 'suppressed')`,
      [ruleIds, formatInstant(sinceUs)],
    )) as (SeriesOfRule & { alertId: string })[];
  }

  /** Until when rules are stopped, those that are. */
  async stoppedUntilUs(tx: EntityManager, ruleIds: readonly string[], nowUs: number): Promise<Map<string, number>> {
    if (ruleIds.length === 0) return new Map();
    const rows = (await tx.query(
      `select rule_id, ${epochUs('until')} as until_us from alerts.stopped_rule where rule_id = any($1) and until > $2`,
      [ruleIds, formatInstant(nowUs)],
    )) as { rule_id: string; until_us: string }[];
    return new Map(rows.map(({ rule_id, until_us }) => [rule_id, Number(until_us)]));
  }

  async stop(tx: EntityManager, rules: readonly StoppedRule[]): Promise<void> {
    if (rules.length === 0) return;
    await tx.query(
      `insert into alerts.stopped_rule (rule_id, stopped_at, until, notices)
       select * from unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::int[])
       on conflict (rule_id) do update set stopped_at = excluded.stopped_at, until = excluded.until, notices = excluded.notices`,
      [
        rules.map(({ ruleId }) => ruleId),
        rules.map(({ stoppedAtUs }) => formatInstant(stoppedAtUs)),
        rules.map(({ untilUs }) => formatInstant(untilUs)),
        rules.map(({ notices }) => notices),
      ],
    );
  }

  /** Makes what was held because of the stop due; false when the rule was not stopped. */
  async resume(tx: EntityManager, ruleId: string): Promise<boolean> {
    const [stopped] = (await tx.query(`delete from alerts.stopped_rule where rule_id = $1 returning rule_id`, [
      ruleId,
    ])) as [unknown[], number];
    await tx.query(
      `update alerts.notification set next_at = now() where rule_id = $1 and state = 'held' and reason = 'runaway'`,
      [ruleId],
    );
    return stopped.length > 0;
  }

  /** Queues them in their order, but for those whose alert, kind and channel are queued already. */
  async insert(tx: EntityManager, all: readonly NewNotification[]): Promise<void> {
    if (all.length === 0) return;
    await tx.query(
      `insert into alerts.notification (id, thread, alert_id, rule_id, source, symbol, kind, channel, state, next_at, held, reason, payload)
       select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
         $9::text[], $10::timestamptz[], $11::int[], $12::text[], $13::jsonb[])
       on conflict (alert_id, kind, channel) do nothing`,
      [
        all.map((one) => one.id),
        all.map((one) => one.thread),
        all.map(({ notice }) => notice.alertId),
        all.map(({ notice }) => notice.ruleId),
        all.map(({ notice }) => notice.source),
        all.map(({ notice }) => notice.symbol),
        all.map(({ notice }) => notice.kind),
        all.map((one) => one.channel),
        all.map((one) => one.state),
        all.map((one) => formatInstant(one.dueUs)),
        all.map((one) => one.held),
        all.map((one) => one.reason ?? null),
        all.map((one) => JSON.stringify(one.payload)),
      ],
    );
  }

  /** What of alerts was to be told so far, but their resolves, oldest first; locked until the end of `tx`. */
  async firings(tx: EntityManager, alertIds: readonly string[]): Promise<Firing[]> {
    return (await tx.query(
      `select id, alert_id as "alertId", kind, channel, thread, state, held
       from alerts.notification where alert_id = any($1::bigint[]) and kind <> 'resolved' order by seq for update`,
      [alertIds],
    )) as Firing[];
  }

  async end(tx: EntityManager, endings: readonly Ending[]): Promise<void> {
    if (endings.length === 0) return;
    await tx.query(
      `update alerts.notification n set state = e.state, finished_at = now(), revives = false
       from unnest($1::uuid[], $2::text[]) as e (id, state) where n.id = e.id`,
      [endings.map(({ id }) => id), endings.map(({ state }) => state)],
    );
  }
}

type ToldRow = Readonly<{
  channel: string;
  rule_id: string;
  source: string;
  symbol: string;
  told_us: string | null;
  kind: string;
  severity: Severity;
  held: number;
}>;

const toldOf = ({ rule_id, told_us, kind, severity, ...row }: ToldRow): Told => ({
  ...row,
  ruleId: rule_id,
  last: told_us === null ? undefined : { atUs: Number(told_us), kind, severity },
});

const keysOf = (all: readonly (SeriesOfRule & Readonly<{ channel: string }>)[]): string[][] => [
  all.map(({ channel }) => channel),
  all.map(({ ruleId }) => ruleId),
  all.map(({ source }) => source),
  all.map(({ symbol }) => symbol),
];
