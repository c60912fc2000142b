import 'reflect-metadata';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { answeredFetch } from '../../test/support/answered-fetch.js';
import { inVirtualTime } from '../../test/support/virtual-time.js';
import type { AppError } from '../platform/errors/index.js';
import { type BackfillRange, Backfills } from './backfills.service.js';
import { CONNECTORS } from './connectors/registry.js';
import type { CoverageStore } from './coverage.store.js';
import type { Feeds } from './feeds.service.js';
import type { Gaps } from './gaps.service.js';
import { VenueHistory } from './venue-history.service.js';
import { VenueRest } from './venue-rest.service.js';

const LISTED = { symbol: 'BTCUSDT', venueSymbol: 'BTCUSDT' };

let backfills: Backfills;

inVirtualTime();
const venue = answeredFetch();

beforeEach(() => {
  const history = new VenueHistory(CONNECTORS.binance.history!, 'http://venue', new VenueRest(6000));
  const ends = new Map([['BTCUSDT', { ...LISTED, source: 'binance', nextId: 10_000_000_000n }]]);
  backfills = new Backfills(
    { venue: () => ({ feed: { find: () => LISTED }, history }) } as unknown as Feeds,
    { ends: () => Promise.resolve(ends) } as unknown as CoverageStore,
    { request: () => Promise.resolve(undefined) } as unknown as Gaps,
  );
});

const faultOf = (range: Partial<BackfillRange>): Promise<AppError> =>
  backfills.request('binance', { symbol: 'BTCUSDT', ...range }).then(
    () => expect.unreachable(),
    (error: AppError) => error,
  );

describe('a range of the past', () => {
  it('by instant is refused at once while the venue wants to be left alone, with the time that is left', async () => {
    venue.answer = () => Promise.resolve(new Response('banned', { status: 418, headers: { 'retry-after': '7200' } }));
    const range = { from: (Date.now() - 60_000) * 1000 };
    expect((await faultOf(range)).message).toContain('historicalTrades answered 418');
    const { code, message } = await faultOf(range);
    expect(code).toBe('feed.venue-refused');
    expect(message).toBe('the venue could not be asked: the venue refuses requests for another 120 min');
  });

  it('by instant is refused after 30 s when the venue answers too slowly, however many questions it takes', async () => {
    venue.answer = () => new Promise((resolve) => setTimeout(() => resolve(new Response('[]')), 10_000));
    const fault = faultOf({ from: (Date.now() - 60_000) * 1000, to: (Date.now() - 30_000) * 1000 });
    const sinceMs = performance.now();
    let tookMs: number | undefined;
    void fault.then(() => (tookMs = performance.now() - sinceMs));
    await vi.advanceTimersByTimeAsync(120_000);
    expect(tookMs).toBe(30_000);
    expect((await fault).code).toBe('feed.venue-refused');
    expect((await fault).message).toBe(
      'the venue could not be asked: /api/v3/historicalTrades was not answered in time',
    );
  });

  it.each([
    [{ toTradeId: '7' }, 'fromTradeId'],
    [{}, 'from'],
    [{ to: 1 }, 'from'],
    [{ fromTradeId: '7', to: 1 }, 'from'],
    [{ fromTradeId: '7' }, 'toTradeId'],
  ])('of %j is refused, and %s named', async (range, name) => {
    const { code, message } = await faultOf(range);
    expect([code, message.split(' ')[0]]).toEqual(['request.bad-parameter', name]);
  });
});
