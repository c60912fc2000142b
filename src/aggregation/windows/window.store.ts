import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { formatInstant } from '../../contracts/index.js';
import { INCOMPLETE, type SeriesKey } from '../candles/candle.store.js';
import { cover } from '../cover.js';

/** A stretch of time of one series: whole minutes, epoch microseconds, `toUs` exclusive. */
export type Window = SeriesKey & Readonly<{ fromUs: number; toUs: number }>;

/** What the candles of a window amount to; decimals are exact text. */
export type Totals = Readonly<{
  open: string;
  high: string;
  low: string;
  close: string;
  volume: string;
  quoteVolume: string;
  trades: number;
  takerBuyVolume: string;
  takerBuyQuoteVolume: string;
  /** A hole in the trades touches it, or it begins before the series does. */
  incomplete: boolean;
}>;

type Row = {
  place: number;
  open: string;
  high: string;
  low: string;
  close: string;
  volume: string;
  quote_volume: string;
  trades: string;
  taker_buy_volume: string;
  taker_buy_quote_volume: string;
  incomplete: boolean;
};

/** Rolling windows, read from the longest candles that fit. */
@Injectable()
export class WindowStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** The totals of each window, in one query; undefined where it has no candle. */
  async totals(windows: readonly Window[]): Promise<(Totals | undefined)[]> {
    // most series end with the same minute: what covers their windows is said once
    const spans = [...new Map(windows.map((window) => [spanOf(window), window])).values()];
    const stretches = spans.flatMap((span) =>
      cover(span.fromUs, span.toUs).map((stretch) => ({ span: spanOf(span), ...stretch })),
    );
    const rows = (await this.dataSource.query(
      `with win as (
         select * from unnest($1::int[], $2::text[], $3::text[], $4::text[]) as w(place, source, symbol, span)
       ), stretch as (
         select * from unnest($5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[]) as s(span, interval_name, from_time, to_time)
       ), total as (
         select w.place, w.source, w.symbol, w.span,
           (array_agg(c.open order by c.open_time))[1]::text as open, max(c.high)::text as high, min(c.low)::text as low,
           (array_agg(c.close order by c.open_time desc))[1]::text as close,
           trim_scale(sum(c.volume))::text as volume, trim_scale(sum(c.quote_volume))::text as quote_volume, sum(c.trades)::bigint as trades,
           trim_scale(sum(c.taker_buy_volume))::text as taker_buy_volume, trim_scale(sum(c.taker_buy_quote_volume))::text as taker_buy_quote_volume,
           min(c.open_id) as open_id, max(c.close_id) as close_id
         from win w join stretch s using (span) cross join lateral (
           select * from aggregation.candle c
           where c.source = w.source and c.symbol = w.symbol and c.interval_name = s.interval_name
             and c.open_time >= s.from_time and c.open_time < s.to_time
           offset 0 -- one probe of the primary key a stretch, also while the statistics of a new table say otherwise
         ) c
         group by w.place, w.source, w.symbol, w.span
       )
       select c.place, c.open, c.high, c.low, c.close, c.volume, c.quote_volume, c.trades, c.taker_buy_volume, c.taker_buy_quote_volume,
         not exists (select from aggregation.candle m where m.source = c.source and m.symbol = c.symbol and m.interval_name = '1m' and m.open_time <= c.open_time)
         or ${INCOMPLETE} as incomplete
       from (select * from total join (select span, min(from_time) as open_time, max(to_time) as close_time from stretch group by span) s using (span)) c`,
      [
        windows.map((_, place) => place),
        windows.map((one) => one.source),
        windows.map((one) => one.symbol),
        windows.map(spanOf),
        stretches.map((one) => one.span),
        stretches.map((one) => one.interval),
        stretches.map((one) => formatInstant(one.fromUs)),
        stretches.map((one) => formatInstant(one.toUs)),
      ],
    )) as Row[];
    const totals: (Totals | undefined)[] = windows.map(() => undefined);
    for (const row of rows) totals[row.place] = totalsOf(row);
    return totals;
  }

  /** Start of the last minute with a candle, of each series; undefined where there is none. */
  async lastMinutesUs(keys: readonly SeriesKey[]): Promise<(number | undefined)[]> {
    const rows = (await this.dataSource.query(
      `select (extract(epoch from (
           select c.open_time from aggregation.candle c
           where c.source = s.source and c.symbol = s.symbol and c.interval_name = '1m' order by c.open_time desc limit 1
         )) * 1000000)::bigint as last_us
       from unnest($1::text[], $2::text[]) with ordinality as s(source, symbol, place) order by s.place`,
      [keys.map((key) => key.source), keys.map((key) => key.symbol)],
    )) as { last_us: string | null }[];
    return rows.map((row) => (row.last_us === null ? undefined : Number(row.last_us)));
  }

  /** Series whose market is being recorded: those with an open candle. */
  async openSeries(): Promise<SeriesKey[]> {
    return (await this.dataSource.query(
      `select distinct source, symbol from aggregation.candle where not closed`,
    )) as SeriesKey[];
  }

  /** At most `limit` series that have candles, of one source or of all, in order of both, after one of them. */
  async seriesAfter(after: SeriesKey | undefined, limit: number, source?: string): Promise<SeriesKey[]> {
    // a loose index scan: one probe of the primary key for each series, however many candles there are
    return (await this.dataSource.query(
      `with recursive series as (
         (select source, symbol, 1 as place from aggregation.candle where (source, symbol) > ($1, $2) and ($4::text is null or source = $4) order by source, symbol limit 1)
         union all
         select next.source, next.symbol, s.place + 1 from series s, lateral (
           select c.source, c.symbol from aggregation.candle c where (c.source, c.symbol) > (s.source, s.symbol) and ($4::text is null or c.source = $4) order by c.source, c.symbol limit 1
         ) next where s.place < $3
       )
       select source, symbol from series order by place`,
      [after?.source ?? source ?? '', after?.symbol ?? '', limit, source ?? null],
    )) as SeriesKey[];
  }
}

const spanOf = ({ fromUs, toUs }: Window): string => `${fromUs} ${toUs}`;

function totalsOf(row: Row): Totals {
  return {
    open: row.open,
    high: row.high,
    low: row.low,
    close: row.close,
    volume: row.volume,
    quoteVolume: row.quote_volume,
    trades: Number(row.trades),
    takerBuyVolume: row.taker_buy_volume,
    takerBuyQuoteVolume: row.taker_buy_quote_volume,
    incomplete: row.incomplete,
  };
}
