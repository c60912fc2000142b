import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { FORMATS } from '../src/uploads/formats/registry.js';
import { AppProcess, pause } from './app-process.js';
import { Load } from './load.js';
import { SseLatency } from './sse-latency.js';
import { fileNameOf, hasLines, writeLines } from './upload-lines.js';

type Figures = Record<string, string | number>;
type FileBody = Readonly<{
  id: string;
  status: string;
  error: string | null;
  percent: number;
  counts: Readonly<{ lines: number; events: number; trades: number; bad: number }>;
}>;
type Latency = ReturnType<SseLatency['take']>;
type Beside = Readonly<{ lines: number; seconds: number; receivingMs: number; all: Latency; receiving: Latency }>;

const TRADES_PER_SECOND = 5000;
const MIB = 1024 * 1024;

/** Lines per second of each format, and what a large file does to the market data beside it. */
export async function uploads(short: boolean): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'tapeline-bench-files-'));
  try {
    return { ...(await speeds(folder, short)), ...(await besideMarket(folder, short)) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** From the first byte that is sent to the last line stored, one format after the other. */
function speeds(folder: string, short: boolean): Promise<Figures> {
  const figures: Figures = {};
  return withSystem(async (app) => {
    const db = await app.database();
    await speedOf(app, db, folder, 'json', 10_000); // warms up
    for (const { name } of FORMATS)
      figures[`${name}: lines/s stored`] = hasLines(name)
        ? await speedOf(app, db, folder, name, short ? 20_000 : 200_000)
        : 'not measured';
    await db.end();
    return figures;
  });
}

async function speedOf(app: AppProcess, db: pg.Client, folder: string, format: string, lines: number): Promise<string> {
  const path = join(folder, fileNameOf(format));
  const { bytes } = await writeLines(path, format, { lines });
  const cpuBefore = app.cpuSeconds();
  const startedMs = performance.now();
  const file = await ended(app, await send(app, path));
  const readMs = performance.now() - startedMs;
  await delivered(db);
  const seconds = (performance.now() - startedMs) / 1000;
  rmSync(path);
  const { counts, status, error } = file;
  const stored = counts.events + counts.trades;
  if (status !== 'processed' || stored !== lines) return `${status}, ${stored} of ${lines} ${error ?? ''}`;
  const microseconds = Math.round(((app.cpuSeconds() - cpuBefore) * 1e6) / lines);
  return `${Math.round(lines / seconds)}, ${round(bytes / seconds / MIB)} MiB/s, read in ${round(readMs / 1000)} of ${round(seconds)} s, ${microseconds} µs of Node a line, load ${loadavg()[0]!.toFixed(1)}`;
}

/** 5,000 trades/s without and with a file that is uploaded and read, turn by turn: from the venue's send to an SSE client's read. */
function besideMarket(folder: string, short: boolean): Promise<Figures> {
  const bytes = short ? 100 * MIB : 1024 * MIB;
  return withSystem(async (app, load) => {
    const path = join(folder, 'large.log');
    const { lines } = await writeLines(path, 'json', { bytes });
    const db = await app.database();
    const client = new SseLatency(app.url);
    load.atRate(TRADES_PER_SECOND);
    await pause(5000);
    const off: Latency[] = [];
    const on: Beside[] = [];
    const rss: number[] = [];
    for (let turn = 0; turn < 2; turn++) {
      client.take();
      await pause(short ? 20_000 : 60_000);
      off.push(client.take());
      on.push(await beside(app, db, client, path, rss));
      await pause(3000);
    }
    client.take();
    await pause(short ? 20_000 : 60_000);
    off.push(client.take());
    client.close();
    await db.end();
    const [without, withFile] = [median(off.map((one) => one.p99Ms)), median(on.map(({ all }) => all.p99Ms))];
    const half = rss.slice(rss.length >> 1);
    return {
      [`trades/s beside a file of ${bytes / MIB} MiB, ${lines} lines`]: TRADES_PER_SECOND,
      'without: p50 / p99 / max ms, each turn': off.map(written).join(', '),
      'with: p50 / p99 / max ms, each turn': on.map(({ all }) => written(all)).join(', '),
      '… of it while it is received': on.map(({ receiving }) => written(receiving)).join(', '),
      'ratio of the median p99 (target 1.5)': round(withFile / without),
      'received in s, each turn': on.map(({ receivingMs }) => round(receivingMs / 1000)).join(' '),
      'lines/s stored beside the trades, each turn': on.map((one) => Math.round(one.lines / one.seconds)).join(' '),
      'trades dropped': await app.metric('bus_queue_dropped_total'),
      'RSS of Node before, at half, at the end, highest, MiB': [rss[0]!, half[0]!, rss.at(-1)!, Math.max(...rss)]
        .map(Math.round)
        .join(' / '),
      'load average': loadavg()
        .map((one) => one.toFixed(1))
        .join(' '),
    };
  });
}

/** One file beside the trades, until the last of its lines is stored. */
async function beside(
  app: AppProcess,
  db: pg.Client,
  client: SseLatency,
  path: string,
  rss: number[],
): Promise<Beside> {
  const sampling = setInterval(() => rss.push(app.rssMiB()), 1000);
  rss.push(app.rssMiB());
  const startedMs = performance.now();
  const sent = await send(app, `${path}`, '?force=true');
  const receivingMs = performance.now() - startedMs;
  const receiving = client.figures();
  const { counts, status } = await ended(app, sent);
  await delivered(db, `processing.record-log-events`);
  const all = client.take();
  clearInterval(sampling);
  if (status !== 'processed') console.log(`  the file ended as ${status}`);
  return { lines: counts.lines, seconds: (performance.now() - startedMs) / 1000, receivingMs, all, receiving };
}

async function send(app: AppProcess, path: string, query = ''): Promise<FileBody> {
  const child = fork(join(import.meta.dirname, 'upload-client.js'), [`${app.url}/upload${query}`, path]);
  const [said] = (await once(child, 'message')) as [{ status: number; body: string }];
  if (said.status !== 202) throw new Error(`The upload was answered ${said.status}: ${said.body}`);
  return JSON.parse(said.body) as FileBody;
}

async function ended(app: AppProcess, { id }: FileBody): Promise<FileBody> {
  for (;;) {
    const file = (await (await fetch(`${app.url}/api/v1/files/${id}`)).json()) as FileBody;
    if (file.status !== 'received' && file.status !== 'processing') return file;
    await pause(100);
  }
}

/** Until nothing told waits for processing, or for one consumer of it. */
async function delivered(db: pg.Client, consumer = 'processing.%'): Promise<void> {
  for (;;) {
    const { rows } = await db.query<{ n: number }>(
      'select count(*)::int as n from bus.delivery where consumer like $1',
      [consumer],
    );
    if (rows[0]!.n === 0) return;
    await pause(20);
  }
}

async function withSystem(work: (app: AppProcess, load: Load) => Promise<Figures>): Promise<Figures> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tapeline-bench-'));
  const load = await Load.start();
  const app = await AppProcess.create(dataDir, { ...load.env, LOG_LEVEL: 'warn' });
  app.start();
  try {
    await app.ready();
    return await work(app, load);
  } finally {
    load.stop();
    await app.stop();
    if (app.log.trim() !== '') console.log(app.log.trim().split('\n').slice(-5).join('\n'));
    rmSync(dataDir, { recursive: true, force: true });
  }
}

const written = ({ p50Ms, p99Ms, maxMs }: Latency): string => `${p50Ms} / ${p99Ms} / ${maxMs}`;

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
