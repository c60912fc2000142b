import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { formatInstant, type Severity } from '../../contracts/index.js';
import type { LastTold } from './hold.js';
import type { Notice } from './notice.js';
import type { NotificationState, StoppedRule } from './notification.js';

export type SeriesOfRule = Readonly<{ ruleId: string; source: string; symbol: string }>;
export type NewNotification = Readonly<{
  id: string;
  thread: string;
  channel: string;
  state: 'pending' | 'held';
  dueUs: number;
  held: number;
  reason?: string | undefined;
  payload: Readonly<Record<string, unknown>>;
}>;
/** A firing of an alert, on one channel. */
export type Firing = Readonly<{ id: string; channel: string; thread: string; state: NotificationState; held: number }>;

const US = (column: string): string => `(extract(epoch from ${column}) * 1000000)::bigint`;

/** Queues notices in the transaction of what they tell. */
@Injectable()
export class NoticeStore {
  /** Which of the names are channels, in their order; none of them goes before `tx` ends. */
  async known(tx: EntityManager, names: readonly string[]): Promise<string[]> {
    const rows = (await tx.query(`select name from alerts.channel where name = any($1) order by name for key share`, [
      names,
    ])) as {
      name: string;
    }[];
    return names.filter((name) => rows.some((row) => row.name === name));
  }

  /** What a channel was told last of a rule and series, and how many were held back since; locked until the end of `tx`. */
  async lastTold(
    tx: EntityManager,
    channel: string,
    { ruleId, source, symbol }: SeriesOfRule,
  ): Promise<{ last: LastTold | undefined; held: number }> {
    const rows = (await tx.query(
      `insert into alerts.told as t (channel, rule_id, source, symbol, told_at, kind, severity)
       values ($1, $2, $3, $4, '-infinity', '', 'low')
       on conflict (channel, rule_id, source, symbol) do update set channel = excluded.channel
       returning case when told_at > '-infinity' then ${US('told_at')} end as told_us, kind, severity, held`,
      [channel, ruleId, source, symbol],
    )) as { told_us: string | null; kind: string; severity: Severity; held: number }[];
    const [{ told_us, kind, severity, held }] = rows as [(typeof rows)[number]];
    return { last: told_us === null ? undefined : { atUs: Number(told_us), kind, severity }, held };
  }

  /** A firing goes out to a channel now. */
  async tell(tx: EntityManager, channel: string, notice: Notice, nowUs: number): Promise<void> {
    await tx.query(
      `update alerts.told set told_at = $5, kind = $6, severity = $7, held = 0
       where channel = $1 and rule_id = $2 and source = $3 and symbol = $4`,
      [channel, notice.ruleId, notice.source, notice.symbol, formatInstant(nowUs), notice.kind, notice.severity],
    );
  }

  /** Firings of the rule that went out since, and of how many series. */
  async toldOf(tx: EntityManager, ruleId: string, sinceUs: number): Promise<{ notices: number; series: number }> {
    const [counts] = (await tx.query(
      `select count(distinct alert_id)::int as notices, count(distinct (source, symbol))::int as series from alerts.notification
       where rule_id = $1 and created_at > $2 and kind <> 'resolved' and state not in ('held', 'suppressed')`,
      [ruleId, formatInstant(sinceUs)],
    )) as [{ notices: number; series: number }];
    return counts;
  }

  /** Until when the rule is stopped, if it is. */
  async stoppedUntilUs(tx: EntityManager, ruleId: string, nowUs: number): Promise<number | undefined> {
    const rows = (await tx.query(
      `select ${US('until')} as until_us from alerts.stopped_rule where rule_id = $1 and until > $2`,
      [ruleId, formatInstant(nowUs)],
    )) as { until_us: string }[];
    return rows.map(({ until_us }) => Number(until_us))[0];
  }

  async stop(tx: EntityManager, { ruleId, stoppedAtUs, untilUs, notices }: StoppedRule): Promise<void> {
    await tx.query(
      `insert into alerts.stopped_rule (rule_id, stopped_at, until, notices) values ($1, $2, $3, $4)
       on conflict (rule_id) do update set stopped_at = excluded.stopped_at, until = excluded.until, notices = excluded.notices`,
      [ruleId, formatInstant(stoppedAtUs), formatInstant(untilUs), notices],
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

  async stopped(tx: EntityManager): Promise<StoppedRule[]> {
    const rows = (await tx.query(
      `select rule_id, ${US('stopped_at')} as stopped_us, ${US('until')} as until_us, notices
       from alerts.stopped_rule where until > now() order by rule_id limit 1000`,
    )) as { rule_id: string; stopped_us: string; until_us: string; notices: number }[];
    return rows.map((row) => ({
      ruleId: row.rule_id,
      stoppedAtUs: Number(row.stopped_us),
      untilUs: Number(row.until_us),
      notices: row.notices,
    }));
  }

  /** Queues it, unless this alert, kind and channel is queued already. */
  async insert(tx: EntityManager, notice: Notice, one: NewNotification): Promise<void> {
    await tx.query(
      `insert into alerts.notification (id, thread, alert_id, rule_id, source, symbol, kind, channel, state, next_at, held, reason, payload)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
       on conflict (alert_id, kind, channel) do nothing`,
      [
        one.id,
        one.thread,
        notice.alertId,
        notice.ruleId,
        notice.source,
        notice.symbol,
        notice.kind,
        one.channel,
        one.state,
        formatInstant(one.dueUs),
        one.held,
        one.reason ?? null,
        JSON.stringify(one.payload),
      ],
    );
  }

  /** What of an alert was to be told so far, but its resolve; locked until the end of `tx`. */
  async firings(tx: EntityManager, alertId: string): Promise<Firing[]> {
    return (await tx.query(
      `select id, channel, thread, state, held from alerts.notification
       where alert_id = $1 and kind <> 'resolved' order by seq for update`,
      [alertId],
    )) as Firing[];
  }

  /** Ends notifications that need not go out any more. */
  async end(tx: EntityManager, ids: readonly string[], state: 'superseded' | 'suppressed'): Promise<void> {
    await tx.query(
      `update alerts.notification set state = $2, finished_at = now(), revives = false where id = any($1::uuid[])`,
      [ids, state],
    );
  }

  /** Firings that were held on a channel until they were over: the next one says how many. */
  async countHeld(tx: EntityManager, channel: string, series: SeriesOfRule, held: number): Promise<void> {
    await tx.query(
      `update alerts.told set held = held + $5 where channel = $1 and rule_id = $2 and source = $3 and symbol = $4`,
      [channel, series.ruleId, series.source, series.symbol, held],
    );
  }
}
