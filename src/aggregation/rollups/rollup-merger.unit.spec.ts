import type { Counter } from 'prom-client';
import type { DataSource, EntityManager } from 'typeorm';
import { expect, it } from 'vitest';
import type { TradesRecordedV1Data } from '../../contracts/index.js';
import type { CustomPointStore } from '../custom/custom-point.store.js';
import { RollupMerger } from './rollup-merger.service.js';
import { RollupStore } from './rollup.store.js';
import { Summaries } from './summaries.service.js';

const MARKETS = 50;

/** Trades of all markets, as a flush brings them. */
const event = (second: number): TradesRecordedV1Data => ({
  series: Array.from({ length: MARKETS }, (_, market) => ({
    source: 'binance',
    exchange: 'binance',
    symbol: `COIN${market}USDT`,
    venueSymbol: `COIN${market}USDT`,
    tradeIds: [String(second)],
    prices: ['100.5'],
    sizes: ['2'],
    sides: 'b',
    tradedAtUs: [Date.UTC(2026, 0, 1) * 1000 + second * 1_000_000],
    firstReceivedAtUs: 0,
  })),
});

/** A database without rollups that keeps how many rows each statement was given. */
function emptyDatabase() {
  const rows: number[] = [];
  const query = async (sql: string, parameters: readonly (readonly unknown[])[] = []): Promise<unknown[]> => {
    if (sql.includes('insert into')) rows.push(parameters[0]!.length);
    return [];
  };
  return { rows, tx: { query } as unknown as EntityManager };
}

it('lets other work run between the events and between the statements of a second of trades', async () => {
  const { rows, tx } = emptyDatabase();
  const summaries = new Summaries();
  const merger = new RollupMerger(new RollupStore({} as DataSource, summaries), {} as CustomPointStore, summaries, {
    inc: () => undefined,
  } as unknown as Counter);
  let turns = 0;
  const count = (): void => {
    turns++;
    counting = setImmediate(count);
  };
  let counting = setImmediate(count);
  await merger.onTradesRecorded(
    Array.from({ length: 20 }, (_, second) => event(second)),
    tx,
  );
  clearImmediate(counting);
  expect(turns).toBeGreaterThanOrEqual(20);
  const parts = MARKETS * 2 * 6; // price and volume, of six intervals
  expect(rows.reduce((sum, one) => sum + one, 0)).toBe(parts);
  expect(Math.max(...rows)).toBeLessThanOrEqual(100);
});
