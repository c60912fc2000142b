import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { EventEmitter2 } from '@nestjs/event-emitter';
import pino from 'pino';
import 'reflect-metadata';
import { Evaluation } from '../src/alerts/evaluation/evaluation.js';
import { Evaluator } from '../src/alerts/evaluation/evaluator.service.js';
import { startRule } from '../src/alerts/evaluation/running-rule.js';
import { Market } from '../src/alerts/inputs/index.js';
import type { Rule } from '../src/alerts/rules/rule.js';
import { type RuleBody, ruleOf } from '../src/alerts/rules/rule-body.js';
import { RuleStore } from '../src/alerts/rules/rule.store.js';
import {
  AlertFiredV1,
  type AlertFiredV1Data,
  RulesChangedV1,
  type Trade,
  TradesReceivedV1,
  TradesRecordedV1,
  type TradesRecordedV1Data,
} from '../src/contracts/index.js';
import { createApp } from '../src/create-app.js';
import { Bus } from '../src/platform/bus/index.js';
import { readSettings } from '../src/platform/config/index.js';
import { startEmbeddedPostgres } from '../src/platform/database/index.js';
import { pause } from './app-process.js';
import { postgresCpuSeconds } from './process-cpu.js';
import { seeded } from './seeded.js';

/**
 * Many rules over many symbols under a steady load: from the trade to the commit of the alert that it fires, with recording
 * and candles in the same process, and how much evaluation alone takes. With `--notify` every rule notifies a webhook. Exits non-zero beyond the target.
 */
const { values } = parseArgs({
  options: {
    rules: { type: 'string', default: '10000' },
    symbols: { type: 'string', default: '50' },
    rate: { type: 'string', default: '5000' },
    seconds: { type: 'string', default: '30' },
    modules: { type: 'string', default: 'processing,aggregation,alerts' },
    notify: { type: 'boolean', default: false },
  },
});
const [rules, symbols, rate, seconds] = [values.rules, values.symbols, values.rate, values.seconds].map(Number) as [
  number,
  number,
  number,
  number,
];
const TARGET_MS = 100;
const FLUSH_MS = 25;
const random = seeded(11);

/** Out of ten rules: what people write, most of them far from firing. */
function bodyFor(index: number): RuleBody & { id: string } {
  const symbol = `S${index % symbols}USDT`;
  const kind = Math.floor(index / symbols) % 10;
  const far = 100 + 20 + Math.floor(random() * 400) / 10;
  const conditions = [
    `price > ${far}`,
    `price < ${(200 - far).toFixed(1)}`,
    `price > ${far} && change_pct(price, "5m") > 2`,
    `crosses_above(price, ${(100 + random() * 0.6).toFixed(3)})`,
    `rsi(14, "1m") > ${90 + Math.floor(random() * 9)}`,
    `volume > 50 * avg(volume, "20m")`,
    `price > bollinger_upper(20, 2, "1m") * 1.05`,
    `change_24h < -${5 + Math.floor(random() * 20)}`,
    `ema(12, "5m") > ema(26, "5m") * 1.${Math.floor(random() * 90) + 10}`,
    `max(price, "15m") - min(price, "15m") > ${far / 4}`,
  ];
  return { id: `bench_${index}`, symbol, condition: conditions[kind]!, cooldown: '0s' };
}

function readRule(index: number): Rule {
  const body = bodyFor(index);
  const read = ruleOf(body, body.id);
  if ('faults' in read) throw new Error(`${body.condition}: ${JSON.stringify(read.faults)}`);
  return read.rule;
}

const prices = Array.from({ length: symbols }, () => 100);

/** A walk that returns, so that crossings keep happening, about one in some hundred trades a symbol. */
function nextPrice(symbol: number): number {
  const price = prices[symbol]!;
  return (prices[symbol] = Math.round((price + (random() - 0.5) * 0.02 + (100 - price) * 0.002) * 1000) / 1000);
}

/** Trades in flushes, as a feed hands them over. */
class LoadOf {
  sent = 0;
  private timer: NodeJS.Timeout | undefined;
  private startedMs = 0;

  constructor(private readonly bus: Bus) {}

  start(): void {
    this.startedMs = performance.now();
    this.timer = setInterval(() => this.flush(), FLUSH_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private flush(): void {
    const due = Math.floor(((performance.now() - this.startedMs) / 1000) * rate);
    const trades: Trade[] = [];
    const nowUs = Date.now() * 1000;
    for (; this.sent < due; this.sent++) {
      const index = this.sent % symbols;
      const symbol = `S${index}USDT`;
      trades.push({
        source: 'bench',
        exchange: 'Bench',
        symbol,
        venueSymbol: symbol,
        tradeId: String(this.sent),
        price: String(nextPrice(index)),
        size: '1',
        side: 'buy',
        tradedAtUs: nowUs,
        receivedAtUs: nowUs,
      });
    }
    if (trades.length > 0) this.bus.emit(TradesReceivedV1, { trades });
  }
}

console.log(`rules: ${rules} rules over ${symbols} symbols, ${rate} trades/s`);
evaluationAlone();
process.exit(await live());

/** Without a database: conditions a second on one core. */
function evaluationAlone(): void {
  const running = Array.from({ length: Math.ceil(rules / symbols) }, (_, index) =>
    startRule(readRule(index * symbols)),
  );
  const evaluation = new Evaluation(new Market({ source: 'bench', symbol: 'S0USDT' }), running);
  let tradedAtUs = Date.UTC(2026, 2, 1) * 1000;
  let transitions = 0;
  const take = (count: number): void => {
    for (let i = 0; i < count; i++) {
      tradedAtUs += 10_000;
      transitions += evaluation.take({ tradedAtUs, price: nextPrice(0), size: 1 })!.length;
    }
  };
  take(20_000);
  const before = evaluation.evaluations;
  const startMs = performance.now();
  take(50_000);
  const tookMs = performance.now() - startMs;
  const done = evaluation.evaluations - before;
  console.log(
    `  one core, evaluation alone: ${((done / tookMs) * 1000).toExponential(2)} conditions/s, ${(tookMs * 20).toFixed(0)} ns a trade under ${running.length} rules`,
  );
  console.log(
    `  of those ${transitions} transitions; ${(done / 50_000).toFixed(0)} conditions a trade read something that changed`,
  );
}

async function live(): Promise<number> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tapeline-rules-'));
  const embedded = await startEmbeddedPostgres({ dataDir, log: () => undefined });
  const settings = readSettings({
    PORT: '0',
    MODULES: values.modules,
    LOG_LEVEL: 'warn',
    ALLOW_PRIVATE_TARGETS: '127.0.0.1',
  });
  const app = await createApp(settings, pino({ level: 'warn' }), embedded.connection);
  await app.listen(0, '127.0.0.1');
  const bus = app.get(Bus);
  await bus.whenReady();
  await storeRules(bus, app.get(RuleStore));
  const receiver = values.notify ? await notifyAll(await app.getUrl()) : undefined;
  const evaluator = app.get(Evaluator);
  while (evaluator.ruleCount < rules) await pause(100);
  console.log(`  ${evaluator.ruleCount} rules loaded`);

  const latencies: number[] = [];
  const worst: number[] = [];
  const loop = monitorEventLoopDelay({ resolution: 5 });
  let startedMs = Date.now();
  let isCounting = false;
  app.get(EventEmitter2).on(AlertFiredV1.name, ({ atUs }: AlertFiredV1Data) => {
    if (!isCounting) return;
    latencies.push(Date.now() - atUs / 1000);
    const second = Math.floor((Date.now() - startedMs) / 1000);
    worst[second] = Math.max(worst[second] ?? 0, Math.round(Date.now() - atUs / 1000));
  });
  const recorded: number[] = [];
  app.get(EventEmitter2).on(TradesRecordedV1.name, ({ series }: TradesRecordedV1Data) => {
    if (isCounting) recorded.push(Date.now() - series[0]!.firstReceivedAtUs / 1000);
  });
  const load = new LoadOf(bus);
  load.start();
  await pause(10_000);
  while (evaluator.cold().length > 0) await pause(100);
  isCounting = true;
  startedMs = Date.now();
  loop.enable();
  const [cpu, sent, evaluations] = [process.cpuUsage(), load.sent, sumOf(evaluator)];
  const postgres = postgresCpuSeconds(embedded.pid()!);
  await pause(seconds * 1000);
  isCounting = false;
  const used = process.cpuUsage(cpu);
  const cores = (used.user + used.system) / 1e6 / seconds;
  const postgresCores = (postgresCpuSeconds(embedded.pid()!) - postgres) / seconds;
  latencies.sort((a, b) => a - b);
  recorded.sort((a, b) => a - b);
  const at = (share: number): string => (latencies[Math.floor(latencies.length * share)] ?? NaN).toFixed(1);
  console.log(
    `  ${Math.round((load.sent - sent) / seconds)} trades/s, ${Math.round((sumOf(evaluator) - evaluations) / seconds)} conditions/s, ${cores.toFixed(2)} cores of the whole process, ${postgresCores.toFixed(2)} of PostgreSQL`,
  );
  console.log(
    `  ${latencies.length} alerts fired; trade to commit p50 ${at(0.5)} ms, p99 ${at(0.99)} ms (target ${TARGET_MS}), max ${latencies.at(-1)?.toFixed(1)} ms`,
  );
  console.log(
    `  of that until the trade is recorded: p50 ${recorded[recorded.length >> 1]?.toFixed(1)} ms, p99 ${recorded[Math.floor(recorded.length * 0.99)]?.toFixed(1)} ms`,
  );
  console.log(
    `  slowest of each second, ms: ${worst.join(' ')}; event loop held up ${(loop.max / 1e6).toFixed(0)} ms at most`,
  );
  load.stop();
  await app.close();
  receiver?.close();
  await embedded.stop();
  rmSync(dataDir, { recursive: true, force: true });
  return Number(at(0.99)) < TARGET_MS ? 0 : 1;
}

/** A webhook that takes everything, as the default channel. */
async function notifyAll(url: string): Promise<Server> {
  const receiver = createServer((request, response) => request.resume().on('end', () => response.end('ok')));
  await once(receiver.listen(0, '127.0.0.1'), 'listening');
  const { port } = receiver.address() as AddressInfo;
  const config = { url: `http://127.0.0.1:${port}/`, format: 'alertmanager' };
  await ask('POST', `${url}/api/v1/channels`, { name: 'ops', type: 'webhook', config });
  await ask('PUT', `${url}/api/v1/notifications/settings`, { defaultChannels: ['ops'] });
  return receiver;
}

async function ask(method: string, url: string, body: unknown): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method, headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`);
}

async function storeRules(bus: Bus, store: RuleStore): Promise<void> {
  for (let from = 0; from < rules; from += 1000) {
    const some = Array.from({ length: Math.min(1000, rules - from) }, (_, index) => readRule(from + index));
    await bus.transaction(async (tx) => {
      for (const rule of some) await store.insert(tx, rule);
      await bus.append(tx, RulesChangedV1, { ids: some.map(({ id }) => id) });
    });
  }
}

function sumOf(evaluator: Evaluator): number {
  return evaluator.series.reduce((sum, one) => sum + one.evaluations, 0);
}
