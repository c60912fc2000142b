import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Bus } from '../../platform/bus/index.js';
import type { Settings } from '../../platform/config/index.js';
import type { CustomPointStore } from './custom-point.store.js';
import { CustomRetention } from './custom-retention.service.js';

const bus = { whenReady: () => Promise.resolve() } as Bus;
const settings = (retentionMs: number): Settings => ({ TRADES_RETENTION: retentionMs }) as Settings;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

async function bitesInAMinute(old: number, retentionMs: number): Promise<number[]> {
  const bites: number[] = [];
  const deleteOld = (_retentionMs: number, limit: number): Promise<number> => {
    bites.push(Math.min(limit, old));
    old -= Math.min(limit, old);
    return Promise.resolve(bites.at(-1)!);
  };
  const retention = new CustomRetention(bus, { deleteOld } as CustomPointStore, settings(retentionMs));
  retention.onApplicationBootstrap();
  await vi.advanceTimersByTimeAsync(61_000);
  await retention.onModuleDestroy();
  await vi.advanceTimersByTimeAsync(600_000);
  return bites;
}

it('deletes old points in bites until few are left', async () => {
  expect(await bitesInAMinute(12_000, 86_400_000)).toEqual([5000, 5000, 2000]);
});

it('works a backlog off over several looks', async () => {
  expect(await bitesInAMinute(1e9, 86_400_000)).toHaveLength(20);
});

it('deletes nothing when points are kept for ever', async () => expect(await bitesInAMinute(12_000, 0)).toEqual([]));
