import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { resolve as absolute } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Client } from 'pg';

import { CHILD_ENV, findBinaries, findLauncher } from './embedded-binaries.js';
import {
  DATABASE,
  hintFor,
  makeSocketFolder,
  prepareCluster,
  removeSocketFolder,
  restoreSocketFolder,
  SETTINGS,
  USER,
} from './embedded-cluster.js';
import { clearPostmaster, clusterOf, explainFolderError, lockFolder } from './embedded-folder.js';

export type EmbeddedLog = (
  level: 'debug' | 'info' | 'warn' | 'error',
  message: string,
  fields?: Record<string, unknown>,
) => void;

export type EmbeddedPostgres = Readonly<{
  /** What pg/TypeORM need to connect; `host` is the folder of a unix socket. Stays the same over restarts. No TLS. */
  connection: Readonly<{ host: string; port: number; user: string; password: string; database: string }>;
  /** Process id of the running postmaster; undefined while it is down and being restarted. */
  pid(): number | undefined;
  /** Fast, clean shutdown (checkpoint included); resolves when the postmaster is gone; safe when it is already dead; no restart afterwards. */
  stop(): Promise<void>;
}>;

type Options = Readonly<{
  /** DATA_DIR; the cluster lives in `<dataDir>/postgres`. Created 0700 when absent. */
  dataDir: string;
  /** Gets PostgreSQL's own log lines and what the supervisor did. */
  log: EmbeddedLog;
  /** postgresql.conf values that override the defaults (tests make it smaller). */
  settings?: Readonly<Record<string, string>>;
}>;

const START_PATIENCE_MS = 60_000;
/** While PostgreSQL says that it is recovering from a crash. */
const RECOVERY_PATIENCE_MS = 600_000;
/** Backends of a killed postmaster notice within milliseconds, unless they are in the middle of long work. */
const LEFTOVER_PATIENCE_MS = 30_000;
const RESTART_DELAY_MS = { first: 100, longest: 5_000, forgottenAfter: 60_000 } as const;
/** A shutdown that takes longer is made harder: first without checkpoint (the next start recovers), then SIGKILL. */
const STOP_PATIENCE_MS = { SIGINT: 30_000, SIGQUIT: 5_000 } as const;

/**
 * PostgreSQL of our own in a folder of its own, kept running until `stop`. Resolves when it accepts connections. Rejects
 * when another copy has the folder, when the cluster is of another major version, and with PostgreSQL's last log lines when
 * it cannot start. Call it from the main thread: PostgreSQL shuts down when the thread that spawned it ends.
 */
export async function startEmbeddedPostgres(options: Options): Promise<EmbeddedPostgres> {
  const { log } = options;
  const dataDir = absolute(options.dataDir);
  const startedAt = performance.now();
  const binaries = await findBinaries();
  const lock = await lockFolder(dataDir, log);
  try {
    const launcher = await findLauncher(binaries, dataDir);
    const host = await makeSocketFolder(dataDir, launcher);
    const cluster = clusterOf(dataDir);
    await clearPostmaster(cluster, host, log);
    const password = await prepareCluster({ dataDir, binaries, launcher, fd: lock.fd, log });
    const connection = { host, port: Number(SETTINGS.port), user: USER, password, database: DATABASE };
    const settings = { ...SETTINGS, ...options.settings, unix_socket_directories: `"${host.replaceAll('"', '""')}"` };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const server = supervise({
      command: [...launcher.prefix, binaries.postgres, '-D', cluster, ...flags],
      fd: lock.fd,
      prepare: async () => {
        await clearPostmaster(cluster, host, log);
        await restoreSocketFolder(host, launcher);
      },
      connection,
      log,
    });
    await server.start();
    log('info', 'PostgreSQL is ready', {
      pid: server.pid(),
      tookMs: Math.round(performance.now() - startedAt),
      as: launcher.as,
    });
    let stopped: Promise<void> | undefined;
    const stop = async (): Promise<void> => {
      await server.stop();
      await removeSocketFolder(dataDir);
      await lock.release();
    };
    return { connection, pid: server.pid, stop: () => (stopped ??= stop()) };
  } catch (error) {
    await removeSocketFolder(dataDir).catch(() => undefined);
    await lock.release();
    throw explainFolderError(error, dataDir);
  }
}

type Server = Readonly<{
  command: readonly string[];
  /** Descriptor of the folder's lock. */
  fd: number | undefined;
  /** Removes what would keep a new postmaster from starting. */
  prepare(): Promise<void>;
  connection: EmbeddedPostgres['connection'];
  log: EmbeddedLog;
}>;

type Run = Readonly<{
  child: ChildProcess;
  /** Resolves with how it ended, in words; also when it could not be spawned. */
  ended: Promise<string>;
  hasEnded(): boolean;
  /** Its last log lines. */
  lines: readonly string[];
}>;

/** One postmaster at a time, started again whenever it ends without having been told to. */
function supervise(server: Server) {
  const { log } = server;
  const stopping = new AbortController();
  const isStopping = (): boolean => stopping.signal.aborted;
  /** The postmaster that runs or is being started. */
  let run: Run | undefined;
  let ready = false;
  let keeping: Promise<void> | undefined;
  // Where there is no parent-death signal: an exit without stop() still shuts PostgreSQL down.
  const onExit = (): void => void run?.child.kill('SIGINT');

  async function bringUp(): Promise<void> {
    await server.prepare();
    run = launch(server);
    try {
      await untilReady(run, server.connection, stopping.signal);
      ready = true;
    } catch (error) {
      await end(run);
      throw error;
    }
  }

  /** The first start gives up on what will not mend itself, but waits for backends of a killed postmaster to leave. */
  async function start(): Promise<void> {
    process.once('exit', onExit);
    const startedAt = performance.now();
    for (;;) {
      try {
        await bringUp();
        break;
      } catch (error) {
        const leftover = /pre-existing shared memory block|lock file .* already exists/.test((error as Error).message);
        if (!leftover || performance.now() - startedAt > LEFTOVER_PATIENCE_MS) {
          process.off('exit', onExit);
          throw error;
        }
        await sleep(RESTART_DELAY_MS.first);
      }
    }
    keeping = keepRunning();
  }

  async function keepRunning(): Promise<void> {
    let delay: number = RESTART_DELAY_MS.first;
    while (run && !isStopping()) {
      const upAt = performance.now();
      const how = await run.ended;
      ready = false;
      if (isStopping()) return;
      const downAt = performance.now();
      log('error', 'PostgreSQL ended by itself; starting it again', { pid: run.child.pid, how });
      if (downAt - upAt > RESTART_DELAY_MS.forgottenAfter) delay = RESTART_DELAY_MS.first;
      while (!ready) {
        await sleep(delay, undefined, { signal: stopping.signal }).catch(() => undefined);
        if (isStopping()) return;
        delay = Math.min(delay * 2, RESTART_DELAY_MS.longest);
        await bringUp().catch((error: Error) => {
          if (!isStopping())
            log('error', 'PostgreSQL did not come up; trying again', { error: error.message, delayMs: delay });
        });
      }
      if (!isStopping())
        log('warn', 'PostgreSQL runs again', { pid: run.child.pid, downMs: Math.round(performance.now() - downAt) });
    }
  }

  async function stop(): Promise<void> {
    stopping.abort();
    if (run) await end(run);
    await keeping;
    if (run) await end(run); // one that was spawned while the first was ending
    process.off('exit', onExit);
  }

  async function end({ child, ended, hasEnded }: Run): Promise<void> {
    for (const [name, patience] of Object.entries(STOP_PATIENCE_MS)) {
      if (hasEnded()) return;
      child.kill(name as keyof typeof STOP_PATIENCE_MS);
      const waiting = new AbortController();
      const late = sleep(patience, true, { signal: waiting.signal }).catch(() => false);
      const isLate = await Promise.race([late, ended.then(() => false)]);
      waiting.abort();
      if (isLate) log('warn', `PostgreSQL did not stop on ${name} in time`, { patienceMs: patience });
    }
    if (!hasEnded()) child.kill('SIGKILL');
    await ended;
  }

  return { start, stop, pid: (): number | undefined => (ready ? run?.child.pid : undefined) };
}

/** Detached: a terminal's Ctrl-C reaches the application, which stops PostgreSQL last. */
function launch({ command: [program = '', ...args], fd, log }: Server): Run {
  const child = spawn(program, args, {
    env: CHILD_ENV,
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', fd ?? 'ignore'],
  });
  const lines: string[] = [];
  if (child.stderr) readLog(child.stderr, lines, log);
  let over = false;
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve(`it could not be run: ${error.message}`);
    });
    // 'close' comes after the last log line, but waits for every backend that shares stderr; they may outlive a killed one.
    child.once('exit', (code, signal) => {
      const how = signal ? `ended by ${signal}` : `exit code ${code}`;
      child.once('close', () => resolve(how));
      setTimeout(resolve, 100, how);
    });
  }).then((how) => {
    over = true;
    return how;
  });
  return { child, ended, hasEnded: () => over, lines };
}

/** Polls with real connections: the log's "ready" comes before the socket answers, and pg_isready is not in the package. */
async function untilReady(run: Run, connection: EmbeddedPostgres['connection'], stopping: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  let how: string | undefined;
  void run.ended.then((text) => (how = text));
  for (let pause = 10; ; pause = Math.min(pause * 1.3, 250)) {
    const answer = await tryConnection(connection);
    if (how !== undefined)
      throw new Error(`${hintFor(run.lines.join('\n'))}PostgreSQL did not start (${how}):\n${run.lines.join('\n')}`);
    stopping.throwIfAborted();
    if (answer === 'ready') return;
    if (answer.refused) throw new Error('PostgreSQL runs but refuses its own user', { cause: answer.refused });
    const patience = answer.recovering ? RECOVERY_PATIENCE_MS : START_PATIENCE_MS;
    if (performance.now() - startedAt > patience)
      throw new Error(`PostgreSQL did not accept connections within ${patience / 1000} s:\n${run.lines.join('\n')}`);
    await Promise.race([sleep(pause), run.ended]);
  }
}

type Answer = 'ready' | { recovering?: boolean; refused?: Error };

async function tryConnection(connection: EmbeddedPostgres['connection']): Promise<Answer> {
  const client = new Client({ ...connection, ssl: false, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return 'ready';
  } catch (error) {
    const { code = '' } = error as { code?: string };
    if (code === CANNOT_CONNECT_NOW) return { recovering: true };
    // Wrong password, role or database: waiting will not mend them.
    return ['28P01', '28000', '3D000'].includes(code) ? { refused: error as Error } : {};
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** SQLSTATE while it starts up, recovers or shuts down. */
const CANNOT_CONNECT_NOW = '57P03';
const ADMIN_SHUTDOWN = '57P01';

/** Of log_line_prefix `%p %e `: process id, SQLSTATE, severity, message. Further lines of a message start with a tab. */
const LOG_LINE = /^(\d+) (\w{5}) ([A-Z]+\d?): {2}(.*)$/;
const LEVELS: Readonly<Record<string, Parameters<EmbeddedLog>[0]>> = {
  LOG: 'info',
  INFO: 'info',
  NOTICE: 'info',
  WARNING: 'warn',
  ERROR: 'warn', // of a statement: its client is told and decides
  FATAL: 'error',
  PANIC: 'error',
};
/** What every start and stop says. */
const ROUTINE =
  /^(starting PostgreSQL|listening on Unix socket|database system (was shut down at|is ready|is shut down)|received fast shutdown|aborting any active|shutting down|background worker "logical replication launcher")/;

/** Entries of PostgreSQL's stderr → `log`, DETAIL, HINT and STATEMENT with the message they belong to; `lines` keeps the last 20. */
function readLog(stderr: Readable, lines: string[], log: EmbeddedLog): void {
  let rest = '';
  let entry: { level: Parameters<EmbeddedLog>[0]; message: string; fields: Record<string, unknown> } | undefined;
  let continues = 'message';

  const flush = (): void => {
    if (entry) log(entry.level, entry.message, entry.fields);
    entry = undefined;
  };
  const take = (line: string): void => {
    const [, pid, sqlState, severity = '', text = ''] = LOG_LINE.exec(line) ?? [];
    if (severity === '' && entry && line.startsWith('\t')) {
      if (continues === 'message') entry.message += `\n${line.slice(1)}`;
      else entry.fields[continues] = `${entry.fields[continues] as string}\n${line.slice(1)}`;
    } else if (severity === '') {
      flush();
      log('warn', line); // not PostgreSQL's: the loader's, or setpriv's
    } else if (severity in LEVELS || severity.startsWith('DEBUG')) {
      flush();
      const isNoise = sqlState === CANNOT_CONNECT_NOW || sqlState === ADMIN_SHUTDOWN || ROUTINE.test(text);
      const level = isNoise ? 'debug' : (LEVELS[severity] ?? 'debug');
      entry = {
        level,
        message: text,
        fields: { postgresPid: Number(pid), severity, ...(sqlState !== '00000' && { sqlState }) },
      };
      continues = 'message';
    } else if (entry) {
      continues = severity.toLowerCase(); // DETAIL, HINT, STATEMENT, CONTEXT, …
      entry.fields[continues] = text;
    }
  };

  stderr.setEncoding('utf8').on('data', (chunk: string) => {
    const received = (rest + chunk).split('\n');
    rest = received.pop() ?? '';
    for (const line of received) {
      if (line === '') continue;
      lines.push(line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)}…` : line);
      if (lines.length > 20) lines.shift();
      take(line);
    }
    if (rest === '') flush(); // PostgreSQL writes a message with everything that belongs to it at once
    if (rest.length > 1_000_000) rest = '';
  });
  stderr.on('end', () => {
    if (rest !== '') take(rest);
    flush();
  });
}

const MAX_LINE = 500;
