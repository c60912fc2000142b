import type { DataSourceOptions, Logger } from 'typeorm';
import { MIGRATIONS } from '../../../migrations/index.js';
import type { Settings } from '../config/index.js';
import type { EmbeddedPostgres } from './embedded-postgres.js';

export type Connection = EmbeddedPostgres['connection'];

/** How TypeORM and pg reach the database: the embedded one when it is given, else what the settings name. */
export function dataSourceOptions(settings: Settings, embedded?: Connection): DataSourceOptions {
  const target = embedded
    ? {
        host: embedded.host,
        port: embedded.port,
        username: embedded.user,
        password: embedded.password,
        database: embedded.database,
        ssl: false,
      }
    : settings.DATABASE_URL
      ? { url: settings.DATABASE_URL }
      : {
          host: settings.PSQL_ADDR ?? 'localhost',
          port: settings.PSQL_PORT,
          username: settings.PSQL_USER,
          password: settings.PSQL_PASS,
          database: settings.PSQL_DB,
        };
  return {
    type: 'postgres',
    ...target,
    applicationName: 'tapeline',
    connectTimeoutMS: 5000,
    poolSize: settings.DATABASE_POOL,
    migrations: MIGRATIONS,
    migrationsTableName: 'migration',
    logger: QUIET,
    extra: { idle_in_transaction_session_timeout: 60_000, keepAlive: true },
  };
}

/** True when the settings name no database, so the process starts its own. */
export const wantsEmbedded = (settings: Settings): boolean => !settings.DATABASE_URL && !settings.PSQL_ADDR;

/** Whatever fails is thrown, and logged by who catches it; TypeORM would print it to the console as well. */
const nothing = (): void => undefined;
const QUIET: Logger = {
  logQuery: nothing,
  logQueryError: nothing,
  logQuerySlow: nothing,
  logSchemaBuild: nothing,
  logMigration: nothing,
  log: nothing,
};
