import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { CUSTOM_SOURCE, formatInstant } from '../../contracts/index.js';
import { AppError } from '../../platform/errors/index.js';
import { type CustomPoint, LOG_SERIES } from './custom-point.js';

const MOST_SERIES = 1000;

export type CustomSeries = Readonly<{
  name: string;
  /** Points ever recorded, those beyond the retention too. */
  points: number;
  firstUs: number;
  lastUs: number;
}>;

const SERIES = `name, points, (extract(epoch from first_at) * 1000000)::bigint as first_us,
  (extract(epoch from last_at) * 1000000)::bigint as last_us`;

type SeriesRow = { name: string; points: string; first_us: string; last_us: string };

@Injectable()
export class CustomPointStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /**
   * Records points, each (name, key) once, and returns those that were new. Throws `metrics.key-taken` when a key is
   * known with another value, and `metrics.too-many-series`; then nothing of them is recorded.
   */
  async record(tx: EntityManager, points: readonly CustomPoint[]): Promise<CustomPoint[]> {
    const isNamed = await this.lockForNewSeries(tx, points);
    // in order of the key, so that two that record the same points wait for one another and not in a circle
    const inserted = (await tx.query(
      `insert into aggregation.custom_point (name, key, value, at)
       select * from unnest($1::text[], $2::text[], $3::numeric[], $4::timestamptz[]) as point(name, key, value, at) order by name, key
       on conflict (name, key) do nothing returning name, key`,
      columnsOf(points),
    )) as { name: string; key: string }[];
    const isNew = new Set(inserted.map(identity));
    await this.refuseChanged(
      tx,
      points.filter((point) => !isNew.has(identity(point))),
    );
    const fresh = points.filter((point) => isNew.has(identity(point)));
    await this.count(tx, fresh);
    if (!isNamed) await this.refuseTooMany(tx);
    return fresh;
  }

  /** At most `limit` series in order of name, after one of them. */
  async series(after: string, limit: number): Promise<CustomSeries[]> {
    const rows = (await this.dataSource.query(
      `select ${SERIES} from aggregation.custom_series where name > $1 order by name limit $2`,
      [after, limit],
    )) as SeriesRow[];
    return rows.map(seriesOf);
  }

  async find(name: string): Promise<CustomSeries | undefined> {
    const [row] = (await this.dataSource.query(`select ${SERIES} from aggregation.custom_series where name = $1`, [
      name,
    ])) as SeriesRow[];
    return row && seriesOf(row);
  }

  /** At most `limit` points of [fromUs, toUs) in order of (instant, key), the first or the last of them, beyond `position`. */
  async range(
    name: string,
    page: Readonly<{
      fromUs: number;
      toUs: number;
      direction: 'forward' | 'backward';
      position: Readonly<{ atUs: number; key: string }> | undefined;
      limit: number;
    }>,
  ): Promise<CustomPoint[]> {
    const { direction, position, limit } = page;
    const [beyond, order] = direction === 'forward' ? ['>', 'asc'] : ['<', 'desc'];
    const rows = (await this.dataSource.query(
      `select key, trim_scale(value)::text as value, (extract(epoch from at) * 1000000)::bigint as at_us
       from aggregation.custom_point
       where name = $1 and at >= $2 and at < $3 and ($4::timestamptz is null or (at, key) ${beyond} ($4, $5))
       order by at ${order}, key ${order} limit $6`,
      [
        name,
        formatInstant(page.fromUs),
        formatInstant(page.toUs),
        position ? formatInstant(position.atUs) : null,
        position?.key ?? null,
        limit,
      ],
    )) as { key: string; value: string; at_us: string }[];
    const points = rows.map(({ key, value, at_us }) => ({ name, key, value, atUs: Number(at_us) }));
    return direction === 'forward' ? points : points.toReversed();
  }

  /** Deletes up to `limit` points of an instant and recorded before `retentionMs` ago; returns how many there were. */
  async deleteOld(retentionMs: number, limit: number): Promise<number> {
    const [, deleted] = (await this.dataSource.query(
      `delete from aggregation.custom_point where (name, key) in (
         select name, key from aggregation.custom_point where greatest(at, recorded_at) < now() - $1 * interval '1 ms'
         order by greatest(at, recorded_at) limit $2)`,
      [retentionMs, limit],
    )) as [unknown, number];
    return deleted;
  }

  /** Of these points those whose series still stands; it is not removed before this transaction is over. */
  async standing(tx: EntityManager, points: readonly CustomPoint[]): Promise<CustomPoint[]> {
    const rows = (await tx.query(
      'select name from aggregation.custom_series where name = any($1) order by name for key share',
      [[...new Set(points.map(({ name }) => name))]],
    )) as { name: string }[];
    const names = new Set(rows.map(({ name }) => name));
    return points.filter(({ name }) => names.has(name));
  }

  /** Deletes a series and what was made of it: points, rollups, anomalies, detectors. */
  async remove(tx: EntityManager, name: string): Promise<void> {
    // the series first: it waits for whoever is recording or reading points of it, and what they wrote goes too
    await tx.query('delete from aggregation.custom_series where name = $1', [name]);
    await tx.query('delete from aggregation.custom_point where name = $1', [name]);
    for (const table of ['rollup', 'anomaly', 'detector_state'])
      await tx.query(`delete from aggregation.${table} where source = $1 and symbol = $2`, [CUSTOM_SOURCE, name]);
  }

  /** Whether every series is known; when not, nobody else makes new ones before this transaction is over. */
  private async lockForNewSeries(tx: EntityManager, points: readonly CustomPoint[]): Promise<boolean> {
    const names = [...new Set(points.map(({ name }) => name))];
    const [{ known }] = (await tx.query(
      'select count(*)::int as known from aggregation.custom_series where name = any($1)',
      [names],
    )) as [{ known: number }];
    if (known === names.length) return true;
    await tx.query(`select pg_advisory_xact_lock(hashtext('aggregation.custom_series'))`);
    return false;
  }

  private async refuseChanged(tx: EntityManager, repeated: readonly CustomPoint[]): Promise<void> {
    const [changed] = (await tx.query(
      `select p.name, p.key, trim_scale(p.value)::text as value
       from unnest($1::text[], $2::text[], $3::numeric[], $4::timestamptz[]) as sent(name, key, value, at)
       join aggregation.custom_point p using (name, key) where p.value <> sent.value limit 1`,
      columnsOf(repeated),
    )) as { name: string; key: string; value: string }[];
    if (changed)
      throw new AppError('metrics.key-taken', `${changed.name} has ${changed.value} under the key ${changed.key}`);
  }

  private async count(tx: EntityManager, points: readonly CustomPoint[]): Promise<void> {
    await tx.query(
      `insert into aggregation.custom_series as s (name, points, first_at, last_at)
       select name, count(*), min(at), max(at) from unnest($1::text[], $2::timestamptz[]) as point(name, at) group by name order by name
       on conflict (name) do update set points = s.points + excluded.points,
         first_at = least(s.first_at, excluded.first_at), last_at = greatest(s.last_at, excluded.last_at)`,
      [points.map(({ name }) => name), points.map(({ atUs }) => formatInstant(atUs))],
    );
  }

  private async refuseTooMany(tx: EntityManager): Promise<void> {
    const [{ series }] = (await tx.query(
      'select count(*)::int as series from aggregation.custom_series where not starts_with(name, $1)',
      [LOG_SERIES],
    )) as [{ series: number }];
    if (series > MOST_SERIES)
      throw new AppError('metrics.too-many-series', `${series} series with these, ${MOST_SERIES} at most`);
  }
}

const identity = ({ name, key }: Pick<CustomPoint, 'name' | 'key'>): string => `${name} ${key}`;

const columnsOf = (points: readonly CustomPoint[]): unknown[] => [
  points.map(({ name }) => name),
  points.map(({ key }) => key),
  points.map(({ value }) => value),
  points.map(({ atUs }) => formatInstant(atUs)),
];

const seriesOf = (row: SeriesRow): CustomSeries => ({
  name: row.name,
  points: Number(row.points),
  firstUs: Number(row.first_us),
  lastUs: Number(row.last_us),
});
