import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { AppProcess, pause } from './app-process.js';
import { ChaosReceivers, TEXT } from './chaos-receivers.js';
import { Checks } from './checks.js';
import { seeded } from './seeded.js';

/**
 * Kills the application at random under a script of transitions, while its receivers fail, stall, answer 429, 410 and 500 and
 * lose connections. Then every episode's firing and resolve must have reached every receiver at least once, under the same id
 * each time; none may be invented, and history must be whole. When a check fails, the data stays.
 */
const { values } = parseArgs({
  options: {
    transitions: { type: 'string', default: '500' },
    series: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    'every-ms': { type: 'string', default: '60' },
  },
});
const series = Number(values.series);
const cycles = Math.ceil(Number(values.transitions) / 2 / series);
const random = seeded(Number(values.seed));
const checks = new Checks();
console.log(`alerts-chaos: ${cycles * series * 2} transitions of ${series} rules, seed ${values.seed}`);

/** Until when a point is looked at as of its own instant: time passes at this distance (CANDLE_LATENESS_MS, with a margin). */
const IN_TIME_MS = 1500;
const SETTLED_WITHIN_MS = 300_000;
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const CHANNELS = ['webhook', 'slack', 'email', 'pagerduty'] as const;

const receivers = await ChaosReceivers.start(random);
const dataDir = mkdtempSync(join(tmpdir(), 'tapeline-alerts-'));
const app = await AppProcess.create(dataDir, {
  MODULES: 'processing,aggregation,alerts',
  ALLOW_PRIVATE_TARGETS: '127.0.0.1',
  SMTP_URL: receivers.url('email'),
  SMTP_FROM: 'alerts@example.com',
  LOG_LEVEL: 'warn',
});
app.start();
await app.ready();
await setUp();

/** When an episode begins: at its point, or up to when a point that came late was taken. */
type Start = Readonly<{ step: number; fromMs: number; toMs: number }>;
const wanted = new Map<string, Start[]>();
let isOver = false;
let kills = 0;
const killer = killAtRandom();
await Promise.all(Array.from({ length: series }, (_, index) => runSeries(index)));
isOver = true;
await killer;
const struck = Object.entries(receivers.struck).map(([what, count]) => `${count} ${what}`);
console.log(`  ${kills} kills; struck: ${struck.join(', ')}`);
receivers.calm();
await app.ready(60_000);
const db = await app.database();
try {
  await settled();
} catch (error) {
  checks.check(`everything is told within ${SETTLED_WITHIN_MS / 60_000} minutes`, String(error), 'settled');
  console.log(app.log.split('\n').slice(-20).join('\n'));
}
await compare();
await db.end();
checks.check('SIGTERM ends it', await app.stop(), 0);
await receivers.close();
const exitCode = checks.finish();
if (exitCode === 0) rmSync(dataDir, { recursive: true, force: true });
else console.log(`The data stays in ${dataDir}`);
process.exit(exitCode);

async function setUp(): Promise<void> {
  await must('PUT', 'notifications/settings', {
    groupWaitMs: 150,
    retryFirstMs: 150,
    retryMostMs: 1500,
    runawayMost: 100_000,
  });
  const configs: Readonly<Record<(typeof CHANNELS)[number], object>> = {
    webhook: { url: receivers.url('webhook'), secret: SECRET },
    slack: { url: receivers.url('slack'), body: TEXT },
    email: { to: ['ops@example.com'], body: TEXT },
    pagerduty: { url: receivers.url('pagerduty'), routingKey: '0123456789abcdef0123456789abcdef' },
  };
  for (const type of CHANNELS) await must('POST', 'channels', { name: type, type, config: configs[type] });
  for (let index = 0; index < series; index++)
    await must('POST', 'rules', {
      id: `chaos_${index}`,
      source: 'custom',
      symbol: `chaos.s${index}`,
      condition: 'price > 1',
      cooldown: '0s',
      channels: CHANNELS,
    });
}

async function runSeries(index: number): Promise<void> {
  const name = `chaos.s${index}`;
  const starts: Start[] = [];
  wanted.set(name, starts);
  for (let step = 0; step < cycles * 2; step++) {
    const fromMs = Date.now();
    const point = { name, value: step % 2 === 0 ? '2' : '0', at: fromMs, key: `k${step}` };
    await must('POST', 'metrics/custom', { points: [point] });
    const isInTime = Date.now() - fromMs < IN_TIME_MS;
    if (step % 2 === 0) starts.push({ step, fromMs, toMs: isInTime ? fromMs : Date.now() });
    await pause(Number(values['every-ms']) * (0.5 + random()) * series * 0.5);
  }
}

async function killAtRandom(): Promise<void> {
  for (;;) {
    await pause(700 + random() * 3000);
    if (isOver && kills > 0) return; // after a short script, it strikes while it tells of it
    kills++;
    await app.kill();
    app.start();
    if (random() < 0.8) await app.ready(); // else it is killed while it starts
  }
}

/** Asks until it is done, through crashes: each request may be repeated. */
async function must(method: string, path: string, body: unknown): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    const response = await fetch(`${app.url}/api/v1/${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(5000),
    }).catch(() => undefined);
    if (response?.ok || response?.status === 409) return;
    if (response && response.status < 500) throw new Error(`${method} ${path}: ${await response.text()}`);
    await pause(100);
  }
  throw new Error(`${method} ${path} was never answered:\n${app.log}`);
}

async function settled(): Promise<void> {
  const untilMs = Date.now() + SETTLED_WITHIN_MS;
  for (;;) {
    const { rows } = await db.query<{ state: string; count: number }>(
      `select state, count(*)::int as count from alerts.notification group by state`,
    );
    const { rows: owed } = await db.query<{ owed: number }>('select count(*)::int as owed from bus.delivery');
    const open = rows.filter(({ state }) => !['sent', 'superseded'].includes(state));
    if (rows.length > 0 && open.length === 0 && owed[0]!.owed === 0) return;
    if (Date.now() > untilMs) throw new Error(`${JSON.stringify(rows)}, ${owed[0]!.owed} deliveries owed`);
    await pause(250);
  }
}

type Episode = Readonly<{ id: string; symbol: string; started: Date; resolved: Date | null; kinds: string[] }>;

async function compare(): Promise<void> {
  const { rows } = await db.query<Episode>(
    `select a.id::text, a.symbol, a.started_at as started, a.resolved_at as resolved,
            array(select t.kind from alerts.transition t where t.alert_id = a.id order by t.id) as kinds
     from alerts.alert a order by a.id`,
  );
  checks.check('episodes', rows.length, cycles * series);
  checks.check(
    'every one has fired once and resolved once in its history',
    rows.filter(({ kinds, resolved }) => kinds.join() === 'fired,resolved' && resolved !== null).length,
    rows.length,
  );
  for (const [symbol, starts] of wanted) {
    const began = rows.filter((row) => row.symbol === symbol).map(({ started }) => started.getTime());
    const missed = starts.filter(({ fromMs, toMs }) => !began.some((atMs) => atMs >= fromMs && atMs <= toMs));
    checks.check(
      `${symbol}: points that no episode begins at, of ${starts.length}`,
      missed.map(({ step }) => `k${step}`).join(', ') || 'none',
      'none',
    );
  }
  for (const type of CHANNELS) compareTold(type, rows);
  checks.check('pagerduty: incidents left open', receivers.openIncidents.size, 0);
}

function compareTold(type: (typeof CHANNELS)[number], episodes: readonly Episode[]): void {
  const told = receivers.told[type];
  const reached = (status: 'firing' | 'resolved'): number => episodes.filter(({ id }) => told.has(id, status)).length;
  const known = new Set(episodes.map(({ id }) => id));
  checks.check(`${type}: firings that reached it`, reached('firing'), episodes.length);
  checks.check(`${type}: resolves that reached it`, reached('resolved'), episodes.length);
  checks.check(`${type}: told of an alert that is none`, told.alerts.filter((alert) => !known.has(alert)).length, 0);
  checks.check(`${type}: told the same under two ids`, told.underTwoIds, 0);
  console.log(`     ${told.deliveries} deliveries, ${told.repeats} of them repeats by their id`);
}
