import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { formatInstant, type Trade } from '../src/contracts/index.js';
import { type Bar, indicator, INDICATOR_DEFAULTS } from '../src/platform/indicators/index.js';
import { keepWhenRed } from './support/database.js';
import { madeTrade, type Recording, startRecording } from './support/recording.js';

const MINUTE_US = 60_000_000;
const START_US = Date.UTC(2026, 7, 9, 20, 0) * 1000;
const MINUTES = 180;
const NAMES = [...INDICATOR_DEFAULTS, 'vwap:20', 'sma:2', 'ema:60'];

type Point = { openTime: string; closed: boolean; values: Record<string, number | Record<string, number> | null> };

let recording: Recording;
const get = async (path: string) => recording.app().get(`/api/v1/${path}`);

beforeAll(async () => {
  recording = await startRecording();
});

beforeEach(() => keepWhenRed());

afterAll(() => recording?.close());

/** Three trades a minute that walk, one price jump in the middle; ids leave room for late ones. */
function walk(symbol: string, minutes = MINUTES): Trade[] {
  let cents = 6_500_000;
  let state = 42;
  const random = (): number => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
  return Array.from({ length: minutes * 3 }, (_, i) => {
    cents += Math.round((random() - 0.5) * 4000) + (i === 200 ? 90_000 : 0);
    return madeTrade({
      symbol,
      tradeId: String(1 + i * 2),
      price: (cents / 100).toFixed(2),
      tradedAtUs: START_US + Math.floor(i / 3) * MINUTE_US + (i % 3) * 10_000_000,
    });
  });
}

/** The minute bars of trades, which one trade a minute at least makes. */
function barsOf(trades: readonly Trade[]): Bar[] {
  const minutes = new Map<number, Trade[]>();
  for (const trade of trades.toSorted((a, b) => a.tradedAtUs - b.tradedAtUs)) {
    const openTimeUs = trade.tradedAtUs - (trade.tradedAtUs % MINUTE_US);
    minutes.set(openTimeUs, [...(minutes.get(openTimeUs) ?? []), trade]);
  }
  return [...minutes].map(([openTimeUs, of]) => {
    const prices = of.map((trade) => Number(trade.price));
    return {
      openTimeUs,
      open: prices[0]!,
      high: Math.max(...prices),
      low: Math.min(...prices),
      close: prices.at(-1)!,
      volume: of.length,
      quoteVolume: prices.reduce((sum, price) => sum + price),
    };
  });
}

/** What the library gives that is fed from the first bar on; its own spec holds it against TA-Lib. */
function fedLive(names: readonly string[], bars: readonly Bar[]): Point['values'][] {
  const running = names.map((name) => ({ name, each: indicator(name).create('1m') }));
  return bars.map((bar) => Object.fromEntries(running.map(({ name, each }) => [name, each.next(bar) ?? null])));
}

function expectFedLive(items: readonly Point[], bars: readonly Bar[]): void {
  expect(items.map((item) => item.openTime)).toEqual(bars.map((bar) => formatInstant(bar.openTimeUs)));
  for (const [i, values] of fedLive(NAMES, bars).entries()) expectClose(items[i]!.values, values);
}

const all = `names=${NAMES.join(',')}&limit=1000`;

describe('indicators', () => {
  it('are those of the library on every closed candle and on the open one, warm-up included', async () => {
    const trades = walk('TALIB');
    await recording.record(trades);
    const { body } = await get(`indicators/TALIB?${all}`);
    expectFedLive(body.items, barsOf(trades));
    const more = madeTrade({
      symbol: 'TALIB',
      tradeId: '9001',
      price: '66001.5',
      tradedAtUs: trades.at(-1)!.tradedAtUs + 1,
    });
    await recording.record([more]);
    const live = await get(`indicators/TALIB?${all}`);
    expectFedLive(live.body.items, barsOf([...trades, more]));
    expect(live.body.items.at(-1).values['sma:20']).not.toBe(body.items.at(-1).values['sma:20']);
  });

  it('are revised with the candle that a late trade revises, and with all that depend on it', async () => {
    const trades = walk('LATE');
    await recording.record(trades);
    const late = madeTrade({
      symbol: 'LATE',
      tradeId: '8',
      price: '70000',
      tradedAtUs: START_US + MINUTE_US + 20_000_001,
    });
    await recording.record([late]);
    const { body } = await get(`indicators/LATE?${all}`);
    expectFedLive(body.items, barsOf([...trades, late]));
  });

  it('are the same after a restart', async () => {
    const before = await get(`indicators/TALIB?${all}`);
    await recording.restart();
    expect((await get(`indicators/TALIB?${all}`)).body).toEqual(before.body);
  });

  it.each(['', `&from=${new Date(START_US / 1000).toISOString()}`])(
    'are the same page by page as in one (%s)',
    async (from) => {
      const whole = (await get(`indicators/TALIB?${all}${from}`)).body.items as Point[];
      const pages: Point[][] = [];
      for (let cursor = ''; ;) {
        const { body } = await get(`indicators/TALIB?names=${NAMES.join(',')}&limit=37${from}${cursor}`);
        pages.push(body.items);
        if (body.nextCursor === null) break;
        cursor = `&cursor=${body.nextCursor}`;
      }
      const joined = (from === '' ? pages.toReversed() : pages).flat();
      expect(joined.map((item) => item.openTime)).toEqual(whole.map((item) => item.openTime));
      for (const [i, item] of joined.entries()) expectClose(item.values, whole[i]!.values);
    },
  );

  it('take every indicator at its defaults when none is named', async () => {
    const { body } = await get('indicators/TALIB?limit=1');
    expect(Object.keys(body.items[0].values)).toEqual(
      expect.arrayContaining(['sma:20', 'rsi:14', 'macd:12:26:9', 'obv', 'vwap:session', 'twap:20']),
    );
    expect(Object.values(body.items[0].values)).not.toContain(null);
  });

  it('are null, and no fault, where nobody named what a young series cannot tell yet', async () => {
    await recording.record([madeTrade({ symbol: 'YOUNG', tradeId: '1', price: '7', tradedAtUs: START_US })]);
    const { status, body } = await get('indicators/YOUNG');
    expect(status).toBe(200);
    expect(body.items[0].values).toMatchObject({ 'sma:20': null, 'vwap:session': 7, obv: 1 });
  });

  it.each([
    ['indicators/TALIB?names=sma:0', 'names', /sma:<length 2\.\.500>/],
    ['indicators/TALIB?names=wavelet:3', 'names', /sma.*macd.*twap/],
    ['indicators/TALIB?names=', 'names', /sma/],
    ['indicators/TALIB?names=sma:20,sma:20', 'names', /twice/],
    ['indicators/TALIB?interval=7m', 'interval', /one of 1m, 5m, 15m, 1h, 4h, 1d/],
    ['indicators/TALIB?interval=1h&names=sma:20', 'names', /sma:20 takes 20 candles of 1h, and TALIB has 3/],
    ['moving-average/TALIB?length=0', 'length', /2/],
    ['moving-average/TALIB?length=181', 'length', /sma:181 takes 181 candles of 1m, and TALIB has 180/],
    ['moving-average/TALIB?type=hull', 'type', /one of sma, ema, wma/],
    ['moving-average/TALIB?period=2m', 'period', /one of 1m/],
  ])('refuse %s, naming the field and what is allowed', async (path, field, message) => {
    const { status, body } = await get(path);
    expect([status, body.errors?.[0].field]).toEqual([400, field]);
    expect(body.errors[0].message).toMatch(message);
  });

  it('answers one moving average, live on the open candle', async () => {
    const closes = ((await get('ohlcv/TALIB?limit=20')).body.candles as { close: string }[]).map(({ close }) =>
      Number(close),
    );
    const { body } = await get('moving-average/TALIB?period=1m&type=sma&length=20');
    expect(body).toMatchObject({ symbol: 'TALIB', source: 'simulator', period: '1m', type: 'sma', length: 20 });
    expect(body.value).toBeCloseTo(closes.reduce((sum, close) => sum + close) / 20, 6);
  });
});

describe('metrics', () => {
  it('tells price, day, last minute, indicators and anomalies in one answer', async () => {
    const { body } = await get('metrics/TALIB');
    expect(body).toMatchObject({ symbol: 'TALIB', source: 'simulator', price: '66001.5' });
    expect(body.day).toEqual((await get('24h-change/TALIB')).body);
    expect(body.indicators).toEqual((await get('indicators/TALIB?limit=1')).body.items[0]);
    const [candle] = (await get('ohlcv/TALIB?limit=1')).body.candles;
    const { openTime, high, low, volume, trades } = candle;
    expect(body.lastMinute).toMatchObject({ openTime, high, low, volume, trades });
    expect(Number(body.lastMinute.spread)).toBeCloseTo(Number(high) - Number(low), 6);
    expect(body.anomalies).toMatchObject({ state: expect.any(String), signals: { price: expect.any(Object) } });
    expect((await get('metrics/NOPE')).status).toBe(404);
  });
});

/** Equal to 1e-9 of their size: a page may begin elsewhere than the whole, once its values have settled. */
function expectClose(got: unknown, wanted: unknown): void {
  if (typeof wanted === 'number') {
    expect(Math.abs((got as number) - wanted)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(wanted)));
  } else if (wanted === null) {
    expect(got).toBeNull();
  } else {
    for (const [name, value] of Object.entries(wanted as object))
      expectClose((got as Record<string, unknown>)[name], value);
  }
}
