import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { formatInstant, type GapV1Data } from '../contracts/index.js';
import { type IdRun, type Missing, multirangeText } from './coverage.js';
import type { Recorded, SeriesKey } from './coverage.store.js';

export const GAP_STATES = ['open', 'filling', 'closed', 'unfillable'] as const;
export type GapState = (typeof GAP_STATES)[number];

export type NewGap = SeriesKey &
  IdRun &
  Readonly<{
    /** Null where the venue numbers no trades. */
    missing: bigint | null;
    /** A person asked for it. */
    isRequested?: boolean;
    /** Where the venue numbers no trades: when nobody listened, epoch microseconds. */
    fromUs?: number;
    toUs?: number;
  }>;
export type Gap = NewGap & Readonly<{ id: string; state: GapState; reason: string | null }>;

/** A gap with what became of it so far. */
export type GapReport = Gap &
  Readonly<{
    /** Ids of it that are missing now. */
    remaining: bigint | null;
    /** Trades the venue gave for it so far. */
    fetched: number;
    openedAtUs: number;
    closedAtUs: number | null;
  }>;

export type GapFilter = Readonly<{
  source?: string | undefined;
  symbol?: string | undefined;
  states?: readonly GapState[] | undefined;
  isRequested?: boolean | undefined;
  /** Only gaps with a lower id. */
  beforeId?: string | undefined;
}>;

const US = (column: string): string => `(extract(epoch from ${column}) * 1000000)::bigint`;
const GAP = `g.id, g.source, g.venue_symbol, g.symbol, g.from_trade_id, g.to_trade_id, g.missing, g.state, g.reason, g.requested,
  ${US('g.from_at')} as from_us, ${US('g.to_at')} as to_us`;
const REPORT = `${GAP}, g.fetched, ${US('g.opened_at')} as opened_us, ${US('g.closed_at')} as closed_us,
  case when g.missing is null then null when g.state not in ('open', 'filling') then case g.state when 'closed' then 0 else g.missing end else
    (select coalesce(sum(upper(r) - lower(r)), 0)::bigint from ingestion.coverage c,
       unnest(int8multirange(int8range(g.from_trade_id, g.to_trade_id, '[]')) - c.accounted - c.given_up) r
     where c.source = g.source and c.venue_symbol = g.venue_symbol) end as remaining`;

type Row = {
  id: string;
  source: string;
  venue_symbol: string;
  symbol: string;
  from_trade_id: string;
  to_trade_id: string;
  missing: string | null;
  state: GapState;
  reason: string | null;
  requested: boolean;
  from_us: string | null;
  to_us: string | null;
};
type ReportRow = Row & { fetched: string; opened_us: string; closed_us: string | null; remaining: string | null };

/** The gaps that were found: runs of trades that the venue gave out and that are not recorded. */
@Injectable()
export class GapStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  async open(tx: EntityManager, gap: NewGap): Promise<Gap> {
    const rows = (await tx.query(
      `insert into ingestion.gap as g (source, venue_symbol, symbol, from_trade_id, to_trade_id, missing, requested, from_at, to_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning ${GAP}`,
      [
        gap.source,
        gap.venueSymbol,
        gap.symbol,
        gap.from,
        gap.to,
        gap.missing,
        gap.isRequested ?? false,
        gap.fromUs === undefined ? null : formatInstant(gap.fromUs),
        gap.toUs === undefined ? null : formatInstant(gap.toUs),
      ],
    )) as Row[];
    return gapOf(rows[0]!);
  }

  async close(tx: EntityManager, gap: Gap): Promise<void> {
    await tx.query(`update ingestion.gap set state = 'closed', closed_at = now() where id = $1`, [gap.id]);
  }

  /** It stays, narrowed to what is missing of it. Returns it as it stands then. */
  async markUnfillable(tx: EntityManager, gap: Gap, reason: string, rest: Missing | undefined): Promise<Gap> {
    const [rows] = (await tx.query(
      `update ingestion.gap g set state = 'unfillable', reason = $2,
         from_trade_id = coalesce($3, from_trade_id), to_trade_id = coalesce($4, to_trade_id), missing = coalesce($5, missing)
       where id = $1 returning ${GAP}`,
      [gap.id, reason, rest?.from ?? null, rest?.to ?? null, rest?.missing ?? null],
    )) as [Row[], number];
    return gapOf(rows[0]!);
  }

  /** The venue was asked for it, and gave so many trades. */
  async noteFetched(gap: Gap, trades: number): Promise<void> {
    await this.dataSource.query(
      `update ingestion.gap set fetched = fetched + $2, state = 'filling' where id = $1 and state in ('open', 'filling')`,
      [gap.id, trades],
    );
  }

  /** Gaps that are being filled, oldest first. */
  async unfilled(source: string, tx: EntityManager = this.dataSource.manager): Promise<Gap[]> {
    const rows = (await tx.query(
      `select ${GAP} from ingestion.gap g where g.source = $1 and g.state in ('open', 'filling') order by g.id limit 10000`,
      [source],
    )) as Row[];
    return rows.map(gapOf);
  }

  /** Unfillable gaps of a series that share ids with a range, locked. */
  async unfillableWithin(tx: EntityManager, key: SeriesKey, { from, to }: IdRun): Promise<Gap[]> {
    const rows = (await tx.query(
      `select ${GAP} from ingestion.gap g
       where g.source = $1 and g.venue_symbol = $2 and g.state = 'unfillable' and g.from_trade_id <= $4 and g.to_trade_id >= $3 for update`,
      [key.source, key.venueSymbol, from, to],
    )) as Row[];
    return rows.map(gapOf);
  }

  /** Narrows unfillable gaps to what is missing of them still, after these ids were recorded. Returns those that changed. */
  async shrink(tx: EntityManager, recorded: readonly Recorded[]): Promise<Gap[]> {
    const [rows] = (await tx.query(
      `with touched as (
         select g.id, int8multirange(int8range(g.from_trade_id, g.to_trade_id, '[]')) - c.accounted as rest
         from unnest($1::text[], $2::text[], $3::int8multirange[]) as r(source, venue_symbol, runs)
         join ingestion.gap g using (source, venue_symbol) join ingestion.coverage c using (source, venue_symbol)
         where g.state = 'unfillable' and r.runs && int8range(g.from_trade_id, g.to_trade_id, '[]')
       )
       update ingestion.gap g set
         from_trade_id = coalesce(lower(t.rest), g.from_trade_id),
         to_trade_id = coalesce(upper(t.rest) - 1, g.to_trade_id),
         missing = t.missing,
         state = case when isempty(t.rest) then 'closed' else g.state end,
         closed_at = case when isempty(t.rest) then now() end
       from (select id, rest, (select coalesce(sum(upper(r) - lower(r)), 0) from unnest(rest) r) as missing from touched) t
       where t.id = g.id and (isempty(t.rest) or t.missing <> g.missing)
       returning ${GAP}`,
      [
        recorded.map((one) => one.source),
        recorded.map((one) => one.venueSymbol),
        recorded.map((one) => multirangeText(one.runs)),
      ],
    )) as [Row[], number];
    return rows.map(gapOf);
  }

  /** Newest first. */
  async page(filter: GapFilter, limit: number): Promise<GapReport[]> {
    const rows = (await this.dataSource.query(
      `select ${REPORT} from ingestion.gap g
       where ($1::text is null or g.source = $1) and ($2::text is null or g.symbol = $2)
         and ($3::text[] is null or g.state = any($3)) and ($4::boolean is null or g.requested = $4)
         and ($5::bigint is null or g.id < $5)
       order by g.id desc limit $6`,
      [
        filter.source ?? null,
        filter.symbol ?? null,
        filter.states ?? null,
        filter.isRequested ?? null,
        filter.beforeId ?? null,
        limit,
      ],
    )) as ReportRow[];
    return rows.map(reportOf);
  }

  async one(id: string): Promise<GapReport | undefined> {
    const rows = (await this.dataSource.query(`select ${REPORT} from ingestion.gap g where g.id = $1`, [
      id,
    ])) as ReportRow[];
    return rows.map(reportOf)[0];
  }

  /** How many gaps of each state a source has. */
  async counts(): Promise<{ source: string; state: GapState; gaps: number }[]> {
    return (await this.dataSource.query(
      `select source, state, count(*)::int as gaps from ingestion.gap group by source, state`,
    )) as { source: string; state: GapState; gaps: number }[];
  }
}

export const gapData = (gap: Gap): GapV1Data => ({
  gapId: gap.id,
  source: gap.source,
  symbol: gap.symbol,
  fromTradeId: gap.from.toString(),
  toTradeId: gap.to.toString(),
  missing: gap.missing === null ? null : Number(gap.missing),
  ...(gap.fromUs !== undefined && { fromUs: gap.fromUs }),
  ...(gap.toUs !== undefined && { toUs: gap.toUs }),
});

function gapOf(row: Row): Gap {
  return {
    id: row.id,
    source: row.source,
    venueSymbol: row.venue_symbol,
    symbol: row.symbol,
    from: BigInt(row.from_trade_id),
    to: BigInt(row.to_trade_id),
    missing: row.missing === null ? null : BigInt(row.missing),
    state: row.state,
    reason: row.reason,
    isRequested: row.requested,
    ...(row.from_us !== null && { fromUs: Number(row.from_us) }),
    ...(row.to_us !== null && { toUs: Number(row.to_us) }),
  };
}

const reportOf = (row: ReportRow): GapReport => ({
  ...gapOf(row),
  remaining: row.remaining === null ? null : BigInt(row.remaining),
  fetched: Number(row.fetched),
  openedAtUs: Number(row.opened_us),
  closedAtUs: row.closed_us === null ? null : Number(row.closed_us),
});
