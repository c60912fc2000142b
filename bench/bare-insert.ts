import type pg from 'pg';
import { boolArray, int4Array, int8Array, numericArray, timestamptzArray } from '../src/processing/binary-array.js';

/**
 * What the database alone can do: the same rows, in a table with the same columns, partition and indexes as
 * processing.trade, by one connection with nothing around it. Returns rows a second.
 */
export async function bareInsert(db: pg.Client, batch: number, forMs: number): Promise<number> {
  const day = new Date();
  day.setUTCHours(0, 0, 0, 0);
  const next = new Date(day.getTime() + 86_400_000);
  await db.query('drop schema if exists bare cascade; create schema bare');
  await db.query('create table bare.trade (like processing.trade) partition by range (traded_at)');
  await db.query(
    `create table bare.today partition of bare.trade for values from ('${day.toISOString()}') to ('${next.toISOString()}')`,
  );
  await db.query('create unique index on bare.today (series_id, trade_id)');
  await db.query('create index on bare.today (series_id, traded_at)');
  const startedMs = performance.now();
  let rows = 0;
  while (performance.now() - startedMs < forMs) {
    const us = Date.now() * 1000;
    const indexes = Array.from({ length: batch }, (_, i) => rows + i);
    const noise = indexes.map((index) => (index * 2654435761) >>> 0);
    await db.query({
      name: 'bare',
      text: `insert into bare.trade (traded_at, received_at, trade_id, price, size, series_id, taker_buys)
             select * from unnest($1::timestamptz[], $2::timestamptz[], $3::bigint[], $4::numeric[], $5::numeric[], $6::int[], $7::boolean[])`,
      values: [
        timestamptzArray(indexes.map(() => us)),
        timestamptzArray(indexes.map(() => us)),
        int8Array(indexes.map((index) => String(1_780_000_000_000 + Math.floor(index / 10)))),
        numericArray(noise.map((one, i) => `${100 * ((i % 10) + 1) + (one % 400)}.${(one % 97) + 1}`)),
        numericArray(noise.map((one) => `0.${String(1 + (one % 99_999)).padStart(5, '0')}`)),
        int4Array(indexes.map((index) => (index % 10) + 1)),
        boolArray(noise.map((one) => ((one & 1) === 0 ? 'b' : 's')).join('')),
      ],
    });
    rows += batch;
  }
  const perSecond = (rows * 1000) / (performance.now() - startedMs);
  await db.query('drop schema bare cascade');
  return perSecond;
}
