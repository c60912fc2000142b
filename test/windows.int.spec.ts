import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { GapOpenedV1, type Trade } from '../src/contracts/index.js';
import { Bus } from '../src/platform/bus/index.js';
import { keepWhenRed } from './support/database.js';
import { madeTrade, type Recording, startRecording } from './support/recording.js';

const MINUTE_US = 60_000_000;
const DAY_US = 1440 * MINUTE_US;
/** A minute within an hour, so that windows have edges on both sides. */
const END_US = Date.UTC(2026, 7, 9, 21, 37) * 1000;

let recording: Recording;
const get = async (path: string) => recording.app().get(`/api/v1/${path}`);

beforeAll(async () => {
  recording = await startRecording();
});

beforeEach(() => keepWhenRed());

afterAll(() => recording?.close());

/** A trade in every 7th minute of 50 hours, ids without a hole; its price and size tell its place. */
function fiftyHours(symbol: string): Trade[] {
  const minutes = Array.from({ length: Math.ceil(3000 / 7) }, (_, i) => END_US - 3000 * MINUTE_US + i * 7 * MINUTE_US);
  return minutes.map((minuteUs, i) =>
    madeTrade({
      symbol,
      tradeId: String(i + 1),
      price: `${100 + (i % 50)}.5`,
      size: `0.${1 + (i % 9)}`,
      side: i % 3 === 0 ? 'buy' : 'sell',
      tradedAtUs: minuteUs + 1_000_000,
    }),
  );
}

const within = (trades: readonly Trade[], fromUs: number, toUs: number): Trade[] =>
  trades.filter((trade) => trade.tradedAtUs >= fromUs && trade.tradedAtUs < toUs);
const sizes = (trades: readonly Trade[]): number =>
  trades.reduce((sum, trade) => sum + Number(trade.size) * 10, 0) / 10;

describe('24h-change', () => {
  it('equals what the trades of both days give, by hours and by minutes', async () => {
    const trades = fiftyHours('CHANGE');
    await recording.record(trades);
    const lastUs = trades.at(-1)!.tradedAtUs;
    const toUs = lastUs - (lastUs % MINUTE_US) + MINUTE_US;
    const [day, before] = [within(trades, toUs - DAY_US, toUs), within(trades, toUs - 2 * DAY_US, toUs - DAY_US)];
    const prices = day.map((trade) => Number(trade.price));
    const [open, close] = [prices[0]!, prices.at(-1)!];
    const { body } = await get('24h-change/CHANGE');
    expect(body).toMatchObject({
      symbol: 'CHANGE',
      source: 'simulator',
      price: String(close),
      openPrice: String(open),
      priceChange: String(close - open),
      priceChangePercent: Number((((close - open) * 100) / open).toFixed(4)),
      high: String(Math.max(...prices)),
      low: String(Math.min(...prices)),
      volume: String(sizes(day)),
      previousVolume: String(sizes(before)),
      volumeChangePercent: Number(((sizes(day) / sizes(before) - 1) * 100).toFixed(4)),
      trades: day.length,
      incomplete: false,
      from: new Date((toUs - DAY_US) / 1000).toISOString().replace('.000', ''),
    });
  });

  it('says of a series younger than its window that it is incomplete, and compares no part with a whole', async () => {
    const trades = within(fiftyHours('YOUNG'), END_US - DAY_US - 60 * MINUTE_US, END_US);
    await recording.record(trades);
    expect((await get('24h-change/YOUNG')).body).toMatchObject({ incomplete: false, volumeChangePercent: null });
    await recording.record([madeTrade({ symbol: 'NEWBORN', tradeId: '5', price: '7', tradedAtUs: END_US })]);
    expect((await get('24h-change/NEWBORN')).body).toMatchObject({
      incomplete: true,
      previousVolume: '0',
      volumeChangePercent: null,
      priceChangePercent: 0,
    });
  });

  it('is incomplete while a hole touches it', async () => {
    const trades = fiftyHours('HOLED');
    const missing = trades.at(-20)!;
    await recording.record(trades.filter((trade) => trade !== missing));
    const bus = recording.app().app.get(Bus);
    const { tradeId } = missing;
    await bus.transaction((tx) =>
      bus.append(tx, GapOpenedV1, {
        gapId: '900',
        source: 'simulator',
        symbol: 'HOLED',
        fromTradeId: tradeId,
        toTradeId: tradeId,
        missing: 1,
      }),
    );
    await recording.settled();
    expect((await get('24h-change/HOLED')).body).toMatchObject({ incomplete: true });
    expect((await get('vwap/HOLED?window=1h')).body).toMatchObject({ incomplete: false });
    expect((await get('vwap/HOLED?window=3h')).body).toMatchObject({ incomplete: true });
  });

  it('tells several symbols in one answer, in the order asked, and pages through all', async () => {
    const asked = await get('24h-change?symbols=NEWBORN,CHANGE');
    expect(asked.body.items.map((item: { symbol: string }) => item.symbol)).toEqual(['NEWBORN', 'CHANGE']);
    expect(asked.body.items[1]).toEqual((await get('24h-change/CHANGE')).body);
    const seen: string[] = [];
    for (let cursor = ''; ;) {
      const { body } = await get(`24h-change?limit=1${cursor}`);
      seen.push(...body.items.map((item: { symbol: string }) => item.symbol));
      if (body.nextCursor === null) break;
      cursor = `&cursor=${body.nextCursor}`;
    }
    expect(seen).toEqual(['CHANGE', 'HOLED', 'NEWBORN', 'YOUNG']);
    expect((await get('24h-change?source=binance')).body).toEqual({ items: [], nextCursor: null });
  });

  it.each([
    ['symbols=CHANGE,CHANGE', 400, 'symbols'],
    ['symbols=', 400, 'symbols'],
    [`symbols=${Array.from({ length: 101 }, (_, i) => `S${i}`).join(',')}`, 400, 'symbols'],
    ['limit=0', 400, 'limit'],
    ['cursor=e30', 400, 'cursor'],
    ['symbols=NOPE', 404, undefined],
  ])('refuses %s with %i', async (query, status, field) => {
    const answer = await get(`24h-change?${query}`);
    expect(answer.status).toBe(status);
    expect(answer.body.errors?.[0].field).toBe(field);
  });
});

it.each(['24h-change/', 'ohlcv/', 'indicators/', 'metrics/', 'flow/', 'vwap/'])(
  'answers %s of what can be no symbol with 404',
  async (route) => {
    for (const symbol of ['A%00', 'btcusdt', 'A'.repeat(41), '%E2%82%BF'])
      expect((await get(`${route}${symbol}`)).status).toBe(404);
  },
);

it.each(['constructor', 'toString', '__proto__', 'hasOwnProperty'])('refuses the parameter %s', async (name) => {
  const { status, body } = await get(`24h-change?${name}=1`);
  expect([status, body.errors?.[0].field]).toEqual([400, name]);
});

it('answers a time before 1970, when nothing was traded, with nothing', async () => {
  const range = 'from=1900-01-01T00:00:00Z&to=1900-01-02T00:00:00Z';
  for (const path of [`ohlcv/CHANGE?${range}`, `trades/CHANGE?${range}`, 'ohlcv/CHANGE?to=1969-12-31T00:00:00Z']) {
    const { status, body } = await get(path);
    expect([status, body.candles ?? body.items]).toEqual([200, []]);
  }
});

describe('vwap', () => {
  it('is the exact average of the session and of a rolling span', async () => {
    const at = (minute: number): number => Date.UTC(2026, 7, 9, 0, minute) * 1000;
    await recording.record([
      madeTrade({ symbol: 'VWAP', tradeId: '1', price: '10', size: '1', tradedAtUs: at(-1) }),
      madeTrade({ symbol: 'VWAP', tradeId: '2', price: '20', size: '1', tradedAtUs: at(1) }),
      madeTrade({ symbol: 'VWAP', tradeId: '3', price: '30', size: '2', tradedAtUs: at(90) }),
    ]);
    expect((await get('vwap/VWAP')).body).toMatchObject({
      window: 'session',
      vwap: '26.66666667',
      volume: '3',
      quoteVolume: '80',
      trades: 2,
      from: '2026-08-09T00:00:00Z',
      to: '2026-08-09T01:31:00Z',
    });
    expect((await get('vwap/VWAP?window=90m')).body).toMatchObject({ window: '90m', vwap: '26.66666667', trades: 2 });
    expect((await get('vwap/VWAP?window=92m')).body).toMatchObject({ vwap: '22.5', trades: 3 });
    expect((await get('vwap/VWAP?window=5m')).body).toMatchObject({ vwap: '30', trades: 1 });
  });

  it.each(['90s', '0m', '8d', 'day', '1', '-5m'])('refuses the window %s, naming what is allowed', async (window) => {
    const answer = await get(`vwap/VWAP?window=${window}`);
    expect(answer).toMatchObject({ status: 400, body: { code: 'request.bad-parameter' } });
    expect(answer.body.errors).toEqual([
      { field: 'window', message: 'must be session, or whole minutes from 1m to 7d, such as 15m, 1h, 24h or 7d' },
    ]);
  });
});
