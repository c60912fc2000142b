import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { formatInstant, type IntervalName, INTERVALS } from '../../contracts/index.js';
import type { PageRange } from '../../platform/http/index.js';
import type { Bar } from '../../platform/indicators/index.js';
import type { SeriesKey } from '../candles/candle.store.js';
import type { Edges } from '../candles/holes.js';

/** A candle as indicators read it: binary numbers, for derived figures only. */
export type StoredBar = Bar & Edges & Readonly<{ closed: boolean }>;

export type BarPage = PageRange & Readonly<{ limit: number }>;

type Row = {
  open_us: string;
  open: string;
  high: string;
  low: string;
  close: string;
  volume: string;
  quote_volume: string;
  closed: boolean;
  open_id: string;
  close_id: string;
};

@Injectable()
export class BarStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** At most `limit` candles with openTime in [fromUs, toUs), the first or the last of them, oldest first. */
  async range(key: SeriesKey, interval: IntervalName, page: BarPage): Promise<StoredBar[]> {
    const intervalUs = INTERVALS[interval] * 1000;
    // decimals as text, numbers only here: casting them to float8 there took half of the query
    const rows = (await this.dataSource.query(
      `select (extract(epoch from open_time) * 1000000)::bigint as open_us, open, high, low, close, volume, quote_volume,
              closed, open_id, close_id
       from aggregation.candle
       where source = $1 and symbol = $2 and interval_name = $3 and open_time >= $4 and open_time < $5
       order by open_time ${page.direction === 'forward' ? 'asc' : 'desc'} limit $6`,
      [key.source, key.symbol, interval, formatInstant(page.fromUs), formatInstant(page.toUs), page.limit],
    )) as Row[];
    const bars = rows.map((row) => barOf(row, intervalUs));
    return page.direction === 'forward' ? bars : bars.toReversed();
  }

  /** How many candles there are, counted up to `most`. */
  async count(key: SeriesKey, interval: IntervalName, most: number): Promise<number> {
    const [{ count }] = (await this.dataSource.query(
      `select count(*)::int as count from (
         select from aggregation.candle where source = $1 and symbol = $2 and interval_name = $3 limit $4) some_candles`,
      [key.source, key.symbol, interval, most],
    )) as [{ count: number }];
    return count;
  }
}

function barOf(row: Row, intervalUs: number): StoredBar {
  const openTimeUs = Number(row.open_us);
  return {
    openTimeUs,
    closeTimeUs: openTimeUs + intervalUs,
    open: Number(row.open),
    high: Number(row.high),
    low: Number(row.low),
    close: Number(row.close),
    volume: Number(row.volume),
    quoteVolume: Number(row.quote_volume),
    closed: row.closed,
    openId: row.open_id,
    closeId: row.close_id,
  };
}
