import { DataSource, type DataSourceOptions } from 'typeorm';
import type { Settings } from './platform/config/index.js';
import {
  type Connection,
  dataSourceOptions,
  runningPostgres,
  startEmbeddedPostgres,
  wantsEmbedded,
} from './platform/database/index.js';

/**
 * The configured database, or the embedded one: that of a running Tapeline, else one started for the moment. Its
 * connection is given where it is the embedded one.
 */
export async function withDatabase(
  settings: Settings,
  work: (dataSource: DataSource, embedded?: Connection) => Promise<void>,
): Promise<void> {
  const running = wantsEmbedded(settings) ? runningPostgres(settings.DATA_DIR) : undefined;
  const beside =
    running &&
    (await toolSource(settings, running)
      .initialize()
      .catch(() => undefined));
  const started =
    wantsEmbedded(settings) && !beside
      ? await startEmbeddedPostgres({ dataDir: settings.DATA_DIR, log: () => undefined })
      : undefined;
  try {
    const dataSource = beside ?? (await toolSource(settings, started?.connection).initialize());
    await work(dataSource, beside ? running : started?.connection);
    await dataSource.destroy();
  } finally {
    await started?.stop();
  }
}

function toolSource(settings: Settings, connection?: Connection): DataSource {
  return new DataSource({
    ...dataSourceOptions(settings, connection),
    applicationName: 'tapeline-cli',
  } as DataSourceOptions);
}
