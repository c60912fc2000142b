import { randomBytes } from 'node:crypto';
import {
  chmod,
  lchown,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type Binaries, type Launcher, type ProgramResult, runProgram } from './embedded-binaries.js';
import { clusterOf } from './embedded-folder.js';
import type { EmbeddedLog } from './embedded-postgres.js';

export const DATABASE = 'tapeline';
export const USER = 'tapeline';

/** Where and with what a cluster is prepared. `fd` is the folder's lock, which initdb has to hold too. */
type Site = Readonly<{
  dataDir: string;
  binaries: Binaries;
  launcher: Launcher;
  fd: number | undefined;
  log: EmbeddedLog;
}>;

/**
 * postgresql.conf for one process that ingests on two cores, passed on every start so that a new version's tuning applies.
 * Durable; beside the stock values it means few checkpoints (10k trades/s write 2–3 MB/s of log) and bounded memory.
 */
export const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '',
  port: '5432', // only part of the socket's name: the socket has a folder to itself
  unix_socket_permissions: '0700',
  max_connections: '40',
  shared_buffers: '256MB',
  effective_cache_size: '1GB',
  work_mem: '8MB',
  maintenance_work_mem: '128MB',
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  wal_buffers: '16MB',
  min_wal_size: '1GB',
  max_wal_size: '4GB',
  checkpoint_timeout: '15min',
  checkpoint_completion_target: '0.9',
  autovacuum_naptime: '30s',
  jit: 'off',
  max_parallel_workers_per_gather: '0',
  random_page_cost: '1.1',
  timezone: 'UTC',
  log_timezone: 'UTC',
  lc_messages: 'C', // the log reader knows the severities in English
  logging_collector: 'off',
  log_destination: 'stderr',
  log_line_prefix: '%p %e ',
  log_min_messages: 'warning',
  log_checkpoints: 'off',
  log_connections: '',
  log_disconnections: 'off',
};

/** Makes the cluster on the first start, checks its version and owner on later ones. Resolves with the password of `USER`. */
export async function prepareCluster(site: Site): Promise<string> {
  const cluster = clusterOf(site.dataDir);
  await rm(temporaryCluster(site.dataDir), { recursive: true, force: true }); // of a start that crashed
  const entries = await readdir(cluster).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const kept = await readPassword(site.dataDir);
  if (entries.length === 0) {
    const password = kept ?? (await makePassword(site.dataDir));
    await createCluster(site, password);
    return password;
  }
  await checkVersion(cluster, site.launcher);
  await ownTree(cluster, site.launcher);
  await chmod(cluster, 0o700); // a copy or a restore may have opened it, and PostgreSQL refuses that
  if (kept !== undefined) return kept;

  const password = await makePassword(site.dataDir);
  site.log('warn', 'The password file is gone; setting a new password', { file: passwordFile(site.dataDir) });
  await singleUser(site, cluster, `alter role "${USER}" password '${password}'`);
  return password;
}

const temporaryCluster = (dataDir: string): string => join(dataDir, 'postgres.new');
const passwordFile = (dataDir: string): string => join(dataDir, 'postgres-password');

async function readPassword(dataDir: string): Promise<string | undefined> {
  const file = passwordFile(dataDir);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  if (text.trim() === '') return undefined;
  await chmod(file, 0o600);
  return text.trim();
}

async function makePassword(dataDir: string): Promise<string> {
  const password = randomBytes(32).toString('base64url');
  const part = `${passwordFile(dataDir)}.new`;
  await rm(part, { force: true });
  await writeFile(part, `${password}\n`, { mode: 0o600, flag: 'wx', flush: true });
  await rename(part, passwordFile(dataDir));
  return password;
}

/** All of it happens in a sibling folder, synced by initdb; the rename makes it the cluster, so half a cluster never is. */
async function createCluster(site: Site, password: string): Promise<void> {
  const { dataDir, binaries, launcher, fd, log } = site;
  const startedAt = performance.now();
  const cluster = temporaryCluster(dataDir);
  const pwfile = join(dataDir, 'postgres-password.initdb');
  await mkdir(cluster, { mode: 0o700 });
  try {
    await rm(pwfile, { force: true });
    await writeFile(pwfile, `${password}\n`, { mode: 0o600, flag: 'wx' });
    if (launcher.owner)
      for (const path of [cluster, pwfile]) await lchown(path, launcher.owner.uid, launcher.owner.gid);
    const result = await runProgram(
      [
        ...launcher.prefix,
        binaries.initdb,
        `--pgdata=${cluster}`,
        `--username=${USER}`,
        `--pwfile=${pwfile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--no-instructions',
      ],
      { fd },
    );
    if (result.code !== 0) throw failed('initdb', result);
    await singleUser(site, cluster, `create database "${DATABASE}"`);
    await rename(cluster, clusterOf(dataDir));
    await syncFolder(dataDir);
  } catch (error) {
    await rm(cluster, { recursive: true, force: true });
    throw error;
  } finally {
    await rm(pwfile, { force: true });
  }
  log('info', 'Created the embedded PostgreSQL cluster', { tookMs: Math.round(performance.now() - startedAt) });
}

/** One statement in PostgreSQL's single-user mode, where no password is asked. It exits with 0 even when that failed. */
async function singleUser({ binaries, launcher, fd }: Site, cluster: string, statement: string): Promise<void> {
  const result = await runProgram([...launcher.prefix, binaries.postgres, '--single', '-D', cluster, 'postgres'], {
    fd,
    input: `${statement};\n`,
  });
  if (result.code !== 0 || /\b(ERROR|FATAL|PANIC):/.test(result.stderr)) throw failed('postgres --single', result);
}

function failed(program: string, { code, stdout, stderr }: ProgramResult): Error {
  const last = `${stdout}\n${stderr}`.split('\n').filter(Boolean).slice(-12).join('\n');
  return new Error(`${hintFor(last)}${program} failed${code === undefined ? '' : ` with exit code ${code}`}:\n${last}`);
}

/** A first sentence in plain words for the faults that PostgreSQL's own lines bury; '' for others. */
export function hintFor(lines: string): string {
  if (lines.includes('No space left on device')) return 'The disk of the data folder (DATA_DIR) is full. ';
  if (lines.includes('Read-only file system')) return 'The data folder (DATA_DIR) is on a read-only file system. ';
  if (lines.includes('could not look up effective user ID'))
    return 'PostgreSQL needs a user with an entry in /etc/passwd for its first start. ';
  return '';
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  await folder.sync().finally(() => folder.close());
}

async function checkVersion(cluster: string, { major, owner }: Launcher): Promise<void> {
  const { uid } = await stat(cluster);
  const self = process.getuid?.();
  if (!owner && self !== undefined && uid !== self)
    throw new Error(
      `The database in ${cluster} belongs to user id ${uid}, this process runs as ${self}. ` +
        `Run it as ${uid} or as root, or change the owner: chown -R ${self} ${cluster}`,
    );
  const found = await readFile(join(cluster, 'PG_VERSION'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new Error(`${cluster} is not empty and not a PostgreSQL cluster. Move it away.`);
    throw error;
  });
  if (found.trim() !== major)
    throw new Error(
      `The database in ${cluster} was made by PostgreSQL ${found.trim()}, this version of Tapeline brings PostgreSQL ${major}, ` +
        `which cannot read it. Either dump it with PostgreSQL ${found.trim()} (pg_dumpall), move the folder away, start, and ` +
        `restore the dump; or run a PostgreSQL ${found.trim()} server on it and set DATABASE_URL.`,
    );
}

/** Gives the cluster to the user PostgreSQL runs as, when another way of running it owned it before. The top comes last: it says "done". */
async function ownTree(top: string, { owner }: Launcher): Promise<void> {
  if (!owner || (await stat(top)).uid === owner.uid) return;
  for (const entry of await readdir(top, { recursive: true })) await lchown(join(top, entry), owner.uid, owner.gid);
  await lchown(top, owner.uid, owner.gid);
}

/** sockaddr_un holds 108 bytes with the closing zero; macOS has 104. */
const SOCKET_PATH_MAX = process.platform === 'linux' ? 107 : 103;

/**
 * An empty 0700 folder for the socket: `<dataDir>/run`, or one in the temporary folder when that path is too long; then
 * `run` is a link to it, so that the next start can remove what a killed one left.
 */
export async function makeSocketFolder(dataDir: string, { owner }: Launcher): Promise<string> {
  await removeSocketFolder(dataDir);
  const run = join(dataDir, 'run');
  let folder = run;
  if (socketPathFits(run)) await mkdir(run, { mode: 0o700 });
  else {
    folder = await mkdtemp(temporarySocketFolder());
    if (!socketPathFits(folder))
      throw new Error(`The path ${folder} is too long for a socket. Set TMPDIR to a shorter one.`);
    await symlink(folder, run);
  }
  if (owner) await lchown(folder, owner.uid, owner.gid);
  return folder;
}

/** Makes the same folder again where something deleted it, such as a cleaner of temporary files, while PostgreSQL ran. */
export async function restoreSocketFolder(folder: string, { owner }: Launcher): Promise<void> {
  const made = await mkdir(folder, { mode: 0o700, recursive: true });
  if (made !== undefined && owner) await lchown(folder, owner.uid, owner.gid);
}

/** Removes what `makeSocketFolder` made, now or in an earlier process. */
export async function removeSocketFolder(dataDir: string): Promise<void> {
  const run = join(dataDir, 'run');
  const target = await readlink(run).catch(() => undefined);
  if (target?.startsWith(temporarySocketFolder())) await rm(target, { recursive: true, force: true });
  await rm(run, { recursive: true, force: true });
}

const temporarySocketFolder = (): string => join(tmpdir(), 'tapeline-');
const socketPathFits = (folder: string): boolean => Buffer.byteLength(join(folder, '.s.PGSQL.5432')) <= SOCKET_PATH_MAX;
