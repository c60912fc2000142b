import 'reflect-metadata';
import { createApp } from './create-app.js';
import { readSettings, type Settings, SettingsError } from './platform/config/index.js';
import { startEmbeddedPostgres, wantsEmbedded } from './platform/database/index.js';
import { createLogger } from './platform/observability/index.js';
import { flushTracing } from './tracing.js';
import { VERSION } from './version.js';

const SHUTDOWN_WITHIN_MS = 9500;

const settings = settingsOrExit();
const logger = createLogger(settings);
const log = logger.child({ context: 'Tapeline' });

try {
  await run(settings);
} catch (error) {
  log.fatal((error as Error).message);
  process.exit(1);
}

async function run({ PORT, HOST, DATA_DIR }: Settings): Promise<void> {
  const startedMs = performance.now();
  const postgresLog = logger.child({ context: 'PostgreSQL' });
  const embedded = wantsEmbedded(settings)
    ? await startEmbeddedPostgres({
        dataDir: DATA_DIR,
        log: (level, message, fields) => postgresLog[level](fields ?? {}, message),
        settings: { log_min_messages: 'log' }, // a statement's error reaches its caller, who logs it
      })
    : undefined;
  const app = await createApp(settings, logger, embedded?.connection);

  let stopping = false;
  const stop = async (signal: string, code: number): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log.info(`${signal}: stopping`);
    setTimeout(() => {
      log.error(
        `Not stopped within ${SHUTDOWN_WITHIN_MS} ms, leaving; the outbox and the venues hold what is unfinished`,
      );
      process.exit(1);
    }, SHUTDOWN_WITHIN_MS).unref();
    await app.close();
    await flushTracing();
    await embedded?.stop();
    log.info('Stopped');
    process.exit(code);
  };
  process.on('SIGTERM', () => void stop('SIGTERM', 0));
  process.on('SIGINT', () => void stop('SIGINT', 0));
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, `Uncaught: ${error.message}`);
    void stop('uncaught exception', 1);
  });

  try {
    await app.listen(PORT, HOST);
  } catch (error) {
    log.fatal(listenFault(error as NodeJS.ErrnoException, settings));
    await stop('cannot listen', 1);
  }
  const shownHost = HOST === '0.0.0.0' || HOST === '::' ? 'localhost' : HOST;
  const { port } = app.getHttpServer().address() as { port: number };
  log.info(
    `Tapeline ${VERSION} is up after ${Math.round(performance.now() - startedMs)} ms: http://${shownHost}:${port}/dashboard (API: /docs)`,
  );
}

function settingsOrExit(): Settings {
  try {
    return readSettings(process.env);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
}

function listenFault(error: NodeJS.ErrnoException, { HOST, PORT }: Settings): string {
  if (error.code === 'EADDRINUSE') return `Port ${PORT} on ${HOST} is taken by another program: set PORT to a free one`;
  if (error.code === 'EACCES') return `Port ${PORT} needs rights this user lacks: set PORT above 1023`;
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND')
    return `HOST ${HOST} is not an address of this machine`;
  return `Cannot listen on ${HOST}:${PORT}: ${error.message}`;
}
