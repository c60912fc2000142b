import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { Try } from './dead-letters/dead-letter.js';
import { WAKE_UP_CHANNEL } from './wake-up.service.js';

/** An event on its way to one consumer. `attempts` is the claimer's token: whoever claims next raises it. */
export type Delivery = Readonly<{
  /** Position of the event; a negative one is the dead letter that is replayed. */
  eventId: string;
  eventAt: string;
  name: string;
  data: unknown;
  trace: string | undefined;
  attempts: number;
  weightBytes: number;
}>;

export type ConsumerLag = Readonly<{ consumer: string; waiting: number; oldestSeconds: number }>;

@Injectable()
export class EventStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /**
   * Appends events and their delivery rows; the ids ascend as the events are given. Deliveries to `local` consumers are
   * born claimed by this process until `leaseMs` from now, so that the wake-up in memory needs no claim; all others are due
   * at once, and with `notify` the processes that run them are woken at the commit (which costs concurrent writers half
   * their speed).
   */
  async append(
    tx: EntityManager,
    events: readonly Readonly<{ name: string; json: string }>[],
    trace: string | undefined,
    local: readonly string[],
    leaseMs: number,
    notify: boolean,
  ): Promise<{ id: string; at: string }[]> {
    return (await tx.query(
      `with event as (
         insert into bus.event (name, data, trace)
         select name, data::json, $3 from unnest($1::text[], string_to_array($2, e'\\n')) with ordinality as e (name, data, place)
         order by place returning id, at, name
       ), delivery as (
         insert into bus.delivery (consumer, event_id, event_at, attempts, due_at)
         select c.name, event.id, event.at, case when c.name = any($4) then 1 else 0 end,
                case when c.name = any($4) then now() + $5 * interval '1 ms' else now() end
         from event join bus.consumer c on c.event_name = event.name
       )
       select id, at::text, case when $6 then pg_notify('${WAKE_UP_CHANNEL}', '') end from event order by id`,
      [
        events.map(({ name }) => name),
        events.map(({ json }) => json).join('\n'), // JSON has no line feed of its own; as an array its every quote is escaped
        trace ?? null,
        local,
        leaseMs,
        notify,
      ],
    )) as { id: string; at: string }[];
  }

  /** Claims what is due for one consumer, oldest first, for `leaseMs`. Rows that another process works on are skipped. */
  async claim(consumer: string, limit: number, leaseMs: number): Promise<Delivery[]> {
    const result = (await this.dataSource.query(
      `with due as (
         select consumer, event_id from bus.delivery
         where consumer = $1 and due_at <= now()
         order by event_id limit $2 for update skip locked
       ), claimed as (
         update bus.delivery d set attempts = d.attempts + 1, due_at = now() + $3 * interval '1 ms'
         from due where d.consumer = due.consumer and d.event_id = due.event_id
         returning d.event_id, d.event_at, d.attempts
       )
       select c.event_id, c.event_at::text, c.attempts, e.name, e.data::text as json, e.trace, null::bytea as letter
       from claimed c join bus.event e on e.id = c.event_id and e.at = c.event_at
       union all
       select c.event_id, c.event_at::text, c.attempts, null, null, null, l.payload
       from claimed c join bus.dead_letter l on l.id = -c.event_id where c.event_id < 0
       order by event_id`,
      [consumer, limit, leaseMs],
    )) as ClaimedRow[];
    return result.map(({ event_id: eventId, event_at: eventAt, attempts, ...row }) => ({
      eventId,
      eventAt,
      attempts,
      ...(row.letter ? keptEvent(row.letter) : eventOf(row)),
    }));
  }

  /** Delivers a kept event to one consumer again; false when that consumer is gone, or takes other events by now. */
  async redeliver(
    tx: EntityManager,
    { letterId, consumer, name }: Readonly<{ letterId: string; consumer: string; name: string }>,
    notify: boolean,
  ): Promise<boolean> {
    const rows = (await tx.query(
      `with again as (
         insert into bus.delivery (consumer, event_id, event_at)
         select name, -$1::bigint, now() from bus.consumer where name = $2 and event_name = $3 returning consumer
       )
       select case when $4 then pg_notify('${WAKE_UP_CHANNEL}', '') end from again`,
      [letterId, consumer, name, notify],
    )) as unknown[];
    return rows.length === 1;
  }

  /** Settles one delivery that failed for good; its failed attempts, or undefined when this process holds it no longer. */
  async giveUp(tx: EntityManager, consumer: string, { eventId, attempts }: Delivery): Promise<Try[] | undefined> {
    const [rows] = (await tx.query(
      `delete from bus.delivery where consumer = $1 and event_id = $2 and attempts = $3 returning tries`,
      [consumer, eventId, attempts],
    )) as [{ tries: Try[] | null }[], number];
    return rows[0] && (rows[0].tries ?? []);
  }

  /** Settles deliveries this process still holds; returns how many that were. */
  async settle(tx: EntityManager, consumer: string, deliveries: readonly Delivery[]): Promise<number> {
    const [, settled] = (await tx.query(
      `delete from bus.delivery d using unnest($2::bigint[], $3::int[]) as held(event_id, attempts)
       where d.consumer = $1 and d.event_id = held.event_id and d.attempts = held.attempts`,
      [consumer, deliveries.map((one) => one.eventId), deliveries.map((one) => one.attempts)],
    )) as [unknown, number];
    return settled;
  }

  /** Puts a failed delivery off. */
  async postpone(consumer: string, delivery: Delivery, waitMs: number, failed: Try): Promise<void> {
    await this.dataSource.query(
      `update bus.delivery set due_at = now() + $4 * interval '1 ms', error = $5, tries = coalesce(tries, '[]') || $6::jsonb
       where consumer = $1 and event_id = $2 and attempts = $3`,
      [consumer, delivery.eventId, delivery.attempts, waitMs, failed.error, JSON.stringify([failed])],
    );
  }

  /** Makes everything claimed by an earlier life of this process due again; the token keeps a living claimer honest. */
  async releaseLeases(consumers: readonly string[]): Promise<void> {
    await this.dataSource.query(
      `update bus.delivery set due_at = now() where consumer = any($1) and due_at > now() and error is null`,
      [consumers],
    );
  }

  /** Says who consumes what; forgets consumers of `modules` that the code no longer has, with their deliveries. */
  async register(consumers: readonly { name: string; event: string }[], modules: readonly string[]): Promise<string[]> {
    return this.dataSource.transaction(async (tx) => {
      await tx.query(
        `insert into bus.consumer (name, event_name) select * from unnest($1::text[], $2::text[])
         on conflict (name) do update set event_name = excluded.event_name`,
        [consumers.map((one) => one.name), consumers.map((one) => one.event)],
      );
      const [retired] = (await tx.query(
        `delete from bus.consumer where split_part(name, '.', 1) = any($1) and name <> all($2) returning name`,
        [modules, consumers.map((one) => one.name)],
      )) as [{ name: string }[], number];
      const names = retired.map((row) => row.name);
      if (names.length > 0) await tx.query('delete from bus.delivery where consumer = any($1)', [names]);
      return names;
    });
  }

  /** Names of events that consumers in other processes wait for. */
  async foreignEvents(local: readonly string[]): Promise<string[]> {
    const rows = (await this.dataSource.query('select distinct event_name from bus.consumer where name <> all($1)', [
      local,
    ])) as {
      event_name: string;
    }[];
    return rows.map((row) => row.event_name);
  }

  /** What waits for each consumer, and for how long the oldest has. */
  async lag(): Promise<ConsumerLag[]> {
    const rows = (await this.dataSource.query(
      `select c.name as consumer, count(d.event_id)::int as waiting,
              coalesce(extract(epoch from now() - min(d.event_at)), 0)::float8 as oldest
       from bus.consumer c left join bus.delivery d on d.consumer = c.name group by c.name`,
    )) as { consumer: string; waiting: number; oldest: number }[];
    return rows.map((row) => ({ consumer: row.consumer, waiting: row.waiting, oldestSeconds: row.oldest }));
  }

  /** Deliveries of the given events that nobody has settled; it looks at `most` of a consumer, so it is cheap. */
  async undelivered(names: readonly string[], most: number): Promise<number> {
    const [row] = (await this.dataSource.query(
      `select least(coalesce(sum(waiting.count), 0), $2)::int as count from bus.consumer c, lateral (
         select count(*) from (select from bus.delivery d where d.consumer = c.name limit $2) as first_ones
       ) as waiting where c.event_name = any($1)`,
      [names, most],
    )) as [{ count: number }];
    return row.count;
  }

  /** Events of the given names after a position, oldest first, for clients that resume. */
  async after(
    eventId: string,
    names: readonly string[],
    limit: number,
  ): Promise<{ eventId: string; name: string; data: unknown }[]> {
    const rows = (await this.dataSource.query(
      `select id, name, data from bus.event where id > $1 and name = any($2) order by id limit $3`,
      [eventId, names, limit],
    )) as { id: string; name: string; data: unknown }[];
    return rows.map((row) => ({ eventId: row.id, name: row.name, data: row.data }));
  }

  /** Makes the partitions of this hour and the next `ahead`. */
  async createPartitions(ahead: number): Promise<void> {
    await this.dataSource.query(
      `do $$
       declare hour timestamptz;
       begin
         perform pg_advisory_xact_lock(7418529631);
         for hour in select generate_series(date_trunc('hour', now(), 'UTC'), now() + interval '${Math.trunc(ahead)} hours', interval '1 hour') loop
           execute format('create table if not exists bus.%I partition of bus.event for values from (%L) to (%L)',
             'event_' || to_char(hour at time zone 'UTC', 'YYYYMMDDHH24'), hour, hour + interval '1 hour');
         end loop;
       end $$`,
    );
  }

  /** Drops partitions that ended more than `retentionMs` ago and owe nobody a delivery; returns their names. */
  async trim(retentionMs: number): Promise<string[]> {
    const candidates = (await this.dataSource.query(
      `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
       where i.inhparent = 'bus.event'::regclass
         and to_timestamp(substr(c.relname, 7) || ' +00', 'YYYYMMDDHH24 TZH') + interval '1 hour' < now() - $1 * interval '1 ms'
         and not exists (
           select from bus.delivery d
           where d.event_at >= to_timestamp(substr(c.relname, 7) || ' +00', 'YYYYMMDDHH24 TZH')
             and d.event_at < to_timestamp(substr(c.relname, 7) || ' +00', 'YYYYMMDDHH24 TZH') + interval '1 hour')
       order by 1`,
      [retentionMs],
    )) as { name: string }[];
    for (const { name } of candidates) await this.dataSource.query(`drop table if exists bus."${name}"`);
    return candidates.map((row) => row.name);
  }
}

type ClaimedRow = {
  event_id: string;
  event_at: string;
  attempts: number;
  name: string;
  json: string;
  trace: string | null;
  letter: Buffer | null;
};

const eventOf = ({ name, json, trace }: Pick<ClaimedRow, 'name' | 'json' | 'trace'>) => ({
  name,
  data: JSON.parse(json) as unknown,
  trace: trace ?? undefined,
  weightBytes: json.length,
});

/** What a dead letter of a delivery holds; that it can be read was seen before its replay began. */
function keptEvent(payload: Buffer) {
  const { name, data, trace } = JSON.parse(payload.toString()) as { name: string; data: unknown; trace?: string };
  return { name, data, trace, weightBytes: payload.length };
}
