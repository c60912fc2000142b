import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Schema `aggregation`: candles and the open gaps that touch them. */
export class Aggregation1700000000004 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create schema aggregation;

      create table aggregation.candle (
        source text not null,
        symbol text not null,
        interval_name text not null,
        open_time timestamptz not null,
        close_time timestamptz not null,
        open numeric not null,
        open_at_us bigint not null,
        open_id bigint not null,
        high numeric not null,
        low numeric not null,
        close numeric not null,
        close_at_us bigint not null,
        close_id bigint not null,
        volume numeric not null,
        quote_volume numeric not null,
        trades bigint not null,
        taker_buy_volume numeric not null,
        taker_buy_quote_volume numeric not null,
        closed boolean not null default false,
        revision int not null default 0,
        close_seen_at timestamptz not null default now(),
        primary key (source, symbol, interval_name, open_time)
      ) with (fillfactor = 50);
      create index candle_open on aggregation.candle (source, symbol) where not closed;
      comment on column aggregation.candle.close_seen_at is 'Wall clock when the close last moved: what event time has passed since can be told from it.';
      comment on column aggregation.candle.open_id is 'Trade id that gave the open: with open_at_us the order that makes merging exact.';

      create table aggregation.gap (
        gap_id bigint primary key,
        source text not null,
        symbol text not null,
        from_trade_id bigint not null,
        to_trade_id bigint not null,
        open boolean not null
      );
      create index gap_open on aggregation.gap (source, symbol) where open;
      comment on table aggregation.gap is 'What ingestion said of holes; a closed one stays, so that a late or repeated opening cannot re-open it.';
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop schema aggregation cascade');
  }
}
