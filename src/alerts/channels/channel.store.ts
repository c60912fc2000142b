import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
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

const US = (column: string): string => `(extract(epoch from ${column}) * 1000000)::bigint`;
const COLUMNS = `c.name, c.type, c.config, c.version, c.healthy, c.unhealthy_reason, c.failures, ${US('c.unhealthy_since')} as unhealthy_us,
  ${US('case when c.paused_until > now() then c.paused_until end')} as paused_us, ${US('c.changed_at')} as changed_us`;
export const MOST_CHANNELS = 200;

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

  /** What it was told before counts no longer: it is tried at once. */
  async update(name: string, { type, config }: ChannelTarget): Promise<void> {
    await this.dataSource.query(
      `update alerts.channel set type = $2, config = $3, version = version + 1, changed_at = now() where name = $1`,
      [name, type, JSON.stringify(config)],
    );
  }

  /** Rules that name it, at most `limit`. */
  async rulesWith(tx: EntityManager, name: string, limit: number): Promise<string[]> {
    const rows = (await tx.query(`select id from alerts.rule where body->'channels' ? $1 order by id limit $2`, [
      name,
      limit,
    ])) as { id: string }[];
    return rows.map(({ id }) => id);
  }

  /** With it goes what waited for it. Names rules that keep it; undefined when there is no such channel. */
  async remove(name: string): Promise<{ keptBy: string[] } | undefined> {
    return this.dataSource.transaction(async (tx) => {
      await tx.query(`lock table alerts.rule in share mode`); // nobody names it meanwhile
      const keptBy = await this.rulesWith(tx, name, 10);
      if (keptBy.length > 0) return { keptBy };
      const [rows] = (await tx.query(`delete from alerts.channel where name = $1 returning name`, [name])) as [
        unknown[],
        number,
      ];
      if (rows.length === 0) return undefined;
      await tx.query(
        `update alerts.notification set state = 'dead', reason = 'channel-deleted', revives = false, finished_at = now()
         where channel = $1 and state in ('pending', 'sending', 'held')`,
        [name],
      );
      return { keptBy };
    });
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
