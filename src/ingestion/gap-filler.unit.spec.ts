import type { EntityManager } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Trade } from '../contracts/index.js';
import type { Gap, Hole } from './coverage.store.js';
import { GapFiller } from './gap-filler.service.js';

const KEY = { source: 'binance', venueSymbol: 'BTCUSDT', symbol: 'BTCUSDT' };

/** A filler over ids 1 to 100 of which `missing` are not accounted for, and a venue that gives `given`. */
function fillerOver({ missing, given }: { missing: [bigint, bigint]; given: bigint[] }) {
  const holes: Hole[] = [{ ...KEY, from: missing[0], to: missing[1] }];
  const told: string[] = [];
  const delivered: string[] = [];
  const coverage = {
    openGaps: () => Promise.resolve([]),
    holes: () => Promise.resolve([...holes]),
    nextIds: () => Promise.resolve(new Map([['BTCUSDT', 101n]])),
    openGap: (_tx: EntityManager, gap: Omit<Gap, 'id'>) => Promise.resolve({ ...gap, id: '1' }),
    closeGap: () => Promise.resolve(void told.push('closed')),
    giveUpGap: (_tx: EntityManager, _gap: Gap, reason: string) => {
      holes.length = 0;
      return Promise.resolve(void told.push(`given up: ${reason}`));
    },
  };
  const bus = {
    transaction: (work: (tx: EntityManager) => Promise<unknown>) => work({} as EntityManager),
    append: (_tx: EntityManager, event: { name: string }) => Promise.resolve(void told.push(event.name)),
  };
  const history = {
    pageTrades: 1000,
    page: (_symbol: string, fromId: bigint) =>
      Promise.resolve(given.filter((id) => id >= fromId).map((id) => ({ tradeId: String(id) }) as Trade)),
  };
  const deliver = (trades: readonly Trade[]): void => void delivered.push(...trades.map(({ tradeId }) => tradeId));
  const filler = new GapFiller('binance', bus as never, coverage as never, history as never, 1000, deliver, new Map());
  return { filler, told, delivered, record: () => (holes.length = 0) };
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
    const { filler, told, delivered, record } = fillerOver({ missing: [10n, 12n], given: ids(1, 100) });
    filler.start();
    await vi.advanceTimersByTimeAsync(600);
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(500);
    expect(told).toEqual(['ingestion.gap-opened.v1']);
    expect(delivered).toEqual(['10', '11', '12']);
    record();
    await vi.advanceTimersByTimeAsync(600);
    expect(told).toEqual(['ingestion.gap-opened.v1', 'closed', 'ingestion.gap-closed.v1']);
  });

  it('goes on asking for what the venue gives and a full queue drops, however long', async () => {
    const { filler, told, delivered } = fillerOver({ missing: [10n, 12n], given: ids(1, 100) });
    filler.start();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(told).toEqual(['ingestion.gap-opened.v1']);
    expect(delivered.length).toBeGreaterThan(60);
  });

  it('gives up, in sight, on what the venue answers past without giving it', async () => {
    const { filler, told } = fillerOver({ missing: [10n, 12n], given: [...ids(1, 9), ...ids(13, 100)] });
    filler.start();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(told).toEqual(['ingestion.gap-opened.v1', 'given up: the venue answered past these ids without them']);
  });

  it('waits for what the venue has not given out yet', async () => {
    const { filler, told } = fillerOver({ missing: [10n, 12n], given: ids(1, 9) });
    filler.start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told).toEqual(['ingestion.gap-opened.v1']);
  });
});
