import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type FeedId, type Trade, TradesReceivedV1 } from '../src/contracts/index.js';
import { CoverageStore } from '../src/ingestion/coverage.store.js';
import { Gaps } from '../src/ingestion/gaps.service.js';
import { UnheardSpells } from '../src/ingestion/unheard-spells.service.js';
import { Bus } from '../src/platform/bus/index.js';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed, testDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';

let app: RunningApp;
let bus: Bus;

beforeAll(async () => {
  const database = await testDatabase();
  // no feed reads anything here: the spec itself says what was recorded
  app = await startApp(database.connection, {
    FEEDS: 'binance',
    BINANCE_WS_URL: 'ws://127.0.0.1:1',
    BINANCE_REST_URL: 'http://127.0.0.1:1',
  });
  bus = app.app.get(Bus);
  await bus.whenReady();
});

beforeEach(() => keepWhenRed());

afterAll(() => app?.close());

const START_US = Date.UTC(2026, 2, 1, 12) * 1000;
const MINUTE_US = 60_000_000;

/** Trades of these ids, one a minute. A feed that is not running does not fill what is missing. */
function record(symbol: string, ids: readonly (number | string)[], source: FeedId = 'kraken'): void {
  const trades = ids.map((id): Trade => ({
    source,
    exchange: 'Test',
    symbol,
    venueSymbol: symbol,
    tradeId: String(id),
    price: '10',
    size: '1',
    tradedAtUs: typeof id === 'string' ? Number(BigInt(id) / 1000n) : START_US + id * MINUTE_US,
    receivedAtUs: START_US,
  }));
  bus.emit(TradesReceivedV1, { trades });
}

const key = (symbol: string, source = 'kraken') => ({ source, venueSymbol: symbol, symbol });
const gapsOf = async (symbol: string): Promise<string[]> =>
  (await app.get(`/api/v1/gaps?symbol=${symbol}`)).body.items.map(
    (gap: Record<string, unknown>) => `${gap.fromTradeId}-${gap.toTradeId} ${gap.state}`,
  );
const holesOf = async (symbol: string): Promise<string[]> =>
  (await app.app.get(CoverageStore).holes('kraken'))
    .filter((hole) => hole.symbol === symbol)
    .map(({ from, to }) => `${from}-${to}`);
const incompleteMinutes = async (symbol: string, source = 'kraken'): Promise<number[]> =>
  (
    (await app.get(`/api/v1/ohlcv/${symbol}?window=1m&limit=1000&source=${source}`)).body.candles as {
      openTime: string;
      incomplete: boolean;
    }[]
  )
    .filter(({ incomplete }) => incomplete)
    .map(({ openTime }) => (Date.parse(openTime) * 1000 - START_US) / MINUTE_US);

describe('a window that ends while its feed is not connected', () => {
  it('stays open, as nobody knows what was traded in it', async () => {
    const closed = async (source: string): Promise<boolean[]> =>
      (await app.get(`/api/v1/ohlcv/DEAFUSD?window=1m&source=${source}`)).body.candles?.map(
        (candle: { closed: boolean }) => candle.closed,
      );
    record('DEAFUSD', [1, 2, 3], 'binance'); // its feed cannot connect here
    record('DEAFUSD', [1, 2, 3], 'kraken');
    await eventually(async () => expect(await closed('kraken')).toEqual([true, true, false]));
    expect(await closed('binance')).toEqual([false, false, false]);
  });
});

describe('the gaps of a series', () => {
  it('begin with what was traded before it, and end there when its start came out of order', async () => {
    record('STARTUSD', [103]);
    await eventually(async () => expect(await gapsOf('STARTUSD')).toEqual(['0-102 unfillable']));
    record('STARTUSD', [100, 102]);
    await eventually(async () => expect(await holesOf('STARTUSD')).toEqual(['101-101']));
    record('STARTUSD', [101]);
    await eventually(async () => expect(await gapsOf('STARTUSD')).toEqual(['0-99 unfillable']));
    await eventually(async () => expect(await incompleteMinutes('STARTUSD')).toEqual([100]));
    expect(await holesOf('STARTUSD')).toEqual([]);
  });

  it('shrink when given up trades come after all, and close with the last of them', async () => {
    record('LATEUSD', [0, 1, 2, 9, 10]);
    await eventually(async () => expect(await holesOf('LATEUSD')).toEqual(['3-8']));
    await app.app.get(Gaps).openUnfillable({ ...key('LATEUSD'), from: 3n, to: 8n, missing: 6n }, 'lost by the venue');
    expect(await holesOf('LATEUSD')).toEqual([]);
    await eventually(async () => expect(await incompleteMinutes('LATEUSD')).toEqual([2, 9]));
    record('LATEUSD', [3, 5, 8]);
    await eventually(async () => expect(await gapsOf('LATEUSD')).toEqual(['4-7 unfillable']));
    await eventually(async () => expect(await incompleteMinutes('LATEUSD')).toEqual([3, 5, 8]));
    record('LATEUSD', [4, 6, 7]);
    await eventually(async () => expect(await gapsOf('LATEUSD')).toEqual(['4-7 closed']));
    await eventually(async () => expect(await incompleteMinutes('LATEUSD')).toEqual([]));
  });

  it('are parted by a long run in the middle, as a file has it, whose candles are complete then', async () => {
    const run = (from: number): number[] => Array.from({ length: 150 }, (_, at) => from + at);
    record('RUNUSD', [100_000]);
    await eventually(async () => expect(await gapsOf('RUNUSD')).toEqual(['0-99999 unfillable']));
    record('RUNUSD', [...run(50_000), ...run(20_000), 70_000]);
    await eventually(async () =>
      expect((await gapsOf('RUNUSD')).toSorted()).toEqual([
        '0-19999 unfillable',
        '20150-49999 unfillable',
        '50150-99999 unfillable',
      ]),
    );
    record('RUNUSD', run(50_150));
    await eventually(async () => expect(await gapsOf('RUNUSD')).toContain('50300-99999 unfillable'));
    await eventually(async () =>
      expect(await incompleteMinutes('RUNUSD')).toEqual([20_000, 20_149, 50_000, 50_299, 70_000, 100_000]),
    );
    expect(await holesOf('RUNUSD')).toEqual([]);
  });

  it('are looked for again when asked for: given up ones, and older ones than the series', async () => {
    record('ASKUSD', [100, 101, 110]);
    await eventually(async () => expect(await holesOf('ASKUSD')).toEqual(['102-109']));
    const gaps = app.app.get(Gaps);
    await gaps.openUnfillable({ ...key('ASKUSD'), from: 102n, to: 109n, missing: 8n }, 'lost by the venue');
    const again = await gaps.request(key('ASKUSD'), { from: 101n, to: 105n });
    expect(again).toMatchObject({ from: 102n, to: 105n, missing: 4n, isRequested: true });
    expect(await holesOf('ASKUSD')).toEqual(['102-105']);
    const older = await gaps.request(key('ASKUSD'), { from: 20n, to: 29n });
    expect(older).toMatchObject({ from: 20n, to: 29n, missing: 10n });
    expect(await holesOf('ASKUSD')).toEqual(['20-29', '102-105']);
    expect(await gapsOf('ASKUSD')).toEqual([
      '20-29 open',
      '30-99 unfillable',
      '102-105 open',
      '106-109 unfillable',
      '0-19 unfillable',
    ]);
    expect(await gaps.request(key('ASKUSD'), { from: 22n, to: 28n })).toBeUndefined(); // it is on its way
    expect(await gaps.request(key('ASKUSD'), { from: 100n, to: 101n })).toBeUndefined(); // nothing is missing
    record('ASKUSD', [20, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
    await eventually(async () => expect(await holesOf('ASKUSD')).toEqual(['102-105']));
    const { body } = await app.get(`/api/v1/gaps/${older!.id}`);
    expect(body).toMatchObject({ missing: 10, remaining: 0, progress: 1, requested: true });
    await gaps.close(older!);
    await eventually(async () => expect(await incompleteMinutes('ASKUSD')).toEqual([20, 29, 100, 101, 110]));
  });

  it('are given up in part or whole, narrowed to what is missing of them', async () => {
    record('PARTUSD', [0, 1, 20, 21]);
    await eventually(async () => expect(await holesOf('PARTUSD')).toEqual(['2-19']));
    const gaps = app.app.get(Gaps);
    const gap = await gaps.open({ ...key('PARTUSD'), from: 2n, to: 19n, missing: 18n });
    await gaps.giveUp(gap, { from: 4n, to: 5n }, 'lost by the venue');
    expect(await gapsOf('PARTUSD')).toEqual(['4-5 unfillable', '2-19 open']);
    record('PARTUSD', [2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18, 19]);
    await eventually(async () => expect(await holesOf('PARTUSD')).toEqual(['14-14']));
    await gaps.giveUp(gap, gap, 'lost by the venue');
    expect(await gapsOf('PARTUSD')).toEqual(['4-5 unfillable', '14-14 unfillable']);
    await eventually(async () => expect(await incompleteMinutes('PARTUSD')).toEqual([3, 6, 13, 15]));
    record('PARTUSD', [14]);
    await eventually(async () => expect(await gapsOf('PARTUSD')).toEqual(['4-5 unfillable', '14-14 closed']));
    const late = await gaps.openUnfillable({ ...key('PARTUSD'), from: 6n, to: 9n, missing: 4n }, 'recorded meanwhile');
    expect(late.state).toBe('closed');
  });

  it('are opened once, however many ask for one range at a time', async () => {
    record('ONCEUSD', [50, 51]);
    await eventually(async () => expect(await gapsOf('ONCEUSD')).toEqual(['0-49 unfillable']));
    const gaps = app.app.get(Gaps);
    const asked = Array.from({ length: 8 }, () => gaps.request(key('ONCEUSD'), { from: 10n, to: 19n }));
    expect((await Promise.all(asked)).filter((gap) => gap !== undefined).length).toBe(1);
    expect((await gapsOf('ONCEUSD')).sort()).toEqual(['0-9 unfillable', '10-19 open', '20-49 unfillable']);
  });

  it('count the trades of their inside, too', async () => {
    record('INNERUSD', [1, 9]);
    await eventually(async () => expect(await holesOf('INNERUSD')).toEqual(['2-8']));
    await app.app.get(Gaps).openUnfillable({ ...key('INNERUSD'), from: 2n, to: 8n, missing: 7n }, 'lost');
    record('INNERUSD', [4, 5, 6]);
    await eventually(async () => {
      const { body } = await app.get('/api/v1/gaps?symbol=INNERUSD&limit=1');
      expect(body.items[0]).toMatchObject({ fromTradeId: '2', toTradeId: '8', missing: 4, remaining: 4 });
    });
  });

  it('are spans of time where the venue numbers no trades, and mark the candles of that time', async () => {
    const at = (minute: number, second: number): string =>
      `${BigInt(START_US + minute * MINUTE_US + second * 1_000_000) * 1000n}`;
    record('AAPL', [at(0, 30), at(1, 10), at(2, 5), at(5, 40), at(6, 1)], 'finnhub');
    await eventually(async () => expect(await incompleteMinutes('AAPL', 'finnhub')).toEqual([0]));
    app.app
      .get(UnheardSpells)
      .note('finnhub', [key('AAPL', 'finnhub')], START_US + 2.5 * MINUTE_US, START_US + 5.2 * MINUTE_US, 'cut off');
    await eventually(async () => expect(await incompleteMinutes('AAPL', 'finnhub')).toEqual([0, 2, 5]));
    const [gap] = (await app.get('/api/v1/gaps?symbol=AAPL&limit=1')).body.items;
    expect(gap).toMatchObject({
      state: 'unfillable',
      reason: 'cut off',
      missing: null,
      remaining: null,
      from: '2026-03-01T12:02:30Z',
      to: '2026-03-01T12:05:12Z',
    });
    const filled = (await app.get('/api/v1/ohlcv/AAPL?window=1m&fill=previous&source=finnhub')).body.candles;
    expect(filled.map((candle: { openTime: string }) => candle.openTime.slice(14, 16))).toEqual([
      '00', '01', '02', '05', '06',
    ]); // prettier-ignore
  });

  it('are told in pages, newest first, filtered', async () => {
    const seen: string[] = [];
    let cursor = '';
    do {
      const { body } = await app.get(`/api/v1/gaps?symbol=ASKUSD&limit=3${cursor && `&cursor=${cursor}`}`);
      seen.push(...body.items.map((gap: { id: string }) => gap.id));
      cursor = body.nextCursor ?? '';
    } while (cursor);
    expect(seen).toEqual(seen.toSorted((a, b) => Number(b) - Number(a)));
    expect(seen.length).toBe(5);
    const { body } = await app.get('/api/v1/gaps?symbol=ASKUSD&state=open,filling&requested=true');
    expect(body.items.length).toBe(1);
    expect((await app.get('/api/v1/gaps?source=nowhere')).body.items).toEqual([]);
    for (const wrong of ['state=lost', 'limit=0', 'requested=1', 'cursor=x', 'symbol=a'])
      expect((await app.get(`/api/v1/gaps?${wrong}`)).status, wrong).toBe(400);
    for (const id of ['0', 'x', '99999999999999999999']) {
      expect((await app.get(`/api/v1/gaps/${id}`)).body).toMatchObject({ status: 404, code: 'market.unknown-gap' });
    }
  });
});
