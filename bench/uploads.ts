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
const TURNS = 3;
const MIB = 1024 * 1024;

/** Lines per second of each format, and what a large file does to the market data beside it. */
export async function uploads(short: boolean): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'tapeline-bench-files-'));
  try {
    const speed = await speeds(folder, short ? 20_000 : 200_000);
    const path = join(folder, 'large.log');
    const { bytes } = await writeLines(path, 'json', { bytes: (short ? 100 : 1024) * MIB });
    return {
      ...speed,
      ...(await alone(path, bytes)),
      ...(await besideMarket(path, bytes, short ? 20 : 90)),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** From the first byte that is sent to the last line stored, one format after the other. */
function speeds(folder: string, lines: number): Promise<Figures> {
  const figures: Figures = {};
  return withSystem(async (app) => {
    const db = await app.database();
    await speedOf(app, db, folder, 'json', 10_000); // warms up
    for (const { name } of FORMATS)
      figures[`${name}: lines/s stored`] = hasLines(name)
        ? await speedOf(app, db, folder, name, lines)
        : 'not measured';
    await db.end();
    return figures;
  });
}

async function speedOf(app: AppProcess, db: pg.Client, folder: string, format: string, lines: number): Promise<string> {
  const path = join(folder, fileNameOf(format));
  const { bytes } = await writeLines(path, format, { lines });
  const [cpuBefore, storedBefore] = [app.cpuSeconds(), await stored(app)];
  const startedMs = performance.now();
  const { status, error } = await ended(app, await send(app, path));
  const readMs = performance.now() - startedMs;
  await delivered(db);
  const seconds = (performance.now() - startedMs) / 1000;
  rmSync(path);
  const fresh = (await stored(app)) - storedBefore;
  if (status !== 'processed' || fresh !== lines) return `${status}, ${fresh} of ${lines} stored ${error ?? ''}`;
  const microseconds = Math.round(((app.cpuSeconds() - cpuBefore) * 1e6) / lines);
  return `${Math.round(lines / seconds)}, ${round(bytes / seconds / MIB)} MiB/s, read in ${round(readMs / 1000)} of ${round(seconds)} s, ${microseconds} µs of Node a line, load ${loadavg()[0]!.toFixed(1)}`;
}

const stored = async (app: AppProcess): Promise<number> =>
  (await app.metric('log_rows_total', 'result="stored"')) + (await app.metric('crypto_trades_total'));

/** One large file and nothing beside it, to its end. */
function alone(path: string, bytes: number): Promise<Figures> {
  return withSystem(async (app) => {
    const db = await app.database();
    const rss = [app.rssMiB()];
    const sampling = setInterval(() => rss.push(app.rssMiB()), 1000);
    const startedMs = performance.now();
    const { counts } = await ended(app, await send(app, path));
    await delivered(db);
    clearInterval(sampling);
    await db.end();
    const at = (share: number): number => Math.round(rss[Math.floor((rss.length - 1) * share)]!);
    return {
      [`${Math.round(bytes / MIB)} MiB alone: lines/s stored, of ${counts.lines}`]: Math.round(
        (counts.events * 1000) / (performance.now() - startedMs),
      ),
      '… RSS of Node before, quarter by quarter, highest, MiB': `${[0, 0.25, 0.5, 0.75, 1].map(at).join(' ')}, ${Math.round(Math.max(...rss))}`,
    };
  });
}

/**
 * 5,000 trades/s without and with a file that is uploaded and read, turn by turn: from the venue's send to an SSE
 * client's read. A file that is not read by then is deleted at the end of its turn.
 */
function besideMarket(path: string, bytes: number, seconds: number): Promise<Figures> {
  return withSystem(async (app, load) => {
    const db = await app.database();
    const client = new SseLatency(app.url);
    load.atRate(TRADES_PER_SECOND);
    await pause(5000);
    const off: Latency[] = [];
    const on: Beside[] = [];
    for (let turn = 0; turn < TURNS; turn++) {
      client.take();
      await pause(seconds * 1000);
      off.push(client.take());
      on.push(await beside(app, db, client, path, seconds));
      await pause(3000);
    }
    client.close();
    await db.end();
    const ratios = on.map(({ all }, turn) => all.p99Ms / off[turn]!.p99Ms);
    return {
      [`${Math.round(bytes / MIB)} MiB beside trades, a second`]: TRADES_PER_SECOND,
      'without: p50 / p99 / max ms, each turn': off.map(written).join(', '),
      'with: p50 / p99 / max ms, each turn': on.map(({ all }) => written(all)).join(', '),
      '… of it while the file is received': on.map(({ receiving }) => written(receiving)).join(', '),
      'ratio of p99, each turn': ratios.map(round).join(' '),
      'ratio of p99, median (target 1.5)': round(median(ratios)),
      'received in s, each turn': on.map(({ receivingMs }) => round(receivingMs / 1000)).join(' '),
      'lines/s read beside the trades, each turn': on.map((one) => Math.round(one.lines / one.seconds)).join(' '),
      'trades dropped': await app.metric('bus_queue_dropped_total'),
      'load average': loadavg().map(round).join(' '),
    };
  });
}

/** One file beside the trades, until it is read or the time is over. */
async function beside(
  app: AppProcess,
  db: pg.Client,
  client: SseLatency,
  path: string,
  seconds: number,
): Promise<Beside> {
  const startedMs = performance.now();
  const { id } = await send(app, path, '?force=true');
  const receivedMs = performance.now();
  const receiving = client.figures();
  const { counts } = await ended(app, { id }, receivedMs + seconds * 1000);
  const readMs = performance.now() - receivedMs;
  const all = client.take();
  await fetch(`${app.url}/api/v1/files/${id}`, { method: 'DELETE' });
  await delivered(db, 'processing.record-log-events');
  return { lines: counts.lines, seconds: readMs / 1000, receivingMs: receivedMs - startedMs, all, receiving };
}

async function send(app: AppProcess, path: string, query = ''): Promise<FileBody> {
  const child = fork(join(import.meta.dirname, 'upload-client.js'), [`${app.url}/upload${query}`, path]);
  const [said] = (await once(child, 'message')) as [{ status: number; body: string }];
  if (said.status !== 202) throw new Error(`The upload was answered ${said.status}: ${said.body}`);
  return JSON.parse(said.body) as FileBody;
}

/** The file once it is read, or the time has come. */
async function ended(app: AppProcess, { id }: Pick<FileBody, 'id'>, untilMs = Infinity): Promise<FileBody> {
  for (;;) {
    const file = (await (await fetch(`${app.url}/api/v1/files/${id}`)).json()) as FileBody;
    if ((file.status !== 'received' && file.status !== 'processing') || performance.now() > untilMs) return file;
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
