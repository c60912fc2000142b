import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppProcess, pause } from './app-process.js';
import { Load } from './load.js';

type Figures = Record<string, string | number>;

const SYMBOLS = 50;
const TRADES_PER_SECOND = 10_000;
const MINUTES_A_DAY = 1440;
/** Trades on their way in the closed loop that makes the history. */
const ON_THE_WAY = 20_000;

/** What analytics cost: of each trade at 10,000 a second over 50 symbols, and of the answers that a page asks for. */
export async function analytics(short: boolean): Promise<Figures> {
  return { ...(await costPerTrade(short)), ...(await answers(short)) };
}

type Cost = Readonly<{
  nodeUs: number;
  postgresUs: number;
  rssMiB: number;
  /** Of each consumer: the time of its batches, transactions included, and how far it fell behind. */
  consumers: ReadonlyMap<string, Readonly<{ busyUs: number; lagSeconds: number }>>;
}>;

/** Everything on against recording alone, turn by turn: each minute closes the candles of 50 symbols. */
async function costPerTrade(short: boolean): Promise<Figures> {
  const seconds = short ? 10 : 60;
  const all: Cost[] = [];
  const recording: Cost[] = [];
  for (let turn = 0; turn < (short ? 1 : 2); turn++) {
    recording.push(await costOf({ MODULES: 'ingestion,processing' }, seconds));
    all.push(await costOf({}, seconds));
  }
  const ratios = all.map((one, turn) => cpuUs(one) / cpuUs(recording[turn]!));
  return {
    'everything on: Node, µs of CPU a trade': mean(all.map(({ nodeUs }) => nodeUs)),
    'everything on: PostgreSQL, µs of CPU a trade': mean(all.map(({ postgresUs }) => postgresUs)),
    'recording alone: Node, µs of CPU a trade': mean(recording.map(({ nodeUs }) => nodeUs)),
    'recording alone: PostgreSQL, µs of CPU a trade': mean(recording.map(({ postgresUs }) => postgresUs)),
    'everything on over recording alone, each turn': ratios.map((ratio) => ratio.toFixed(2)).join(' '),
    'RSS with everything on, MiB': Math.round(Math.max(...all.map(({ rssMiB }) => rssMiB))),
    ...byConsumer(all),
  };
}

function byConsumer(costs: readonly Cost[]): Figures {
  const names = [...costs[0]!.consumers].filter(([, { busyUs }]) => busyUs > 0).map(([consumer]) => consumer);
  return Object.fromEntries(
    names.sort().map((consumer) => {
      const of = costs.flatMap(({ consumers }) => consumers.get(consumer) ?? []);
      const lagSeconds = Math.max(...of.map((one) => one.lagSeconds));
      return [
        `${consumer}: µs a trade / most lag s`,
        `${mean(of.map(({ busyUs }) => busyUs))} / ${lagSeconds.toFixed(2)}`,
      ];
    }),
  );
}

function costOf(env: Record<string, string>, seconds: number): Promise<Cost> {
  return withSystem(env, async (app, load) => {
    load.atRate(TRADES_PER_SECOND);
    await pause(5000);
    const busyBefore = new Map(await byLabel(app, 'processing_duration_seconds_sum'));
    const [sent, node, postgres] = [load.sent, app.cpuSeconds(), postgresCpuSeconds(app)];
    const lags = new Map<string, number>();
    for (let second = 0; second < seconds; second += 5) {
      await pause(5000);
      for (const [consumer, lag] of await byLabel(app, 'bus_outbox_lag_seconds'))
        lags.set(consumer, Math.max(lag, lags.get(consumer) ?? 0));
    }
    const trades = load.sent - sent;
    const dropped = await app.metric('bus_queue_dropped_total');
    if (dropped > 0) console.log(`  ${dropped} trades were dropped: this is not ${TRADES_PER_SECOND} a second`);
    const usATrade = (cpuSeconds: number): number => (cpuSeconds * 1e6) / trades;
    return {
      nodeUs: usATrade(app.cpuSeconds() - node),
      postgresUs: usATrade(postgresCpuSeconds(app) - postgres),
      rssMiB: app.rssMiB(),
      consumers: new Map(
        (await byLabel(app, 'processing_duration_seconds_sum')).map(([consumer, busy]) => {
          const busyUs = usATrade(busy - (busyBefore.get(consumer) ?? 0));
          return [consumer, { busyUs, lagSeconds: lags.get(consumer) ?? 0 }];
        }),
      ),
    };
  });
}

const cpuUs = ({ nodeUs, postgresUs }: Cost): number => nodeUs + postgresUs;

/** 1,000 candles with five indicators, and 24 hours of 50 symbols, on ten days of minutes: idle, and under the load. */
function answers(short: boolean): Promise<Figures> {
  const days = short ? 3 : 10;
  const requests = short ? 200 : 1000;
  return withSystem({}, async (app, load) => {
    const startedMs = performance.now();
    await withHistory(app, load, days);
    const seconds = (performance.now() - startedMs) / 1000;
    const indicators = `/api/v1/indicators/${load.symbols[0]}?interval=1m&names=sma:20,ema:20,rsi:14,macd,bollinger&limit=1000`;
    const dayChange = `/api/v1/24h-change?symbols=${load.symbols.join(',')}`;
    const idle = [await times(app, indicators, 1000, requests), await times(app, dayChange, SYMBOLS, requests)];
    load.atRate(TRADES_PER_SECOND);
    await pause(5000);
    const busy = [await times(app, indicators, 1000, requests), await times(app, dayChange, SYMBOLS, requests)];
    return {
      [`history: ${days} days of minutes of ${SYMBOLS} symbols, made in s`]: Math.round(seconds),
      '1,000 candles, 5 indicators: p50 / p99 ms (target 10)': idle[0]!,
      '… under 10,000 trades/s': busy[0]!,
      '24 h of 50 symbols: p50 / p99 ms (target 10)': idle[1]!,
      '… at 10,000 trades/s': busy[1]!,
      'trades dropped meanwhile': await app.metric('bus_queue_dropped_total'),
    };
  });
}

async function withSystem<T>(
  env: Record<string, string>,
  work: (app: AppProcess, load: Load) => Promise<T>,
): Promise<T> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tapeline-bench-'));
  const load = await Load.start(SYMBOLS);
  const app = await AppProcess.create(dataDir, { ...load.env, LOG_LEVEL: 'warn', ...env });
  app.start();
  try {
    await app.ready();
    await load.whenRead();
    return await work(app, load);
  } finally {
    load.stop();
    await app.stop();
    if (app.log.trim() !== '') console.log(app.log.trim().split('\n').slice(-5).join('\n'));
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** Made the way of live trades, so that all that is computed from them is there. */
async function withHistory(app: AppProcess, load: Load, days: number): Promise<void> {
  const minutes = days * MINUTES_A_DAY;
  const total = minutes * SYMBOLS;
  load.withHistory(minutes);
  for (let done = 0; done < total; done = await app.metric('crypto_trades_total')) {
    load.upTo(Math.min(total, done + ON_THE_WAY));
    await pause(25);
  }
  const db = await app.database();
  const isSettled = async (): Promise<boolean> => {
    const { rows } = await db.query<{ waiting: number; open: number }>(
      `select (select count(*)::int from bus.delivery) as waiting,
              (select count(*)::int from aggregation.candle where not closed and close_time < now() - interval '5 min') as open`,
    );
    return rows[0]!.waiting === 0 && rows[0]!.open === 0;
  };
  while (!(await isSettled())) await pause(100);
  await db.query('analyze'); // as autovacuum has done long before a database is ten days old
  await db.end();
  await pause(5000);
}

/** One request after the other over one connection; p50 and p99 from the request to the last byte of the answer. */
async function times(app: AppProcess, path: string, items: number, requests: number): Promise<string> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const tookMs: number[] = [];
  for (let request = -50; request < requests; request++) {
    const startedMs = performance.now();
    const body = await answerOf(agent, app.url + path);
    const took = performance.now() - startedMs;
    if (request >= 0)
      tookMs.push(took); // the first ones warm it up
    else checkItems(path, body, items);
  }
  agent.destroy();
  tookMs.sort((a, b) => a - b);
  const at = (share: number): string => tookMs[Math.ceil(tookMs.length * share) - 1]!.toFixed(1);
  return `${at(0.5)} / ${at(0.99)} of ${requests}`;
}

function answerOf(agent: Agent, url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const body = Buffer.concat(chunks).toString();
        if (response.statusCode === 200) resolve(body);
        else reject(new Error(`${url} answered ${response.statusCode}: ${body}`));
      });
    }).on('error', reject);
  });
}

function checkItems(path: string, body: string, wanted: number): void {
  const { items } = JSON.parse(body) as { items: unknown[] };
  if (items.length !== wanted) throw new Error(`${path} answered ${items.length} items, wanted ${wanted}`);
}

/** A metric of each consumer. */
async function byLabel(app: AppProcess, metric: string): Promise<[consumer: string, value: number][]> {
  const text = await (await fetch(`${app.url}/metrics`)).text();
  const lines = text.matchAll(new RegExp(`^${metric}\\{consumer="([^"]+)"\\} (\\S+)$`, 'gm'));
  return [...lines].map(([, consumer, value]) => [consumer!, Number(value)]);
}

/** CPU time of the postmaster and of all its children, those included that have ended. */
function postgresCpuSeconds(app: AppProcess): number {
  const postmaster = app.postmasterPid!;
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return processes.reduce((sum, pid) => {
    const { parent, own, ended } = cpuOf(Number(pid));
    if (Number(pid) === postmaster) return sum + own + ended;
    return parent === postmaster ? sum + own : sum;
  }, 0);
}

/** Seconds of a process itself, and of its children that have ended; nothing of one that is gone. */
function cpuOf(pid: number): { parent: number; own: number; ended: number } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat
      .slice(stat.lastIndexOf(') ') + 2)
      .split(' ')
      .map(Number);
    const [user, system, endedUser, endedSystem] = fields.slice(11, 15) as [number, number, number, number];
    return { parent: fields[1]!, own: (user + system) / 100, ended: (endedUser + endedSystem) / 100 }; // ticks of 10 ms
  } catch {
    return { parent: 0, own: 0, ended: 0 };
  }
}

const mean = (values: readonly number[]): number =>
  Math.round((values.reduce((sum, value) => sum + value, 0) / values.length) * 100) / 100;
