import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Bus } from '../../platform/bus/index.js';
import type { Settings } from '../../platform/config/index.js';
import type { SilenceStore } from '../silences/silence.store.js';
import { AlertRetention } from './alert-retention.service.js';
import type { AlertStore } from './alert.store.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

async function trimmedInAMinute(alerts: number, silences: number, ALERTS_RETENTION: number): Promise<string[]> {
  const bites: string[] = [];
  const storeOf = (what: string, old: number) => ({
    trim: (_olderThanMs: number, limit: number): Promise<number> => {
      const bite = Math.min(limit, old);
      old -= bite;
      bites.push(`${bite} ${what}`);
      return Promise.resolve(bite);
    },
  });
  const retention = new AlertRetention(
    { whenReady: () => Promise.resolve() } as Bus,
    storeOf('alerts', alerts) as unknown as AlertStore,
    storeOf('silences', silences) as unknown as SilenceStore,
    { ALERTS_RETENTION } as Settings,
  );
  retention.onApplicationBootstrap();
  await vi.advanceTimersByTimeAsync(61_000);
  await retention.onModuleDestroy();
  await vi.advanceTimersByTimeAsync(600_000);
  return bites;
}

it('deletes what is old in bites until little is left', async () => {
  expect(await trimmedInAMinute(2500, 10, 1)).toEqual(['1000 alerts', '1000 alerts', '500 alerts', '10 silences']);
});

it('works a backlog off over several looks', async () => expect(await trimmedInAMinute(1e9, 0, 1)).toHaveLength(21));

it('deletes nothing when all is kept for ever', async () => expect(await trimmedInAMinute(1e9, 1e9, 0)).toEqual([]));
