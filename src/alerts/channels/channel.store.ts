import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { epochUs } from '../../platform/database/index.js';
import type { ChannelTarget, ChannelType, StoredChannel } from './channel.js';

type Row = {
  name: string;
  type: ChannelType;
  config: unknown;
  version: number;
  healthy: boolean;
  unhealthy_reason: string | null;
  unhealthy_us: string | null;
  paused_us: string | null;
  failures: number;
  changed_us: string;
};

const COLUMNS = `c.name, c.type, c.config, c.version, c.healthy, c.unhealthy_reason, c.failures, ${epochUs('c.unhealthy_since')} as unhealthy_us,
  ${epochUs('case when c.paused_until > now() then c.paused_until end')} as paused_us, ${epochUs('c.changed_at')} as changed_us`;
export const MOST_CHANNELS = 200;
/** A message that a receiver took has an id that it will not take again: what is left of it needs another one. */
export const OPEN_BATCH = `case when exists (select from alerts.notification s where s.batch = n.batch and s.state = 'sent')
  then gen_random_uuid() else n.batch end`;

/** What names a channel. */
export type Naming = Readonly<{ rules: readonly string[]; isDefault: boolean }>;

@Injectable()
export class ChannelStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  async one(name: string): Promise<StoredChannel | undefined> {
    const rows = (await this.dataSource.query(`select ${COLUMNS} from alerts.channel c where c.name = $1`, [
      name,
    ])) as Row[];
    return rows.map(channelOf)[0];
  }

  /** By name, after one. */
  async page(after: string, type: ChannelType | undefined, limit: number): Promise<StoredChannel[]> {
    const rows = (await this.dataSource.query(
      `select ${COLUMNS} from alerts.channel c where c.name > $1 and ($2::text is null or c.type = $2) order by c.name limit $3`,
      [after, type ?? null, limit],
    )) as Row[];
    return rows.map(channelOf);
  }

  /** Those whose last message did not go through, and for how long they rest. */
  async failing(): Promise<{ name: string; failures: number; pausedMs: number }[]> {
    return (await this.dataSource.query(
      `select name, failures, greatest(0, coalesce(extract(epoch from paused_until - now()), 0) * 1000)::float8 as "pausedMs"
       from alerts.channel where failures > 0 or not healthy order by name limit ${MOST_CHANNELS}`,
    )) as { name: string; failures: number; pausedMs: number }[];
  }

  /** Undefined when the name is taken; `full` when there is no room for another one. */
  async create(name: string, { type, config }: ChannelTarget): Promise<'created' | 'taken' | 'full'> {
    return this.dataSource.transaction(async (tx) => {
      await tx.query(`lock table alerts.channel in share row exclusive mode`);
      const [{ names, taken }] = (await tx.query(
        `select count(*)::int as names, count(*) filter (where name = $1)::int as taken from alerts.channel`,
        [name],
      )) as [{ names: number; taken: number }];
      if (taken > 0) return 'taken';
      if (names >= MOST_CHANNELS) return 'full';
      await tx.query(`insert into alerts.channel (name, type, config) values ($1, $2, $3)`, [
        name,
        type,
        JSON.stringify(config),
      ]);
      return 'created';
    });
  }

  /** False when it is no longer at that version, or gone. */
  async update(name: string, version: number, { type, config }: ChannelTarget): Promise<boolean> {
    const [, updated] = (await this.dataSource.query(
      `update alerts.channel set type = $3, config = $4, version = nextval('alerts.version'), changed_at = now()
       where name = $1 and version = $2`,
      [name, version, type, JSON.stringify(config)],
    )) as [unknown, number];
    return updated > 0;
  }

  /** Which of the names are channels; none of them goes before `tx` ends. */
  async known(tx: EntityManager, names: readonly string[]): Promise<Set<string>> {
    if (names.length === 0) return new Set();
    const rows = (await tx.query(`select name from alerts.channel where name = any($1) order by name for key share`, [
      names,
    ])) as { name: string }[];
    return new Set(rows.map(({ name }) => name));
  }

  /** Those of the names that no channel has; the others stay until `tx` ends. */
  async missing(names: readonly string[], tx: EntityManager = this.dataSource.manager): Promise<string[]> {
    const known = await this.known(tx, names);
    return names.filter((name) => !known.has(name));
  }

  /**
   * With it goes what waited for it, unless something names it: rules (the first ten), or the settings. False when it is not
   * at that version.
   */
  async remove(name: string, version: number): Promise<Naming | false> {
    return this.dataSource.transaction(async (tx) => {
      // who is to name it locks it too (`known`): from here on nobody does
      const found = (await tx.query(`select name from alerts.channel where name = $1 and version = $2 for update`, [
        name,
        version,
      ])) as unknown[];
      if (found.length === 0) return false;
      const naming = await this.naming(tx, name);
      if (naming.rules.length > 0 || naming.isDefault) return naming;
      await tx.query(`delete from alerts.channel where name = $1`, [name]);
      await tx.query(
        `update alerts.notification set state = 'dead', reason = 'channel-deleted', revives = false, finished_at = now()
         where channel = $1 and state in ('pending', 'sending', 'held')`,
        [name],
      );
      return naming;
    });
  }

  /** It met a fault: it rests so long; `unhealthy` says why a person has to look after it. */
  async pause(name: string, version: number, pauseMs: number, unhealthy: string | undefined): Promise<void> {
    await this.dataSource.query(
      `update alerts.channel set failures = failures + 1,
         paused_until = case when $3 > 0 then greatest(paused_until, now() + $3 * interval '1 ms') else paused_until end,
         healthy = healthy and $4::text is null,
         unhealthy_reason = coalesce($4, unhealthy_reason),
         unhealthy_since = case when $4::text is null then unhealthy_since else coalesce(unhealthy_since, now()) end
       where name = $1 and version = $2`,
      [name, version, pauseMs, unhealthy ?? null],
    );
  }

  /** It works: what waits for it, or died of it, is due now. `unhealthy` says what a person has to look after all the same. */
  async recover(name: string, unhealthy?: string, tx?: EntityManager): Promise<void> {
    if (!tx) return this.dataSource.transaction((own) => this.recover(name, unhealthy, own));
    const [channels] = (await tx.query(
      `update alerts.channel set healthy = $2::text is null, unhealthy_reason = $2, failures = 0, paused_until = null,
         unhealthy_since = case when $2::text is not null then coalesce(unhealthy_since, now()) end
       where name = $1 and (failures > 0 or not healthy or $2::text is not null) returning name`,
      [name, unhealthy ?? null],
    )) as [unknown[], number];
    if (channels.length === 0) return;
    await tx.query(
      `update alerts.notification n set state = 'pending', next_at = now(), finished_at = null, revives = false,
         batch = case when state = 'dead' then ${OPEN_BATCH} else batch end
       where channel = $1 and ((state = 'pending' and attempts > 0 and next_at > now()) or (state = 'dead' and revives))`,
      [name],
    );
  }

  private async naming(tx: EntityManager, name: string): Promise<Naming> {
    const rules = (await tx.query(`select id from alerts.rule where body->'channels' ? $1 order by id limit 10`, [
      name,
    ])) as { id: string }[];
    const settings = (await tx.query(`select from alerts.settings where body->'defaultChannels' ? $1`, [
      name,
    ])) as unknown[];
    return { rules: rules.map(({ id }) => id), isDefault: settings.length > 0 };
  }
}

function channelOf(row: Row): StoredChannel {
  return {
    ...({ name: row.name, type: row.type, config: row.config } as StoredChannel),
    version: row.version,
    isHealthy: row.healthy,
    unhealthyReason: row.unhealthy_reason,
    unhealthySinceUs: row.unhealthy_us === null ? null : Number(row.unhealthy_us),
    pausedUntilUs: row.paused_us === null ? null : Number(row.paused_us),
    failures: row.failures,
    changedAtUs: Number(row.changed_us),
  };
}
