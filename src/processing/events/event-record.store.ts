import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { type DeliveryReceivedV1Data, formatInstant, type Json } from '../../contracts/index.js';
import { withinTime } from '../bounded-search.store.js';

export type RecordedEvent = DeliveryReceivedV1Data & Readonly<{ id: string }>;

export type EventFilter = Readonly<{
  source?: string | undefined;
  type?: string | undefined;
  repository?: string | undefined;
  actor?: string | undefined;
  fromUs?: number | undefined;
  toUs?: number | undefined;
  before?: Readonly<{ atUs: number; id: string }> | undefined;
}>;

const COLUMNS = `id, source, delivery_id, type, action, repository, actor, ref, number, url, fields,
  (extract(epoch from at) * 1000000)::bigint as at_us`;

/** What deliveries of webhooks told. */
@Injectable()
export class EventRecordStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** Records events, each (source, delivery) once; returns how many were new. */
  async record(tx: EntityManager, events: readonly DeliveryReceivedV1Data[]): Promise<number> {
    const [{ recorded }] = (await tx.query(
      `with recorded as (
         insert into processing.event (source, delivery_id, type, action, repository, actor, ref, number, url, fields, at)
         select source, delivery_id, type, action, repository, actor, ref, number, url, fields::jsonb, at
         from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[], $10::text[], $11::timestamptz[])
           as given(source, delivery_id, type, action, repository, actor, ref, number, url, fields, at)
         order by source, delivery_id on conflict (source, delivery_id) do nothing returning 1
       ) select count(*)::int as recorded from recorded`,
      [
        events.map(({ source }) => source),
        events.map(({ deliveryId }) => deliveryId),
        events.map(({ type }) => type),
        events.map(({ action }) => action),
        events.map(({ repository }) => repository),
        events.map(({ actor }) => actor),
        events.map(({ ref }) => ref),
        events.map(({ number }) => number),
        events.map(({ url }) => url),
        events.map(({ fields }) => JSON.stringify(fields)),
        events.map(({ atUs }) => formatInstant(atUs)),
      ],
    )) as [{ recorded: number }];
    return recorded;
  }

  /** Newest first, by (at, id). */
  async page(filter: EventFilter, limit: number): Promise<RecordedEvent[]> {
    const rows = await withinTime(this.dataSource, 'narrow it by from and to', (tx) =>
      tx.query(
        `select ${COLUMNS} from processing.event
         where ($1::text is null or source = $1) and ($2::text is null or type = $2)
           and ($3::text is null or repository = $3) and ($4::text is null or actor = $4)
           and ($5::timestamptz is null or at >= $5) and ($6::timestamptz is null or at < $6)
           and ($7::timestamptz is null or (at, id) < ($7, $8::bigint))
         order by at desc, id desc limit $9`,
        [
          filter.source ?? null,
          filter.type ?? null,
          filter.repository ?? null,
          filter.actor ?? null,
          instantOf(filter.fromUs),
          instantOf(filter.toUs),
          instantOf(filter.before?.atUs),
          filter.before?.id ?? null,
          limit,
        ],
      ),
    );
    return (rows as Row[]).map(eventOf);
  }

  /** Deletes up to `limit` events recorded longer ago than that; returns how many there were. */
  async trim(olderThanMs: number, limit: number): Promise<number> {
    const [, deleted] = (await this.dataSource.query(
      `delete from processing.event where id in (
         select id from processing.event where recorded_at < now() - $1 * interval '1 ms' order by recorded_at limit $2)`,
      [olderThanMs, limit],
    )) as [unknown, number];
    return deleted;
  }
}

const instantOf = (us: number | undefined): string | null => (us === undefined ? null : formatInstant(us));

type Row = {
  id: string;
  source: string;
  delivery_id: string;
  type: string;
  action: string | null;
  repository: string | null;
  actor: string | null;
  ref: string | null;
  number: string | null;
  url: string | null;
  fields: Record<string, Json>;
  at_us: string;
};

const eventOf = (row: Row): RecordedEvent => ({
  id: row.id,
  source: row.source,
  deliveryId: row.delivery_id,
  type: row.type,
  action: row.action,
  repository: row.repository,
  actor: row.actor,
  ref: row.ref,
  number: row.number === null ? null : Number(row.number),
  url: row.url,
  fields: row.fields,
  atUs: Number(row.at_us),
});
