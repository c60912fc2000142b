import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppProcess } from '../bench/app-process.js';
import { eventually } from './support/eventually.js';

if (!existsSync(join(import.meta.dirname, '../dist/src/main.js')))
  throw new Error('dist/ is missing: npm test builds it, or run npm run build');

let dataDir: string;
const started: AppProcess[] = [];

async function start(env: Record<string, string> = {}, dir = dataDir, port?: number): Promise<AppProcess> {
  const app = await AppProcess.create(dir, env, port);
  started.push(app);
  app.start();
  return app;
}

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'tapeline-process-'));
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((app) => app.stop()));
  rmSync(dataDir, { recursive: true, force: true });
});

const isRunning = (pid: number): boolean =>
  existsSync(`/proc/${pid}`) && !/State:\tZ/.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

describe('the process', () => {
  it('serves candles soon after its first start, and SIGTERM ends it clean, its database with it', async () => {
    const app = await start();
    await app.ready();
    await eventually(async () => {
      const body = (await (await fetch(`${app.url}/api/v1/ohlcv/BTCUSDT`)).json()) as { candles: { trades: number }[] };
      expect(body.candles[0]!.trades).toBeGreaterThan(0);
    });
    const postmaster = app.postmasterPid!;
    const askedMs = performance.now();
    expect(await app.stop()).toBe(0);
    expect(performance.now() - askedMs).toBeLessThan(10_000);
    expect(isRunning(postmaster)).toBe(false);
    expect(app.log).toContain('Stopped');
  });

  it('refuses wrong settings with every fault, before it does anything', async () => {
    const app = await start({ FEEDS: 'nyse', LOG_LEVEL: 'loud', DATABASE_URL: 'mysql://user:hunter2@db/x' });
    expect(await app.ended()).toBe(2);
    expect(app.log).toMatch(/FEEDS: .*simulator, binance/);
    expect(app.log).toMatch(/LOG_LEVEL: /);
    expect(app.log).toMatch(/DATABASE_URL: the given value \(not shown\) must start with postgres/);
    expect(app.log).not.toContain('hunter2');
    expect(existsSync(join(dataDir, 'postgres'))).toBe(false);
  });

  it('says that its port is taken, and leaves nothing behind', async () => {
    const first = await start();
    await first.ready();
    const second = await start({}, join(dataDir, 'second'), first.port);
    expect(await second.ended()).toBe(1);
    expect(second.log).toContain(`Port ${first.port} on 127.0.0.1 is taken`);
    expect(existsSync(join(dataDir, 'second/postgres/postmaster.pid'))).toBe(false);
  });

  it('refuses a second copy on one folder, saying why, and does not disturb the first', async () => {
    const first = await start();
    await first.ready();
    const second = await start();
    expect(await second.ended()).toBe(1);
    expect(second.log).toContain(dataDir);
    expect(second.log).toContain(String(first.pid));
    await first.ready();
  });

  it('keeps what it recorded through kill -9 of itself and of its database', async () => {
    const app = await start();
    await app.ready();
    const price = async (): Promise<{ tradeId: string }> =>
      (await (await fetch(`${app.url}/api/v1/price/BTCUSDT`)).json()) as { tradeId: string };
    const before = await eventually(async () => {
      const body = await price();
      expect(body.tradeId).toMatch(/^\d+$/);
      return body;
    });
    await app.kill();
    app.start();
    await app.ready();
    process.kill(app.postmasterPid!, 'SIGKILL');
    await eventually(
      async () => expect(Number((await price()).tradeId)).toBeGreaterThan(Number(before.tradeId)),
      20_000,
    );
    const db = await app.database();
    const { rows } = await db.query('select count(*)::int as n from processing.trade where trade_id = $1', [
      before.tradeId,
    ]);
    await db.end();
    expect(rows).toEqual([{ n: 1 }]);
  });

  it('waits out a full disk: not ready, nothing lost, and everything healed once there is room', async (context) => {
    const small = join(dataDir, 'small');
    mkdirSync(small);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=400m', 'tmpfs', small], { stdio: 'ignore' });
    } catch {
      return context.skip('mounting a small file system needs more rights than this user has');
    }
    try {
      const app = await start({}, small);
      await app.ready();
      await eventually(async () => expect(await app.metric('crypto_trades_total')).toBeGreaterThan(20));
      fill(join(small, 'ballast'));
      await eventually(async () => expect((await fetch(`${app.url}/health/ready`)).status).toBe(503), 60_000);
      expect((await fetch(`${app.url}/health/live`)).status).toBe(200);
      rmSync(join(small, 'ballast'));
      await app.ready(60_000);
      const recorded = await app.metric('crypto_trades_total');
      await eventually(
        async () => expect(await app.metric('crypto_trades_total')).toBeGreaterThan(recorded + 50),
        30_000,
      );
      const db = await app.database();
      await eventually(async () => {
        const { rows } = await db.query<{ n: number }>(
          `select count(*)::int as n from (select series_id from processing.trade group by 1 having count(*) <> max(trade_id) - min(trade_id) + 1) holes`,
        );
        expect(rows[0]!.n).toBe(0);
      }, 30_000);
      await db.end();
      await app.stop();
    } finally {
      execFileSync('umount', ['-l', small]);
    }
  });
});

/** Writes until there is no room left. */
function fill(path: string): void {
  for (let megabytes = 512; megabytes >= 1 / 64; megabytes /= 2) {
    try {
      writeFileSync(path, Buffer.alloc(megabytes * 1024 * 1024), { flag: 'a' });
    } catch {
      // as much as went in stays; a smaller piece follows
    }
  }
}
