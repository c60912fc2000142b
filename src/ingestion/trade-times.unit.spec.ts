import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Trade } from '../contracts/index.js';
import type { TradeHistory } from './connectors/connector.js';
import { TradeTimes } from './trade-times.js';
import { VenueHistory } from './venue-history.service.js';
import type { VenueRest } from './venue-rest.service.js';

const PAGE = 10;
const trade = (id: number, tradedAtUs: number): Trade => ({ tradeId: String(id), tradedAtUs }) as Trade;

/** A venue with these trades that is asked by id or by time, a page of ten at once. */
function venueWith(trades: readonly Trade[], by: 'id' | 'time') {
  let requests = 0;
  const rest = {
    get: ({ url }: { url: string }) => {
      requests++;
      const at = Number(url);
      const found = trades.filter((one) => (by === 'id' ? Number(one.tradeId) >= at : one.tradedAtUs >= at));
      return Promise.resolve(JSON.stringify(found.slice(0, PAGE)));
    },
  } as unknown as VenueRest;
  const history = {
    by,
    request: (_rest: string, _symbol: string, from?: bigint) => ({ url: String(from), headers: {} }),
    parse: (body: string) => JSON.parse(body) as Trade[],
    pageTrades: PAGE,
    weight: 1,
    weightPerMinute: 1,
  } as TradeHistory;
  return { history: new VenueHistory(history, '', rest), requests: () => requests };
}

/** Rising times from pauses: bursts at one instant, and spells of quiet. */
const pauses = fc.array(
  fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 60_000_000 })),
  { minLength: 1, maxLength: 300, size: 'max' }, // else most are shorter than a page
);
const market = (list: readonly number[]): Trade[] => {
  let atUs = 1_700_000_000_000_000;
  return list.map((pauseUs, i) => trade(1000 + i, (atUs += pauseUs)));
};
const noBurstLongerThan = (trades: readonly Trade[], most: number): boolean =>
  trades.every((one, i) => trades[i + most]?.tradedAtUs !== one.tradedAtUs);

describe('a venue that knows its trades by time', () => {
  it('is asked for any id, from whatever is known: the page holds it and leaves nothing out', async () => {
    await fc.assert(
      fc.asyncProperty(pauses, fc.nat(), fc.array(fc.nat(), { maxLength: 5 }), async (list, pick, known) => {
        const trades = market(list);
        fc.pre(noBurstLongerThan(trades, PAGE - 1));
        const { history } = venueWith(trades, 'time');
        const last = trades.at(-1)!;
        for (const i of [trades.length - 1, ...known.map((n) => n % trades.length)])
          history.note('X', BigInt(trades[i]!.tradeId), trades[i]!.tradedAtUs);
        const wanted = trades[pick % trades.length]!;
        const { trades: page } = await history.page('X', BigInt(wanted.tradeId));
        const from = trades.indexOf(wanted);
        expect(page).toEqual(trades.slice(from, from + page.length));
        expect(page.length).toBeGreaterThan(0);
        expect((await history.page('X', BigInt(last.tradeId) + 1n)).trades).toEqual([]);
      }),
    );
  });

  it('is asked once when the trade before is known, as after a restart', async () => {
    const trades = market(Array.from({ length: 200 }, () => 1000));
    const { history, requests } = venueWith(trades, 'time');
    history.note('X', 1100n, trades[100]!.tradedAtUs);
    expect((await history.page('X', 1101n)).trades.map(({ tradeId }) => tradeId)[0]).toBe('1101');
    expect(requests()).toBe(1);
  });

  it('is found in a few requests among a million trades', async () => {
    const trades = Array.from({ length: 100_000 }, (_, i) =>
      trade(i, 1_700_000_000_000_000 + i * 9999 + (i % 7) * 1000),
    );
    const { history, requests } = venueWith(trades, 'time');
    history.note('X', 99_999n, trades[99_999]!.tradedAtUs);
    expect((await history.page('X', 31_415n)).trades[0]?.tradeId).toBe('31415');
    expect(requests()).toBeLessThan(12);
  });

  it('knows that nothing is newer than a page that was all traded within a millisecond', async () => {
    const trades = market([1, 0, 1, 0, 0, 0, 1, 1, 0, 0]);
    const { history, requests } = venueWith(trades, 'time');
    history.note('X', 1009n, trades[9]!.tradedAtUs);
    expect(await history.page('X', 1010n)).toEqual({ trades: [], isNewest: true });
    expect(requests()).toBe(2);
  });

  it('is asked on from a page that one instant fills', async () => {
    const trades = market([...Array.from({ length: PAGE }, () => 0), 5, 5]);
    const { history } = venueWith(trades, 'time');
    history.note('X', 1009n, trades[9]!.tradedAtUs);
    expect((await history.page('X', 1010n)).trades[0]?.tradeId).toBe('1010');
  });

  it('answers past ids that it never gives', async () => {
    const trades = market(Array.from({ length: 40 }, () => 1000)).filter((_, i) => i < 10 || i > 14);
    const { history } = venueWith(trades, 'time');
    history.note('X', 1009n, trades[9]!.tradedAtUs);
    expect((await history.page('X', 1010n)).trades[0]?.tradeId).toBe('1015');
  });
});

describe('the first trade since an instant', () => {
  it.each(['id', 'time'] as const)('is found where the venue is asked by %s', async (by) => {
    await fc.assert(
      fc.asyncProperty(pauses, fc.integer({ min: -1_000_000, max: 400_000_000 }), async (list, offsetUs) => {
        const trades = market(list);
        fc.pre(noBurstLongerThan(trades, PAGE - 1));
        const sinceUs = trades[0]!.tradedAtUs + offsetUs;
        const { history } = venueWith(trades, by);
        const nextId = BigInt(trades.at(-1)!.tradeId) + 1n;
        const expected = trades.find(({ tradedAtUs }) => tradedAtUs >= sinceUs);
        expect(await history.firstIdSince('X', sinceUs, nextId)).toEqual(expected && BigInt(expected.tradeId));
      }),
    );
  });
});

describe('a busy market whose rate swings', () => {
  const TRADES = 2_000_000;
  const START_US = 1_000_000_000_000_000;

  /** Trades 20 ms apart on average, e^±`amp` times that as the rate swings; 50 live ones are noted before each answer. */
  function swinging(amp: number, period: number) {
    const times = new Float64Array(TRADES);
    let atUs = START_US;
    for (let i = 0; i < TRADES; i++) times[i] = Math.floor((atUs += 20_000 * Math.exp(amp * Math.sin(i / period))));
    let live = TRADES;
    let requests = 0;
    const noteLive = (): void => venue.note('X', BigInt(live++), Math.floor((atUs += 20_000)));
    const rest = {
      get: ({ url }: { url: string }) => {
        requests++;
        for (let i = 0; i < 50; i++) noteLive();
        let [from, to] = [0, TRADES];
        while (from < to) {
          const middle = (from + to) >> 1;
          if (times[middle]! >= Number(url)) to = middle;
          else from = middle + 1;
        }
        return Promise.resolve(String(from));
      },
    } as unknown as VenueRest;
    const pageTrades = 1000;
    const venue = new VenueHistory(
      {
        by: 'time',
        request: (_rest: string, _symbol: string, from?: bigint) => ({ url: String(from), headers: {} }),
        parse: (body: string) =>
          Array.from({ length: Math.min(pageTrades, TRADES - Number(body)) }, (_, i) =>
            trade(Number(body) + i, times[Number(body) + i]!),
          ),
        pageTrades,
      } as Partial<TradeHistory> as TradeHistory,
      '',
      rest,
    );
    for (let i = 0; i < 1000; i++) noteLive();
    return {
      async requestsFor(id: number): Promise<number> {
        requests = 0;
        expect((await venue.page('X', BigInt(id))).trades[0]?.tradeId).toBe(String(id));
        return requests;
      },
    };
  }

  it.each([
    [0, 30_000, 2],
    [1, 5000, 15],
    [2, 5000, 15],
    [2, 30_000, 15],
    [2, 200_000, 15],
    [3, 200_000, 20],
  ])(
    '(e^±%d, every 2π·%d trades) is searched in %d requests at most, and read on in one a page',
    async (amp, period, most) => {
      for (const id of [1_990_000, 1_888_888, 1_234_567, 1_000_000, 777_777, 600_001, 123_456, 50_000, 5]) {
        const { requestsFor } = swinging(amp, period);
        expect(await requestsFor(id)).toBeLessThanOrEqual(most);
        for (let page = 1; page <= 40; page++) {
          if (id + page * 1000 < TRADES) expect(await requestsFor(id + page * 1000)).toBe(1);
        }
      }
    },
  );
});

describe('what is known of trade times', () => {
  it('is bounded, and keeps the newest', () => {
    const times = new TradeTimes();
    for (let id = 1; id < 100_000; id++) {
      times.noteLive(BigInt(id), id * 100_000);
      expect(times.around(BigInt(id + 1)).below).toEqual({ id: BigInt(id), atUs: id * 100_000 });
    }
    const known = new Set<bigint | undefined>();
    for (let id = 1; id < 100_000; id++) known.add(times.around(BigInt(id)).above?.id);
    expect(known.size).toBeLessThanOrEqual(64);
    expect(known.size).toBeGreaterThan(32);
  });

  it('holds what a search found, however many live trades are noted and wherever they lie', () => {
    const times = new TradeTimes();
    for (let id = 0; id < 60; id++) times.noteFound({ id: BigInt(id * 1000), atUs: id * 1e9 });
    for (let id = 0; id < 100_000; id += 7) times.noteLive(BigInt(id), id * 1e6);
    expect(times.around(31_001n).below).toEqual({ id: 31_000n, atUs: 31e9 });
  });
});
