import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Schema `processing`: every trade once, by the day of its event time. */
export class Processing1700000000003 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create schema processing;

      create table processing.series (
        id int generated always as identity primary key,
        source text not null,
        exchange text not null,
        symbol text not null,
        venue_symbol text not null,
        unique (source, venue_symbol)
      );

      create table processing.trade (
        traded_at timestamptz not null,
        received_at timestamptz not null,
        trade_id bigint not null,
        price numeric not null,
        size numeric not null,
        series_id int not null,
        taker_buys boolean
      ) partition by range (traded_at);
      comment on table processing.trade is 'Identity is (series_id, trade_id), a unique index of each day''s partition: a venue fixes the time of a trade, so a repeat falls into the same day.';
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop schema processing cascade');
  }
}
