import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { formatInstant, type IntervalName } from '../../contracts/index.js';
import { INCOMPLETE, type SeriesKey } from '../candles/candle.store.js';
import type { Stretch } from '../cover.js';
import type { Measure, RollupPart } from './rollup.js';
import { Summaries } from './summaries.service.js';
import type { Summary } from './summary.js';

/** A stored window; `incomplete` where a hole in the trades touches its candle. */
export type Rollup = Readonly<{ openTimeUs: number; summary: Summary; incomplete: boolean }>;

/** What a statement takes at once: 50 markets have 600 parts a second, and to merge those in one go takes some 20 ms. */
const BITE = 100;

/** Columns of a summary; `r` is the rollup. */
const SUMMARY = 'r.count, r.sum, r.mean, r.m2, r.min, r.max, r.bins';

type SummaryRow = { count: string; sum: number; mean: number; m2: number; min: number; max: number; bins: Buffer };

@Injectable()
export class RollupStore {
  constructor(
    @Inject(DataSource) private readonly dataSource: DataSource,
    private readonly summaries: Summaries,
  ) {}

  /** Merges parts, each of another window, into the stored rollups. */
  async merge(tx: EntityManager, parts: readonly RollupPart[]): Promise<void> {
    if (parts.length === 0) return;
    // A sketch is merged here, not by SQL: from reading to writing no other process may write, and a row that is not
    // there yet cannot be locked. One lock for all, taken before any row, so that nobody waits in a circle.
    await tx.query(`select pg_advisory_xact_lock(hashtext('aggregation.rollup'))`);
    for (let from = 0; from < parts.length; from += BITE) await this.mergeBite(tx, parts.slice(from, from + BITE));
  }

  /** At most `limit` windows with openTime in [fromUs, toUs), the first or the last of them, oldest first. */
  async range(
    key: SeriesKey,
    measure: Measure,
    interval: IntervalName,
    page: Readonly<{ fromUs: number; toUs: number; direction: 'forward' | 'backward'; limit: number }>,
  ): Promise<Rollup[]> {
    const rows = (await this.dataSource.query(
      `select (extract(epoch from r.open_time) * 1000000)::bigint as open_us, ${SUMMARY},
              ${INCOMPLETE} as incomplete
       from aggregation.rollup r left join aggregation.candle c using (source, symbol, interval_name, open_time)
       where r.source = $1 and r.symbol = $2 and r.measure = $3 and r.interval_name = $4 and r.open_time >= $5 and r.open_time < $6
       order by r.open_time ${page.direction === 'forward' ? 'asc' : 'desc'} limit $7`,
      [key.source, key.symbol, measure, interval, formatInstant(page.fromUs), formatInstant(page.toUs), page.limit],
    )) as (SummaryRow & { open_us: string; incomplete: boolean })[];
    const rollups = rows.map((row) => ({
      openTimeUs: Number(row.open_us),
      summary: this.summaryOf(measure, row),
      incomplete: row.incomplete,
    }));
    return page.direction === 'forward' ? rollups : rollups.toReversed();
  }

  /** The rows that make up stretches of time, in no order. */
  async within(key: SeriesKey, measure: Measure, stretches: readonly Stretch[]): Promise<Summary[]> {
    const rows = (await this.dataSource.query(
      `select ${SUMMARY} from unnest($4::text[], $5::timestamptz[], $6::timestamptz[]) as stretch(interval_name, from_time, to_time)
       join aggregation.rollup r on r.source = $1 and r.symbol = $2 and r.measure = $3 and r.interval_name = stretch.interval_name
         and r.open_time >= stretch.from_time and r.open_time < stretch.to_time`,
      [
        key.source,
        key.symbol,
        measure,
        stretches.map((one) => one.interval),
        stretches.map((one) => formatInstant(one.fromUs)),
        stretches.map((one) => formatInstant(one.toUs)),
      ],
    )) as SummaryRow[];
    return rows.map((row) => this.summaryOf(measure, row));
  }

  private async mergeBite(tx: EntityManager, parts: readonly RollupPart[]): Promise<void> {
    const keys = [
      parts.map((part) => part.source),
      parts.map((part) => part.symbol),
      parts.map((part) => part.measure),
      parts.map((part) => part.interval),
      parts.map((part) => formatInstant(part.openTimeUs)),
    ];
    const standing = (await tx.query(
      `select k.place, ${SUMMARY}
       from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[]) with ordinality
              as k(source, symbol, measure, interval_name, open_time, place)
       join aggregation.rollup r using (source, symbol, measure, interval_name, open_time)`,
      keys,
    )) as (SummaryRow & { place: string })[];
    const summaries = parts.map((part) => part.summary);
    for (const row of standing) {
      const place = Number(row.place) - 1;
      const merged = this.summaryOf(parts[place]!.measure, row);
      merged.merge(summaries[place]!);
      summaries[place] = merged;
    }
    const rows = summaries.map((summary) => summary.stored());
    await tx.query(
      `insert into aggregation.rollup (source, symbol, measure, interval_name, open_time, count, sum, mean, m2, min, max, bins)
       select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[],
         $6::bigint[], $7::float8[], $8::float8[], $9::float8[], $10::float8[], $11::float8[], $12::bytea[])
       on conflict (source, symbol, measure, interval_name, open_time) do update set
         count = excluded.count, sum = excluded.sum, mean = excluded.mean, m2 = excluded.m2,
         min = excluded.min, max = excluded.max, bins = excluded.bins`,
      [
        ...keys,
        rows.map((row) => row.count),
        rows.map((row) => row.sum),
        rows.map((row) => row.mean),
        rows.map((row) => row.m2),
        rows.map((row) => row.min),
        rows.map((row) => row.max),
        rows.map((row) => Buffer.from(row.bins)),
      ],
    );
  }

  private summaryOf(measure: Measure, row: SummaryRow): Summary {
    return this.summaries.stored(measure, { ...row, count: Number(row.count) });
  }
}
