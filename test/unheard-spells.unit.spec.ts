import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Trade } from '../src/contracts/index.js';
import type { CoverageStore, SeriesEnd } from '../src/ingestion/coverage.store.js';
import type { Gaps } from '../src/ingestion/gaps.service.js';
import { madeId } from '../src/ingestion/made-ids.js';
import { UnheardSpells } from '../src/ingestion/unheard-spells.service.js';
import type { Bus } from '../src/platform/bus/index.js';
import { inVirtualTime, pass } from './support/virtual-time.js';

const SECOND_US = 1_000_000;
const START_US = Date.UTC(2026, 2, 1, 12) * 1000;
const APPLE = [{ venueSymbol: 'AAPL', symbol: 'AAPL' }];

let spells: UnheardSpells;
let kept: string[];
/** Seconds at which the recorded series end. */
let ends: Map<string, number>;
let database: { isAway: boolean; whenAsked: () => Promise<void> };

inVirtualTime();

beforeEach(() => {
  [kept, ends] = [[], new Map([['AAPL', 0]])];
  database = { isAway: false, whenAsked: () => Promise.resolve() };
  const endsNow = async () => {
    if (database.isAway) throw new Error('the database is away');
    return new Map([...ends].map(([name, atS]) => [name, { nextId: idAt(atS) + 1n } as SeriesEnd]));
  };
  const gaps = {
    async openUnfillable(gap: { venueSymbol: string; fromUs: number; toUs: number }, reason: string) {
      await database.whenAsked();
      if (database.isAway) throw new Error('the database is away');
      kept.push(`${gap.venueSymbol} ${inSeconds(gap.fromUs)}-${inSeconds(gap.toUs)} ${reason}`);
    },
  };
  const bus = { whenReady: () => Promise.resolve() };
  const coverage = { ends: endsNow };
  spells = new UnheardSpells(bus as Bus, coverage as unknown as CoverageStore, gaps as unknown as Gaps);
});

afterEach(() => spells.onModuleDestroy());

const atUs = (second: number): number => START_US + second * SECOND_US;
const idAt = (second: number): bigint => BigInt(madeId(atUs(second), 0));
const inSeconds = (us: number): number => (us - START_US) / SECOND_US;
const note = (from: number | undefined, to: number, reason = 'lost'): void =>
  spells.note('finnhub', APPLE, from === undefined ? undefined : atUs(from), atUs(to), reason);

async function start(): Promise<void> {
  spells.onApplicationBootstrap();
  await pass(10);
}

describe('spells in which nobody listened', () => {
  it('begin, at the start, with what an earlier process recorded last, whatever was recorded since', async () => {
    await start();
    ends.set('AAPL', 100.5); // the first trades of this process are faster than the spell before them
    note(undefined, 100);
    await pass(1000);
    expect(kept).toEqual(['AAPL 0-100 lost']);
  });

  it('are none for a series without any trade before', async () => {
    ends.clear();
    await start();
    ends.set('AAPL', 100.5);
    note(undefined, 100);
    spells.note('finnhub', [{ venueSymbol: 'MSFT', symbol: 'MSFT' }], atUs(10), atUs(20), 'lost');
    await pass(1000);
    expect(kept).toEqual([]);
  });

  it('are one when they touch, and stay two when somebody listened in between', async () => {
    await start();
    note(10, 20);
    note(20.5, 30);
    note(40, 50);
    note(50, 60, 'a frame could not be read');
    await pass(1000);
    expect(kept).toEqual(['AAPL 10-30 lost', 'AAPL 40-50 lost', 'AAPL 50-60 a frame could not be read']);
  });

  it('are one from the earlier start of them, whichever was told first', async () => {
    await start();
    note(20, 30);
    note(10, 25);
    note(60, 70);
    note(40, 50);
    await pass(1000);
    expect(kept).toEqual(['AAPL 10-30 lost', 'AAPL 60-70 lost', 'AAPL 40-50 lost']);
  });

  it('begin with what an earlier process recorded also when that could not be read at first', async () => {
    database.isAway = true;
    await start();
    let isReady = false;
    void spells.whenReady().then(() => (isReady = true));
    await pass(5000);
    expect(isReady).toBe(false);
    database.isAway = false;
    await pass(1000);
    expect(isReady).toBe(true);
    ends.set('AAPL', 100.5); // only now trades are recorded
    note(undefined, 100);
    await pass(1000);
    expect(kept).toEqual(['AAPL 0-100 lost']);
  });

  it('lose nothing that is added while they are being kept', async () => {
    await start();
    let done: () => void = () => undefined;
    database.whenAsked = () => new Promise((resolve) => (done = resolve));
    note(10, 20);
    await pass(1000);
    note(20, 30);
    database.whenAsked = () => Promise.resolve();
    done();
    await pass(1000);
    expect(kept).toEqual(['AAPL 10-20 lost', 'AAPL 20-30 lost']);
  });

  it('wait for a database that is away, in order, and are joined when there are too many', async () => {
    database.isAway = true;
    await start();
    note(undefined, 5);
    for (let i = 1; i <= 1500; i++) note(i * 10, i * 10 + 3);
    await pass(5000);
    expect(kept).toEqual([]);
    database.isAway = false;
    await pass(3000);
    expect(kept.length).toBe(1000);
    expect(kept.slice(0, 2)).toEqual(['AAPL 0-5 lost', 'AAPL 10-13 lost']);
    expect(kept.at(-1)).toBe('AAPL 9990-15003 lost');
  });

  it('are kept before the process ends', async () => {
    await start();
    note(10, 20);
    await spells.onModuleDestroy();
    expect(kept).toEqual(['AAPL 10-20 lost']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('tell of trades that a full queue dropped, where the venue numbers none', async () => {
    await start();
    const trade = (source: string, second: number) =>
      ({ source, venueSymbol: 'AAPL', symbol: 'AAPL', receivedAtUs: atUs(second) }) as Trade;
    spells.onTradesDropped({ trades: [trade('finnhub', 7), trade('finnhub', 7.5), trade('kraken', 8)] });
    await pass(1000);
    expect(kept.length).toBe(1);
    expect(kept[0]).toMatch(/^AAPL 7-7.500001 received and dropped/);
  });
});
