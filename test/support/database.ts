import { randomBytes } from 'node:crypto';
import { DataSource } from 'typeorm';
import { afterAll, inject, onTestFailed } from 'vitest';
import { readSettings } from '../../src/platform/config/index.js';
import { type Connection, dataSourceOptions } from '../../src/platform/database/index.js';
import { TEMPLATE } from './postgres.global.js';

export type TestDatabase = Readonly<{ connection: Connection; dataSource: DataSource }>;

/** A fresh clone of the migrated template for this spec file: dropped when green, kept and named when red. */
export async function testDatabase(): Promise<TestDatabase> {
  const server = inject('postgres');
  const name = `spec_${randomBytes(6).toString('hex')}`;
  const admin = await open(server);
  await admin.query(`create database ${name} template ${TEMPLATE}`);
  const connection = { ...server, database: name };
  const dataSource = await open(connection);
  afterAll(async () => {
    await dataSource.destroy();
    if (red) process.stderr.write(`The database ${name} of the red spec is kept in .test-database\n`);
    else await admin.query(`drop database ${name} with (force)`);
    await admin.destroy();
  });
  return { connection, dataSource };
}

let red = false;

/** Call in beforeEach of a spec with a database, so that a red test keeps it. */
export function keepWhenRed(): void {
  onTestFailed(() => {
    red = true;
  });
}

const open = (connection: Connection): Promise<DataSource> =>
  new DataSource(dataSourceOptions(readSettings({}), connection)).initialize();
