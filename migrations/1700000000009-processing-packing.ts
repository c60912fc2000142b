import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Schema `processing`: packed trades and what became of each day. */
export class ProcessingPacking1700000000009 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table processing.trade_day (
        day date primary key,
        recorded_at timestamptz not null default now(),
        packed_at timestamptz,
        dropped_at timestamptz
      );
      comment on column processing.trade_day.recorded_at is 'When the first trade of the day was recorded here; days older than this table count from its making.';
      comment on column processing.trade_day.packed_at is 'When its partition was last emptied into blocks.';
      comment on column processing.trade_day.dropped_at is 'From then on no trade of the day is recorded: whether it was before is not known any more.';
      insert into processing.trade_day (day)
      select to_date(substr(c.relname, 7), 'YYYYMMDD') from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'processing.trade'::regclass;

      create table processing.trade_block (
        id bigint generated always as identity,
        first_at timestamptz not null,
        first_id bigint not null,
        last_at timestamptz not null,
        last_id bigint not null,
        min_id bigint not null,
        max_id bigint not null,
        series_id int not null,
        trades int not null,
        ids int8multirange not null,
        data bytea not null,
        primary key (series_id, first_at, first_id)
      );
      comment on table processing.trade_block is 'Trades of one series and hour. Blocks of a series follow each other in order of (traded_at, trade_id) and do not overlap.';
      comment on column processing.trade_block.data is 'Columns, compressed (src/processing/packing): mark TB, format, CRC-32, brotli.';
      alter table processing.trade_block alter column data set storage external;
      create index trade_block_time on processing.trade_block (first_at);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table processing.trade_block, processing.trade_day');
  }
}
