import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { formatInstant, type Side } from '../contracts/index.js';
import { boolArray, int4Array, int8Array, numericArray, timestamptzArray } from './binary-array.js';
import type { TradeColumns, TradeRecord } from './trade-batch.js';
import type { TradePosition } from './trade-position.js';

export type StoredTrade = Readonly<{ tradeId: string; price: string; size: string; side?: Side; tradedAtUs: number }>;

/** Which trades of a series are asked for: those with tradedAt in [fromUs, toUs) behind or before a position. */
export type TradePage = Readonly<{
  fromUs: number;
  toUs: number;
  direction: 'forward' | 'backward';
  position?: TradePosition | undefined;
  limit: number;
}>;

/** Trades as rows: what is not packed yet. */
@Injectable()
export class TradeStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /**
   * Inserts trades that are believed new. Throws unique_violation (23505) when one was recorded before: nothing is
   * stored then, and the caller repeats with `recordMissing`. Measured 1.5 times the speed of ON CONFLICT.
   */
  async recordNew(tx: EntityManager, trades: TradeColumns): Promise<void> {
    await tx.query(`${INSERT} select * from ${ROWS}`, parameters(trades));
  }

  /**
   * Inserts the trades that are not recorded yet, neither as rows nor in blocks of their day; returns `seriesId tradeId`
   * of those, in no order. The lock comes first, in a statement of its own: the insert then sees every block whose rows
   * are gone. Each block's ids are met with all that are asked for at once: one by one, a block of ids that do not follow
   * each other would be unfolded for every trade.
   */
  async recordMissing(tx: EntityManager, trades: TradeColumns): Promise<Set<string>> {
    await tx.query(`select pg_advisory_xact_lock_shared(hashtext('processing.trade_block'))`);
    const rows = (await tx.query(
      `with given as materialized (
         select *, date_trunc('day', traded_at, 'UTC') as day
         from ${ROWS} as given(traded_at, received_at, trade_id, price, size, series_id, taker_buys)
       ), asked as (
         select series_id, day, min(trade_id) as min_id, max(trade_id) as max_id,
                range_agg(int8range(trade_id, nullif(trade_id, 9223372036854775807) + 1)) as ids
         from given group by series_id, day
       ), packed as materialized (
         select asked.series_id, asked.day, range_agg(asked.ids * block.ids) as ids
         from asked join processing.trade_block block
           on block.series_id = asked.series_id and block.first_at >= asked.day and block.first_at < asked.day + interval '1 day'
           and block.min_id <= asked.max_id and block.max_id >= asked.min_id
         group by asked.series_id, asked.day
       )
       ${INSERT}
       select traded_at, received_at, trade_id, price, size, series_id, taker_buys from given
       where not exists (
         select from packed where packed.series_id = given.series_id and packed.day = given.day and packed.ids @> given.trade_id
       )
       on conflict do nothing returning series_id, trade_id`,
      parameters(trades),
    )) as { series_id: number; trade_id: string }[];
    return new Set(rows.map((row) => `${row.series_id} ${row.trade_id}`));
  }

  /** At most `limit` trades of a page, oldest first. */
  async range(seriesId: number, page: TradePage): Promise<StoredTrade[]> {
    const [than, order] = page.direction === 'forward' ? ['>', 'asc'] : ['<', 'desc'];
    const position = page.position ? [formatInstant(page.position.tradedAtUs), page.position.tradeId] : [];
    const rows = (await this.dataSource.query(
      `select trade_id, price::text, size::text, taker_buys, ${US_OF('traded_at')} as at_us from processing.trade
       where series_id = $1 and traded_at >= $2 and traded_at < $3
       ${page.position ? `and (traded_at, trade_id) ${than} ($5::timestamptz, $6::bigint)` : ''}
       order by traded_at ${order}, trade_id ${order} limit $4`,
      [seriesId, formatInstant(page.fromUs), formatInstant(page.toUs), page.limit, ...position],
    )) as { trade_id: string; price: string; size: string; taker_buys: boolean | null; at_us: string }[];
    const trades = rows.map((row): StoredTrade => ({
      tradeId: row.trade_id,
      price: row.price,
      size: row.size,
      ...(row.taker_buys === null ? {} : { side: row.taker_buys ? ('buy' as const) : ('sell' as const) }),
      tradedAtUs: Number(row.at_us),
    }));
    return page.direction === 'forward' ? trades : trades.toReversed();
  }

  /** The next trades of a series with tradedAt in [fromUs, toUs), in order, with all that is known of them. */
  async record(
    seriesId: number,
    page: Readonly<{ fromUs: number; toUs: number; after: TradePosition | undefined; limit: number }>,
  ): Promise<TradeRecord> {
    const after = page.after ? [formatInstant(page.after.tradedAtUs), page.after.tradeId] : [];
    const rows = (await this.dataSource.query(
      `select trade_id, trim_scale(price)::text as price, trim_scale(size)::text as size,
              case taker_buys when true then 'b' when false then 's' else '-' end as side,
              ${US_OF('traded_at')} as at_us, ${US_OF('received_at')} as received_us
       from processing.trade where series_id = $1 and traded_at >= $2 and traded_at < $3
       ${page.after ? 'and traded_at >= $5 and (traded_at, trade_id) > ($5::timestamptz, $6::bigint)' : ''}
       order by traded_at, trade_id limit $4`,
      [seriesId, formatInstant(page.fromUs), formatInstant(page.toUs), page.limit, ...after],
    )) as Record<'trade_id' | 'price' | 'size' | 'side' | 'at_us' | 'received_us', string>[];
    return {
      tradeIds: rows.map((row) => row.trade_id),
      prices: rows.map((row) => row.price),
      sizes: rows.map((row) => row.size),
      sides: rows.map((row) => row.side).join(''),
      tradedAtUs: rows.map((row) => Number(row.at_us)),
      receivedAtUs: rows.map((row) => Number(row.received_us)),
    };
  }
}

const US_OF = (column: string): string => `(extract(epoch from ${column}) * 1000000)::bigint`;
const INSERT = `insert into processing.trade (traded_at, received_at, trade_id, price, size, series_id, taker_buys)`;
const ROWS = `unnest($1::timestamptz[], $2::timestamptz[], $3::bigint[], $4::numeric[], $5::numeric[], $6::int[], $7::boolean[])`;

function parameters(trades: TradeColumns): Buffer[] {
  return [
    timestamptzArray(trades.tradedAtUs),
    timestamptzArray(trades.receivedAtUs),
    int8Array(trades.tradeIds),
    numericArray(trades.prices),
    numericArray(trades.sizes),
    int4Array(trades.seriesIds),
    boolArray(trades.sides),
  ];
}
