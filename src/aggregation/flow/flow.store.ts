import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { formatInstant } from '../../contracts/index.js';
import type { Window } from '../windows/window.store.js';

@Injectable()
export class FlowStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** The minute of a window with the most trades, the first of several; undefined where nothing was traded. */
  async busiestMinute({
    source,
    symbol,
    fromUs,
    toUs,
  }: Window): Promise<Readonly<{ openTimeUs: number; trades: number }> | undefined> {
    const [row] = (await this.dataSource.query(
      `select (extract(epoch from c.open_time) * 1000000)::bigint as open_us, c.trades from aggregation.candle c
       where c.source = $1 and c.symbol = $2 and c.interval_name = '1m' and c.open_time >= $3 and c.open_time < $4 and c.trades > 0
       order by c.trades desc, c.open_time limit 1`,
      [source, symbol, formatInstant(fromUs), formatInstant(toUs)],
    )) as { open_us: string; trades: string }[];
    return row && { openTimeUs: Number(row.open_us), trades: Number(row.trades) };
  }
}
