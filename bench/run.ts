import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { analytics } from './analytics.js';
import { AppProcess, pause } from './app-process.js';
import { bareInsert } from './bare-insert.js';
import { Load } from './load.js';
import { packing } from './packing.js';
import { SseLatency } from './sse-latency.js';
import { uploads } from './uploads.js';

type Figures = Record<string, string | number>;
type Bench = (short: boolean) => Promise<Figures>;

const BENCHES: Record<string, Bench> = { latency, throughput, memory, analytics, packing, uploads };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { short: { type: 'boolean', default: false } },
});
const names = positionals.length > 0 ? positionals : Object.keys(BENCHES);
for (const name of names) {
  const bench = BENCHES[name];
  if (!bench) {
    console.error(`${name} is no benchmark; there are ${Object.keys(BENCHES).join(', ')}`);
    process.exit(2);
  }
  console.log(`\n${name}${values.short ? ' (short)' : ''}`);
  for (const [figure, value] of Object.entries(await bench(values.short)))
    console.log(`  ${figure.padEnd(52)} ${value}`);
}

/** 10,000 frames a second: from the venue's send to the read of an SSE client, which bounds received to sent from above. */
async function latency(short: boolean): Promise<Figures> {
  const seconds = short ? 10 : 60;
  return withSystem(async (app, load) => {
    const client = new SseLatency(app.url);
    load.atRate(10_000);
    await pause(3000);
    client.take();
    const cpuBefore = app.cpuSeconds();
    await pause(seconds * 1000);
    const { count, p50Ms, p99Ms, maxMs } = client.take();
    const cpu = (app.cpuSeconds() - cpuBefore) / seconds;
    const dropped = await app.metric('bus_queue_dropped_total');
    client.close();
    return {
      'frames/s sent': 10_000,
      'trades/s read by the SSE client': Math.round(count / seconds),
      'sent by the venue to read by the client, p50 ms': p50Ms,
      '… p99 ms (target 50)': p99Ms,
      '… max ms': maxMs,
      'CPU of the Node process, cores': round(cpu),
      'trades dropped': dropped,
    };
  });
}

/** The most it takes for good, in a closed loop, against a bare insert of the same rows, turn by turn on one server. */
async function throughput(short: boolean): Promise<Figures> {
  const rounds = short ? 1 : 3;
  const forMs = short ? 6000 : 15_000;
  return withSystem(async (app, load) => {
    const db = await app.database();
    await warmUp(app, load);
    const durable: number[] = [];
    const bare: number[] = [];
    for (let turn = 0; turn < rounds; turn++) {
      durable.push(await durableRate(app, load, forMs));
      bare.push(Math.max(await bareInsert(db, 2000, forMs / 3), await bareInsert(db, 5000, forMs / 3)));
    }
    await db.end();
    return {
      'durable trades/s, outbox drained (median)': Math.round(median(durable)),
      'durable, each round': durable.map((rate) => Math.round(rate)).join(' '),
      'bare unnest insert rows/s (median)': Math.round(median(bare)),
      'bare, each round': bare.map((rate) => Math.round(rate)).join(' '),
      'ratio (target 0.5)': round(median(durable.map((rate, index) => rate / bare[index]!))),
      'trades dropped': await app.metric('bus_queue_dropped_total'),
    };
  });
}

/** Resident memory at 5,000 frames a second: a straight line through the second half must be flat. */
async function memory(short: boolean): Promise<Figures> {
  const seconds = short ? 30 : 600;
  return withSystem(async (app, load) => {
    const client = new SseLatency(app.url);
    load.atRate(5000);
    const samples: number[] = [];
    for (let second = 0; second < seconds; second += 5) {
      await pause(5000);
      samples.push(app.rssMiB());
      client.take();
    }
    client.close();
    const half = samples.slice(samples.length >> 1);
    return {
      'RSS after warm-up, at half time, at the end, MiB': [
        samples[Math.min(5, samples.length - 1)]!,
        half[0]!,
        samples.at(-1)!,
      ]
        .map(Math.round)
        .join(' / '),
      'highest, MiB': Math.round(Math.max(...samples)),
      'slope of the second half, MiB a minute': round(slope(half) * 12),
    };
  });
}

async function withSystem(work: (app: AppProcess, load: Load) => Promise<Figures>): Promise<Figures> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tapeline-bench-'));
  const load = await Load.start();
  const app = await AppProcess.create(dataDir, { ...load.env, LOG_LEVEL: 'warn' });
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

async function warmUp(app: AppProcess, load: Load): Promise<void> {
  await durableRate(app, load, 3000);
}

/** Keeps a bounded number of trades on their way for a while; counts until the last delivery is settled. */
async function durableRate(app: AppProcess, load: Load, forMs: number): Promise<number> {
  const onTheWay = 40_000;
  const before = await app.metric('crypto_trades_total');
  const base = load.sent;
  const startedMs = performance.now();
  while (performance.now() - startedMs < forMs) {
    load.upTo(base + (await app.metric('crypto_trades_total')) - before + onTheWay);
    await pause(25);
  }
  load.upTo(0);
  await pause(150); // until the last count of what was sent is here
  const total = load.sent - base;
  const db = await app.database();
  for (;;) {
    const done = (await app.metric('crypto_trades_total')) - before;
    const { rows } = await db.query<{ n: number }>(`select count(*)::int as n from bus.delivery`);
    if (done >= total && rows[0]!.n === 0) break;
    await pause(10);
  }
  await db.end();
  return (total * 1000) / (performance.now() - startedMs);
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** Least squares, per sample. */
function slope(samples: readonly number[]): number {
  const n = samples.length;
  const meanX = (n - 1) / 2;
  const meanY = samples.reduce((sum, one) => sum + one, 0) / n;
  let above = 0;
  let below = 0;
  samples.forEach((y, x) => {
    above += (x - meanX) * (y - meanY);
    below += (x - meanX) ** 2;
  });
  return above / below;
}
