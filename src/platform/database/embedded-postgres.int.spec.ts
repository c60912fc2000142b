import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { Client } from 'pg';
import ts from 'typescript';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { findBinaries, hydrateLibraryLinks } from './embedded-binaries.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.js';

const SMALL = { shared_buffers: '16MB', min_wal_size: '32MB', max_wal_size: '64MB' };
const IS_ROOT = process.getuid?.() === 0;
const HAS_FLOCK = spawnSync('flock', ['--version']).status === 0;
const HAS_DEATH_SIGNAL = spawnSync('setpriv', ['--pdeathsig', 'INT', 'true']).status === 0;

type Entry = { level: string; message: string; fields: Record<string, unknown> };
type App = { process: ChildProcess; postgresPid: number; connection: EmbeddedPostgres['connection'] };

/** Holds everything of this file; open to all, since PostgreSQL may have to run as another user. */
const root = mkdtempSync(join(tmpdir(), 'embedded-'));
chmodSync(root, 0o755);
/** A finished cluster that specs copy instead of making their own. */
const template = join(root, 'template');
/** The sources as JavaScript, inside the repository so that they find its packages, for copies that can be killed. */
const compiled = fileURLToPath(new URL(`../../../node_modules/.cache/embedded-${process.pid}/`, import.meta.url));

const entries: Entry[] = [];
const running: EmbeddedPostgres[] = [];
const processes: ChildProcess[] = [];
let dataDir: string;
let folders = 0;

const logTo = (level: string, message: string, fields: Record<string, unknown> = {}): number =>
  entries.push({ level, message, fields });
const said = (part: string): Entry[] => entries.filter((entry) => entry.message.includes(part));

async function start(options: { dataDir?: string; settings?: Record<string, string> } = {}): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({
    dataDir,
    log: logTo,
    ...options,
    settings: { ...SMALL, ...options.settings },
  });
  running.push(server);
  return server;
}

const refusal = (...args: Parameters<typeof start>): Promise<string> =>
  start(...args).then(
    () => 'it started',
    (error: Error) => error.message,
  );

async function query(connection: EmbeddedPostgres['connection'], sql: string): Promise<Record<string, unknown>> {
  const client = new Client({ ...connection, ssl: false });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return ((await client.query(sql)).rows[0] ?? {}) as Record<string, unknown>;
  } finally {
    await client.end();
  }
}

async function eventually<T>(look: () => T | Promise<T>, patienceMs = 10_000): Promise<NonNullable<T>> {
  const until = performance.now() + patienceMs;
  for (;;) {
    const found = await Promise.resolve()
      .then(look)
      .catch(() => undefined);
    if (found) return found;
    if (performance.now() > until) throw new Error(`not within ${patienceMs} ms: ${look.toString()}`);
    await sleep(10);
  }
}

/** A zombie that its parent has not reaped yet is gone. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** The application in a process of its own, so that it can be killed, or run as another user. */
function spawnApp(folder: string, as: readonly string[] = [], settings: object = SMALL): ChildProcess {
  const [program = '', ...args] = [...as, process.execPath, join(compiled, 'app.js'), folder, JSON.stringify(settings)];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => logTo('app', text));
  processes.push(child);
  return child;
}

async function startApp(folder: string, as: readonly string[] = [], settings: object = SMALL): Promise<App> {
  const child = spawnApp(folder, as, settings);
  if (!child.stdout) throw new Error('no output');
  const [line] = (await Promise.race([
    once(createInterface(child.stdout), 'line'),
    once(child, 'exit').then(() => Promise.reject(new Error(`the app ended: ${JSON.stringify(entries.at(-1))}`))),
  ])) as [string];
  return { process: child, ...(JSON.parse(line) as Omit<App, 'process'>) };
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

const isLocked = (): boolean => spawnSync('flock', ['-n', '-E', '75', join(dataDir, 'lock'), 'true']).status === 75;
const cluster = (): string => join(dataDir, 'postgres');
const useTemplate = (): void => copyFolder(template, dataDir);
/** With modes and owners, which cpSync of Node 24 leaves out. */
const copyFolder = (from: string, to: string): void => void spawnSync('cp', ['-a', from, to]);

beforeAll(async () => {
  mkdirSync(compiled, { recursive: true });
  const here = fileURLToPath(new URL('.', import.meta.url));
  for (const name of readdirSync(here).filter((file) => /^embedded-\w+\.ts$/.test(file))) {
    const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
    const { outputText } = ts.transpileModule(readFileSync(join(here, name), 'utf8'), { compilerOptions });
    writeFileSync(join(compiled, name.replace(/ts$/, 'js')), outputText);
  }
  writeFileSync(join(compiled, 'package.json'), '{"type":"module"}');
  writeFileSync(
    join(compiled, 'app.js'),
    `import { startEmbeddedPostgres } from './embedded-postgres.js';
     const [, , dataDir, settings] = process.argv;
     const log = (level, message, fields) => console.error(level, message, JSON.stringify(fields));
     const server = await startEmbeddedPostgres({ dataDir, log, settings: JSON.parse(settings) });
     console.log(JSON.stringify({ postgresPid: server.pid(), connection: server.connection }));
     process.on('SIGTERM', () => server.stop().then(() => process.exit(0)));`,
  );
  const server = await startEmbeddedPostgres({ dataDir: template, log: logTo, settings: SMALL });
  await query(server.connection, 'create table kept as select 42 as answer');
  await server.stop();
}, 60_000);

beforeEach(() => {
  entries.length = 0;
  dataDir = join(root, `d${folders++}`);
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()));
  for (const child of processes.splice(0)) if (child.exitCode === null && child.signalCode === null) await kill(child);
  if (HAS_FLOCK && existsSync(join(dataDir, 'lock'))) await eventually(() => !isLocked());
});

afterAll(() => {
  rmSync(root, { recursive: true, force: true });
  rmSync(compiled, { recursive: true, force: true });
});

describe('the first start', { timeout: 30_000 }, () => {
  it('makes a durable UTF-8 cluster of PostgreSQL 18 that only its owner reaches, over a unix socket', async () => {
    const { connection } = await start({ settings: { shared_buffers: '256MB' } });

    const names = [
      'server_encoding',
      'timezone',
      'fsync',
      'full_page_writes',
      'synchronous_commit',
      'max_connections',
      'listen_addresses',
      'shared_buffers',
      'password_encryption',
      'data_checksums',
    ];
    const shown = await query(
      connection,
      `select ${names.map((name) => `current_setting('${name}') as ${name}`).join()}`,
    );
    expect(shown).toEqual({
      server_encoding: 'UTF8',
      timezone: 'UTC',
      fsync: 'on',
      full_page_writes: 'on',
      synchronous_commit: 'on',
      max_connections: '40',
      listen_addresses: '',
      shared_buffers: '256MB',
      password_encryption: 'scram-sha-256',
      data_checksums: 'on',
    });
    expect(
      await query(
        connection,
        `select datlocprovider, datlocale, current_setting('server_version_num')::int / 10000 as major, usesuper
        from pg_database, pg_user where datname = current_database() and usename = current_user`,
      ),
    ).toEqual({ datlocprovider: 'b', datlocale: 'C.UTF-8', major: 18, usesuper: true });
    expect(connection).toMatchObject({
      host: join(dataDir, 'run'),
      port: 5432,
      user: 'tapeline',
      database: 'tapeline',
    });

    const hba = readFileSync(join(cluster(), 'pg_hba.conf'), 'utf8').split('\n');
    expect(hba.filter((line) => /^(local|host)/.test(line) && !line.endsWith('scram-sha-256'))).toEqual([]);
    await expect(query({ ...connection, password: 'wrong' }, 'select 1')).rejects.toThrow(/password authentication/);

    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
    expect(statSync(cluster()).mode & 0o777).toBe(0o700);
    expect(statSync(join(dataDir, 'run')).mode & 0o777).toBe(0o700);
    expect(statSync(join(dataDir, 'postgres-password')).mode & 0o777).toBe(0o600);
    expect(Buffer.from(connection.password, 'base64url')).toHaveLength(32);
    expect(readdirSync(dataDir).sort()).toEqual(['lock', 'owner', 'postgres', 'postgres-password', 'run']);
  });

  it('lets one of two that begin together on an empty folder win and refuses the other', async () => {
    const [first, second] = await Promise.allSettled([start(), start()]);
    const [won, lost] = first.status === 'fulfilled' ? [first, second] : [second, first];
    expect([won.status, lost.status]).toEqual(['fulfilled', 'rejected']);
    expect(await query((won as PromiseFulfilledResult<EmbeddedPostgres>).value.connection, 'select 1 as one')).toEqual({
      one: 1,
    });
  });

  it('begins anew after a crash in the middle of initdb', async () => {
    const app = spawnApp(dataDir);
    await eventually(() => existsSync(join(dataDir, 'postgres.new', 'PG_VERSION')));
    await kill(app);
    expect(existsSync(cluster())).toBe(false);

    const { connection } = await start();
    expect(await query(connection, 'select 1 as one')).toEqual({ one: 1 });
    expect(readdirSync(dataDir)).not.toContain('postgres.new');
  });

  it('repairs the links of the libraries when the package was installed without its scripts', async () => {
    const native = join(dataDir, 'package', 'native');
    mkdirSync(join(native, 'lib'), { recursive: true });
    writeFileSync(join(native, 'lib', 'libpq.so.5.18'), 'library');
    const links = [{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }];
    writeFileSync(join(native, 'pg-symlinks.json'), JSON.stringify(links));

    await hydrateLibraryLinks(native);
    await hydrateLibraryLinks(native);

    expect(readFileSync(join(native, 'lib', 'libpq.so.5'), 'utf8')).toBe('library');
    expect(readlinkSync(join(native, 'lib', 'libpq.so.5'))).toBe('libpq.so.5.18');
  });
});

describe('a later start', { timeout: 30_000 }, () => {
  beforeEach(useTemplate);

  it('keeps data and password', async () => {
    const { connection } = await start();
    expect(await query(connection, 'select answer from kept')).toEqual({ answer: 42 });
    expect(connection.password).toBe(readFileSync(join(template, 'postgres-password'), 'utf8').trim());
  });

  it('sets a new password when the file with it is gone', async () => {
    rmSync(join(dataDir, 'postgres-password'));
    const { connection } = await start();
    expect(await query(connection, 'select answer from kept')).toEqual({ answer: 42 });
  });

  it.each([
    ['of another process that has the same id now', () => String(process.pid)],
    ['that is empty', () => ''],
    ['of a process that is gone', () => '4194000'],
  ])('is not kept back by a postmaster.pid %s', async (_, pid) => {
    writeFileSync(join(cluster(), 'postmaster.pid'), pid() && `${pid()}\n${cluster()}\n1\n5432\n\n\n 1 1\n`, {
      mode: 0o600,
    });
    const { connection } = await start();
    expect(await query(connection, 'select answer from kept')).toEqual({ answer: 42 });
  });

  it.runIf(process.platform === 'linux')('is not kept back by a postmaster that is dead and not reaped', async () => {
    // The shell's child outlives the shell, and the program that replaces the shell never waits for it.
    const parent = spawn('sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
    processes.push(parent);
    const [pid] = (await once(createInterface(parent.stdout), 'line')) as [string];
    await eventually(() => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '));
    writeFileSync(join(cluster(), 'postmaster.pid'), `${pid}\n${cluster()}\n1\n5432\n\n\n 1 1\n`, { mode: 0o600 });

    const { connection } = await start();
    expect(await query(connection, 'select answer from kept')).toEqual({ answer: 42 });
  });

  it.runIf(IS_ROOT)(
    'stops a PostgreSQL that runs on the folder without its lock, cleanly, and takes over',
    async () => {
      const { postgres } = await findBinaries();
      const command = [
        '--user',
        'setpriv',
        '--pdeathsig',
        'INT',
        postgres,
        '-D',
        cluster(),
        '-c',
        'listen_addresses=',
        '-k',
        dataDir,
      ];
      const stray = spawn('unshare', command, { stdio: 'ignore' });
      processes.push(stray);
      chownSync(dataDir, 0, 0);
      await eventually(() => readFileSync(join(cluster(), 'postmaster.pid'), 'utf8').includes('ready'));

      const { connection } = await start();
      expect(await query(connection, 'select answer from kept')).toEqual({ answer: 42 });
      expect(isAlive(stray.pid ?? 0)).toBe(false);
      expect(said('database system was shut down at')).toHaveLength(1);
    },
  );

  it('is not kept back by a copy of the folder that anyone may read', async () => {
    chmodSync(cluster(), 0o755);
    const { connection } = await start();
    expect(await query(connection, 'select answer from kept')).toEqual({ answer: 42 });
    expect(statSync(cluster()).mode & 0o777).toBe(0o700);
  });

  it('refuses a cluster of another major version, naming both and the ways out', async () => {
    writeFileSync(join(cluster(), 'PG_VERSION'), '17\n');
    const message = await refusal();
    expect(message).toMatch(/made by PostgreSQL 17.* brings PostgreSQL 18.*dump.*DATABASE_URL/);
    expect(readdirSync(dataDir).sort()).toEqual(['lock', 'postgres', 'postgres-password']);
  });

  it('rejects with what PostgreSQL said when it cannot start, and leaves the folder free', async () => {
    expect(await refusal({ settings: { shared_buffers: 'a lot' } })).toMatch(
      /did not start.*invalid value for parameter "shared_buffers"/s,
    );
    const { connection } = await start();
    expect(await query(connection, 'select answer from kept')).toEqual({ answer: 42 });
  });

  it('puts the socket in the temporary folder when its path would be too long, and removes it again', async () => {
    const deep = join(dataDir, 'x'.repeat(90));
    copyFolder(template, deep);
    const server = await start({ dataDir: deep });
    const { host } = server.connection;
    expect(dirname(host)).toBe(tmpdir());
    expect(statSync(host).mode & 0o777).toBe(0o700);
    expect(await query(server.connection, 'select answer from kept')).toEqual({ answer: 42 });
    await server.stop();
    expect(existsSync(host)).toBe(false);
  });

  it('tells what PostgreSQL logs with its severity, and routine only as debug', async () => {
    const { connection } = await start();
    await expect(query(connection, 'select 1 / 0')).rejects.toThrow('division by zero');
    await query(connection, `do $$ begin raise warning 'first\nsecond' using detail = 'more'; end $$`);
    const [warning] = await eventually(() => said('first'));
    expect(warning).toMatchObject({
      level: 'warn',
      message: 'first\nsecond',
      fields: { severity: 'WARNING', detail: 'more' },
    });
    expect(said('division by zero')).toMatchObject([
      { level: 'warn', fields: { severity: 'ERROR', sqlState: '22012', statement: 'select 1 / 0' } },
    ]);
    expect(said('ready to accept connections')).toMatchObject([{ level: 'debug' }]);
    expect(entries.filter(({ level }) => level === 'info').map(({ message }) => message)).toEqual([
      'PostgreSQL is ready',
    ]);
  });
});

describe('a folder that cannot be used', { timeout: 30_000 }, () => {
  it.runIf(IS_ROOT)('is named with the reason when this user may not write there', async () => {
    mkdirSync(dataDir, { mode: 0o755 });
    const app = spawnApp(dataDir, ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']);
    await once(app, 'close');
    expect(said(`${dataDir} (DATA_DIR) cannot be used: user id 65534 may not write there`)).not.toEqual([]);
  });

  it.runIf(canMount())('says that the disk is full, and starts when there is room', async () => {
    mkdirSync(dataDir);
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=12m,mode=755', 'none', dataDir]);
    try {
      expect(await refusal()).toMatch(/disk of the data folder \(DATA_DIR\) is full.*No space left on device/s);
      spawnSync('mount', ['-o', 'remount,size=300m', dataDir]);
      const server = await start();
      expect(await query(server.connection, 'select 1 as one')).toEqual({ one: 1 });
      await server.stop();

      spawnSync('mount', ['-o', 'remount,ro', dataDir]);
      expect(await refusal()).toMatch(/cannot be used: its file system is read-only/);
    } finally {
      spawnSync('umount', ['--lazy', dataDir]);
    }
  });
});

describe.runIf(canMount())('a disk that fills up while PostgreSQL runs', { timeout: 60_000 }, () => {
  it('is survived: PostgreSQL comes back, with everything committed, once there is room', async () => {
    mkdirSync(dataDir);
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=110m,mode=755', 'none', dataDir]);
    try {
      const server = await start({ settings: { restart_after_crash: 'off' } });
      await query(server.connection, 'create table kept as select 0 as id');
      const client = new Client({ ...server.connection, ssl: false });
      client.on('error', () => undefined);
      await client.connect();
      let committed = 0;
      spawnSync('sh', ['-c', `head -c 200m /dev/zero > "${dataDir}/filler"`]);
      // Much log, no table growth: a table that cannot grow fails its statement, a log that cannot grow ends the server.
      const fill = `insert into kept select $1::int from pg_logical_emit_message(true, '', repeat('x', 1000000))`;
      const commits = (): Promise<boolean> =>
        client.query(fill, [committed + 1]).then(
          () => true,
          () => false,
        );
      while (await commits()) committed++;
      await client.end().catch(() => undefined);
      await eventually(() => said('No space left on device').length > 0 && server.pid() === undefined);
      await eventually(() =>
        said('did not come up')[0]?.fields.error?.toString().startsWith('The disk of the data folder'),
      );

      rmSync(join(dataDir, 'filler'));
      await eventually(() => server.pid(), 15_000);
      const { last } = await query(server.connection, 'select max(id) as last from kept');
      expect(last).toBeGreaterThanOrEqual(committed);
      await server.stop();
    } finally {
      spawnSync('umount', ['--lazy', dataDir]);
    }
  });
});

describe('stop', { timeout: 30_000 }, () => {
  beforeEach(useTemplate);

  it('ends PostgreSQL cleanly, once, and leaves neither socket nor lock nor owner', async () => {
    const server = await start();
    const pid = server.pid() ?? 0;
    expect(isAlive(pid)).toBe(true);
    await Promise.all([server.stop(), server.stop()]);
    expect(isAlive(pid)).toBe(false);
    expect(said('database system is shut down')).toHaveLength(1);
    expect(readdirSync(dataDir).sort()).toEqual(['lock', 'postgres', 'postgres-password']);
    expect(server.pid()).toBeUndefined();
    await server.stop();
  });

  it('ends the supervision too when PostgreSQL was just killed', async () => {
    const server = await start();
    process.kill(server.pid() ?? 0, 'SIGKILL');
    await server.stop();
    await sleep(300);
    expect(said('runs again')).toEqual([]);
    expect(existsSync(join(dataDir, 'run'))).toBe(false);
  });

  it('works while PostgreSQL is being started again', async () => {
    for (const waitMs of [90, 110, 130, 160]) {
      const server = await start();
      process.kill(server.pid() ?? 0, 'SIGKILL');
      await eventually(() => server.pid() === undefined);
      await sleep(waitMs);
      await server.stop();
      expect(readdirSync(dataDir).sort()).toEqual(['lock', 'postgres', 'postgres-password']);
      if (HAS_FLOCK) await eventually(() => !isLocked());
    }
  });
});

describe('supervision', { timeout: 30_000 }, () => {
  beforeEach(useTemplate);

  it('starts a killed PostgreSQL again at the same address, nothing committed lost', async () => {
    const server = await start();
    const before = { ...server.connection };
    for (const count of [1, 2]) {
      await query(server.connection, `create table round${count} as select 1 as one`);
      const pid = server.pid();
      process.kill(pid ?? 0, 'SIGKILL');
      await eventually(() => server.pid() !== undefined && server.pid() !== pid);
      expect(server.connection).toEqual(before);
      expect(await query(server.connection, `select one from round${count}`)).toEqual({ one: 1 });
      expect(said('ended by itself')).toHaveLength(count);
      expect(said('runs again')).toHaveLength(count);
    }
  });

  it('comes back at the same address when its socket folder was deleted meanwhile', async () => {
    const server = await start();
    const pid = server.pid();
    rmSync(server.connection.host, { recursive: true });
    process.kill(pid ?? 0, 'SIGKILL');
    await eventually(() => server.pid() !== undefined && server.pid() !== pid);
    expect(await query(server.connection, 'select 1 as one')).toEqual({ one: 1 });
  });

  it('waits for the backends a killed PostgreSQL left', async () => {
    const server = await start();
    const client = new Client({ ...server.connection, ssl: false });
    client.on('error', () => undefined);
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    // Busy without a wait in which it would notice that its postmaster is dead.
    const busy = client
      .query(
        `do $$ declare t timestamptz := clock_timestamp(); begin while clock_timestamp() < t + interval '2 s' loop end loop; end $$`,
      )
      .catch(() => undefined);
    await sleep(100);
    process.kill(server.pid() ?? 0, 'SIGKILL');
    await eventually(() => server.pid() === undefined);
    await eventually(() => said('pre-existing shared memory block'));
    await eventually(() => server.pid());
    expect(isAlive(rows[0]?.pid ?? 0)).toBe(false);
    expect(await query(server.connection, 'select answer from kept')).toEqual({ answer: 42 });
    await busy;
    await client.end();
  });
});

describe('one folder, one copy', { timeout: 30_000 }, () => {
  beforeEach(useTemplate);

  it('refuses a second copy, naming folder and process, without disturbing the first', async () => {
    const app = await startApp(dataDir);
    const startedAt = performance.now();
    const message = await refusal();
    expect(performance.now() - startedAt).toBeLessThan(6_500);
    expect(message).toContain(dataDir);
    expect(message).toContain(`process ${app.process.pid}`);
    expect(isAlive(app.postgresPid)).toBe(true);
    expect(await query(app.connection, 'select answer from kept')).toEqual({ answer: 42 });
  });

  it.runIf(HAS_FLOCK)('holds the lock exactly as long as PostgreSQL runs', async () => {
    const server = await start();
    expect(isLocked()).toBe(true);
    const children = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && parentOf(pid) === server.pid());
    expect(children.length).toBeGreaterThan(3);
    for (const pid of [server.pid(), ...children])
      expect(readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`))).toContain(
        join(dataDir, 'lock'),
      );
    await server.stop();
    expect(isLocked()).toBe(false);
  });

  it.runIf(HAS_DEATH_SIGNAL)(
    'starts at once after the application was killed; its PostgreSQL ends by itself, cleanly',
    async () => {
      for (const round of [1, 2, 3]) {
        const app = await startApp(dataDir);
        await query(app.connection, `create table round${round} as select 1 as one`);
        await kill(app.process);
        const server = await start();
        expect(isAlive(app.postgresPid)).toBe(false);
        expect(said('not properly shut down')).toEqual([]);
        expect(await query(server.connection, `select one from round${round}`)).toEqual({ one: 1 });
        await server.stop();
      }
    },
  );

  it('recovers when the application and its PostgreSQL were killed together', async () => {
    const app = await startApp(dataDir);
    await query(app.connection, 'create table last as select 1 as one');
    process.kill(app.postgresPid, 'SIGKILL');
    await kill(app.process);
    const { connection } = await start();
    expect(await query(connection, 'select one from last')).toEqual({ one: 1 });
    expect(said('not properly shut down')).toMatchObject([{ level: 'info' }]);
  });

  it.runIf(HAS_FLOCK && HAS_DEATH_SIGNAL)(
    'ends the PostgreSQL of a killed application that did not end by itself',
    async () => {
      const app = await startApp(dataDir);
      process.kill(app.postgresPid, 'SIGSTOP'); // its death signal waits
      const blocker = spawn('sh', ['-c', `sleep 0.7; kill -CONT ${app.postgresPid}`], { stdio: 'ignore' });
      processes.push(blocker);
      await kill(app.process);
      const { connection } = await start();
      expect(said('of a process that died is still running')).toHaveLength(1);
      expect(await query(connection, 'select answer from kept')).toEqual({ answer: 42 });
    },
  );
});

describe.runIf(IS_ROOT && HAS_DEATH_SIGNAL)('as root', { timeout: 30_000 }, () => {
  it('runs PostgreSQL as nobody where that user gets through, and gives the cluster to whom it runs as', async () => {
    mkdirSync(dataDir, { mode: 0o755 });
    const open = await start();
    expect(statSync(cluster()).uid).toBe(65534);
    expect(statSync(join(dataDir, 'postgres-password')).uid).toBe(0);
    expect(said('PostgreSQL is ready')[0]?.fields).toMatchObject({ as: 'uid 65534' });
    await query(open.connection, 'create table kept as select 42 as answer');
    await open.stop();

    chmodSync(dataDir, 0o700);
    const closed = await start();
    expect(statSync(cluster()).uid).toBe(0);
    expect(said('PostgreSQL is ready')[1]?.fields).toMatchObject({ as: 'root in its own user namespace' });
    expect(await query(closed.connection, 'select answer from kept')).toEqual({ answer: 42 });
    await closed.stop();

    chmodSync(dataDir, 0o755);
    const again = await start();
    expect(statSync(cluster()).uid).toBe(65534);
    expect(lstatSync(join(cluster(), 'base')).uid).toBe(65534);
    expect(await query(again.connection, 'select answer from kept')).toEqual({ answer: 42 });
  });

  it.each([
    ['an ordinary user', 65534],
    ['a user without a name', 54321],
  ])('is not needed: %s makes a cluster, is killed, starts again', async (_, uid) => {
    const as = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
    mkdirSync(dataDir, { mode: 0o755 });
    chownSync(dataDir, uid, uid);
    const first = await startApp(dataDir, as);
    expect(statSync(cluster()).uid).toBe(uid);
    await query(first.connection, 'create table kept as select 42 as answer');
    await kill(first.process);

    const second = await startApp(dataDir, as);
    expect(await query(second.connection, 'select answer from kept')).toEqual({ answer: 42 });
    expect(said('not properly shut down')).toEqual([]);
    const ended = once(second.process, 'exit');
    second.process.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(isAlive(second.postgresPid)).toBe(false);
  });
});

describe.runIf(canMount() && HAS_FLOCK && HAS_DEATH_SIGNAL)('on a system that lacks', { timeout: 30_000 }, () => {
  beforeEach(useTemplate);

  it('flock, the owner file keeps a second copy out, and a stale one keeps nobody out', async () => {
    const first = await startApp(dataDir, without('flock'));
    expect(said('No flock here')).not.toEqual([]);
    const second = spawnApp(dataDir, without('flock'));
    await once(second, 'close');
    expect(said(`in use by process ${first.process.pid}`)).not.toEqual([]);
    expect(await query(first.connection, 'select answer from kept')).toEqual({ answer: 42 });
    await kill(first.process);

    const third = await startApp(dataDir, without('flock'));
    await kill(third.process);
    const owner = JSON.parse(readFileSync(join(dataDir, 'owner'), 'utf8')) as object;
    writeFileSync(join(dataDir, 'owner'), JSON.stringify({ ...owner, pid: process.pid })); // its id was given to us
    const fourth = await startApp(dataDir, without('flock'));
    expect(await query(fourth.connection, 'select answer from kept')).toEqual({ answer: 42 });
  });

  it('setpriv, the PostgreSQL of a killed application is stopped by the next start', async () => {
    const drop = join(root, 'drop');
    cpSync(spawnSync('sh', ['-c', 'command -v setpriv'], { encoding: 'utf8' }).stdout.trim(), drop);
    rmSync(dataDir, { recursive: true });
    mkdirSync(dataDir);
    chownSync(dataDir, 65534, 65534);
    const as = [...without('setpriv'), drop, '--reuid=65534', '--regid=65534', '--clear-groups'];
    const first = await startApp(dataDir, as);
    await query(first.connection, 'create table kept as select 42 as answer');
    await kill(first.process);
    expect(isAlive(first.postgresPid)).toBe(true);

    const second = await startApp(dataDir, as);
    expect(isAlive(first.postgresPid)).toBe(false);
    expect(said('of a process that died is still running')).toHaveLength(1);
    expect(await query(second.connection, 'select answer from kept')).toEqual({ answer: 42 });
    second.process.kill('SIGTERM');
    await once(second.process, 'exit');
    expect(isAlive(second.postgresPid)).toBe(false);
  });

  it('user namespaces, root lets the group nobody, and no one else, through a private folder', async () => {
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
    const { connection } = await startApp(dataDir, without('unshare'));
    expect(await query(connection, 'select answer from kept')).toEqual({ answer: 42 });
    expect(statSync(cluster()).uid).toBe(65534);
    expect(statSync(dataDir)).toMatchObject({ uid: 0, gid: 65534 });
    expect(statSync(dataDir).mode & 0o777).toBe(0o710);
  });
});

/** Runs what follows in a mount namespace where that program cannot be run. */
function without(name: string): string[] {
  const hide = 'mount --bind /dev/null "$(command -v "$1")"; shift; exec "$@"';
  return ['unshare', '--mount', 'sh', '-c', hide, 'sh', name];
}

function canMount(): boolean {
  return (
    IS_ROOT &&
    process.platform === 'linux' &&
    spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0
  );
}

function parentOf(pid: string): number | undefined {
  try {
    return Number(/\) \w (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
