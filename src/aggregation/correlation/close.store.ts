import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { formatInstant, type IntervalName, INTERVALS } from '../../contracts/index.js';
import { INCOMPLETE, type SeriesKey } from '../candles/candle.store.js';
import type { CloseOfCandle } from './closes.js';

/** When the first candle of a series opened, and its last closed one ended; epoch microseconds, undefined without one. */
export type History = Readonly<{ firstUs: number | undefined; endUs: number | undefined }>;

type Row = {
  place: string;
  open_us: string;
  close: number;
  open_id: string;
  close_id: string;
  settled: boolean;
};

/** Closes of many series at once. */
@Injectable()
export class CloseStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** How far each series reaches, in the order asked. */
  async histories(keys: readonly SeriesKey[], interval: IntervalName): Promise<History[]> {
    const rows = (await this.dataSource.query(
      `select (extract(epoch from first.open_time) * 1000000)::bigint as first_us, (extract(epoch from last.close_time) * 1000000)::bigint as end_us
       from unnest($1::text[], $2::text[]) with ordinality as s(source, symbol, place)
       left join lateral (
         select c.open_time from aggregation.candle c
         where c.source = s.source and c.symbol = s.symbol and c.interval_name = $3 order by c.open_time limit 1
       ) first on true
       left join lateral (
         select c.close_time from aggregation.candle c
         where c.source = s.source and c.symbol = s.symbol and c.interval_name = $3 and c.closed order by c.open_time desc limit 1
       ) last on true
       order by s.place`,
      [keys.map((key) => key.source), keys.map((key) => key.symbol), interval],
    )) as { first_us: string | null; end_us: string | null }[];
    return rows.map((row) => ({
      firstUs: row.first_us === null ? undefined : Number(row.first_us),
      endUs: row.end_us === null ? undefined : Number(row.end_us),
    }));
  }

  /**
   * The candles of each series with openTime in [fromUs, toUs), oldest first, with the last one before and the first one
   * after, in the order asked.
   */
  async around(
    keys: readonly SeriesKey[],
    interval: IntervalName,
    { fromUs, toUs }: Readonly<{ fromUs: number; toUs: number }>,
  ): Promise<CloseOfCandle[][]> {
    const rows = (await this.dataSource.query(
      `select s.place, (extract(epoch from c.open_time) * 1000000)::bigint as open_us, c.close::float8 as close, c.open_id, c.close_id,
         c.closed and not ${INCOMPLETE} as settled
       from unnest($1::text[], $2::text[]) with ordinality as s(source, symbol, place), lateral (
         (select * from aggregation.candle b
          where b.source = s.source and b.symbol = s.symbol and b.interval_name = $3 and b.open_time < $4 order by b.open_time desc limit 1)
         union all
         (select * from aggregation.candle w
          where w.source = s.source and w.symbol = s.symbol and w.interval_name = $3 and w.open_time >= $4 and w.open_time < $5)
         union all
         (select * from aggregation.candle a
          where a.source = s.source and a.symbol = s.symbol and a.interval_name = $3 and a.open_time >= $5 order by a.open_time limit 1)
       ) c
       order by s.place, c.open_time`,
      [
        keys.map((key) => key.source),
        keys.map((key) => key.symbol),
        interval,
        formatInstant(fromUs),
        formatInstant(toUs),
      ],
    )) as Row[];
    const series = keys.map((): CloseOfCandle[] => []);
    for (const row of rows) series[Number(row.place) - 1]!.push(closeOf(row, INTERVALS[interval] * 1000));
    return series;
  }
}

function closeOf(row: Row, intervalUs: number): CloseOfCandle {
  const openTimeUs = Number(row.open_us);
  return {
    openTimeUs,
    closeTimeUs: openTimeUs + intervalUs,
    openId: row.open_id,
    closeId: row.close_id,
    close: row.close,
    settled: row.settled,
  };
}
