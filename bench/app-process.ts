import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { runningPostgres } from '../src/platform/database/index.js';

/** The built code, also for a spec that runs from the sources. */
const BUILT = join(import.meta.dirname, import.meta.filename.endsWith('.ts') ? '../dist/src' : '../src');

/** Where a process runs: the address its HTTP is reached at, and what starts it there, such as `ip netns exec …`. */
export type Place = Readonly<{ host: string; prefix: readonly string[] }>;

const HERE: Place = { host: '127.0.0.1', prefix: [] };

/** The built application in a process of its own, with its embedded database in `dataDir`. */
export class AppProcess {
  private child: ChildProcess | undefined;
  private output = '';

  private constructor(
    readonly dataDir: string,
    readonly port: number,
    private readonly env: Record<string, string>,
    private readonly place: Place,
  ) {}

  static async create(
    dataDir: string,
    env: Record<string, string>,
    port?: number,
    place: Place = HERE,
  ): Promise<AppProcess> {
    return new AppProcess(dataDir, port ?? (await freePort()), env, place);
  }

  get url(): string {
    return `http://${this.place.host}:${this.port}`;
  }

  get pid(): number {
    return this.child!.pid!;
  }

  /** The last of what it printed. */
  get log(): string {
    return this.output;
  }

  start(): void {
    const { host, prefix } = this.place;
    const node = [process.execPath, '--import', join(BUILT, 'tracing.js'), join(BUILT, 'main.js')];
    const [command, ...parameters] = [...prefix, ...node];
    const child = spawn(command!, parameters, {
      env: { PATH: process.env.PATH, HOST: host, ...this.env, DATA_DIR: this.dataDir, PORT: String(this.port) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => (this.output = (this.output + chunk.toString()).slice(-20_000)));
    }
    this.child = child;
  }

  /** Ends it as a power cut would, and waits until it is gone. */
  async kill(): Promise<void> {
    const child = this.child!;
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** Resolves with the exit code when it ends by itself. */
  async ended(): Promise<number | null> {
    const child = this.child!;
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    return child.exitCode;
  }

  /** SIGTERM; returns the exit code. */
  async stop(): Promise<number | null> {
    const child = this.child!;
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    return this.ended();
  }

  async ready(withinMs = 30_000): Promise<void> {
    const untilMs = performance.now() + withinMs;
    for (;;) {
      const status = await fetch(`${this.url}/health/ready`).then(
        (response) => response.status,
        () => 0,
      );
      if (status === 200) return;
      if (performance.now() > untilMs || this.child!.exitCode !== null)
        throw new Error(`The application did not become ready:\n${this.output}`);
      await pause(50);
    }
  }

  get postmasterPid(): number | undefined {
    const file = join(this.dataDir, 'postgres/postmaster.pid');
    return existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : undefined;
  }

  /** A connection to its embedded database, or to another one of the same server. */
  async database(name = 'tapeline'): Promise<pg.Client> {
    const connection = runningPostgres(this.dataDir);
    if (!connection) throw new Error('its database does not run');
    const client = new pg.Client({ ...connection, database: name });
    client.on('error', () => undefined); // the server may be killed under it
    await client.connect();
    return client;
  }

  /** Sum of a metric over its labels. */
  async metric(name: string, label = ''): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    return text
      .split('\n')
      .filter((line) => (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && line.includes(label))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  /** CPU time of the Node process so far. */
  cpuSeconds(): number {
    const fields = readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100; // ticks of 10 ms
  }

  /** Resident memory of the Node process, MiB. */
  rssMiB(): number {
    const line = readFileSync(`/proc/${this.pid}/status`, 'utf8')
      .split('\n')
      .find((one) => one.startsWith('VmRSS'))!;
    return Number(line.replace(/\D/g, '')) / 1024;
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}
