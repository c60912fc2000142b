import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { formatInstant } from '../../contracts/index.js';
import type { HistoryEntry } from './alert.js';

type Row = Readonly<{
  id: string;
  alert_id: string;
  kind: string;
  at_us: string;
  value: number | null;
  reason: string | null;
  note: string | null;
}>;

/** Everything that happened to alerts. */
@Injectable()
export class HistoryStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  async add(tx: EntityManager, entries: readonly HistoryEntry[]): Promise<void> {
    if (entries.length === 0) return;
    await tx.query(
      `insert into alerts.transition (alert_id, kind, at, value, reason, note)
       select * from unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::float8[], $5::text[], $6::text[])`,
      [
        entries.map((one) => one.alertId),
        entries.map((one) => one.kind),
        entries.map((one) => formatInstant(one.atUs)),
        entries.map((one) => one.value),
        entries.map((one) => one.reason ?? null),
        entries.map((one) => one.note ?? null),
      ],
    );
  }

  /** In the order in which it was recorded, after a given entry. */
  async page(alertId: string, afterId: string, limit: number): Promise<(HistoryEntry & Readonly<{ id: string }>)[]> {
    const rows = (await this.dataSource.query(
      `select t.id, t.alert_id, t.kind, (extract(epoch from t.at) * 1000000)::bigint as at_us, t.value, t.reason, t.note
       from alerts.transition t where t.alert_id = $1 and t.id > $2 order by t.id limit $3`,
      [alertId, afterId, limit],
    )) as Row[];
    return rows.map(({ alert_id, at_us, ...row }) => ({ ...row, alertId: alert_id, atUs: Number(at_us) }));
  }
}
