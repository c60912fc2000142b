import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Schema `ingestion`: which trade ids are accounted for, and the holes. */
export class Ingestion1700000000002 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create schema ingestion;

      create table ingestion.coverage (
        source text not null,
        venue_symbol text not null,
        symbol text not null,
        accounted int8multirange not null,
        primary key (source, venue_symbol)
      ) with (fillfactor = 50);
      comment on column ingestion.coverage.accounted is 'Trade ids recorded, rejected or known never to come; more than one range means a hole.';

      create table ingestion.gap (
        id bigint generated always as identity primary key,
        source text not null,
        venue_symbol text not null,
        symbol text not null,
        from_trade_id bigint not null,
        to_trade_id bigint not null,
        missing bigint not null,
        state text not null default 'open' check (state in ('open', 'filling', 'closed', 'unfillable')),
        reason text,
        opened_at timestamptz not null default now(),
        closed_at timestamptz
      );
      create index gap_open on ingestion.gap (source, venue_symbol) where state in ('open', 'filling');
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop schema ingestion cascade');
  }
}
