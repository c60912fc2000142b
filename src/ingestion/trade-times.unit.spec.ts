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
  { minLength: 1, maxLength: 300 },
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

describe('what is known of trade times', () => {
  it('is bounded, and keeps the newest', () => {
    const times = new TradeTimes();
    for (let id = 0; id < 10_000; id++) times.note(BigInt(id), id * 1000);
    expect(times.askFrom(9999n, 1000, 0)).toEqual({ atUs: 9998 * 1000 - 1000, isAdjacent: true });
  });
});
