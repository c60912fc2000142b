import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Trade } from '../contracts/index.js';
import { type IdRun, runsOf } from './coverage.js';
import type { Gap, NewGap } from './gap.store.js';
import { GapFiller, type GapFillerOptions } from './gap-filler.service.js';
import { GapWatch, type GapWatchOptions } from './gap-watch.service.js';

const KEY = { source: 'binance', venueSymbol: 'BTCUSDT', symbol: 'BTCUSDT' };
const PAGE = 100;
const ids = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/**
 * A watch and a filler over a series of which `recorded` are accounted for, and a venue that has `given`. What is handed
 * over is recorded unless `drops` says otherwise.
 */
function over({
  recorded,
  given,
  drops = () => false,
}: {
  recorded: number[];
  given: number[];
  drops?: (id: number) => boolean;
}) {
  const accounted = new Set(recorded);
  const givenUp = new Set<number>();
  const told: string[] = [];
  const asked: number[] = [];
  const open: Gap[] = [];
  const venue = { given: new Set(given), fails: false, hangs: false };
  const rest = ({ from, to }: IdRun): number[] => ids(Number(from), Number(to)).filter((id) => !accounted.has(id));
  const gaps = {
    open(gap: NewGap) {
      const opened: Gap = { ...gap, id: String(told.length), state: 'open', reason: null };
      told.push(`opened ${gap.from}-${gap.to} (${gap.missing})`);
      open.push(opened);
      return Promise.resolve(opened);
    },
    openUnfillable(gap: NewGap, reason: string) {
      told.push(`unfillable ${gap.from}-${gap.to} (${gap.missing}): ${reason}`);
      for (const id of rest(gap)) givenUp.add(id);
      return Promise.resolve();
    },
    close(gap: Gap) {
      told.push(`closed ${gap.from}-${gap.to}`);
      open.splice(open.indexOf(gap), 1);
      return Promise.resolve();
    },
    giveUp(gap: Gap, part: IdRun, reason: string) {
      told.push(`gave up ${part.from}-${part.to}: ${reason}`);
      for (const id of rest(part)) givenUp.add(id);
      if (part.from <= gap.from && part.to >= gap.to) open.splice(open.indexOf(gap), 1);
      return Promise.resolve();
    },
  };
  const end = (): number => Math.max(...accounted) + 1;
  const coverage = {
    atOneMoment: (ask: (tx: undefined) => Promise<unknown>) => ask(undefined),
    holes: () => {
      const missing = ids(Math.min(...accounted), end()).filter(
        (id) => id < end() && !accounted.has(id) && !givenUp.has(id),
      );
      return Promise.resolve(runsOf(missing.map(String)).map((run) => ({ ...KEY, ...run })));
    },
    ends: () => Promise.resolve(new Map([['BTCUSDT', { ...KEY, nextId: BigInt(end()), lastAtUs: 0 }]])),
  };
  const store = { unfilled: () => Promise.resolve([...open]), noteFetched: () => Promise.resolve() };
  const history = {
    note: () => undefined,
    page: async (_symbol: string, fromId: bigint) => {
      asked.push(Number(fromId));
      if (venue.hangs) await new Promise(() => undefined);
      if (venue.fails) throw new Error('the venue answered 503');
      const all = [...venue.given].filter((id) => id >= fromId);
      const trades = all.slice(0, PAGE).map((id) => ({ tradeId: String(id) }) as Trade);
      return { trades, isNewest: all.length <= PAGE };
    },
  };
  const frontier = new Map<string, { symbol: string; lastId: bigint }>();
  const common = { source: 'binance', coverage, store, gaps, maxTrades: 1000, frontier } as unknown as GapWatchOptions;
  const watch = new GapWatch(common);
  const filler = new GapFiller({
    ...common,
    watch,
    history,
    deliver: (trades: readonly Trade[]) => {
      for (const { tradeId } of trades) if (!drops(Number(tradeId))) accounted.add(Number(tradeId));
    },
  } as unknown as GapFillerOptions);
  return { filler, told, asked, open, accounted, venue, frontier };
}

const gap = (id: string, from: bigint, to: bigint, isRequested = false): Gap => ({
  ...KEY,
  id,
  from,
  to,
  missing: to - from + 1n,
  state: 'open',
  reason: null,
  isRequested,
});

let filler: GapFiller;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  void filler.stop();
  vi.useRealTimers();
});

async function start(made: { filler: GapFiller }, ms: number): Promise<void> {
  filler = made.filler;
  filler.start();
  await vi.advanceTimersByTimeAsync(ms);
}

describe('the owner of contiguity', () => {
  it('fetches a hole that outlives a look, and closes the gap once its ids are recorded', async () => {
    const made = over({ recorded: [...ids(1, 9), ...ids(13, 100)], given: ids(1, 100) });
    await start(made, 600);
    expect(made.told).toEqual([]);
    await vi.advanceTimersByTimeAsync(3000);
    expect(made.told).toEqual(['opened 10-12 (3)', 'closed 10-12']);
  });

  it('heals the newest of more trades than may be fetched, and tells the older ones', async () => {
    const made = over({ recorded: [...ids(1, 9), ...ids(2010, 2020)], given: ids(1, 2020) });
    await start(made, 30_000);
    expect(made.told).toEqual([
      'unfillable 10-1009 (1000): more than BACKFILL_MAX_TRADES (1000) were missing',
      'opened 1010-2009 (1000)',
      'closed 1010-2009',
    ]);
  });

  it('goes on asking, ever more rarely, for what the venue gives and nothing records', async () => {
    const made = over({ recorded: [...ids(1, 9), ...ids(13, 100)], given: ids(1, 100), drops: (id) => id === 11 });
    await start(made, 3_600_000);
    expect(made.told).toEqual(['opened 10-12 (3)']);
    expect(made.asked.length).toBeGreaterThan(55);
    expect(made.asked.length).toBeLessThan(90);
  });

  it('gives up, in sight, on just those ids that the venue answers past without giving them', async () => {
    const made = over({ recorded: [1, ...ids(700, 710)], given: [1, ...ids(4, 300), ...ids(303, 710)] });
    await start(made, 60_000);
    expect(made.told).toEqual([
      'opened 2-699 (698)',
      'gave up 2-3: the venue answered past these ids without them',
      'gave up 301-302: the venue answered past these ids without them',
      'closed 2-699',
    ]);
  });

  it('gives up a gap of which the venue has nothing', async () => {
    const made = over({ recorded: [...ids(1, 9), ...ids(13, 100)], given: [...ids(1, 9), ...ids(13, 100)] });
    await start(made, 30_000);
    expect(made.told).toEqual(['opened 10-12 (3)', 'gave up 10-12: the venue answered past these ids without them']);
  });

  it('waits for what the venue has not given out yet', async () => {
    const made = over({ recorded: [...ids(1, 9), ...ids(13, 100)], given: ids(1, 9) });
    await start(made, 60_000);
    expect(made.told).toEqual(['opened 10-12 (3)']);
    made.venue.given = new Set(ids(1, 100));
    await vi.advanceTimersByTimeAsync(61_000);
    expect(made.told.at(-1)).toBe('closed 10-12');
  });

  it('finds new holes while the venue does not answer', async () => {
    const made = over({ recorded: [...ids(1, 9), ...ids(13, 100)], given: ids(1, 100) });
    made.venue.hangs = true;
    await start(made, 5000);
    made.accounted.add(200);
    await vi.advanceTimersByTimeAsync(2000);
    expect(made.told).toEqual(['opened 10-12 (3)', 'opened 101-199 (99)']);
    made.venue.hangs = false;
    filler.stop = () => Promise.resolve(); // a request that is never answered is never waited for
  });

  it('fills every gap by turns, holes that were found before ranges that were asked for', async () => {
    const made = over({ recorded: ids(1, 100).filter((id) => ![10, 11, 50, 90].includes(id)), given: ids(1, 100) });
    made.open.push(gap('a', 10n, 11n, true), gap('b', 50n, 50n), gap('c', 90n, 90n));
    await start(made, 900);
    expect(made.asked).toEqual([50, 90, 10]);
  });
});

describe('after a connection is up', () => {
  it('everything from where a series ended is fetched, over as many pages as it takes', async () => {
    const made = over({ recorded: ids(1, 9), given: ids(1, 500) });
    await start(made, 600);
    filler.catchUp(['BTCUSDT']);
    await vi.advanceTimersByTimeAsync(3000);
    expect([made.accounted.size, made.told]).toEqual([500, []]);
  });

  it('the venue is asked until it answers', async () => {
    const made = over({ recorded: ids(1, 9), given: ids(1, 50) });
    made.venue.fails = true;
    await start(made, 600);
    filler.catchUp(['BTCUSDT']);
    await vi.advanceTimersByTimeAsync(30_000);
    expect([made.accounted.size, filler.lastError?.message]).toEqual([
      9,
      'BTCUSDT: could not catch up: the venue answered 503',
    ]);
    made.venue.fails = false;
    await vi.advanceTimersByTimeAsync(61_000);
    expect(made.accounted.size).toBe(50);
  });

  it('what was handed over and dropped shows as a hole, with no later trade', async () => {
    let dropping = true;
    const made = over({ recorded: ids(1, 9), given: ids(1, 50), drops: () => dropping });
    await start(made, 600);
    filler.catchUp(['BTCUSDT']);
    await vi.advanceTimersByTimeAsync(1000);
    expect(made.accounted.size).toBe(9);
    dropping = false;
    await vi.advanceTimersByTimeAsync(10_000);
    expect([made.accounted.size, made.told]).toEqual([50, ['opened 10-50 (41)', 'closed 10-50']]);
  });
});
