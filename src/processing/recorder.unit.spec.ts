import type { EntityManager } from 'typeorm';
import { describe, expect, it, vi } from 'vitest';
import { type DurableEvent, type Trade, TradesRecordedV1, TradesRejectedV1 } from '../contracts/index.js';
import { readSettings } from '../platform/config/index.js';
import { HealthParts } from '../platform/observability/index.js';
import { Recorder } from './recorder.service.js';
import type { TradeColumns } from './trade-batch.js';
import { TradeLedger } from './trade-ledger.service.js';

const trade = (id: number, price = '1'): Trade => ({
  source: 'binance',
  exchange: 'Binance',
  symbol: 'BTCUSDT',
  venueSymbol: 'BTCUSDT',
  tradeId: String(id),
  price,
  size: '1',
  tradedAtUs: Date.now() * 1000,
  receivedAtUs: Date.now() * 1000,
});

/** A recorder whose database does what `insert` does with each attempt. */
function recorderOver(
  insert: (columns: TradeColumns, attempt: number) => void,
  answered = Promise.resolve(),
  droppedDay: (opened: number) => boolean = () => false,
) {
  const expired: string[] = [];
  const ways: string[] = [];
  let opened = 0;
  const parts = new HealthParts();
  const told: { name: string; data: unknown }[] = [];
  const letters: { code: string }[] = [];
  const series = {
    id: 1,
    source: 'binance',
    exchange: 'Binance',
    symbol: 'BTCUSDT',
    venueSymbol: 'BTCUSDT',
    highWater: -1,
  };
  let attempts = 0;
  const attempt = (columns: TradeColumns): void => insert(columns, ++attempts);
  const metric = { inc: () => undefined, observe: () => undefined };
  const bus = {
    whenReady: () => Promise.resolve(),
    transaction: async (work: (tx: EntityManager) => Promise<unknown>) => {
      const before = [told.length, letters.length];
      try {
        return await work({} as EntityManager);
      } catch (error) {
        told.length = before[0]!;
        letters.length = before[1]!;
        throw error;
      }
    },
    append: (_tx: EntityManager, event: DurableEvent<unknown>, data: unknown) =>
      Promise.resolve(void told.push({ name: event.name, data })),
  };
  const ledger = new TradeLedger(
    bus as never,
    { keep: (_tx: EntityManager, kept: { code: string }[]) => Promise.resolve(void letters.push(...kept)) } as never,
    { load: () => answered, get: () => series } as never,
    {
      recordNew: async (_tx: EntityManager, columns: TradeColumns) => {
        ways.push('plain');
        attempt(columns);
      },
      recordMissing: async (_tx: EntityManager, columns: TradeColumns) => {
        ways.push('exact');
        attempt(columns);
        return new Set(columns.tradeIds.map((id) => `1 ${id}`));
      },
    } as never,
    {
      open: () => Promise.resolve(void opened++),
      isDropped: () => opened > 0 && droppedDay(opened),
      forget: () => undefined,
    } as never,
    { count: (trades: Trade[]) => void expired.push(...trades.map(({ tradeId }) => tradeId)) } as never,
    metric as never,
    metric as never,
  );
  const recorder = new Recorder(parts, bus as never, ledger, readSettings({}), metric as never);
  const record = (...trades: Trade[]): Promise<void> => recorder.onTradesReceived([{ trades }]);
  const recordedIds = (): string[] =>
    told
      .filter(({ name }) => name === TradesRecordedV1.name)
      .flatMap(({ data }) => (data as { series: { tradeIds: string[] }[] }).series.flatMap((one) => one.tradeIds));
  const health = () => parts.all()[0]!.check();
  return { record, recordedIds, told, letters, health, expired, ways };
}

const refusal = (code: string): Error => Object.assign(new Error(`refused with ${code}`), { code });

describe('recording', () => {
  it('waits for a fault that is not of the trades, and rejects none of them for it', async () => {
    const { record, recordedIds, letters } = recorderOver((_columns, attempt) => {
      if (attempt === 1) throw new TypeError('a bug of ours');
      if (attempt === 2) throw refusal('53100');
    });
    await record(trade(1), trade(2));
    expect(recordedIds()).toEqual(['1', '2']);
    expect(letters).toEqual([]);
  });

  it('goes the exact way when a trade it took for new was there already', async () => {
    const { record, recordedIds } = recorderOver((_columns, attempt) => {
      if (attempt === 1) throw refusal('23505');
    });
    await record(trade(1), trade(2));
    expect(recordedIds()).toEqual(['1', '2']);
  });

  it('finds the one trade that the database refuses, keeps it as a dead letter and records the others', async () => {
    const { record, recordedIds, letters, told } = recorderOver(({ tradeIds }) => {
      if (tradeIds.includes('5')) throw refusal('22003');
    });
    await record(...[1, 2, 3, 4, 5, 6, 7].map((id) => trade(id)));
    expect(recordedIds()).toEqual(['1', '2', '3', '4', '6', '7']);
    expect(letters).toMatchObject([{ code: 'store.refused' }]);
    expect(told.filter(({ name }) => name === TradesRejectedV1.name)).toHaveLength(1);
  });

  it('is unhealthy while the database neither takes nor refuses a batch', async () => {
    vi.useFakeTimers();
    const { record, health } = recorderOver(() => undefined, new Promise(() => undefined));
    void record(trade(1));
    await vi.advanceTimersByTimeAsync(1000);
    expect(await health()).toMatchObject({ up: true });
    await vi.advanceTimersByTimeAsync(3000);
    expect(await health()).toMatchObject({ up: false, details: { reason: 'the database has not answered yet' } });
    vi.useRealTimers();
  });

  it('looks again at the days when a partition is gone, and refuses what was dropped without a dead letter', async () => {
    const dropped = (opened: number): boolean => opened > 1;
    const { record, recordedIds, letters, told, expired } = recorderOver(
      (_columns, attempt) => {
        if (attempt === 1) throw refusal('23514');
      },
      Promise.resolve(),
      dropped,
    );
    await record(trade(1), trade(2));
    expect(recordedIds()).toEqual([]);
    expect(letters).toEqual([]);
    expect(expired).toEqual(['1', '2']);
    expect(told).toMatchObject([
      { name: TradesRejectedV1.name, data: { rejected: [{ tradeId: '1' }, { tradeId: '2' }] } },
    ]);
  });

  it('takes the exact way where a trade may lie in a packed day, however high its id', async () => {
    const { record, ways } = recorderOver(() => undefined);
    const daysAgo = (days: number): number => (Date.now() - days * 86_400_000) * 1000;
    await record({ ...trade(1), tradedAtUs: daysAgo(9) });
    await record({ ...trade(2), tradedAtUs: daysAgo(5) });
    expect(ways).toEqual(['exact', 'plain']);
  });

  it('rejects a trade that is wrong in itself beside those that are right', async () => {
    const { record, recordedIds, letters } = recorderOver(() => undefined);
    await record(trade(1), trade(2, '-1.0'), trade(3));
    expect(recordedIds()).toEqual(['1', '3']);
    expect(letters).toMatchObject([{ code: 'validate.price' }]);
  });
});
