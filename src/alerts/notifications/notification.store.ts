import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { epochUs } from '../../platform/database/index.js';
import type { Notice } from '../messages/notice.js';
import type { Attempt, Notification, NotificationState, StoppedRule } from './notification.js';

export type NotificationFilter = Readonly<{
  states?: readonly NotificationState[] | undefined;
  channel?: string | undefined;
  ruleId?: string | undefined;
  alertId?: string | undefined;
  /** Only earlier ones. */
  beforeSeq?: string | undefined;
}>;

type Row = {
  id: string;
  seq: string;
  alert_id: string;
  rule_id: string | null;
  kind: Notice['kind'];
  source: string;
  symbol: string;
  channel: string;
  state: NotificationState;
  reason: string | null;
  payload: Notice & { isMerged?: boolean };
  held: number;
  attempts: number;
  next_us: string;
  created_us: string;
  finished_us: string | null;
};
type AttemptRow = {
  notification_id: string;
  at_us: string;
  outcome: Attempt['outcome'];
  reason: string;
  status: number | null;
  error: string | null;
  duration_ms: number;
  message_id: string;
};

const COLUMNS = `n.id, n.seq, n.alert_id, n.rule_id, n.kind, n.source, n.symbol, n.channel, n.state, n.reason, n.payload, n.held, n.attempts,
  ${epochUs('n.next_at')} as next_us, ${epochUs('n.created_at')} as created_us, ${epochUs('n.finished_at')} as finished_us`;
/** A notification is tried for a day at most, so this many are its last ones at least. */
const MOST_ATTEMPTS = 50;

/** The history of notifications, with what was tried. */
@Injectable()
export class NotificationStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** Newest first. */
  async page(filter: NotificationFilter, limit: number): Promise<Notification[]> {
    const rows = (await this.dataSource.query(
      `select ${COLUMNS} from alerts.notification n
       where ($1::text[] is null or n.state = any($1)) and ($2::text is null or n.channel = $2)
         and ($3::text is null or n.rule_id = $3) and ($4::bigint is null or n.alert_id = $4) and ($5::bigint is null or n.seq < $5)
       order by n.seq desc limit $6`,
      [
        filter.states ?? null,
        filter.channel ?? null,
        filter.ruleId ?? null,
        filter.alertId ?? null,
        filter.beforeSeq ?? null,
        limit,
      ],
    )) as Row[];
    return this.withAttempts(rows);
  }

  async one(id: string): Promise<Notification | undefined> {
    const rows = (await this.dataSource.query(`select ${COLUMNS} from alerts.notification n where n.id = $1`, [
      id,
    ])) as Row[];
    return (await this.withAttempts(rows))[0];
  }

  /** Rules that the runaway guard holds back now, by id; of these only, if any are given. */
  async stopped(ruleIds?: readonly string[]): Promise<StoppedRule[]> {
    const rows = (await this.dataSource.query(
      `select rule_id, ${epochUs('stopped_at')} as stopped_us, ${epochUs('until')} as until_us, notices
       from alerts.stopped_rule where until > now() and ($1::text[] is null or rule_id = any($1)) order by rule_id limit 1000`,
      [ruleIds ?? null],
    )) as { rule_id: string; stopped_us: string; until_us: string; notices: number }[];
    return rows.map((row) => ({
      ruleId: row.rule_id,
      stoppedAtUs: Number(row.stopped_us),
      untilUs: Number(row.until_us),
      notices: row.notices,
    }));
  }

  private async withAttempts(rows: readonly Row[]): Promise<Notification[]> {
    const attempts = (await this.dataSource.query(
      `select a.notification_id, ${epochUs('a.at')} as at_us, a.outcome, a.reason, a.status, a.error, a.duration_ms, a.message_id
       from unnest($1::uuid[]) as n(id), lateral (
         select * from alerts.attempt where notification_id = n.id order by id desc limit ${MOST_ATTEMPTS}) a
       order by a.id`,
      [rows.map(({ id }) => id)],
    )) as AttemptRow[];
    const byNotification = Map.groupBy(attempts, (one) => one.notification_id);
    return rows.map((row) => notificationOf(row, byNotification.get(row.id) ?? []));
  }
}

function notificationOf(row: Row, attempts: readonly AttemptRow[]): Notification {
  const { id, seq, kind, source, symbol, channel, state, reason, held } = row;
  return {
    id,
    seq,
    alertId: row.alert_id,
    ruleId: row.rule_id,
    kind,
    severity: row.payload.severity,
    source,
    symbol,
    channel,
    state,
    reason,
    isMerged: row.payload.isMerged ?? false,
    held,
    attempts: row.attempts,
    nextAtUs: Number(row.next_us),
    createdAtUs: Number(row.created_us),
    finishedAtUs: row.finished_us === null ? null : Number(row.finished_us),
    history: attempts.map((one) => ({
      atUs: Number(one.at_us),
      outcome: one.outcome,
      reason: one.reason,
      status: one.status,
      error: one.error,
      durationMs: one.duration_ms,
      messageId: one.message_id,
    })),
  };
}
