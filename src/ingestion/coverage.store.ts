import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { type IdRun, type Missing, multirangeText, sumOf } from './coverage.js';

export type SeriesKey = Readonly<{ source: string; venueSymbol: string; symbol: string }>;
export type Hole = SeriesKey & IdRun;

/** Ids of a series that were recorded. */
export type Recorded = SeriesKey &
  Readonly<{
    runs: readonly IdRun[];
    /** Event time of the highest of them, epoch microseconds. */
    lastAtUs: number;
    /** The venue numbers its trades one by one. */
    isContiguous: boolean;
  }>;

/** Where a series ends. */
export type SeriesEnd = SeriesKey &
  Readonly<{
    /** The first id after everything accounted for. */
    nextId: bigint;
    /** Event time of the trade before it; unknown for one recorded before migration 5. */
    lastAtUs: number | undefined;
  }>;

/** More holes than these are found once some of them are filled. */
export const MOST_HOLES = 10_000;
/** Ids this far below the first one known still belong to it: a feed may begin out of order. Older ones open no hole. */
const REORDERED_START = 10_000;
const EARLIER_START = `least(c.from_id, lower(excluded.accounted * int8multirange(int8range(c.from_id - ${REORDERED_START}, null))))`;

/** Which trade ids of each series are accounted for. */
@Injectable()
export class CoverageStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /**
   * Accounts for recorded ids. Union: order and repeats do not matter. Returns the series that were new, with their
   * first id.
   */
  async account(tx: EntityManager, series: readonly Recorded[]): Promise<(SeriesKey & { firstId: bigint })[]> {
    const rows = (await tx.query(
      `insert into ingestion.coverage as c (source, venue_symbol, symbol, accounted, from_id, last_at_us, contiguous)
       select source, venue_symbol, symbol, runs, lower(runs), last_at_us, contiguous
       from unnest($1::text[], $2::text[], $3::text[], $4::int8multirange[], $5::bigint[], $6::boolean[])
         as r(source, venue_symbol, symbol, runs, last_at_us, contiguous)
       on conflict (source, venue_symbol) do update set
         accounted = case when c.contiguous then c.accounted + excluded.accounted
                          else int8multirange(range_merge(c.accounted + excluded.accounted)) end,
         from_id = ${EARLIER_START},
         given_up = c.given_up - int8multirange(int8range(${EARLIER_START}, c.from_id)),
         last_at_us = case when upper(excluded.accounted) > upper(c.accounted) then excluded.last_at_us else c.last_at_us end
       returning c.source, c.venue_symbol, c.symbol, c.from_id, c.xmax = 0 as is_new`,
      [
        series.map((one) => one.source),
        series.map((one) => one.venueSymbol),
        series.map((one) => one.symbol),
        series.map((one) => multirangeText(one.runs)),
        series.map((one) => one.lastAtUs),
        series.map((one) => one.isContiguous),
      ],
    )) as { source: string; venue_symbol: string; symbol: string; from_id: string; is_new: boolean }[];
    return rows.filter((row) => row.is_new).map((row) => ({ ...keyOf(row), firstId: BigInt(row.from_id) }));
  }

  /** Accounts for rejected ids among those seen so far and those of open gaps; an id far ahead, as garbage has, must not tear a hole. */
  async accountWithin(tx: EntityManager, series: readonly (SeriesKey & { runs: readonly IdRun[] })[]): Promise<void> {
    await tx.query(
      `update ingestion.coverage c set accounted = c.accounted + (r.runs * (
         int8multirange(int8range(lower(c.accounted), upper(c.accounted))) + coalesce((
           select range_agg(int8range(g.from_trade_id, g.to_trade_id, '[]')) from ingestion.gap g
           where g.source = c.source and g.venue_symbol = c.venue_symbol and g.state in ('open', 'filling')), '{}')))
       from unnest($1::text[], $2::text[], $3::int8multirange[]) as r(source, venue_symbol, runs)
       where c.source = r.source and c.venue_symbol = r.venue_symbol`,
      [
        series.map((one) => one.source),
        series.map((one) => one.venueSymbol),
        series.map((one) => multirangeText(one.runs)),
      ],
    );
  }

  /**
   * Nobody looks for these ids any more. Returns what of them is missing and was looked for until now; undefined when
   * nothing was.
   */
  async giveUp(tx: EntityManager, key: SeriesKey, run: IdRun): Promise<Missing | undefined> {
    const [rows] = (await tx.query(
      `with before as (
         select * from ingestion.coverage where source = $1 and venue_symbol = $2 for update
       )
       update ingestion.coverage c set given_up = c.given_up + int8multirange(int8range($3, $4, '[]'))
       from before b where c.source = b.source and c.venue_symbol = b.venue_symbol
       returning int8multirange(int8range($3, $4, '[]')) - b.accounted - b.given_up as rest`,
      [key.source, key.venueSymbol, run.from, run.to],
    )) as [{ rest: string }[], number];
    return missingIn(rows[0]?.rest, run);
  }

  /** What of these ids is missing, looked for or not; undefined when nothing is. */
  async missingWithin(tx: EntityManager, key: SeriesKey, run: IdRun): Promise<Missing | undefined> {
    const rows = (await tx.query(
      `select int8multirange(int8range($3, $4, '[]')) - accounted as rest from ingestion.coverage where source = $1 and venue_symbol = $2`,
      [key.source, key.venueSymbol, run.from, run.to],
    )) as { rest: string }[];
    return missingIn(rows[0]?.rest, run);
  }

  /** Several questions to one state of the database. */
  atOneMoment<T>(ask: (tx: EntityManager) => Promise<T>): Promise<T> {
    return this.dataSource.transaction('REPEATABLE READ', ask);
  }

  /**
   * Looks for these ids again, and for none between them and where the series began. Returns the ids among them that
   * are missing and that no open gap looks for yet; undefined when there are none.
   */
  async reclaim(tx: EntityManager, key: SeriesKey, { from, to }: IdRun): Promise<Missing | undefined> {
    // a statement of its own: the next one then sees what whoever held it before has opened
    await tx.query(`select from ingestion.coverage where source = $1 and venue_symbol = $2 for update`, [
      key.source,
      key.venueSymbol,
    ]);
    const [found] = (await tx.query(
      `with c as (
         select * from ingestion.coverage where source = $1 and venue_symbol = $2
       ), missing as (
         select int8multirange(int8range($3, least($4::bigint + 1, upper(c.accounted)))) - c.accounted - coalesce((
                  select range_agg(int8range(g.from_trade_id, g.to_trade_id, '[]')) from ingestion.gap g
                  where g.source = $1 and g.venue_symbol = $2 and g.state in ('open', 'filling')), '{}') as ids
         from c where $3::bigint < upper(c.accounted)
       ), bounds as (
         select lower(ids) as from_id, upper(ids) as end_id, ids from missing where not isempty(ids)
       ), reclaimed as (
         update ingestion.coverage u set
           from_id = least(u.from_id, b.from_id),
           given_up = u.given_up - int8multirange(int8range(b.from_id, b.end_id))
                      + case when b.end_id < u.from_id then int8multirange(int8range(b.end_id, u.from_id)) else '{}' end
         from bounds b where u.source = $1 and u.venue_symbol = $2
       )
       select from_id, end_id - 1 as to_id, (select sum(upper(r) - lower(r)) from unnest(ids) r) as missing from bounds`,
      [key.source, key.venueSymbol, from, to],
    )) as { from_id: string; to_id: string; missing: string }[];
    return found && { from: BigInt(found.from_id), to: BigInt(found.to_id), missing: BigInt(found.missing) };
  }

  /** The holes between ids that are accounted for, ascending within a series; MOST_HOLES of them at most. */
  async holes(source: string, tx: EntityManager = this.dataSource.manager): Promise<Hole[]> {
    const rows = (await tx.query(
      `select source, venue_symbol, symbol, lower(hole) as from_id, upper(hole) - 1 as to_id
       from (select source, venue_symbol, symbol,
                    unnest(int8multirange(int8range(from_id, upper(accounted + given_up))) - accounted - given_up) as hole
             from ingestion.coverage where source = $1 and contiguous) holes
       order by venue_symbol, lower(hole) limit ${MOST_HOLES}`,
      [source],
    )) as { source: string; venue_symbol: string; symbol: string; from_id: string; to_id: string }[];
    return rows.map((row) => ({ ...keyOf(row), from: BigInt(row.from_id), to: BigInt(row.to_id) }));
  }

  /** The end of every series of a source, by venue symbol. */
  async ends(source: string, tx: EntityManager = this.dataSource.manager): Promise<Map<string, SeriesEnd>> {
    const rows = (await tx.query(
      `select source, venue_symbol, symbol, upper(accounted + given_up) as next_id,
              case when upper(accounted) > coalesce(upper(given_up), 0) then last_at_us end as last_at_us
       from ingestion.coverage where source = $1`,
      [source],
    )) as { source: string; venue_symbol: string; symbol: string; next_id: string; last_at_us: string | null }[];
    return new Map(
      rows.map((row) => [
        row.venue_symbol,
        {
          ...keyOf(row),
          nextId: BigInt(row.next_id),
          lastAtUs: row.last_at_us === null ? undefined : Number(row.last_at_us),
        },
      ]),
    );
  }
}

const keyOf = (row: { source: string; venue_symbol: string; symbol: string }): SeriesKey => ({
  source: row.source,
  venueSymbol: row.venue_symbol,
  symbol: row.symbol,
});

/** A multirange as PostgreSQL writes it, `{[1,4),[7,8)}`; a series without coverage has nothing of the run. */
function missingIn(rest: string | undefined, run: IdRun): Missing | undefined {
  if (rest === undefined) return sumOf([run]);
  const holes = [...rest.matchAll(/\[(\d+),(\d+)\)/g)].map(([, from, end]) => ({
    from: BigInt(from!),
    to: BigInt(end!) - 1n,
  }));
  return holes.length > 0 ? sumOf(holes) : undefined;
}
