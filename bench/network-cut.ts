import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startSimulator } from '../src/ingestion/simulator/simulator.server.js';
import { AppProcess, pause } from './app-process.js';
import { Checks } from './checks.js';
import { rows, ServedSet } from './served-set.js';
import { venueEnvironment } from './venue-environment.js';

/**
 * Runs the application in a network namespace of its own, pulls the cable between it and its venue, plugs it in again,
 * and compares what was stored with what was served. Exits non-zero when the process ends, does not notice or does not
 * say why it waits, tries more often than the venue allows, or when afterwards a trade is missing or doubled, a gap stays
 * open, or a candle differs. Needs root and `ip`: without them it says so and exits with 0.
 */
const FACES = ['binance', 'coinbase', 'coinbase-advanced', 'kraken'] as const;
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '300' },
    rate: { type: 'string', default: '50' },
    face: { type: 'string', default: 'binance' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
  },
});
const face = FACES.find((one) => one === values.face);
if (!face) throw new RangeError(`--face ${values.face}: expected one of ${FACES.join(', ')}`);
const [seconds, rate, seed] = [Number(values.seconds), Number(values.rate), Number(values.seed)];
/** A ping every 15 s that is answered until the next one; the other venues promise a frame within 15 s. */
const NOTICED_WITHIN_S = 35;
if (!(seconds > NOTICED_WITHIN_S))
  throw new RangeError(`--seconds ${values.seconds}: a cut up to ${NOTICED_WITHIN_S} s may end unnoticed`);
/** Without any venue for so long, the process calls itself not ready. */
const READY_WITHOUT_VENUE_S = 120;
/** Kraken gives 50 pages of 1,000 trades a minute, so that a second of the cut may take more than one to heal. */
const HEALED_WITHIN_S = 120 + 3 * seconds;

/** Of the namespace and of the data folder; the process in it tells a run at work from what an earlier one left. */
const NAME = `tapeline-cut-${process.pid}`;
const NAMES = /^tapeline-cut-(\d+)/;
/** The namespace has two cables, in a range that nobody routes: one to the venue, and one to watch the process by. */
const VENUE = { link: 'tlcut-venue', here: '198.18.77.1', there: '198.18.77.2', subnet: '198.18.77.0/30' };
const WATCH = { link: 'tlcut-watch', here: '198.18.77.5', there: '198.18.77.6', subnet: '198.18.77.4/30' };

/** What was traded before an id of each symbol and is not recorded, and the gaps that are being filled. */
const LEFT = `select (select count(*) from ingestion.gap where state in ('open', 'filling'))::int as gaps,
  coalesce(sum(upper(r) - lower(r)), 0)::int as trades
  from unnest($1::text[], $2::bigint[]) as t(symbol, end_id)
  join ingestion.coverage c on c.symbol in (t.symbol, left(t.symbol, -1)),
  unnest(int8multirange(int8range(c.from_id, t.end_id)) - c.accounted) r`;

const obstacle = whatPrevents();
if (obstacle !== undefined) {
  console.log(`cut: skipped: ${obstacle}`);
  process.exit(0);
}
console.log(`cut: ${face} cut off for ${seconds} s, market at rate ${rate}, seed ${seed}`);
const dataDir = join(tmpdir(), NAME);
process.on('exit', () => cleanUp(NAME));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));
mkdirSync(dataDir);
layCable(VENUE);
layCable(WATCH);
// without it, what the venue sends into the pulled cable would leave by the default route
ip('route', 'add', 'unreachable', VENUE.subnet, 'metric', '9999');

const checks = new Checks();
let frozenAtUs = Infinity;
const simulator = await startSimulator({ face, rate, seed, nowUs: () => Math.min(frozenAtUs, Date.now() * 1000) });
await bringToCable(simulator.port);
const app = await AppProcess.create(
  dataDir,
  // the busiest market trades more in five minutes than the default heals
  {
    ...venueEnvironment(face, simulator.symbols, `${VENUE.here}:${simulator.port}`),
    LOG_LEVEL: 'warn',
    BACKFILL_MAX_TRADES: '1000000',
  },
  undefined,
  { host: WATCH.there, prefix: ['ip', 'netns', 'exec', NAME] },
);
app.start();

try {
  await app.ready();
  await pause(20_000);
  const before = await identity();
  const { noticedS } = await cutOff();
  const { connectedS, healedS, missing } = await heal();
  frozenAtUs = Date.now() * 1000;
  const served = new ServedSet(app, simulator.tape, frozenAtUs);
  await served.settled();
  await served.compare(checks);
  await compareGaps();
  checks.check('process, its start, its database', await identity(), before);
  checks.check('ready at the end', (await look()).readiness, 200);
  console.log(
    `\nnoticed ${noticedS} s after the cut; connected ${connectedS} s and healed ${healedS} s after it ended (${missing} trades were missing then)`,
  );
} catch (error) {
  checks.check('the run ends', String(error), 'compared');
  console.log(app.log.split('\n').slice(-40).join('\n'));
}
console.log(`seen by the venue: ${JSON.stringify(simulator.counts)}`);
checks.check('SIGTERM ends it', await app.stop(), 0);
await simulator.close();
process.exit(checks.finish());

// ---- the course of events

/** Pulls the cable and watches the process until it is plugged in again. */
async function cutOff(): Promise<{ noticedS: number }> {
  const cutMs = performance.now();
  const opensBefore = connectionsOpened();
  ip('link', 'set', VENUE.link, 'down');
  console.log(`\n   0.0 s cut`);
  let noticedS = Infinity;
  let [looks, unanswered, mistaken, unexplained, unlike] = [0, 0, 0, 0, 0];
  let mostAttempts = 0;
  let attemptsAllowed = 0;
  let told = '';
  let readiness = 200;
  for (let elapsedS = 0; elapsedS < seconds; elapsedS = since(cutMs)) {
    const seen = await look().catch(() => undefined);
    looks++;
    if (!seen?.isLive) unanswered++;
    if (seen) {
      ({ readiness } = seen);
      if (noticedS === Infinity && seen.state !== 'connected') noticedS = since(cutMs);
      if (noticedS < Infinity && seen.state === 'connected') mistaken++;
      if (noticedS < Infinity && seen.reason === '') unexplained++;
      if (noticedS < Infinity && seen.healthState === 'connected') unlike++;
      mostAttempts = Math.max(mostAttempts, seen.attempts.used);
      attemptsAllowed = seen.attempts.allowed;
      const words = `${seen.state}: ${seen.reason} (ready: ${readiness}, attempts: ${seen.attempts.used})`;
      if (words !== told) console.log(`${stamp(cutMs)} ${words}`);
      told = words;
    }
    await pause(Math.min(250, Math.max(0, seconds - since(cutMs)) * 1000));
  }
  const opened = connectionsOpened() - opensBefore;
  checks.check(`looks at the process without an answer, of ${looks}`, unanswered, 0);
  checks.check('seconds until it noticed', noticedS, (s: number) => s <= NOTICED_WITHIN_S);
  checks.check('looks that say connected after that', mistaken, 0);
  checks.check('looks without a reason', unexplained, 0);
  checks.check('looks at /health that say connected', unlike, 0);
  if (seconds - noticedS > READY_WITHOUT_VENUE_S + 5) checks.check('ready at the end of the cut', readiness, 503);
  checks.check('most attempts in 5 minutes, by its own count', mostAttempts, (most: number) => most <= attemptsAllowed);
  checks.check('connections it tried to open, REST included', opened, (n: number) => n > 0 && n <= attemptsAllowed);
  return { noticedS };
}

/** Plugs the cable in and waits until all that was traded before is recorded and no gap is open. */
async function heal(): Promise<{ connectedS: number; healedS: number; missing: number }> {
  const backMs = performance.now();
  ip('link', 'set', VENUE.link, 'up');
  const symbols = simulator.tape.instruments.map(({ symbol }) => symbol);
  const nowUs = Date.now() * 1000;
  const ends = symbols.map((symbol) => simulator.tape.lastId(symbol, nowUs)! + 1);
  const db = await app.database();
  const left = async (): Promise<{ trades: number; gaps: number }> =>
    (await rows(db, LEFT, [symbols, ends]))[0] as { trades: number; gaps: number };
  const missing = (await left()).trades;
  console.log(`\n   0.0 s plugged in, ${missing} trades missing`);
  let connectedS = Infinity;
  let toldS = 0;
  const errors = new Set<string>();
  for (;;) {
    const seen = await look();
    if (seen.state === 'connected' && connectedS === Infinity) {
      connectedS = since(backMs);
      console.log(`${stamp(backMs)} connected`);
    }
    if (connectedS < Infinity && seen.lastError !== null) errors.add(seen.lastError);
    const { trades, gaps } = await left();
    const healedS = since(backMs);
    if (connectedS < Infinity && trades === 0 && gaps === 0) {
      console.log(`${stamp(backMs)} healed; errors told: ${[...errors].join(' | ') || 'none'}`);
      const refusals = [...errors].filter((error) => /answered 4\d\d|limit exceeded/i.test(error));
      checks.check('refusals by the venue while it healed', refusals.join(' | '), '');
      await db.end();
      return { connectedS, healedS, missing };
    }
    if (healedS > HEALED_WITHIN_S) {
      await db.end();
      throw new Error(
        `not healed within ${HEALED_WITHIN_S} s: ${trades} trades missing, ${gaps} gaps open, ${seen.state}: ${seen.reason}`,
      );
    }
    if (healedS - toldS >= 10) {
      toldS = healedS;
      console.log(`${stamp(backMs)} ${trades} trades missing, ${gaps} gaps open, ${seen.state}: ${seen.reason}`);
    }
    await pause(250);
  }
}

async function compareGaps(): Promise<void> {
  const db = await app.database();
  const states = await rows(db, 'select state, count(*)::int as gaps from ingestion.gap group by state order by state');
  console.log(`gaps: ${JSON.stringify(states)}`);
  const [unfilled] = await rows(
    db,
    `select count(*)::int as gaps from ingestion.gap where state <> 'closed' and from_trade_id <> 0`,
  );
  checks.check('gaps that are not closed, but the time before each series', unfilled!.gaps, 0);
  await db.end();
}

// ---- the process

type Limit = Readonly<{ name: string; used: number; allowed: number }>;
type FeedBody = Readonly<{ state: string; reason: string; lastError: string | null; limits: readonly Limit[] }>;
type HealthBody = Readonly<{ details: { feeds: { feeds: readonly { state: string }[] } } }>;

/** What a person would see of it now. */
async function look() {
  const get = (path: string): Promise<Response> => fetch(`${app.url}${path}`, { signal: AbortSignal.timeout(5000) });
  const isLive = (await get('/health/live')).ok;
  const readiness = (await get('/health/ready')).status;
  const health = (await (await get('/health')).json()) as HealthBody;
  const { state, reason, lastError, limits } = (await (await get(`/api/v1/feeds/${face}`)).json()) as FeedBody;
  const attempts = limits.find(({ name }) => name.startsWith('connection attempts'))!;
  return { isLive, readiness, healthState: health.details.feeds.feeds[0]!.state, state, reason, lastError, attempts };
}

async function identity(): Promise<string> {
  return `${app.pid}, ${await app.metric('process_start_time_seconds')}, ${app.postmasterPid}`;
}

/** Connections that were begun within the namespace since it exists, by the kernel's count. */
function connectionsOpened(): number {
  const [names, counts] = readFileSync(`/proc/${app.pid}/net/snmp`, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('Tcp:'))
    .map((line) => line.split(' '));
  return Number(counts![names!.indexOf('ActiveOpens')]);
}

// ---- the network

/** Makes the namespace, after what an earlier run left behind is gone. Returns why that can't be done here. */
function whatPrevents(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const listed = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' });
  if (listed.status !== 0) return 'there is no `ip` that knows network namespaces';
  for (const line of listed.stdout.split('\n')) {
    const [name, pid] = NAMES.exec(line) ?? [];
    if (name === undefined) continue;
    if (isRunning(Number(pid))) throw new Error(`another run is at work (process ${pid})`);
    cleanUp(name);
  }
  const added = spawnSync('ip', ['netns', 'add', NAME], { encoding: 'utf8' });
  if (added.status !== 0) return `this root may make no network namespace (${added.stderr.trim()})`;
  ip('-n', NAME, 'link', 'set', 'lo', 'up');
  return undefined;
}

function layCable({ link, here, there }: typeof VENUE): void {
  ip('link', 'add', link, 'type', 'veth', 'peer', 'name', 'end', 'netns', NAME);
  ip('-n', NAME, 'link', 'set', 'end', 'name', link);
  ip('address', 'add', `${here}/30`, 'dev', link);
  ip('-n', NAME, 'address', 'add', `${there}/30`, 'dev', link);
  ip('link', 'set', link, 'up');
  ip('-n', NAME, 'link', 'set', link, 'up');
}

/** The simulator listens on 127.0.0.1 only. */
async function bringToCable(port: number): Promise<void> {
  const server = createServer((client) => {
    const venue = connect(port, '127.0.0.1');
    for (const [one, other] of [
      [client, venue],
      [venue, client],
    ] as const) {
      one.setNoDelay(true);
      one.on('error', () => undefined).on('close', () => other.destroySoon());
      one.pipe(other);
    }
  });
  await once(server.listen(port, VENUE.here), 'listening');
}

/** Ends what still runs in the namespace of a run, and removes it with its cables and its data. */
function cleanUp(name: string): void {
  const running = spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' }).stdout;
  for (const pid of running.split('\n').filter((line) => line !== '')) {
    if (isRunning(Number(pid))) process.kill(Number(pid), 'SIGKILL');
  }
  for (const parameters of [
    ['route', 'del', 'unreachable', VENUE.subnet],
    ['link', 'del', VENUE.link],
    ['link', 'del', WATCH.link],
    ['netns', 'del', name],
  ])
    spawnSync('ip', parameters); // what is not there need not be removed
  rmSync(join(tmpdir(), name), { recursive: true, force: true });
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function ip(...parameters: string[]): void {
  const { status, stderr } = spawnSync('ip', parameters, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${parameters.join(' ')}: ${stderr.trim()}`);
}

function since(ms: number): number {
  return Math.round((performance.now() - ms) / 100) / 10;
}

function stamp(sinceMs: number): string {
  return `${since(sinceMs).toFixed(1).padStart(6)} s`;
}
