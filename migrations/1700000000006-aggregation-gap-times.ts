import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Schema `aggregation`: gaps of venues that number no trades are spans of time. */
export class AggregationGapTimes1700000000006 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table aggregation.gap add column from_at timestamptz, add column to_at timestamptz');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table aggregation.gap drop column from_at, drop column to_at');
  }
}
