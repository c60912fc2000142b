import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Trade } from '../contracts/index.js';
import type { Hole } from './coverage.store.js';
import type { Gap, NewGap } from './gap.store.js';
import { GapFiller, type GapFillerOptions } from './gap-filler.service.js';

const KEY = { source: 'binance', venueSymbol: 'BTCUSDT', symbol: 'BTCUSDT' };

/** A filler over ids 1 to 100 of which `missing` are not accounted for, and a venue that gives `given`. */
function fillerOver({ missing, given }: { missing: [bigint, bigint][]; given: bigint[] }) {
  const holes: Hole[] = missing.map(([from, to]) => ({ ...KEY, from, to }));
  const told: string[] = [];
  const delivered: string[] = [];
  const open: Gap[] = [];
  const options = {
    source: 'binance',
    maxTrades: 1000,
    frontier: new Map(),
    deliver: (trades: readonly Trade[]) => void delivered.push(...trades.map(({ tradeId }) => tradeId)),
    coverage: {
      holes: () => Promise.resolve([...holes]),
      ends: () => Promise.resolve(new Map([['BTCUSDT', { ...KEY, nextId: 101n, lastAtUs: 0 }]])),
    },
    store: { unfilled: () => Promise.resolve([...open]), noteFetched: () => Promise.resolve() },
    gaps: {
      open(gap: NewGap) {
        told.push('opened');
        const opened: Gap = { ...gap, id: String(open.length + 1), state: 'open', reason: null };
        open.push(opened);
        return Promise.resolve(opened);
      },
      close(gap: Gap) {
        open.splice(open.indexOf(gap), 1);
        return Promise.resolve(void told.push('closed'));
      },
      giveUp(_gap: Gap, reason: string) {
        open.length = holes.length = 0;
        return Promise.resolve(void told.push(`given up: ${reason}`));
      },
    },
    history: {
      pageTrades: 1000,
      note: () => undefined,
      page: (_symbol: string, fromId: bigint) =>
        Promise.resolve({
          trades: given.filter((id) => id >= fromId).map((id) => ({ tradeId: String(id) }) as Trade),
          isNewest: true,
        }),
    },
  } as Partial<Record<keyof GapFillerOptions, unknown>> as GapFillerOptions;
  return { filler: new GapFiller(options), told, delivered, open, record: () => (holes.length = 0) };
}

const ids = (from: number, to: number): bigint[] => Array.from({ length: to - from + 1 }, (_, i) => BigInt(from + i));

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('the owner of contiguity', () => {
  it('fetches a hole that outlives a look, and closes the gap once its ids are recorded', async () => {
    const { filler, told, delivered, record } = fillerOver({ missing: [[10n, 12n]], given: ids(1, 100) });
    filler.start();
    await vi.advanceTimersByTimeAsync(600);
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(500);
    expect(told).toEqual(['opened']);
    expect(delivered).toEqual(['10', '11', '12']);
    record();
    await vi.advanceTimersByTimeAsync(600);
    expect(told).toEqual(['opened', 'closed']);
  });

  it('goes on asking for what the venue gives and a full queue drops, however long', async () => {
    const { filler, told, delivered } = fillerOver({ missing: [[10n, 12n]], given: ids(1, 100) });
    filler.start();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(told).toEqual(['opened']);
    expect(delivered.length).toBeGreaterThan(60);
  });

  it('gives up, in sight, on what the venue answers past without giving it', async () => {
    const { filler, told } = fillerOver({ missing: [[10n, 12n]], given: [...ids(1, 9), ...ids(13, 100)] });
    filler.start();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(told).toEqual(['opened', 'given up: the venue answered past these ids without them']);
  });

  it('waits for what the venue has not given out yet', async () => {
    const { filler, told } = fillerOver({ missing: [[10n, 12n]], given: ids(1, 9) });
    filler.start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told).toEqual(['opened']);
  });

  it('fills every gap that is due in one look, holes that were found before ranges that were asked for', async () => {
    const { filler, delivered, open } = fillerOver({
      missing: [
        [10n, 12n],
        [50n, 51n],
        [90n, 90n],
      ],
      given: ids(1, 100),
    });
    const gap = (id: string, from: bigint, to: bigint, isRequested: boolean): Gap => ({
      ...KEY,
      id,
      from,
      to,
      missing: to - from + 1n,
      state: 'open',
      reason: null,
      isRequested,
    });
    open.push(gap('1', 10n, 12n, true), gap('2', 50n, 51n, false), gap('3', 90n, 90n, false));
    filler.start();
    await vi.advanceTimersByTimeAsync(600);
    expect(delivered).toEqual(['50', '51', '90', '10', '11', '12']);
  });
});
