import { close, constants, open } from 'node:fs';
import { mkdir, readFile, readlink, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { runProgram } from './embedded-binaries.js';
import type { EmbeddedLog } from './embedded-postgres.js';

/** The right to use one data folder. */
export type FolderLock = Readonly<{
  /**
   * Descriptor every PostgreSQL program inherits: the lock ends when the last of them *and* this process have closed it,
   * so a backend that outlives a killed application still keeps the next copy out. Undefined where there is no flock.
   */
  fd: number | undefined;
  release(): Promise<void>;
}>;

/** A living owner may be on its way out (a restart that overlaps); longer than this and it is a second copy. */
const OWNER_PATIENCE_MS = 5_000;
/** The owner is dead and its PostgreSQL writes the shutdown checkpoint: minutes on a slow disk. */
const ORPHAN_PATIENCE_MS = 120_000;

export const clusterOf = (dataDir: string): string => join(dataDir, 'postgres');

/** Creates the folder with mode 0700 when it is absent, and takes it for this process, waiting for a predecessor that is going. */
export async function lockFolder(dataDir: string, log: EmbeddedLog): Promise<FolderLock> {
  try {
    await mkdir(dirname(dataDir), { recursive: true });
    await mkdir(dataDir, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    return await waitForLock(dataDir, log);
  } catch (error) {
    throw explainFolderError(error, dataDir);
  }
}

async function waitForLock(dataDir: string, log: EmbeddedLog): Promise<FolderLock> {
  const startedAt = performance.now();
  let told: number | undefined;
  for (;;) {
    const lock = await tryLock(dataDir, log);
    if (lock) return lock;

    // In this order: an owner is on record before its postmaster runs, so one found now cannot belong to a later owner.
    const orphan = await findPostmaster(clusterOf(dataDir));
    const owner = await readOwner(dataDir);
    const abandoned = owner !== undefined && !(await isRunning(owner));
    if (abandoned && orphan?.is === 'running' && told !== orphan.pid) {
      log('warn', 'PostgreSQL of a process that died is still running; stopping it', { ...orphan, owner: owner.pid });
      told = orphan.pid;
      signal(orphan.pid, 'SIGINT');
    }
    if (performance.now() - startedAt > (abandoned ? ORPHAN_PATIENCE_MS : OWNER_PATIENCE_MS)) {
      const who = owner ? `process ${owner.pid} on ${owner.host}` : 'another process';
      throw new Error(
        `The data folder ${dataDir} is in use by ${who}. One folder serves one copy: ` +
          'stop that one, give this one another DATA_DIR, or share a server through DATABASE_URL.',
      );
    }
    await sleep(50);
  }
}

const openFd = promisify(open);
const closeFd = promisify(close);
/** BSD's open(2) flags; libuv passes them on, Node does not name them. */
const [BSD_NONBLOCK, BSD_EXLOCK] = [0x4, 0x20];

async function tryLock(dataDir: string, log: EmbeddedLog): Promise<FolderLock | undefined> {
  const fd = await openLockFile(join(dataDir, 'lock'));
  if (fd === undefined) return undefined;
  try {
    const kept = process.platform === 'darwin' || (await flock(fd));
    if (kept === false) {
      await closeFd(fd);
      return undefined;
    }
    if (kept === 'no flock' && !(await claimByOwnerFile(dataDir))) {
      await closeFd(fd);
      return undefined;
    }
    await writeOwner(dataDir);
    if (kept === 'no flock')
      log('warn', 'No flock here: only the owner file keeps a second copy out', { file: ownerFile(dataDir) });
    const release = async (): Promise<void> => {
      await rm(ownerFile(dataDir), { force: true });
      await closeFd(fd);
    };
    return { fd, release };
  } catch (error) {
    await closeFd(fd);
    throw error;
  }
}

async function openLockFile(path: string): Promise<number | undefined> {
  const { O_WRONLY, O_APPEND, O_CREAT } = constants;
  const locking = process.platform === 'darwin' ? BSD_EXLOCK | BSD_NONBLOCK : 0;
  return openFd(path, O_WRONLY | O_APPEND | O_CREAT | locking, 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EAGAIN') return undefined;
    throw error;
  });
}

/** flock(1) locks the open file, not its own process, so the lock it takes on the inherited descriptor stays ours. */
async function flock(fd: number): Promise<boolean | 'no flock'> {
  const { code } = await runProgram(['flock', '-n', '-E', '75', '3'], { fd });
  if (code === 0) return true;
  return code === 75 ? false : 'no flock'; // not installed, or the file system has no locks
}

/**
 * Second best, without flock: the living owner on record has the folder. One on another host counts as living, since two
 * PostgreSQL on one cluster destroy it; after a crash there, `owner` is removed by hand.
 */
async function claimByOwnerFile(dataDir: string): Promise<boolean> {
  const owner = await readOwner(dataDir);
  if (owner && (await isRunning(owner))) return false;
  await rm(ownerFile(dataDir), { force: true });
  return writeFile(ownerFile(dataDir), '', { flag: 'wx', mode: 0o600 }).then(
    () => true,
    () => false,
  );
}

/** `started`: the kernel's start time of the process (clock ticks since boot), which tells a reused pid; '' where unknown. */
type Owner = Readonly<{ pid: number; started: string; host: string }>;

const ownerFile = (dataDir: string): string => join(dataDir, 'owner');

async function writeOwner(dataDir: string): Promise<void> {
  const started = (await kernelStat(process.pid))?.started ?? '';
  const owner: Owner = { pid: process.pid, started, host: hostname() };
  await writeFile(ownerFile(dataDir), `${JSON.stringify(owner)}\n`, { mode: 0o600 });
}

async function readOwner(dataDir: string): Promise<Owner | undefined> {
  try {
    return JSON.parse(await readFile(ownerFile(dataDir), 'utf8')) as Owner;
  } catch {
    return undefined; // absent, or just being written
  }
}

/** A process of another host (container) cannot be judged from here and counts as running. */
async function isRunning({ pid, started, host }: Owner): Promise<boolean> {
  if (host !== hostname()) return true;
  if (!signal(pid, 0)) return false;
  const now = await kernelStat(pid);
  return !now || (now.state !== 'Z' && now.state !== 'X' && (started === '' || now.started === started));
}

/** What `postmaster.pid` leads to: `running` is a live postmaster of this very cluster, `stale` anything else. */
type Postmaster = Readonly<{ pid: number; is: 'running' | 'stale' }>;

/** Undefined when the cluster has no pid file. A zombie, a reused pid, an empty or broken file are all stale. */
export async function findPostmaster(cluster: string): Promise<Postmaster | undefined> {
  const text = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const pid = Number(text.split('\n', 1)[0]);
  return { pid, is: isPid(pid) && signal(pid, 0) && (await servesCluster(pid, cluster)) ? 'running' : 'stale' };
}

const isPid = (pid: number): boolean => Number.isSafeInteger(pid) && pid > 1;

/** A postmaster's working directory is its cluster; where that cannot be read its command line names the cluster. */
async function servesCluster(pid: number, cluster: string): Promise<boolean> {
  if (process.platform !== 'linux')
    return (await runProgram(['ps', '-o', 'command=', '-p', String(pid)])).stdout.includes(cluster);
  const kernel = await kernelStat(pid);
  if (!kernel || kernel.name !== 'postgres' || kernel.state === 'Z' || kernel.state === 'X') return false;
  const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
  if (cwd !== undefined) return cwd === (await realpath(cluster).catch(() => cluster));
  return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0').includes(cluster);
}

/**
 * Under the folder's lock: no postmaster of this cluster runs afterwards and no left-over file can stop the next one. One
 * that runs without holding the lock (started by hand, or where there is no flock) is stopped cleanly and waited for.
 */
export async function clearPostmaster(cluster: string, socketDir: string, log: EmbeddedLog): Promise<void> {
  const startedAt = performance.now();
  let found = await findPostmaster(cluster);
  if (found?.is === 'running') {
    const { pid } = found;
    log('warn', 'Another PostgreSQL runs on this data folder; stopping it', { pid });
    signal(pid, 'SIGINT');
    while ((found = await findPostmaster(cluster))?.is === 'running') {
      if (performance.now() - startedAt > ORPHAN_PATIENCE_MS)
        throw new Error(`PostgreSQL process ${pid} uses ${cluster} and does not stop. End it, then start again.`);
      await sleep(20);
    }
  }
  // A pid that answers no signal is left to PostgreSQL, which then also looks for backends of the dead postmaster.
  if (found && (!isPid(found.pid) || signal(found.pid, 0))) {
    log('info', 'Removing the pid file of a PostgreSQL that was killed', { pid: found.pid });
    await rm(join(cluster, 'postmaster.pid'), { force: true });
  }
  for (const name of await socketFiles(socketDir)) await rm(name, { force: true });
}

async function socketFiles(socketDir: string): Promise<string[]> {
  const socket = join(socketDir, '.s.PGSQL.5432');
  return (await stat(socketDir).catch(() => undefined)) ? [socket, `${socket}.lock`] : [];
}

/** Field 2, 3 and 22 of /proc/PID/stat (proc(5)); undefined when there is no such process or no /proc. */
async function kernelStat(pid: number): Promise<{ name: string; state: string; started: string } | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const end = text.lastIndexOf(')'); // the name may hold spaces and brackets
  const fields = text.slice(end + 2).split(' ');
  return { name: text.slice(text.indexOf('(') + 1, end), state: fields[0] ?? '', started: fields[19] ?? '' };
}

/** False when there is no such process. One that is not ours to signal exists all the same. */
function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

const FOLDER_FAULTS: Readonly<Record<string, string>> = {
  ENOSPC: 'its disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'its file system is read-only',
  EACCES: `user id ${process.getuid?.()} may not write there`,
  EPERM: `user id ${process.getuid?.()} may not write there`,
  ENOTDIR: 'a part of that path is not a folder',
};

/** Says what is wrong with the data folder when a file operation in it failed; any other error comes back as it is. */
export function explainFolderError(error: unknown, dataDir: string): unknown {
  const fault = FOLDER_FAULTS[(error as NodeJS.ErrnoException).code ?? ''];
  return fault ? new Error(`The data folder ${dataDir} (DATA_DIR) cannot be used: ${fault}.`, { cause: error }) : error;
}
