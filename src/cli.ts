import 'reflect-metadata';
import { parseArgs } from 'node:util';
import type { DataSource } from 'typeorm';
import { numberOf, UsageError } from './cli-arguments.js';
import { withDatabase } from './cli-database.js';
import { startReplay } from './ingestion/simulator/replay.server.js';
import { simulatedFaces, startSimulator } from './ingestion/simulator/simulator.server.js';
import { describeSettings, readSettings } from './platform/config/index.js';
import { appliedMigrations, migrate, migrateDown, servingConnections } from './platform/database/index.js';
import { VERSION } from './version.js';

const USAGE = `Tapeline ${VERSION}: tools of the same image

  migrate up|down|version     run what is missing, take the last one back (its tables with it), or list what is applied
  seed [--markets 10] [--minutes 1000] [--until T]
                              record so many minutes of the simulated markets, spread over the week before T (the last
                              full ten minutes), and install 15 sample rules, for demos and tests; what is there already
                              stays as it is
  replay --file F [--file G]  serve a recorded session as a Binance server on loopback
         [--speed 10] [--port 9443] [--repeat 1] [--shuffle 5s] [--disconnects 0] [--seed N]
  simulate [--face binance] [--port 9443] [--rate 1] [--seed 1]
                              serve the simulated markets on loopback as a server of that venue:
                              ${simulatedFaces.join(', ')}
  test-rules FILE [FILE ...]  run tests of alert rules: input series, and the alerts that must come of them
  dead-letters list|groups [--stage S] [--code C] [--source KIND[:ID]] [--state S] [--fingerprint F] [--q TEXT]
               [--from T] [--to T] [--limit 20]
                              what could not be read, accepted, handled or delivered
  dead-letters show ID        one of them with its payload and attempts
  dead-letters replay ID … | FILTER [--rate 50] [--dry-run]
                              do it again; a running Tapeline carries it out, else the next start
  dead-letters discard ID … | FILTER --reason TEXT [--by NAME]
  doctor                      settings in force (secrets masked) and whether the database answers
`;

const COMMANDS: Record<string, (args: string[]) => Promise<void>> = {
  migrate: runMigrate,
  // loads the whole application, which the others need not wait for
  seed: async (args) => (await import('./cli-seed.js')).runSeed(args),
  replay: runReplay,
  simulate: runSimulate,
  'dead-letters': async (args) => (await import('./cli-dead-letters.js')).runDeadLetters(args),
  'test-rules': async (args) => (await import('./cli-test-rules.js')).runTestRules(args),
  doctor: runDoctor,
};

const [name = '', ...rest] = process.argv.slice(2);
if (name === '--help' || name === '-h') {
  console.log(USAGE);
  process.exit(0);
}
try {
  const command = COMMANDS[name];
  if (!command) throw new UsageError(name === '' ? 'a command is missing' : `${name} is no command`);
  await command(rest);
} catch (error) {
  const isUsage = error instanceof UsageError || (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS');
  console.error((error as Error).message);
  if (isUsage) console.error(`\n${USAGE}`);
  process.exit(isUsage ? 2 : 1);
}

async function runMigrate([action, ...more]: string[]): Promise<void> {
  const force = action === 'down' && more.length === 1 && more[0] === '--force';
  if ((more.length > 0 && !force) || !['up', 'down', 'version'].includes(action ?? ''))
    throw new UsageError('migrate takes one of up, down, version');
  await withDatabase(readSettings(process.env), async (dataSource) => {
    if (action === 'up')
      console.log((await migrate(dataSource)).map((one) => `up ${one}`).join('\n') || 'nothing to do');
    if (action === 'down' && !force) await refuseWhileInUse(dataSource);
    if (action === 'down') console.log(`down ${(await migrateDown(dataSource)) ?? 'nothing: no migration is applied'}`);
    const applied = await appliedMigrations(dataSource);
    console.log(`version ${applied.at(-1) ?? 'none'} (${applied.length} applied)`);
  });
}

/** Taking a migration back drops its tables: not under a Tapeline that works on them. */
async function refuseWhileInUse(dataSource: DataSource): Promise<void> {
  const connections = await servingConnections(dataSource);
  if (connections === 0) return;
  throw new Error(
    `A running Tapeline has ${connections} connections to this database. Stop it first, or say migrate down --force.`,
  );
}

async function runReplay(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      file: { type: 'string', multiple: true },
      speed: { type: 'string', default: '1' },
      port: { type: 'string', default: '9443' },
      repeat: { type: 'string', default: '1' },
      shuffle: { type: 'string', default: '0s' },
      disconnects: { type: 'string', default: '0' },
      seed: { type: 'string' },
    },
  });
  if (!values.file) throw new UsageError('--file is missing');
  const shuffle = /^(\d+(?:\.\d+)?)s$/.exec(values.shuffle);
  if (!shuffle) throw new UsageError('--shuffle must be seconds such as 5s');
  const replay = await startReplay({
    file: values.file,
    speed: values.speed === 'max' ? Infinity : numberOf('--speed', values.speed, 0.001, 1_000_000),
    port: numberOf('--port', values.port, 0, 65_535),
    repeat: numberOf('--repeat', values.repeat, 1, 100),
    shuffleMs: Number(shuffle[1]) * 1000,
    disconnects: numberOf('--disconnects', values.disconnects, 0, 1000),
    ...(values.seed === undefined ? {} : { seed: numberOf('--seed', values.seed, 0, 2 ** 32 - 1) }),
  });
  console.log(
    `Serving ${values.file.join(', ')} at ${replay.url}; the session starts when somebody subscribes. Faults are drawn from seed ${replay.faults.seed}.`,
  );
  tellHowToRead('binance', replay);
  process.once('SIGINT', () => void replay.close());
  process.once('SIGTERM', () => void replay.close());
  const summary = await replay.finished;
  console.log(
    `${summary.complete ? 'The session is over' : 'Stopped before the end'}: ${summary.tradesSent} trades and ${summary.framesSent} frames sent over ${summary.connections} connections.`,
  );
  if (!summary.complete) process.exit(0);
  console.log('History stays available by REST; Ctrl-C ends the server.');
}

async function runSimulate(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      face: { type: 'string', default: 'binance' },
      port: { type: 'string', default: '9443' },
      rate: { type: 'string', default: '1' },
      seed: { type: 'string', default: '1' },
    },
  });
  const face = simulatedFaces.find((each) => each === values.face);
  if (!face) throw new UsageError(`--face must be one of ${simulatedFaces.join(', ')}`);
  const simulator = await startSimulator({
    face,
    port: numberOf('--port', values.port, 0, 65_535),
    rate: numberOf('--rate', values.rate, 0.01, 1000),
    seed: numberOf('--seed', values.seed, 0, 2 ** 32 - 1),
  });
  console.log(
    `Simulated markets at ${simulator.url}; another rate or seed is another market under the same trade ids.`,
  );
  tellHowToRead(face, simulator);
  const stop = (): void => void simulator.close().then(() => process.exit(0));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}

async function runDoctor(): Promise<void> {
  const settings = readSettings(process.env);
  for (const [key, value] of Object.entries(describeSettings(settings))) console.log(`${key}=${value}`);
  await withDatabase(settings, async (dataSource) => {
    const [{ server_version: version }] = (await dataSource.query('show server_version')) as [
      { server_version: string },
    ];
    console.log(`database: PostgreSQL ${version}, ${(await appliedMigrations(dataSource)).length} migrations applied`);
  });
}

function tellHowToRead(face: string, { url, restUrl }: { url: string; restUrl: string }): void {
  const prefix = face.toUpperCase().replaceAll('-', '_');
  const settings = [`FEEDS=${face}`, `${prefix}_WS_URL=${url}${face === 'kraken' ? '/v2' : ''}`];
  if (face === 'finnhub') settings.push('FINNHUB_TOKEN=any', 'FINNHUB_SYMBOLS=BINANCE:BTCUSDT,BINANCE:ETHUSDT');
  else settings.push(`${prefix.replace('_ADVANCED', '')}_REST_URL=${restUrl}`);
  console.log(`Read it with: ${settings.join(' ')} npm start`);
}
