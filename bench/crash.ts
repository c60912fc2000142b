import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { simulatedSymbols } from '../src/ingestion/simulator/character.js';
import { startSimulator } from '../src/ingestion/simulator/simulator.server.js';
import { AppProcess, pause } from './app-process.js';
import { Checks } from './checks.js';
import { seeded } from './seeded.js';
import { ServedSet } from './served-set.js';

/**
 * Kills the application and its database at random moments under load, then compares what was stored with what was
 * served. Exits non-zero when a trade is missing or doubled, a candle differs, or an event is lost or told twice.
 */
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '20' },
    'database-kills': { type: 'string', default: '5' },
    rate: { type: 'string', default: '50' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
  },
});
const kills = Number(values.kills);
const databaseKills = Number(values['database-kills']);
const rate = Number(values.rate);
const random = seeded(Number(values.seed));
const checks = new Checks();

console.log(
  `crash: ${kills} kills of the application, ${databaseKills} of PostgreSQL, market at rate ${rate}, seed ${values.seed}`,
);
const dataDir = mkdtempSync(join(tmpdir(), 'tapeline-crash-'));
let frozenAtUs = Infinity;
const nowUs = (): number => Math.min(frozenAtUs, Date.now() * 1000);
const simulator = await startSimulator({
  rate,
  nowUs,
  limits: { weightPerMinute: Infinity, messagesPerSecond: Infinity },
});
const app = await AppProcess.create(dataDir, {
  FEEDS: 'binance',
  BINANCE_SYMBOLS: simulatedSymbols.join(','),
  BINANCE_WS_URL: simulator.url,
  BINANCE_REST_URL: simulator.restUrl,
  LOG_LEVEL: 'warn',
});
app.start();
await app.ready();
await pause(2000);

const deeds = shuffled([...Array<string>(kills).fill('app'), ...Array<string>(databaseKills).fill('database')]);
for (const [index, deed] of deeds.entries()) {
  await pause(200 + random() * 2500);
  if (deed === 'database') {
    await app.ready(); // else there may be none to kill
    const pid = app.postmasterPid!;
    process.kill(pid, 'SIGKILL');
    console.log(`${index + 1}/${deeds.length} kill -9 of PostgreSQL (${pid})`);
    continue;
  }
  const withDatabase = random() < 0.3 ? app.postmasterPid : undefined;
  if (withDatabase !== undefined) process.kill(withDatabase, 'SIGKILL');
  await app.kill();
  console.log(
    `${index + 1}/${deeds.length} kill -9 of the application${withDatabase === undefined ? '' : ' and of PostgreSQL'}`,
  );
  app.start();
  if (random() < 0.8) await app.ready(); // else it is killed while it starts
}
await app.ready(60_000);
await pause(1000);
frozenAtUs = Date.now() * 1000;
const served = new ServedSet(app, simulator.tape, frozenAtUs);
try {
  await served.settled();
  await served.compare(checks);
} catch (error) {
  checks.check('the system settles', String(error), 'settled');
  console.log(app.log.split('\n').slice(-30).join('\n'));
}
checks.check('SIGTERM ends it', await app.stop(), 0);
await simulator.close();
rmSync(dataDir, { recursive: true, force: true });
process.exit(checks.finish());

function shuffled<T>(items: T[]): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}
