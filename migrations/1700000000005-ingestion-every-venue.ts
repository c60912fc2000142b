import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Schema `ingestion`: gaps that are asked for, shrink, or are known by time only. */
export class IngestionEveryVenue1700000000005 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      alter table ingestion.coverage
        add column given_up int8multirange not null default '{}',
        add column from_id bigint,
        add column last_at_us bigint,
        add column contiguous boolean not null default true;
      -- what was given up counted as accounted for; which of it was recorded all the same is not known any more
      update ingestion.coverage c set from_id = lower(accounted), given_up = g.ids, accounted = c.accounted - g.ids
      from (select s.source, s.venue_symbol,
                   coalesce(range_agg(int8range(u.from_trade_id, u.to_trade_id, '[]')) filter (where u.id is not null), '{}') as ids
            from ingestion.coverage s left join ingestion.gap u
              on u.source = s.source and u.venue_symbol = s.venue_symbol and u.state = 'unfillable'
            group by s.source, s.venue_symbol) g
      where g.source = c.source and g.venue_symbol = c.venue_symbol;
      alter table ingestion.coverage alter column from_id set not null;
      comment on column ingestion.coverage.accounted is 'Trade ids recorded or rejected.';
      comment on column ingestion.coverage.given_up is 'Trade ids that nobody looks for: they stand in unfillable gaps.';
      comment on column ingestion.coverage.from_id is 'Ids below it are not looked for.';
      comment on column ingestion.coverage.last_at_us is 'Event time of the highest accounted id, epoch microseconds.';
      comment on column ingestion.coverage.contiguous is 'False where the venue numbers no trades: ids between two that were recorded are no hole.';

      alter table ingestion.gap
        alter column missing drop not null,
        add column requested boolean not null default false,
        add column fetched bigint not null default 0,
        add column from_at timestamptz,
        add column to_at timestamptz;
      comment on column ingestion.gap.missing is 'Ids missing when it was opened; null where the venue numbers no trades.';
      comment on column ingestion.gap.requested is 'A person asked for these trades.';
      comment on column ingestion.gap.fetched is 'Trades the venue gave for it so far.';
      comment on column ingestion.gap.from_at is 'Where the venue numbers no trades: when nobody was listening.';
      create index gap_unfillable on ingestion.gap (source, venue_symbol) where state = 'unfillable';
      create index gap_newest on ingestion.gap (source, id);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      drop index ingestion.gap_unfillable, ingestion.gap_newest;
      update ingestion.gap set missing = 0 where missing is null;
      alter table ingestion.gap
        alter column missing set not null,
        drop column requested, drop column fetched, drop column from_at, drop column to_at;
      update ingestion.coverage set accounted = accounted + given_up;
      alter table ingestion.coverage drop column given_up, drop column from_id, drop column last_at_us, drop column contiguous;
    `);
  }
}
