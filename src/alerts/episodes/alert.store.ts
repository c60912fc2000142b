import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { type AlertReason, formatInstant, type Severity } from '../../contracts/index.js';
import { epochUs } from '../../platform/database/index.js';
import type { Alert, AlertChange, AlertState } from './alert.js';

export type AlertFilter = Readonly<{
  states?: readonly AlertState[] | undefined;
  ruleId?: string | undefined;
  symbol?: string | undefined;
  source?: string | undefined;
  severities?: readonly Severity[] | undefined;
  /** Of the start. */
  fromUs?: number | undefined;
  toUs?: number | undefined;
  /** Only alerts with a lower id. */
  beforeId?: string | undefined;
}>;

const ALERT = `a.id, a.rule_id, a.name, a.source, a.symbol, a.severity, a.condition, a.threshold, a.labels, a.channels, a.phase, a.opened_by,
  ${epochUs('a.started_at')} as started_us, ${epochUs('a.resolved_at')} as resolved_us, a.resolution, a.value, a.occurrences, a.cooldown_us,
  a.notified, a.silenced_by, ${epochUs('a.acknowledged_at')} as acknowledged_us, a.acknowledged_by`;

type Row = Readonly<{
  id: string;
  rule_id: string | null;
  name: string;
  source: string;
  symbol: string;
  severity: Severity;
  condition: string;
  threshold: number | null;
  labels: Record<string, string>;
  channels: string[];
  phase: Alert['phase'];
  opened_by: AlertReason;
  started_us: string;
  resolved_us: string | null;
  resolution: AlertReason | null;
  value: number | null;
  occurrences: number;
  cooldown_us: string;
  notified: boolean;
  silenced_by: string | null;
  acknowledged_us: string | null;
  acknowledged_by: string | null;
}>;

@Injectable()
export class AlertStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** Ids for alerts that are to be inserted, ascending. */
  async newIds(tx: EntityManager, count: number): Promise<string[]> {
    if (count === 0) return [];
    const rows = (await tx.query(
      `select nextval(pg_get_serial_sequence('alerts.alert', 'id')) as id from generate_series(1, $1)`,
      [count],
    )) as { id: string }[];
    return rows.map(({ id }) => id);
  }

  async insert(tx: EntityManager, alerts: readonly Alert[]): Promise<void> {
    if (alerts.length === 0) return;
    await tx.query(
      `insert into alerts.alert (id, rule_id, name, source, symbol, severity, condition, threshold, labels, channels, phase, opened_by,
         started_at, resolved_at, resolution, value, occurrences, cooldown_us, notified, silenced_by)
       overriding system value
       select id, rule_id, name, source, symbol, severity, condition, threshold, labels,
         array(select jsonb_array_elements_text(channels)), phase, opened_by, started_at, resolved_at, resolution, value, occurrences,
         cooldown_us, notified, (select s.id from alerts.silence s where s.id = n.silenced_by)
       from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::float8[], $9::jsonb[],
         $10::jsonb[], $11::text[], $12::text[], $13::timestamptz[], $14::timestamptz[], $15::text[], $16::float8[], $17::int[],
         $18::bigint[], $19::boolean[], $20::bigint[]) as n (id, rule_id, name, source, symbol, severity, condition, threshold, labels,
         channels, phase, opened_by, started_at, resolved_at, resolution, value, occurrences, cooldown_us, notified, silenced_by)`,
      [
        alerts.map((one) => one.id),
        alerts.map((one) => one.ruleId),
        alerts.map((one) => one.name),
        alerts.map((one) => one.source),
        alerts.map((one) => one.symbol),
        alerts.map((one) => one.severity),
        alerts.map((one) => one.condition),
        alerts.map((one) => one.threshold),
        alerts.map((one) => JSON.stringify(one.labels)),
        alerts.map((one) => JSON.stringify(one.channels)),
        alerts.map((one) => one.phase),
        alerts.map((one) => one.openedBy),
        alerts.map((one) => formatInstant(one.startedAtUs)),
        alerts.map((one) => instantOrNull(one.resolvedAtUs)),
        alerts.map((one) => one.resolution),
        alerts.map((one) => one.value),
        alerts.map((one) => one.occurrences),
        alerts.map((one) => one.cooldownUs),
        alerts.map((one) => one.notified),
        alerts.map((one) => one.silencedBy),
      ],
    );
  }

  /** Changes alerts that are open. Returns those that were, as they stand then. */
  async change(tx: EntityManager, changes: readonly AlertChange[]): Promise<Alert[]> {
    if (changes.length === 0) return [];
    const [rows] = (await tx.query(
      `update alerts.alert a set phase = n.phase, value = coalesce(n.value, a.value), occurrences = a.occurrences + n.refired,
         resolved_at = n.resolved_at, resolution = n.resolution, changed_at = now()
       from unnest($1::bigint[], $2::text[], $3::float8[], $4::int[], $5::timestamptz[], $6::text[])
         as n (id, phase, value, refired, resolved_at, resolution)
       where a.id = n.id and a.resolved_at is null returning ${ALERT}`,
      [
        changes.map((one) => one.id),
        changes.map((one) => one.phase),
        changes.map((one) => one.value),
        changes.map((one) => one.refired),
        changes.map((one) => instantOrNull(one.resolvedAtUs)),
        changes.map((one) => one.resolution),
      ],
    )) as [Row[], number];
    return rows.map(alertOf);
  }

  async one(id: string, tx: EntityManager = this.dataSource.manager): Promise<Alert | undefined> {
    const rows = (await tx.query(`select ${ALERT} from alerts.alert a where a.id = $1`, [id])) as Row[];
    return rows.map(alertOf)[0];
  }

  /** Newest first. */
  async page(filter: AlertFilter, limit: number): Promise<Alert[]> {
    const rows = (await this.dataSource.query(
      `select ${ALERT} from alerts.alert a
       where ($1::text[] is null or ('resolved' = any($1) and a.resolved_at is not null)
           or ('active' = any($1) and a.resolved_at is null and a.silenced_by is null)
           or ('silenced' = any($1) and a.resolved_at is null and a.silenced_by is not null))
         and ($2::text is null or a.rule_id = $2) and ($3::text is null or a.symbol = $3) and ($4::text is null or a.source = $4)
         and ($5::text[] is null or a.severity = any($5)) and ($6::timestamptz is null or a.started_at >= $6)
         and ($7::timestamptz is null or a.started_at < $7) and ($8::bigint is null or a.id < $8)
       order by a.id desc limit $9`,
      [
        filter.states ?? null,
        filter.ruleId ?? null,
        filter.symbol ?? null,
        filter.source ?? null,
        filter.severities ?? null,
        instantOrNull(filter.fromUs ?? null),
        instantOrNull(filter.toUs ?? null),
        filter.beforeId ?? null,
        limit,
      ],
    )) as Row[];
    return rows.map(alertOf);
  }

  /** Alerts that are open, by id, after a given one. */
  async open(tx: EntityManager, afterId: string, limit: number): Promise<Alert[]> {
    const rows = (await tx.query(
      `select ${ALERT} from alerts.alert a where a.resolved_at is null and a.id > $1 order by a.id limit $2`,
      [afterId, limit],
    )) as Row[];
    return rows.map(alertOf);
  }

  async countOpenManual(tx: EntityManager): Promise<number> {
    const [row] = (await tx.query(
      `select count(*)::int as alerts from alerts.alert where resolved_at is null and rule_id is null`,
    )) as [{ alerts: number }];
    return row.alerts;
  }

  /** Lays alerts that are open under a silence, or under none. Returns those for which that is a change. */
  async overlay(
    tx: EntityManager,
    changes: readonly Readonly<{ id: string; silencedBy: string | null }>[],
  ): Promise<Alert[]> {
    if (changes.length === 0) return [];
    const [rows] = (await tx.query(
      `update alerts.alert a set silenced_by = n.silence, changed_at = now()
       from unnest($1::bigint[], $2::bigint[]) as n (id, silence)
       where a.id = n.id and a.resolved_at is null and a.silenced_by is distinct from n.silence returning ${ALERT}`,
      [changes.map(({ id }) => id), changes.map(({ silencedBy }) => silencedBy)],
    )) as [Row[], number];
    return rows.map(alertOf);
  }

  /** Returns those for which it is new. */
  async markNotified(tx: EntityManager, ids: readonly string[]): Promise<Set<string>> {
    if (ids.length === 0) return new Set();
    const [rows] = (await tx.query(
      `update alerts.alert set notified = true
       where id = any($1::bigint[]) and not notified and resolved_at is null returning id`,
      [ids],
    )) as [{ id: string }[], number];
    return new Set(rows.map(({ id }) => id));
  }

  /** Undefined: no such alert. `acknowledgedBy` null takes the acknowledgement back, undefined leaves it. */
  async annotate(
    tx: EntityManager,
    id: string,
    { acknowledgedBy, labels }: Readonly<{ acknowledgedBy?: string | null; labels?: Readonly<Record<string, string>> }>,
  ): Promise<Alert | undefined> {
    const [rows] = (await tx.query(
      `update alerts.alert a set labels = coalesce($2, a.labels),
         acknowledged_by = case when $3 then $4 else a.acknowledged_by end,
         acknowledged_at = case when not $3 then a.acknowledged_at when $4 is not null then now() end, changed_at = now()
       where a.id = $1 returning ${ALERT}`,
      [id, labels === undefined ? null : JSON.stringify(labels), acknowledgedBy !== undefined, acknowledgedBy ?? null],
    )) as [Row[], number];
    return rows.map(alertOf)[0];
  }

  /** Gives alerts of a rule that are open other labels, those that still have its old ones. Returns them. */
  async relabel(
    tx: EntityManager,
    ruleId: string,
    before: Readonly<Record<string, string>>,
    after: Readonly<Record<string, string>>,
  ): Promise<Alert[]> {
    const [rows] = (await tx.query(
      `update alerts.alert a set labels = $3, changed_at = now()
       where a.rule_id = $1 and a.resolved_at is null and a.labels = $2 and a.labels <> $3 returning ${ALERT}`,
      [ruleId, JSON.stringify(before), JSON.stringify(after)],
    )) as [Row[], number];
    return rows.map(alertOf);
  }

  /** With its history, if it is resolved. */
  async remove(tx: EntityManager, id: string): Promise<boolean> {
    const [, removed] = (await tx.query(`delete from alerts.alert where id = $1 and resolved_at is not null`, [
      id,
    ])) as [unknown, number];
    return removed > 0;
  }

  /** Deletes the longest resolved, with their history. Returns how many. */
  async trim(olderThanMs: number, limit: number): Promise<number> {
    const [, removed] = (await this.dataSource.query(
      `delete from alerts.alert where id in
         (select id from alerts.alert where resolved_at < now() - $1 * interval '1 millisecond' order by resolved_at limit $2)`,
      [olderThanMs, limit],
    )) as [unknown, number];
    return removed;
  }
}

const instantOrNull = (us: number | null): string | null => (us === null ? null : formatInstant(us));
const usOrNull = (text: string | null): number | null => (text === null ? null : Number(text));

const alertOf = (row: Row): Alert => ({
  id: row.id,
  ruleId: row.rule_id,
  name: row.name,
  source: row.source,
  symbol: row.symbol,
  severity: row.severity,
  condition: row.condition,
  threshold: row.threshold,
  labels: row.labels,
  channels: row.channels,
  phase: row.phase,
  openedBy: row.opened_by,
  startedAtUs: Number(row.started_us),
  resolvedAtUs: usOrNull(row.resolved_us),
  resolution: row.resolution,
  value: row.value,
  occurrences: row.occurrences,
  cooldownUs: Number(row.cooldown_us),
  notified: row.notified,
  silencedBy: row.silenced_by,
  acknowledgedAtUs: usOrNull(row.acknowledged_us),
  acknowledgedBy: row.acknowledged_by,
});
