import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { type CandleData, decimalText, formatInstant, type IntervalName, INTERVALS } from '../../contracts/index.js';
import type { Candle } from './candle.js';

export type CandleRow = Readonly<{ source: string; symbol: string; interval: IntervalName; candle: Candle }>;

/** A stored candle, with the ids that tell which holes it touches. */
export type StoredCandle = CandleData & Readonly<{ openId: string; closeId: string }>;

export type SeriesKey = Readonly<{ source: string; symbol: string }>;

/** Whether an open gap touches `c`: a candle, or what several of them amount to. */
export const INCOMPLETE = `exists (select from aggregation.gap g where g.open and g.source = c.source and g.symbol = c.symbol
          and case when g.from_at is null then g.from_trade_id <= c.close_id + 1 and g.to_trade_id >= c.open_id - 1
                   else g.from_at < c.close_time and g.to_at >= c.open_time end)`;

/** Columns of a candle, with the `incomplete` that follows from the open gaps; `c` is the candle. */
const CANDLE = `c.source, c.symbol, c.interval_name, (extract(epoch from c.open_time) * 1000000)::bigint as open_us,
  c.open::text, c.high::text, c.low::text, c.close::text,
  trim_scale(c.volume)::text as volume, trim_scale(c.quote_volume)::text as quote_volume, c.trades,
  trim_scale(c.taker_buy_volume)::text as taker_buy_volume, trim_scale(c.taker_buy_quote_volume)::text as taker_buy_quote_volume,
  c.closed, c.revision, c.open_id, c.close_id,
  ${INCOMPLETE} as incomplete`;

type Row = {
  source: string;
  symbol: string;
  interval_name: IntervalName;
  open_us: string;
  open: string;
  high: string;
  low: string;
  close: string;
  volume: string;
  quote_volume: string;
  trades: string;
  taker_buy_volume: string;
  taker_buy_quote_volume: string;
  closed: boolean;
  revision: number;
  open_id: string;
  close_id: string;
  incomplete: boolean;
};

@Injectable()
export class CandleStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** Merges the candles of new trades into the stored ones; returns what stands there now. A closed one is revised. */
  async merge(tx: EntityManager, rows: readonly CandleRow[]): Promise<StoredCandle[]> {
    const candles = rows.map((row) => row.candle);
    const merged = (await tx.query(
      `insert into aggregation.candle as c (source, symbol, interval_name, open_time, close_time, open, open_at_us, open_id,
         high, low, close, close_at_us, close_id, volume, quote_volume, trades, taker_buy_volume, taker_buy_quote_volume)
       select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::numeric[], $7::bigint[], $8::bigint[],
         $9::numeric[], $10::numeric[], $11::numeric[], $12::bigint[], $13::bigint[], $14::numeric[], $15::numeric[], $16::bigint[], $17::numeric[], $18::numeric[])
       on conflict (source, symbol, interval_name, open_time) do update set
         open = case when (excluded.open_at_us, excluded.open_id) < (c.open_at_us, c.open_id) then excluded.open else c.open end,
         open_at_us = case when (excluded.open_at_us, excluded.open_id) < (c.open_at_us, c.open_id) then excluded.open_at_us else c.open_at_us end,
         open_id = case when (excluded.open_at_us, excluded.open_id) < (c.open_at_us, c.open_id) then excluded.open_id else c.open_id end,
         high = greatest(c.high, excluded.high),
         low = least(c.low, excluded.low),
         close = case when (excluded.close_at_us, excluded.close_id) > (c.close_at_us, c.close_id) then excluded.close else c.close end,
         close_at_us = case when (excluded.close_at_us, excluded.close_id) > (c.close_at_us, c.close_id) then excluded.close_at_us else c.close_at_us end,
         close_id = case when (excluded.close_at_us, excluded.close_id) > (c.close_at_us, c.close_id) then excluded.close_id else c.close_id end,
         close_seen_at = case when excluded.close_at_us > c.close_at_us then now() else c.close_seen_at end,
         volume = c.volume + excluded.volume,
         quote_volume = c.quote_volume + excluded.quote_volume,
         trades = c.trades + excluded.trades,
         taker_buy_volume = c.taker_buy_volume + excluded.taker_buy_volume,
         taker_buy_quote_volume = c.taker_buy_quote_volume + excluded.taker_buy_quote_volume,
         revision = c.revision + c.closed::int
       returning ${CANDLE}`,
      [
        rows.map((row) => row.source),
        rows.map((row) => row.symbol),
        rows.map((row) => row.interval),
        candles.map((candle) => formatInstant(candle.openTimeUs)),
        rows.map((row) => formatInstant(row.candle.openTimeUs + INTERVALS[row.interval] * 1000)),
        candles.map((candle) => candle.open),
        candles.map((candle) => candle.openAtUs),
        candles.map((candle) => candle.openId),
        candles.map((candle) => candle.high),
        candles.map((candle) => candle.low),
        candles.map((candle) => candle.close),
        candles.map((candle) => candle.closeAtUs),
        candles.map((candle) => candle.closeId),
        candles.map((candle) => decimalText(candle.volume)),
        candles.map((candle) => decimalText(candle.quoteVolume)),
        candles.map((candle) => candle.trades),
        candles.map((candle) => decimalText(candle.takerBuyVolume)),
        candles.map((candle) => decimalText(candle.takerBuyQuoteVolume)),
      ],
    )) as Row[];
    return merged.map(candleOf);
  }

  /**
   * Closes every open candle whose end the watermark has passed and returns those. The watermark of a series is the
   * latest event time seen, moved on by the wall clock since it was seen (but not by the time before `sinceMs`, when
   * this process started and nothing was caught up yet), less the lateness. Once nothing came for a minute it is the wall
   * clock itself: a file of old trades is over, and its day need not last as long again. A candle another transaction
   * holds waits, and so do those of the sources in `except`.
   */
  async closePassed(
    tx: EntityManager,
    { latenessMs, sinceMs, except }: { latenessMs: number; sinceMs: number; except: readonly string[] },
  ): Promise<StoredCandle[]> {
    const [closed] = (await tx.query(
      `with seen as (
         select distinct on (source, symbol) source, symbol, close_at_us, close_seen_at
         from aggregation.candle where not closed and source <> all($3::text[]) order by source, symbol, close_at_us desc
       ), passed as (
         select c.source, c.symbol, c.interval_name, c.open_time
         from aggregation.candle c join seen s using (source, symbol)
         where not c.closed
           and c.close_time <= case when greatest(s.close_seen_at, to_timestamp($2 / 1000.0)) < now() - interval '1 minute' then now()
               else to_timestamp(0) + s.close_at_us * interval '1 microsecond'
                    + greatest(interval '0', now() - greatest(s.close_seen_at, to_timestamp($2 / 1000.0))) end
               - $1 * interval '1 ms'
         for update of c skip locked
       )
       update aggregation.candle c set closed = true from passed p
       where c.source = p.source and c.symbol = p.symbol and c.interval_name = p.interval_name and c.open_time = p.open_time
       returning ${CANDLE}`,
      [latenessMs, sinceMs, except],
    )) as [Row[], number];
    return closed.map(candleOf);
  }

  /** Sources that have candles of each symbol, in the order of the symbols. */
  async sourcesOf(symbols: readonly string[]): Promise<string[][]> {
    // a loose index scan: one probe of the primary key for each source, however many candles there are
    const rows = (await this.dataSource.query(
      `with recursive source as (
         (select source from aggregation.candle order by source limit 1)
         union all
         select (select c.source from aggregation.candle c where c.source > s.source order by c.source limit 1) from source s where s.source is not null
       )
       select wanted.symbol, s.source from unnest($1::text[]) as wanted(symbol) cross join source s
       cross join lateral (select from aggregation.candle c where c.source = s.source and c.symbol = wanted.symbol limit 1) known`,
      [symbols],
    )) as { symbol: string; source: string }[];
    return symbols.map((symbol) => rows.filter((row) => row.symbol === symbol).map((row) => row.source));
  }

  /** At most `limit` candles with openTime in [fromUs, toUs), the first or the last of them, oldest first. */
  async range(
    key: SeriesKey,
    interval: IntervalName,
    page: Readonly<{ fromUs: number; toUs: number; direction: 'forward' | 'backward'; limit: number }>,
  ): Promise<StoredCandle[]> {
    const rows = (await this.dataSource.query(
      `select ${CANDLE} from aggregation.candle c
       where c.source = $1 and c.symbol = $2 and c.interval_name = $3 and c.open_time >= $4 and c.open_time < $5
       order by c.open_time ${page.direction === 'forward' ? 'asc' : 'desc'} limit $6`,
      [key.source, key.symbol, interval, formatInstant(page.fromUs), formatInstant(page.toUs), page.limit],
    )) as Row[];
    const candles = rows.map(candleOf);
    return page.direction === 'forward' ? candles : candles.toReversed();
  }
}

function candleOf(row: Row): StoredCandle {
  const openTimeUs = Number(row.open_us);
  return {
    source: row.source,
    symbol: row.symbol,
    interval: row.interval_name,
    openTimeUs,
    closeTimeUs: openTimeUs + INTERVALS[row.interval_name] * 1000,
    open: row.open,
    high: row.high,
    low: row.low,
    close: row.close,
    volume: row.volume,
    quoteVolume: row.quote_volume,
    trades: Number(row.trades),
    takerBuyVolume: row.taker_buy_volume,
    takerBuyQuoteVolume: row.taker_buy_quote_volume,
    closed: row.closed,
    revision: row.revision,
    incomplete: row.incomplete,
    openId: row.open_id,
    closeId: row.close_id,
  };
}
