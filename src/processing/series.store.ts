import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Trade } from '../contracts/index.js';

/** One venue symbol of one source; its small id stands in every trade row (text keys cost a quarter of the speed). */
export type Series = {
  readonly id: number;
  readonly source: string;
  readonly exchange: string;
  readonly symbol: string;
  readonly venueSymbol: string;
  /** Every recorded id is at or below it; Infinity where ids do not fit a number and nothing can be assumed. */
  highWater: number;
};

@Injectable()
export class SeriesStore {
  private readonly bySource = new Map<string, Map<string, Series>>();

  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** The series of a trade when it is known already. */
  get(source: string, venueSymbol: string): Series | undefined {
    return this.bySource.get(source)?.get(venueSymbol);
  }

  /** Makes or reads the series of these trades, with the highest id recorded so far. */
  async load(trades: readonly Trade[]): Promise<void> {
    const unknown = trades.filter((trade) => !this.get(trade.source, trade.venueSymbol));
    if (unknown.length === 0) return;
    const missing = [...new Map(unknown.map((trade) => [`${trade.source} ${trade.venueSymbol}`, trade])).values()];
    await this.dataSource.query(
      `insert into processing.series (source, exchange, symbol, venue_symbol)
       select * from unnest($1::text[], $2::text[], $3::text[], $4::text[])
       on conflict (source, venue_symbol) do nothing`,
      [
        missing.map((one) => one.source),
        missing.map((one) => one.exchange),
        missing.map((one) => one.symbol),
        missing.map((one) => one.venueSymbol),
      ],
    );
    // max() goes down the unique index of each day's partition; a series has some blocks a day
    const rows = (await this.dataSource.query(
      `select s.id, s.source, s.exchange, s.symbol, s.venue_symbol,
              greatest((select max(trade_id) from processing.trade t where t.series_id = s.id),
                       (select max(max_id) from processing.trade_block b where b.series_id = s.id)) as high
       from processing.series s join unnest($1::text[], $2::text[]) as wanted(source, venue_symbol) using (source, venue_symbol)`,
      [missing.map((one) => one.source), missing.map((one) => one.venueSymbol)],
    )) as { id: number; source: string; exchange: string; symbol: string; venue_symbol: string; high: string | null }[];
    for (const row of rows) {
      const { id, source, exchange, symbol, venue_symbol: venueSymbol, high } = row;
      const byVenueSymbol = this.bySource.get(source) ?? new Map<string, Series>();
      byVenueSymbol.set(venueSymbol, {
        id,
        source,
        exchange,
        symbol,
        venueSymbol,
        highWater: high === null ? -1 : safeId(high),
      });
      this.bySource.set(source, byVenueSymbol);
    }
  }

  /** All series that ever recorded a trade. */
  async all(): Promise<Omit<Series, 'highWater'>[]> {
    return (await this.dataSource.query(
      `select id, source, exchange, symbol, venue_symbol as "venueSymbol" from processing.series order by symbol, source, venue_symbol`,
    )) as Omit<Series, 'highWater'>[];
  }
}

/** An id as a number where that is exact, else Infinity. */
export const safeId = (id: string): number => (id.length < 16 ? Number(id) : Infinity);
