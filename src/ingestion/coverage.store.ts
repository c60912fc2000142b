import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { GapV1Data } from '../contracts/index.js';
import { type IdRun, multirangeText } from './coverage.js';

export type SeriesKey = Readonly<{ source: string; venueSymbol: string; symbol: string }>;
export type Hole = SeriesKey & IdRun;
export type Gap = SeriesKey & IdRun & Readonly<{ id: string; missing: bigint }>;

/** Ids this far below the first one known still belong to it: a feed may begin out of order. Older ones open no hole. */
const REORDERED_START = 10_000;

/** Which trade ids are accounted for, and the gaps that were found. */
@Injectable()
export class CoverageStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /**
   * Accounts for ids that are recorded, rejected, or known never to come. Union: order and repeats do not matter.
   * Returns the series that were new, with their first id.
   */
  async account(
    tx: EntityManager,
    series: readonly (SeriesKey & { runs: readonly IdRun[] })[],
  ): Promise<(SeriesKey & { firstId: bigint })[]> {
    const rows = (await tx.query(
      `insert into ingestion.coverage as c (source, venue_symbol, symbol, accounted)
       select * from unnest($1::text[], $2::text[], $3::text[], $4::int8multirange[])
       on conflict (source, venue_symbol) do update set
         accounted = c.accounted + (excluded.accounted * int8multirange(int8range(lower(c.accounted) - ${REORDERED_START}, null)))
       returning c.source, c.venue_symbol, c.symbol, lower(c.accounted) as first_id, c.xmax = 0 as is_new`,
      [
        series.map((one) => one.source),
        series.map((one) => one.venueSymbol),
        series.map((one) => one.symbol),
        series.map((one) => multirangeText(one.runs)),
      ],
    )) as { source: string; venue_symbol: string; symbol: string; first_id: string; is_new: boolean }[];
    return rows
      .filter((row) => row.is_new)
      .map((row) => ({
        source: row.source,
        venueSymbol: row.venue_symbol,
        symbol: row.symbol,
        firstId: BigInt(row.first_id),
      }));
  }

  /** Accounts for rejected ids among those seen so far; an id far ahead, as garbage has, must not tear a hole. */
  async accountWithin(tx: EntityManager, series: readonly (SeriesKey & { runs: readonly IdRun[] })[]): Promise<void> {
    await tx.query(
      `update ingestion.coverage c set accounted = c.accounted + (r.runs * int8multirange(int8range(lower(c.accounted), upper(c.accounted))))
       from unnest($1::text[], $2::text[], $3::int8multirange[]) as r(source, venue_symbol, runs)
       where c.source = r.source and c.venue_symbol = r.venue_symbol`,
      [
        series.map((one) => one.source),
        series.map((one) => one.venueSymbol),
        series.map((one) => multirangeText(one.runs)),
      ],
    );
  }

  /** Every hole between accounted ids, ascending within a series. */
  async holes(source: string): Promise<Hole[]> {
    const rows = (await this.dataSource.query(
      `select source, venue_symbol, symbol, lower(hole) as from_id, upper(hole) - 1 as to_id
       from (select source, venue_symbol, symbol,
                    unnest(int8multirange(int8range(lower(accounted), upper(accounted))) - accounted) as hole
             from ingestion.coverage where source = $1) holes
       order by venue_symbol, lower(hole) limit 10000`,
      [source],
    )) as { source: string; venue_symbol: string; symbol: string; from_id: string; to_id: string }[];
    return rows.map((row) => ({
      source: row.source,
      venueSymbol: row.venue_symbol,
      symbol: row.symbol,
      from: BigInt(row.from_id),
      to: BigInt(row.to_id),
    }));
  }

  /** The first id after everything accounted for, by venue symbol. */
  async nextIds(source: string): Promise<Map<string, bigint>> {
    const rows = (await this.dataSource.query(
      `select venue_symbol, upper(accounted) as next from ingestion.coverage where source = $1`,
      [source],
    )) as { venue_symbol: string; next: string }[];
    return new Map(rows.map((row) => [row.venue_symbol, BigInt(row.next)]));
  }

  async openGap(tx: EntityManager, gap: Omit<Gap, 'id'>): Promise<Gap> {
    const rows = (await tx.query(
      `insert into ingestion.gap (source, venue_symbol, symbol, from_trade_id, to_trade_id, missing) values ($1, $2, $3, $4, $5, $6) returning id`,
      [gap.source, gap.venueSymbol, gap.symbol, gap.from.toString(), gap.to.toString(), gap.missing.toString()],
    )) as { id: string }[];
    return { ...gap, id: rows[0]!.id };
  }

  async closeGap(tx: EntityManager, gap: Gap): Promise<void> {
    await tx.query(`update ingestion.gap set state = 'closed', closed_at = now() where id = $1`, [gap.id]);
  }

  /** The venue cannot give these trades: the gap stays in sight, but nobody looks for its ids any more. */
  async giveUpGap(tx: EntityManager, gap: Gap, reason: string): Promise<void> {
    await this.markUnfillable(tx, gap, reason);
    await this.account(tx, [{ ...gap, runs: [gap] }]);
  }

  async markUnfillable(tx: EntityManager, gap: Gap, reason: string): Promise<void> {
    await tx.query(`update ingestion.gap set state = 'unfillable', reason = $2 where id = $1`, [gap.id, reason]);
  }

  async openGaps(source: string): Promise<Gap[]> {
    const rows = (await this.dataSource.query(
      `select id, source, venue_symbol, symbol, from_trade_id, to_trade_id, missing from ingestion.gap
       where source = $1 and state in ('open', 'filling') order by id`,
      [source],
    )) as {
      id: string;
      source: string;
      venue_symbol: string;
      symbol: string;
      from_trade_id: string;
      to_trade_id: string;
      missing: string;
    }[];
    return rows.map((row) => ({
      id: row.id,
      source: row.source,
      venueSymbol: row.venue_symbol,
      symbol: row.symbol,
      from: BigInt(row.from_trade_id),
      to: BigInt(row.to_trade_id),
      missing: BigInt(row.missing),
    }));
  }
}

export const gapData = (gap: Gap): GapV1Data => ({
  gapId: gap.id,
  source: gap.source,
  symbol: gap.symbol,
  fromTradeId: gap.from.toString(),
  toTradeId: gap.to.toString(),
  missing: Number(gap.missing),
});
