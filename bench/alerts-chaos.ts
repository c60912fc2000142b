import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { httpReceiver, mailReceiver, type Reply } from '../test/support/receivers.js';
import { AppProcess, pause } from './app-process.js';
import { Checks } from './checks.js';
import { seeded } from './seeded.js';

/**
 * Kills the application at random under a script of transitions, while its receivers fail, stall, answer 429, 410 and 500 and
 * lose connections. Then every episode's firing and resolve must have reached every receiver at least once, under the same id
 * each time; none may be invented, and history must be whole.
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

/** What a receiver was told, and took, by alert. */
class Told {
  /** `alert status` → ids that it came under. */
  readonly ids = new Map<string, Set<string>>();
  readonly taken = new Set<string>();
  deliveries = 0;

  tell(alert: string, status: string, id: string, isTaken: boolean): void {
    this.deliveries++;
    const key = `${alert} ${status}`;
    const ids = this.ids.get(key) ?? new Set();
    this.ids.set(key, ids.add(id));
    if (isTaken) this.taken.add(key);
  }

  has(alert: string, status: string): boolean {
    return this.taken.has(`${alert} ${status}`) || this.taken.has(`${alert} fired-and-resolved`);
  }
}

let isCalm = false;
const struck: Record<string, number> = {};

function mischief(): Reply | 'take-and-lose' {
  const strike = (what: string): void => void (struck[what] = (struck[what] ?? 0) + 1);
  const dice = random();
  if (isCalm || dice > 0.4) return { status: 200, text: 'ok' };
  const kinds: [number, string, Reply | 'take-and-lose'][] = [
    [0.1, '500', { status: 500 }],
    [0.17, '503', { status: 503 }],
    [0.24, '429', { status: 429, headers: { 'retry-after': '1' } }],
    [0.27, '410', { status: 410 }],
    [0.32, 'connection lost', 'lose'],
    [0.38, 'lost after it was taken', 'take-and-lose'],
    [0.4, 'stalled', 'stall'],
  ];
  const [, what, reply] = kinds.find(([limit]) => dice <= limit)!;
  strike(what);
  return reply;
}

const told = { hook: new Told(), slack: new Told(), mail: new Told() };
const hook = await httpReceiver();
hook.behave(({ body }) => {
  const reply = mischief();
  const isTaken = reply === 'take-and-lose' || (typeof reply === 'object' && reply.status === 200);
  for (const one of body.data.alerts) told.hook.tell(one.id, one.status, one.notificationId, isTaken);
  return reply === 'take-and-lose' ? 'lose' : reply;
});
const LINE = /alert (\d+) is (FIRED AND RESOLVED|FIRING|RESOLVED)/g;
const statusOf = (word: string): string => word.toLowerCase().replaceAll(' ', '-');
const slack = await httpReceiver();
slack.behave(({ text }) => {
  const reply = mischief();
  const isTaken = reply === 'take-and-lose' || (typeof reply === 'object' && reply.status === 200);
  for (const [, alert, word] of text.matchAll(LINE)) told.slack.tell(alert!, statusOf(word!), '', isTaken);
  return reply === 'take-and-lose' ? 'lose' : reply;
});
const mail = await mailReceiver();
mail.behave(() => {
  if (isCalm || random() > 0.3) return undefined;
  struck['451 of SMTP'] = (struck['451 of SMTP'] ?? 0) + 1;
  return { code: 451, message: 'try again' };
});

const dataDir = mkdtempSync(join(tmpdir(), 'tapeline-alerts-'));
const app = await AppProcess.create(dataDir, {
  MODULES: 'processing,aggregation,alerts',
  ALLOW_PRIVATE_TARGETS: '127.0.0.1',
  SMTP_URL: mail.url,
  SMTP_FROM: 'alerts@example.com',
  LOG_LEVEL: 'warn',
});
app.start();
await app.ready();

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const TEXT = 'alert {alertId} is {status}.';
await must('PUT', 'notifications/settings', {
  groupWaitMs: 150,
  retryFirstMs: 150,
  retryMostMs: 1500,
  runawayMost: 100_000,
});
await must('POST', 'channels', { name: 'hook', type: 'webhook', config: { url: hook.url, secret: SECRET } });
await must('POST', 'channels', { name: 'slack', type: 'slack', config: { url: slack.url, body: TEXT } });
await must('POST', 'channels', { name: 'mail', type: 'email', config: { to: ['ops@example.com'], body: TEXT } });
for (let index = 0; index < series; index++)
  await must('POST', 'rules', {
    id: `chaos_${index}`,
    source: 'custom',
    symbol: `chaos.s${index}`,
    condition: 'price > 1',
    cooldown: '0s',
    channels: ['hook', 'slack', 'mail'],
  });

let isOver = false;
let kills = 0;
const killer = killAtRandom();
const wanted = new Map<string, Set<string>>();
await Promise.all(Array.from({ length: series }, (_, index) => runSeries(index)));
isOver = true;
await killer;
console.log(
  `  ${kills} kills; struck: ${Object.entries(struck)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ')}`,
);
isCalm = true;
await app.ready(60_000);
const db = await app.database();
try {
  await settled();
} catch (error) {
  checks.check('everything is told within two minutes', String(error), 'settled');
  console.log(app.log.split('\n').slice(-20).join('\n'));
}
await compare();
await db.end();
checks.check('SIGTERM ends it', await app.stop(), 0);
await Promise.all([hook.close(), slack.close(), mail.close()]);
rmSync(dataDir, { recursive: true, force: true });
process.exit(checks.finish());

async function runSeries(index: number): Promise<void> {
  const name = `chaos.s${index}`;
  const starts = new Set<string>();
  wanted.set(name, starts);
  for (let step = 0; step < cycles * 2; step++) {
    const at = Date.now();
    if (step % 2 === 0) starts.add(new Date(at).toISOString());
    const point = { name, value: step % 2 === 0 ? '2' : '0', at, key: `k${step}` };
    await must('POST', 'metrics/custom', { points: [point] });
    await pause(Number(values['every-ms']) * (0.5 + random()) * series * 0.5);
  }
}

async function killAtRandom(): Promise<void> {
  for (;;) {
    await pause(700 + random() * 3000);
    if (isOver) return;
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
  const untilMs = Date.now() + 120_000;
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

async function compare(): Promise<void> {
  for (const { raw } of mail.received) {
    const id = /^Message-ID: (\S+)/im.exec(raw)?.[1] ?? '';
    for (const [, alert, word] of raw.replaceAll('=\r\n', '').matchAll(LINE))
      told.mail.tell(alert!, statusOf(word!), id, true);
  }
  type Row = { id: string; symbol: string; started: Date; resolved: Date | null; kinds: string[] };
  const { rows } = await db.query<Row>(
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
    const got = rows.filter((row) => row.symbol === symbol).map(({ started }) => started.toISOString());
    checks.check(
      `${symbol}: episodes that begin at their point, of ${starts.size}`,
      got.filter((at) => starts.has(at)).length,
      starts.size,
    );
  }
  const known = new Set(rows.map(({ id }) => id));
  for (const [channel, one] of Object.entries(told)) {
    checks.check(
      `${channel}: firings that reached it`,
      rows.filter(({ id }) => one.has(id, 'firing')).length,
      rows.length,
    );
    checks.check(
      `${channel}: resolves that reached it`,
      rows.filter(({ id }) => one.has(id, 'resolved')).length,
      rows.length,
    );
    const strays = [...one.ids.keys()].filter((key) => !known.has(key.split(' ')[0]!));
    checks.check(`${channel}: told of an alert that is none`, strays.length, 0);
    console.log(
      `     ${one.deliveries} deliveries, ${one.deliveries - one.taken.size} of them not the first that was taken`,
    );
  }
  const doubled = [...told.hook.ids].filter(([, ids]) => ids.size > 1);
  checks.check('hook: told the same under two ids', doubled.length, 0);
}
