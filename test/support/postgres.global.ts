import type { TestProject } from 'vitest/node';
import { DataSource } from 'typeorm';
import { readSettings } from '../../src/platform/config/index.js';
import {
  type Connection,
  dataSourceOptions,
  migrate,
  startEmbeddedPostgres,
} from '../../src/platform/database/index.js';

declare module 'vitest' {
  interface ProvidedContext {
    postgres: Connection;
  }
}

export const TEMPLATE = 'tapeline_template';

/** One real PostgreSQL for the whole run, with a migrated template that each spec file clones. */
export default async function start(project: TestProject): Promise<() => Promise<void>> {
  const postgres = await startEmbeddedPostgres({
    dataDir: '.test-database',
    log: () => undefined,
    settings: { fsync: 'off', max_connections: '200', shared_buffers: '64MB', log_min_messages: 'log' },
  });
  const admin = await new DataSource(dataSourceOptions(readSettings({}), postgres.connection)).initialize();
  await admin.query(`drop database if exists ${TEMPLATE} with (force)`);
  await admin.query(`create database ${TEMPLATE}`);
  const template = await new DataSource(
    dataSourceOptions(readSettings({}), { ...postgres.connection, database: TEMPLATE }),
  ).initialize();
  await migrate(template);
  await template.destroy();
  await admin.destroy();
  project.provide('postgres', postgres.connection);
  return () => postgres.stop();
}
