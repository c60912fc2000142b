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

@Injectable()
export class BarStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** At most `limit` candles with openTime in [fromUs, toUs), the first or the last of them, oldest first. */
  async range(key: SeriesKey, interval: IntervalName, page: BarPage): Promise<StoredBar[]> {
    const intervalUs = INTERVALS[interval] * 1000;
    const rows = (await this.dataSource.query(
      `select (extract(epoch from open_time) * 1000000)::float8 as "openTimeUs", open::float8, high::float8, low::float8, close::float8,
              volume::float8, quote_volume::float8 as "quoteVolume", closed, open_id as "openId", close_id as "closeId"
       from aggregation.candle
       where source = $1 and symbol = $2 and interval_name = $3 and open_time >= $4 and open_time < $5
       order by open_time ${page.direction === 'forward' ? 'asc' : 'desc'} limit $6`,
      [key.source, key.symbol, interval, formatInstant(page.fromUs), formatInstant(page.toUs), page.limit],
    )) as (Omit<StoredBar, 'closeTimeUs'> & { closeTimeUs: number })[];
    for (const row of rows) row.closeTimeUs = row.openTimeUs + intervalUs;
    return page.direction === 'forward' ? rows : rows.toReversed();
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
