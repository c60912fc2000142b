import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Log events and events of webhooks. */
export class ProcessingLogs1700000000013 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`select 1`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`select 1`);
  }
}
