import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { formatInstant } from '../contracts/index.js';
import { boundedSearch } from '../platform/database/index.js';
import type { Normalised } from './normalised.js';

export const DELIVERY_STATUSES = ['received', 'processed', 'failed'] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** A signed delivery as it came, and what was read in it. */
export type NewDelivery = Readonly<{
  source: string;
  hookId: string;
  deliveryId: string;
  type: string;
  headers: Readonly<Record<string, string>>;
  contentType: string;
  body: Buffer;
  bodySha256: Buffer;
  /** Or why it cannot be read. */
  event: Normalised | Readonly<{ fault: string }>;
}>;

export type Delivery = Readonly<{
  id: string;
  source: string;
  hookId: string;
  deliveryId: string;
  type: string;
  action: string | null;
  status: DeliveryStatus;
  error: string | null;
  replayOf: string | null;
  repeats: number;
  bytes: number;
  receivedAtUs: number;
}>;

export type WholeDelivery = Delivery &
  Readonly<{ headers: Readonly<Record<string, string>>; contentType: string; body: Buffer }>;

export type DeliveryFilter = Readonly<{
  source?: string | undefined;
  type?: string | undefined;
  status?: string | undefined;
  fromUs?: number | undefined;
  toUs?: number | undefined;
  beforeId?: string | undefined;
}>;

/** What is known of a delivery that came again. */
export type Repeated = Readonly<{ id: string; status: DeliveryStatus; event: Normalised | null; isLate: boolean }>;

const SEARCH = { withinMs: 5000, code: 'search.too-slow', advice: 'narrow it by from and to' } as const;

@Injectable()
export class DeliveryStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** Stores a delivery under its sender's ids; undefined when it is stored already. */
  async add(
    tx: EntityManager,
    delivery: NewDelivery,
  ): Promise<Readonly<{ id: string; replayOf: string | null }> | undefined> {
    const { event } = delivery;
    const fault = 'fault' in event ? event.fault : null;
    const [row] = (await tx.query(
      `insert into webhooks.delivery
         (source, hook_id, delivery_id, type, action, status, error, headers, content_type, body, body_sha256, event, replay_of)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,
         (select id from webhooks.delivery where source = $1 and body_sha256 = $11 order by id limit 1))
       on conflict (source, hook_id, delivery_id) do nothing returning id, replay_of`,
      [
        delivery.source,
        delivery.hookId,
        delivery.deliveryId,
        delivery.type,
        'fault' in event ? null : event.action,
        fault === null ? 'received' : 'failed',
        fault,
        JSON.stringify(delivery.headers),
        delivery.contentType,
        delivery.body,
        delivery.bodySha256,
        fault === null ? JSON.stringify(event) : null,
      ],
    )) as { id: string; replay_of: string | null }[];
    return row && { id: row.id, replayOf: row.replay_of };
  }

  /** Counts a repeat, and locks the first one. `isLate`: it was told longer than `patienceMs` ago. */
  async repeat(
    tx: EntityManager,
    { source, hookId, deliveryId }: NewDelivery,
    patienceMs: number,
  ): Promise<Repeated | undefined> {
    const [[row]] = (await tx.query(
      `update webhooks.delivery set repeats = repeats + 1
       where source = $1 and hook_id = $2 and delivery_id = $3
       returning id, status, event, told_at < now() - $4 * interval '1 ms' as is_late`,
      [source, hookId, deliveryId, patienceMs],
    )) as [{ id: string; status: DeliveryStatus; event: Normalised | null; is_late: boolean }[]];
    return row && { id: row.id, status: row.status, event: row.event, isLate: row.is_late };
  }

  /** Its event is told again. */
  async retell(tx: EntityManager, id: string): Promise<void> {
    await tx.query('update webhooks.delivery set told_at = now() where id = $1', [id]);
  }

  /** A payload that could not be read was read after all. */
  async mend(tx: EntityManager, id: string, event: Normalised): Promise<void> {
    await tx.query(
      `update webhooks.delivery set event = $2, action = $3, status = 'received', error = null, told_at = now() where id = $1`,
      [id, JSON.stringify(event), event.action],
    );
  }

  /** A payload that could not be read came again, and could: the delivery is what came now. */
  async replace(
    tx: EntityManager,
    id: string,
    { type, headers, contentType, body, bodySha256, event }: NewDelivery,
  ): Promise<void> {
    await tx.query(
      `update webhooks.delivery set type = $2, headers = $3, content_type = $4, body = $5, body_sha256 = $6, event = $7, action = $8,
         status = 'received', error = null, told_at = now() where id = $1`,
      [
        id,
        type,
        JSON.stringify(headers),
        contentType,
        body,
        bodySha256,
        JSON.stringify(event),
        'fault' in event ? null : event.action,
      ],
    );
  }

  async markProcessed(tx: EntityManager, ids: readonly string[]): Promise<void> {
    await tx.query(`update webhooks.delivery set status = 'processed' where id = any($1::bigint[])`, [ids]);
  }

  /** Newest first. */
  async page(filter: DeliveryFilter, limit: number): Promise<Delivery[]> {
    const rows = await boundedSearch(this.dataSource, SEARCH, (tx) =>
      tx.query(
        `select ${COLUMNS} from webhooks.delivery
       where ($1::text is null or source = $1) and ($2::text is null or type = $2) and ($3::text is null or status = $3)
         and ($4::timestamptz is null or received_at >= $4) and ($5::timestamptz is null or received_at < $5)
         and ($6::bigint is null or id < $6)
       order by id desc limit $7`,
        [
          filter.source ?? null,
          filter.type ?? null,
          filter.status ?? null,
          filter.fromUs === undefined ? null : formatInstant(filter.fromUs),
          filter.toUs === undefined ? null : formatInstant(filter.toUs),
          filter.beforeId ?? null,
          limit,
        ],
      ),
    );
    return (rows as Row[]).map(deliveryOf);
  }

  /** With its headers and its body as it came, or the first bytes of that. */
  async find(
    id: string,
    tx: EntityManager = this.dataSource.manager,
    mostBytes = 2 ** 30,
  ): Promise<WholeDelivery | undefined> {
    const [row] = (await tx.query(
      `select ${COLUMNS}, headers, content_type, substring(body for $2) as body from webhooks.delivery where id = $1`,
      [id, mostBytes],
    )) as (Row & { headers: Record<string, string>; content_type: string; body: Buffer })[];
    return row && { ...deliveryOf(row), headers: row.headers, contentType: row.content_type, body: row.body };
  }

  /** Deletes up to `limit` deliveries received more than `retentionMs` ago; returns how many. */
  async trim(retentionMs: number, limit: number): Promise<number> {
    const [, deleted] = (await this.dataSource.query(
      `delete from webhooks.delivery where id in (
         select id from webhooks.delivery where received_at < now() - $1 * interval '1 ms' order by received_at limit $2)`,
      [retentionMs, limit],
    )) as [unknown, number];
    return deleted;
  }
}

const COLUMNS = `id, source, hook_id, delivery_id, type, action, status, error, replay_of, repeats, length(body) as bytes,
  (extract(epoch from received_at) * 1000000)::bigint as received_us`;

type Row = Readonly<{
  id: string;
  source: string;
  hook_id: string;
  delivery_id: string;
  type: string;
  action: string | null;
  status: DeliveryStatus;
  error: string | null;
  replay_of: string | null;
  repeats: number;
  bytes: number;
  received_us: string;
}>;

const deliveryOf = (row: Row): Delivery => ({
  id: row.id,
  source: row.source,
  hookId: row.hook_id,
  deliveryId: row.delivery_id,
  type: row.type,
  action: row.action,
  status: row.status,
  error: row.error,
  replayOf: row.replay_of,
  repeats: row.repeats,
  bytes: row.bytes,
  receivedAtUs: Number(row.received_us),
});
