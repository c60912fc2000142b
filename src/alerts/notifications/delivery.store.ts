import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { Reason } from '../channels/answer.js';
import { ChannelStore, OPEN_BATCH } from '../channels/channel.store.js';
import type { Item, Notice } from '../messages/notice.js';
import type { Standing } from './notification-metrics.service.js';

/** A notification that this process is sending. `attempts` is its token: whoever claims it next raises it. */
export type Claimed = Readonly<{
  item: Item;
  batch: string;
  attempts: number;
  createdAtUs: number;
}>;

/** What became of one attempt, for every notification of a message alike. */
export type Attempted = Readonly<{
  messageId: string;
  reason: Reason;
  status?: number | undefined;
  error?: string | undefined;
  durationMs: number;
}>;

/**
 * What failed: when it is tried again, or that it is not, and whether it is once the channel works again. What `isSplit`
 * goes out by itself from now on.
 */
export type Setback = Readonly<{
  id: string;
  attempts: number;
  waitMs: number;
  isDead: boolean;
  revives: boolean;
  isSplit: boolean;
}>;

type ClaimedRow = {
  id: string;
  thread: string;
  batch: string;
  channel: string;
  payload: Notice & { isMerged?: boolean; stoppedUntilUs?: number };
  held: number;
  attempts: number;
  created_us: string;
  was: string;
  stopped_us: number | null;
  told_in: string | null;
};

/** A resolve waits until its firing went out or was given up. */
const IN_TURN = `not (n.kind = 'resolved' and exists (
  select from alerts.notification f where f.alert_id = n.alert_id and f.channel = n.channel and f.kind <> 'resolved'
    and f.state in ('pending', 'sending', 'held')))`;
/** What is held goes out if its alert still fires then, and people want to hear of it. */
const AUDIBLE = `not (n.state = 'held' and exists (
  select from alerts.alert a where a.id = n.alert_id and a.silenced_by is not null))`;
const DUE = `n.state in ('pending', 'sending', 'held') and n.next_at <= now() and ${AUDIBLE}`;
/** That a rule is stopped is told by the firing that went one too far, or else by the resolve that was told in its place. */
const STOPPED = `(select max((f.payload->>'stoppedUntilUs')::bigint) from alerts.notification f
  where n.kind = 'resolved' and f.alert_id = n.alert_id and f.channel = n.channel and f.state = 'superseded')`;
/** The message that its firing went out in. */
const TOLD_IN = `(select f.batch from alerts.notification f
  where n.kind = 'resolved' and f.alert_id = n.alert_id and f.channel = n.channel and f.state = 'sent' order by f.seq limit 1)`;
const LOST = 'the process ended, or stood still, before there was an answer';

/** Carries notifications through their states. Nothing here waits for a receiver. */
@Injectable()
export class DeliveryStore {
  constructor(
    @Inject(DataSource) private readonly dataSource: DataSource,
    private readonly channels: ChannelStore,
  ) {}

  /** Channels that have something due and are not paused. */
  async dueChannels(): Promise<string[]> {
    const rows = (await this.dataSource.query(
      `select c.name from alerts.channel c where (c.paused_until is null or c.paused_until <= now())
         and exists (select from alerts.notification n where n.channel = c.name and ${DUE})`,
    )) as { name: string }[];
    return rows.map(({ name }) => name);
  }

  /**
   * Takes one message of a channel for `leaseMs`: the one that was due first, again with what it held before, or else
   * what is new, up to `most`. Nothing when nothing is due, the channel is paused, or another process takes from it; nor
   * where a part of what it held is locked: under one id a receiver takes one message.
   */
  async claim(channel: string, most: number, leaseMs: number): Promise<Claimed[]> {
    return this.dataSource.transaction(async (tx) => {
      const free = (await tx.query(
        `select name from alerts.channel where name = $1 and (paused_until is null or paused_until <= now()) for no key update skip locked`,
        [channel],
      )) as unknown[];
      if (free.length === 0) return [];
      const [rows] = (await tx.query(
        `with head as (
           select n.id, n.batch from alerts.notification n where n.channel = $1 and ${DUE} and ${IN_TURN}
           order by n.next_at, n.seq limit 1 for update skip locked
         ), member as (
           select n.id, n.state from alerts.notification n, head h
           where n.id = h.id
             or (h.batch is not null and n.batch = h.batch and n.state in ('pending', 'sending') and n.channel = $1)
             or (h.batch is null and n.batch is null and n.channel = $1 and ${IN_TURN}
                 and (n.state = 'pending' or (n.state = 'held' and n.next_at <= now() and ${AUDIBLE})))
           order by n.id <> h.id, n.seq limit case when (select batch from head) is null then $2 else 1000 end
           for update of n skip locked
         )
         update alerts.notification n set state = 'sending', attempts = n.attempts + 1, batch = coalesce(n.batch, head.id),
           next_at = now() + $3 * interval '1 ms'
         from member, head where n.id = member.id and (head.batch is null or (select count(*) from member) = (
           select count(*) from alerts.notification o where o.batch = head.batch and o.channel = $1 and o.state in ('pending', 'sending')))
         returning n.id, n.thread, n.batch, n.channel, n.payload, n.held, n.attempts, n.seq,
           (extract(epoch from n.created_at) * 1000000)::bigint as created_us, member.state as was, ${STOPPED}::float8 as stopped_us, ${TOLD_IN} as told_in`,
        [channel, most, leaseMs],
      )) as [(ClaimedRow & { seq: string })[], number];
      rows.sort((a, b) => Number(a.seq) - Number(b.seq));
      await this.noteLost(
        tx,
        rows.filter(({ was }) => was === 'sending'),
      );
      const claimed: Claimed[] = [];
      for (const row of rows) {
        const held = row.was === 'held' ? await this.release(tx, row) : row.held;
        claimed.push(claimedOf({ ...row, held }));
      }
      return claimed;
    });
  }

  /**
   * The receiver took it: it is sent, whoever holds it now, and the channel works. An error beside that is what a person has to
   * look after.
   */
  async sent(
    channel: string,
    claimed: readonly Claimed[],
    attempted: Attempted,
    also?: (tx: EntityManager) => Promise<void>,
  ): Promise<void> {
    await this.dataSource.transaction(async (tx) => {
      await also?.(tx);
      await this.noteAttempts(tx, idsOf(claimed), 'sent', attempted);
      await tx.query(
        `update alerts.notification set state = 'sent', reason = null, finished_at = now()
         where id = any($1::uuid[]) and state in ('sending', 'pending')`,
        [idsOf(claimed)],
      );
      await this.channels.recover(channel, attempted.error, tx);
    });
  }

  /** It did not go through. A firing whose resolve waits behind it is told with that instead. */
  async setBack(
    setbacks: readonly Setback[],
    attempted: Attempted,
    also?: (tx: EntityManager) => Promise<void>,
  ): Promise<void> {
    await this.dataSource.transaction(async (tx) => {
      await also?.(tx);
      for (const [isDead, those] of Map.groupBy(setbacks, (one) => one.isDead))
        await this.noteAttempts(
          tx,
          those.map(({ id }) => id),
          isDead ? 'dead' : 'retry',
          attempted,
        );
      // locked in a statement of its own: the next one sees a resolve that was queued meanwhile
      const ids = setbacks.map(({ id }) => id);
      await tx.query(`select id from alerts.notification where id = any($1::uuid[]) order by seq for update`, [ids]);
      await tx.query(
        `update alerts.notification n set
           state = case when s.is_dead then 'dead' else 'pending' end, next_at = now() + s.wait_ms * interval '1 ms',
           reason = $7, revives = s.revives, finished_at = case when s.is_dead then now() end,
           batch = case when s.is_split then gen_random_uuid() else n.batch end
         from unnest($1::uuid[], $2::int[], $3::float8[], $4::bool[], $5::bool[], $6::bool[])
           as s(id, attempts, wait_ms, is_dead, revives, is_split)
         where n.id = s.id and n.attempts = s.attempts and n.state = 'sending'`,
        [
          ids,
          setbacks.map(({ attempts }) => attempts),
          setbacks.map(({ waitMs }) => waitMs),
          setbacks.map(({ isDead }) => isDead),
          setbacks.map(({ revives }) => revives),
          setbacks.map(({ isSplit }) => isSplit),
          attempted.reason,
        ],
      );
      await this.mergeIntoResolves(tx, ids);
    });
  }

  /** Tries the oldest message that died of a channel again, where nothing else would show whether that works by now. */
  async probe(youngerThanMs: number): Promise<void> {
    await this.dataSource.query(
      `with oldest as (
         select (select coalesce(d.batch, d.id) from alerts.notification d
                 where d.channel = c.name and d.state = 'dead' and d.revives and d.created_at > now() - $1 * interval '1 ms'
                 order by d.seq limit 1) as message
         from alerts.channel c
         where not c.healthy and (c.paused_until is null or c.paused_until <= now())
           and not exists (select from alerts.notification n where n.channel = c.name and ${DUE})
       )
       update alerts.notification n set state = 'pending', next_at = now(), finished_at = null, revives = false, batch = ${OPEN_BATCH}
       from oldest where (n.batch = oldest.message or n.id = oldest.message) and n.state = 'dead' and n.revives`,
      [youngerThanMs],
    );
  }

  /** Makes dead notifications due again, and the channel with them; those that are not dead stay. Says how many. */
  async replay(filter: Readonly<{ id: string } | { channel: string }>): Promise<number> {
    return this.dataSource.transaction((tx) => this.replayIn(tx, filter));
  }

  /** As replay, in a transaction of the caller's. */
  async replayIn(tx: EntityManager, filter: Readonly<{ id: string } | { channel: string }>): Promise<number> {
    const [rows] = (await tx.query(
      `update alerts.notification n set state = 'pending', next_at = now(), finished_at = null, revives = false,
         batch = case when $1::uuid is null then ${OPEN_BATCH}
           when exists (select from alerts.notification s where s.batch = n.id and s.id <> n.id) then gen_random_uuid() else id end
       where state = 'dead' and ($1::uuid is null or id = $1) and ($2::text is null or channel = $2)
         and channel in (select name from alerts.channel)
       returning channel`,
      ['id' in filter ? filter.id : null, 'channel' in filter ? filter.channel : null],
    )) as [{ channel: string }[], number];
    await tx.query(`update alerts.channel set paused_until = null where name = any($1)`, [
      [...new Set(rows.map(({ channel }) => channel))],
    ]);
    return rows.length;
  }

  /** What an earlier life of this process was sending is due; should another one be at it, both carry the same id. */
  async releaseLeases(): Promise<void> {
    await this.dataSource.query(`update alerts.notification set next_at = now() where state = 'sending'`);
  }

  async standing(): Promise<Standing> {
    const [row] = (await this.dataSource.query(
      `select count(*) filter (where state in ('pending', 'sending'))::int as pending,
         count(*) filter (where state = 'held')::int as held,
         (select count(*)::int from alerts.notification where state = 'dead') as dead,
         coalesce(extract(epoch from now() - min(created_at) filter (where state in ('pending', 'sending'))), 0)::float8 as "oldestSeconds",
         (select count(*)::int from alerts.channel where not healthy) as unhealthy
       from alerts.notification where state in ('pending', 'sending', 'held')`,
    )) as [Standing];
    return row;
  }

  /** Forgets what is over for so long; of an alert that is open its end has to be told yet. Returns how many. */
  async trim(keepDays: number, limit: number): Promise<number> {
    const [, removed] = (await this.dataSource.query(
      `delete from alerts.notification where id in (
         select n.id from alerts.notification n where n.finished_at < now() - $1 * interval '1 day'
           and not exists (select from alerts.alert a where a.id = n.alert_id and a.resolved_at is null)
         order by n.finished_at limit $2)`,
      [keepDays, limit],
    )) as [unknown, number];
    return removed;
  }

  /** Forgets what limits repeats no more. */
  async trimTold(): Promise<void> {
    await this.dataSource.query(
      `delete from alerts.told where greatest(told_at, made_at) < now() - interval '30 days'`,
    );
    await this.dataSource.query(`delete from alerts.stopped_rule where until < now() - interval '1 day'`);
  }

  /** A held repeat goes out after all: it is the last one told now, and says how many were held before it. */
  private async release(tx: EntityManager, { id, payload }: ClaimedRow): Promise<number> {
    const rows = (await tx.query(
      `with told as (
         select channel, rule_id, source, symbol, held from alerts.told
         where (channel, rule_id, source, symbol) = (select channel, rule_id, source, symbol from alerts.notification where id = $1) for update
       ), noted as (
         update alerts.told t set told_at = now(), kind = $2, severity = $3, held = 0 from told
         where (t.channel, t.rule_id, t.source, t.symbol) = (told.channel, told.rule_id, told.source, told.symbol)
       )
       update alerts.notification set held = (select held from told), reason = null where id = $1 and exists (select from told)
       returning held`,
      [id, payload.kind, payload.severity],
    )) as [{ held: number }[], number];
    return rows[0][0]?.held ?? 0;
  }

  private async mergeIntoResolves(tx: EntityManager, ids: readonly string[]): Promise<void> {
    await tx.query(
      `with merged as (
         update alerts.notification f set state = 'superseded', finished_at = now(), revives = false
         from alerts.notification r
         where f.id = any($1::uuid[]) and f.kind <> 'resolved' and f.state in ('pending', 'dead')
           and r.alert_id = f.alert_id and r.channel = f.channel and r.kind = 'resolved' and r.state = 'pending' and r.attempts = 0
           and not exists (select from alerts.notification o where o.alert_id = f.alert_id and o.channel = f.channel
             and o.kind <> 'resolved' and o.id <> f.id and o.state = 'sent')
         returning r.id, f.held
       )
       update alerts.notification r set payload = r.payload || '{"isMerged":true}', held = r.held + merged.held
       from merged where r.id = merged.id`,
      [ids],
    );
  }

  private async noteAttempts(
    tx: EntityManager,
    ids: readonly string[],
    outcome: 'sent' | 'retry' | 'dead',
    { messageId, reason, status, error, durationMs }: Attempted,
  ): Promise<void> {
    await tx.query(
      `insert into alerts.attempt (notification_id, message_id, outcome, reason, status, error, duration_ms)
       select id, $2, $3, $4, $5, $6, $7 from alerts.notification where id = any($1::uuid[]) order by seq`,
      [ids, messageId, outcome, reason, status ?? null, error ?? null, Math.round(durationMs)],
    );
  }

  private async noteLost(tx: EntityManager, rows: readonly ClaimedRow[]): Promise<void> {
    if (rows.length === 0) return;
    await tx.query(
      `insert into alerts.attempt (notification_id, message_id, outcome, reason, error, duration_ms)
       select id, batch, 'lost', 'lost', $3, 0 from unnest($1::uuid[], $2::uuid[]) as lost(id, batch)`,
      [rows.map(({ id }) => id), rows.map(({ batch }) => batch), LOST],
    );
  }
}

const idsOf = (claimed: readonly Claimed[]): string[] => claimed.map(({ item }) => item.notificationId);

function claimedOf({ payload, ...row }: ClaimedRow): Claimed {
  return {
    item: {
      ...payload,
      isMerged: payload.isMerged ?? false,
      notificationId: row.id,
      thread: row.thread,
      held: row.held,
      ...(row.stopped_us !== null && { stoppedUntilUs: row.stopped_us }),
      ...(row.told_in !== null && { toldIn: row.told_in }),
    },
    batch: row.batch,
    attempts: row.attempts,
    createdAtUs: Number(row.created_us),
  };
}
