import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Schema `aggregation`: rollups of prices, volumes and custom values; the points of custom series. */
export class AggregationRollups1700000000007 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table aggregation.rollup (
        source text not null,
        symbol text not null,
        measure text not null,
        interval_name text not null,
        open_time timestamptz not null,
        count bigint not null,
        sum float8 not null,
        mean float8 not null,
        m2 float8 not null,
        min float8 not null,
        max float8 not null,
        bins bytea not null,
        primary key (source, symbol, measure, interval_name, open_time)
      ) with (fillfactor = 50, toast_tuple_target = 8160);
      comment on table aggregation.rollup is 'Mergeable summaries: of feeds the price and volume of each trade, of custom series (source custom) their values.';
      comment on column aggregation.rollup.m2 is 'Sum of squared differences from the mean.';
      comment on column aggregation.rollup.bins is 'Counts by bins of relative width, as src/aggregation/rollups/sketch.ts writes them.';

      create table aggregation.custom_series (
        name text primary key,
        points bigint not null,
        first_at timestamptz not null,
        last_at timestamptz not null
      ) with (fillfactor = 50);
      comment on column aggregation.custom_series.points is 'Ever recorded; those beyond the retention are counted too.';

      create table aggregation.custom_point (
        name text not null,
        key text not null,
        value numeric not null,
        at timestamptz not null,
        recorded_at timestamptz not null default now(),
        primary key (name, key)
      );
      create index custom_point_at on aggregation.custom_point (name, at, key);
      create index custom_point_age on aggregation.custom_point (greatest(at, recorded_at));
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      drop table aggregation.custom_point;
      drop table aggregation.custom_series;
      drop table aggregation.rollup;
    `);
  }
}
