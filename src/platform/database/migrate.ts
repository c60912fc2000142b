import type { DataSource } from 'typeorm';

/** Any number, the same in every process: who holds it may migrate. */
const MIGRATION_LOCK = 7_418_529_630;

/** Runs what is missing, one process at a time; returns the names of what ran. */
export function migrate(dataSource: DataSource): Promise<string[]> {
  return withMigrationLock(dataSource, async () =>
    (await dataSource.runMigrations({ transaction: 'each' })).map((migration) => migration.name),
  );
}

/** Takes the last migration back; returns its name, or undefined when none was left. */
export function migrateDown(dataSource: DataSource): Promise<string | undefined> {
  return withMigrationLock(dataSource, async () => {
    const before = await appliedMigrations(dataSource);
    if (before.length > 0) await dataSource.undoLastMigration({ transaction: 'each' });
    return before.at(-1);
  });
}

/** Names of the applied migrations, oldest first. */
export async function appliedMigrations(dataSource: DataSource): Promise<string[]> {
  const [{ exists }] = (await dataSource.query(`select to_regclass('migration') is not null as exists`)) as [
    { exists: boolean },
  ];
  if (!exists) return [];
  const rows = (await dataSource.query('select name from migration order by id')) as { name: string }[];
  return rows.map((row) => row.name);
}

/** How many connections a running Tapeline has to this database; tools connect under another name. */
export async function servingConnections(dataSource: DataSource): Promise<number> {
  const [{ connections }] = (await dataSource.query(
    `select count(*)::int as connections from pg_stat_activity where application_name = 'tapeline' and datname = current_database()`,
  )) as [{ connections: number }];
  return connections;
}

async function withMigrationLock<T>(dataSource: DataSource, work: () => Promise<T>): Promise<T> {
  const runner = dataSource.createQueryRunner();
  try {
    await runner.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    return await work();
  } finally {
    await runner.query('select pg_advisory_unlock($1)', [MIGRATION_LOCK]).catch(() => undefined);
    await runner.release();
  }
}
