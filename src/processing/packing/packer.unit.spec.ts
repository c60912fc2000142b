import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { readSettings } from '../../platform/config/index.js';
import { Packer } from './packer.service.js';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

const DAY_US = Date.UTC(2024, 7, 8) * 1000;

/** A packer over a day that has another trade each time it is asked. */
function endlessPacker(env: Record<string, string> = {}, alone: 'won' | 'lost' | 'broken' = 'won') {
  const asked: string[] = [];
  let swaps = 0;
  const days = {
    alone: async (work: () => Promise<void>) => {
      asked.push('alone');
      if (alone === 'broken') throw new Error('the database is away');
      if (alone === 'won') await work();
      return alone === 'won';
    },
    toDrop: () => Promise.resolve((asked.push('toDrop'), [])),
    toPack: () => Promise.resolve((asked.push('toPack'), ['2024-08-08'])),
    seriesOf: () => Promise.resolve([1]),
    empty: () => Promise.resolve(true),
  };
  const trades = {
    record: () =>
      Promise.resolve({
        tradeIds: [String(swaps)],
        prices: ['1'],
        sizes: ['1'],
        sides: 'b',
        tradedAtUs: [DAY_US + swaps],
        receivedAtUs: [DAY_US + swaps],
      }),
  };
  const blocks = {
    heads: () => Promise.resolve([]),
    swap: () => Promise.resolve(++swaps > 0),
    daysLeftOver: () => Promise.resolve([]),
    bytes: () => Promise.resolve(1),
  };
  const metric = {
    inc: () => undefined,
    dec: () => undefined,
    set: () => undefined,
    startTimer: () => () => 0,
  } as never;
  const database = { whenReady: () => Promise.resolve() };
  const packer = new Packer(
    database as never,
    readSettings(env),
    days as never,
    trades as never,
    blocks as never,
    metric,
    metric,
    metric,
    metric,
    metric,
    metric,
  );
  return { packer, asked, swaps: () => swaps };
}

/** Lets time pass, and what happens outside of it (compression) happen, until so many steps are done. */
async function untilSwaps(swaps: () => number, count: number): Promise<void> {
  while (swaps() < count) {
    await vi.advanceTimersByTimeAsync(1000);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

it('begins soon after the start, and ends with the step at hand when it is stopped', async () => {
  const { packer, asked, swaps } = endlessPacker();
  await vi.advanceTimersByTimeAsync(19_000);
  expect(asked).toEqual([]);
  await untilSwaps(swaps, 3);
  await packer.onModuleDestroy();
  const done = swaps();
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(swaps()).toBe(done);
  expect(asked).toEqual(['alone', 'toDrop', 'toPack']);
});

it('asks again every ten minutes, whether another process was at it or the database was away', async () => {
  for (const alone of ['lost', 'broken'] as const) {
    const { packer, asked } = endlessPacker({}, alone);
    await vi.advanceTimersByTimeAsync(21_000);
    expect(asked).toEqual(['alone']);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(asked).toEqual(['alone', 'alone']);
    await packer.onModuleDestroy();
  }
});

it('packs nothing and drops nothing where the settings say never', async () => {
  const { packer, asked, swaps } = endlessPacker({ TRADES_COMPRESS_AFTER: '0', TRADES_RETENTION: '0' });
  expect(await packer.pass()).toBe(true);
  expect([asked, swaps()]).toEqual([['alone'], 0]);
  await packer.onModuleDestroy();
});
