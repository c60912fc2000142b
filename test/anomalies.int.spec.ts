import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Anomalies } from '../src/aggregation/anomalies/anomalies.service.js';
import { AnomalyFinder } from '../src/aggregation/anomalies/anomaly-finder.handler.js';
import {
  AnomalyDetectedV1,
  type CandleData,
  CandlesClosedV1,
  type Trade,
  TradesReceivedV1,
} from '../src/contracts/index.js';
import { Bus } from '../src/platform/bus/index.js';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed, testDatabase, type TestDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';

const MINUTE_US = 60_000_000;
const START_US = Date.UTC(2026, 2, 1, 12) * 1000;
/** One of the symbols below has a series of its own in each test. */
const QUIET_MINUTES = 60;

let database: TestDatabase;
let app: RunningApp;
let bus: Bus;

beforeAll(async () => {
  database = await testDatabase();
  await start();
});

beforeEach(() => keepWhenRed());

afterAll(() => app?.close());

async function start(env: Record<string, string> = {}): Promise<void> {
  app = await startApp(database.connection, { MODULES: 'processing,aggregation,streaming', ...env });
  bus = app.app.get(Bus);
  await bus.whenReady();
}

/** Prices that tremble by a fiftieth of a percent, then fall by three percent in the last minute. */
const priceOf = (minute: number, base = 100): number =>
  minute === QUIET_MINUTES ? base * 0.97 : base * (1 + (((minute * 7919) % 11) - 5) / 50_000);

function candle(symbol: string, minute: number, changed: Partial<CandleData> = {}): CandleData {
  const openTimeUs = START_US + minute * MINUTE_US;
  const price = priceOf(minute).toFixed(6);
  return {
    source: 'binance',
    symbol,
    interval: '1m',
    openTimeUs,
    closeTimeUs: openTimeUs + MINUTE_US,
    open: price,
    high: price,
    low: price,
    close: price,
    volume: '1',
    quoteVolume: String(100 + ((minute * 31) % 17)),
    trades: 1,
    takerBuyVolume: '1',
    takerBuyQuoteVolume: '100',
    closed: true,
    revision: 0,
    incomplete: false,
    ...changed,
  };
}

const minutes = (symbol: string, from: number, to: number): CandleData[] =>
  Array.from({ length: to - from }, (_, at) => candle(symbol, from + at));

const close = (candles: readonly CandleData[]): Promise<void> =>
  bus.transaction((tx) => bus.append(tx, CandlesClosedV1, { candles }));

function trades(symbol: string, upTo: number): Trade[] {
  return Array.from({ length: upTo + 1 }, (_, minute) => ({
    source: 'binance',
    exchange: 'Binance',
    symbol,
    venueSymbol: symbol,
    tradeId: String(minute + 1),
    price: priceOf(minute).toFixed(6),
    size: '1',
    tradedAtUs: START_US + minute * MINUTE_US + 1_000_000,
    receivedAtUs: START_US,
  }));
}

const list = (symbol: string, query = '') => app.get(`/api/v1/metrics/${symbol}/anomalies${query}`);
const stored = (symbol: string): Promise<{ kind: string; severity: string }[]> =>
  database.dataSource.query('select kind, severity from aggregation.anomaly where symbol = $1 order by id', [symbol]);
const toldOf = async (symbol: string): Promise<number> =>
  Number(
    (
      await database.dataSource.query(`select count(*) from bus.event where name = $1 and data ->> 'symbol' = $2`, [
        AnomalyDetectedV1.name,
        symbol,
      ])
    )[0].count,
  );
const settled = () =>
  eventually(async () =>
    expect(await database.dataSource.query('select consumer, error from bus.delivery')).toEqual([]),
  );
const stateOf = (symbol: string, source = 'binance') => app.app.get(Anomalies).stateOf({ source, symbol });

/** Reads a stream until one event of the type came. */
async function firstOf(type: string, symbol: string, act: () => void): Promise<{ id: string; data: unknown }> {
  const abort = new AbortController();
  const response = await fetch(`${app.url}/stream?types=${type}&symbols=${symbol}`, { signal: abort.signal });
  act();
  let text = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const found = new RegExp(`event: ${type}\nid: (.*)\ndata: (.*)\n\n`).exec(text);
    if (found) {
      abort.abort();
      return { id: found[1]!, data: JSON.parse(found[2]!) };
    }
  }
  throw new Error('the stream ended');
}

describe('anomalies', () => {
  it('are found in the candles of a market that falls, served, and told over SSE', async () => {
    const { data } = await firstOf('anomaly', 'FALLUSDT', () =>
      bus.emit(TradesReceivedV1, { trades: trades('FALLUSDT', QUIET_MINUTES + 1) }),
    );
    const { status, body } = await list('FALLUSDT');
    expect(status).toBe(200);
    expect(body).toMatchObject({ symbol: 'FALLUSDT', source: 'binance', nextCursor: null });
    expect(body.items[0]).toEqual(data);
    expect(data).toMatchObject({
      kind: 'price-drop',
      detector: 'zscore',
      severity: 'critical',
      threshold: 5.5,
      at: '2026-03-01T13:01:00Z',
    });
    expect(body.items[0].value).toBeCloseTo(Math.log(0.97), 2);
    expect(body.items[0].value).toBeLessThan(body.items[0].lower);
    expect(await stateOf('FALLUSDT')).toMatchObject({
      state: 'alarming',
      needed: 30,
      last: body.items[0],
      signals: { price: { state: 'alarming' }, trend: { state: 'warming-up' } },
    });
    const metrics = await (await fetch(`${app.url}/metrics`)).text();
    expect(metrics).toMatch(/^anomalies_total\{kind="price-drop",severity="critical"\} 1$/m);
    expect(metrics).toMatch(/^anomaly_samples_total\{result="no-reference"\} 1$/m);
  });

  it('are told once, although candles come twice, in pieces, at once, and after a restart', async () => {
    const all = minutes('ONCEUSDT', 0, QUIET_MINUTES + 1);
    await close(all.slice(0, 40));
    await close(all.slice(30));
    await close(all);
    await settled();
    await app.close();
    await start();
    await close(all);
    const finder = app.app.get(AnomalyFinder);
    await Promise.all(
      [1, 2, 3].map(() => bus.transaction((tx) => finder.onCandlesClosed([{ candles: all.slice(50) }], tx))),
    );
    await settled();
    expect(await stored('ONCEUSDT')).toEqual([{ kind: 'price-drop', severity: 'critical' }]);
    expect(await toldOf('ONCEUSDT')).toBe(1);
  });

  it('are found once by processes that see a series for the first time together', async () => {
    const finder = app.app.get(AnomalyFinder);
    const candles = minutes('RACEUSDT', 0, QUIET_MINUTES + 1);
    await Promise.all([1, 2, 3].map(() => bus.transaction((tx) => finder.onCandlesClosed([{ candles }], tx))));
    expect(await stored('RACEUSDT')).toHaveLength(1);
    expect(await toldOf('RACEUSDT')).toBe(1);
  });

  it('leave nothing of a transaction that fails, and are found when it is tried again', async () => {
    const finder = app.app.get(AnomalyFinder);
    const candles = minutes('FAILUSDT', 0, QUIET_MINUTES + 1);
    const failing = bus.transaction(async (tx) => {
      await finder.onCandlesClosed([{ candles }], tx);
      throw new Error('after all');
    });
    await expect(failing).rejects.toThrow('after all');
    expect(await stored('FAILUSDT')).toEqual([]);
    await close(candles);
    await settled();
    expect(await stored('FAILUSDT')).toHaveLength(1);
    expect(await toldOf('FAILUSDT')).toBe(1);
  });

  it('know at once what is normal where candles are stored but no state, and tell nothing of the past', async () => {
    bus.emit(TradesReceivedV1, { trades: trades('WARMUSDT', QUIET_MINUTES + 1) });
    await eventually(async () => expect(await stored('WARMUSDT')).toHaveLength(1));
    await settled();
    await database.dataSource.query(`delete from aggregation.detector_state where symbol = 'WARMUSDT'`);
    await database.dataSource.query(`delete from aggregation.anomaly where symbol = 'WARMUSDT'`);
    await close([candle('WARMUSDT', QUIET_MINUTES + 1)]);
    await settled();
    expect((await stateOf('WARMUSDT')).signals.price).toMatchObject({ state: 'alarming', n: QUIET_MINUTES - 1 });
    expect(await stored('WARMUSDT')).toEqual([]);
  });

  it('are found in minutes whose event is overtaken by that of a later one', async () => {
    bus.emit(TradesReceivedV1, { trades: trades('OVERUSDT', QUIET_MINUTES + 1) });
    await eventually(async () => expect(await stored('OVERUSDT')).toHaveLength(1));
    await settled();
    await database.dataSource.query(`delete from aggregation.detector_state where symbol = 'OVERUSDT'`);
    await database.dataSource.query(`delete from aggregation.anomaly where symbol = 'OVERUSDT'`);
    await close(minutes('OVERUSDT', 50, 55));
    await settled();
    await close([candle('OVERUSDT', QUIET_MINUTES + 1)]);
    await close(minutes('OVERUSDT', 55, QUIET_MINUTES + 1));
    await settled();
    expect(await stored('OVERUSDT')).toEqual([{ kind: 'price-drop', severity: 'critical' }]);
    expect((await stateOf('OVERUSDT')).signals.volume).toMatchObject({ n: QUIET_MINUTES + 1 });
  });

  it('are not looked for in candles that a hole touches, nor is anything learnt of them', async () => {
    await close(minutes('HOLEUSDT', 0, QUIET_MINUTES));
    await settled();
    const { n } = (await stateOf('HOLEUSDT')).signals.price!;
    await close([candle('HOLEUSDT', QUIET_MINUTES, { incomplete: true }), candle('HOLEUSDT', QUIET_MINUTES + 1)]);
    await settled();
    expect(await stored('HOLEUSDT')).toEqual([]);
    expect((await stateOf('HOLEUSDT')).signals.price).toMatchObject({ state: 'normal', n });
  });

  it('are looked for as the settings say, and a new window is filled from what is stored', async () => {
    bus.emit(TradesReceivedV1, { trades: trades('SETUSDT', QUIET_MINUTES) });
    await settled();
    await eventually(async () => expect((await stateOf('SETUSDT')).samples).toBeGreaterThan(50));
    await app.close();
    await start({
      ANOMALIES: JSON.stringify([
        { symbols: ['SETUSDT'], detector: 'zscore', signals: ['volume', 'volatility', 'trend'], enabled: false },
        { symbols: ['SETUSDT'], signals: ['price'], window: 40, threshold: 7 },
        { symbols: ['SETUSDT'], source: 'binance', signals: ['price'], detector: 'iqr' },
        { symbols: ['OFFUSDT'], enabled: false },
      ]),
    });
    bus.emit(TradesReceivedV1, { trades: trades('SETUSDT', QUIET_MINUTES + 1).slice(-1) });
    await close(minutes('OFFUSDT', 0, QUIET_MINUTES + 1));
    await eventually(async () => expect(await stored('SETUSDT')).toHaveLength(2));
    const { body } = await list('SETUSDT');
    expect(body.items.map(({ detector, threshold }: Record<string, unknown>) => [detector, threshold])).toEqual(
      expect.arrayContaining([
        ['zscore', 7],
        ['iqr', 5],
      ]),
    );
    expect(Object.keys((await stateOf('SETUSDT')).signals)).toEqual(['price']);
    expect(await stateOf('OFFUSDT')).toEqual({ state: 'off', samples: 0, needed: 0, signals: {}, last: null });
    expect(await stored('OFFUSDT')).toEqual([]);
    await app.close();
    await start();
  });

  it('are found in custom series by their values', async () => {
    const points = Array.from({ length: 80 }, (_, at) => ({
      name: 'orders.open',
      value: String(at === 70 ? 500 : 100 + ((at * 31) % 13)),
      at: new Date(START_US / 1000 + at * 1000).toISOString(),
    }));
    expect((await app.get('/api/v1/metrics/custom/orders.open/anomalies')).body.code).toBe('metrics.unknown-series');
    for (const part of [points.slice(0, 50), points.slice(50), points])
      expect((await app.post('/api/v1/metrics/custom', { points: part })).status).toBe(200);
    await eventually(async () => expect(await toldOf('orders.open')).toBe(1));
    await settled();
    const { body } = await app.get('/api/v1/metrics/custom/orders.open/anomalies');
    expect(body).toMatchObject({
      symbol: 'orders.open',
      source: 'custom',
      items: [{ kind: 'value-spike', value: 500, at: '2026-03-01T12:01:10Z', source: 'custom' }],
    });
    expect(await stateOf('orders.open', 'custom')).toMatchObject({ state: 'alarming', signals: { value: {} } });
  });
});

describe('the list of anomalies', () => {
  const insert = (count: number): Promise<unknown> =>
    database.dataSource.query(
      `insert into aggregation.anomaly (source, symbol, kind, detector, severity, score, threshold, value, expected, lower, upper, at)
       select 'binance', 'FALLUSDT', 'volume-spike', 'iqr', 'low', 6, 5, 1, 0, -1, 1, to_timestamp(1700000000 + n / 2)
       from generate_series(1, $1) n on conflict do nothing`,
      [count],
    );

  it('pages without loss or repetition, forward and backward', async () => {
    await insert(20);
    const ids: string[] = (await list('FALLUSDT')).body.items.map(({ id }: { id: string }) => id);
    expect(ids.length).toBeGreaterThan(10);
    for (const from of ['', '&from=2020-01-01T00:00:00Z']) {
      const pages: string[][] = [];
      let cursor: string | null = null;
      do {
        const { body } = await list('FALLUSDT', `?limit=3${from}${cursor ? `&cursor=${cursor}` : ''}`);
        pages.push(body.items.map(({ id }: { id: string }) => id));
        cursor = body.nextCursor;
      } while (cursor);
      expect((from === '' ? pages.toReversed() : pages).flat()).toEqual(ids);
    }
  });

  it('is filtered by kind, detector and severity', async () => {
    const kinds = async (query: string): Promise<string[]> => [
      ...new Set<string>((await list('FALLUSDT', query)).body.items.map(({ kind }: { kind: string }) => kind)),
    ];
    expect(await kinds('?kind=price-drop')).toEqual(['price-drop']);
    expect(await kinds('?detector=iqr&severity=low,medium')).toEqual(['volume-spike']);
    expect(await kinds('?kind=price-spike&kind=value-drop')).toEqual([]);
  });

  it.each([
    ['kind=crash', 'kind', /must be a comma list out of price-spike, price-drop/],
    ['detector=mad', 'detector', /zscore, iqr, prediction-interval/],
    ['severity=', 'severity', /low, medium, high, critical/],
    ['limit=0', 'limit', /1/],
    ['cursor=abc', 'cursor', /nextCursor/],
    ['from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z', 'from', /before to/],
    ['window=1h', 'window', /is not a parameter/],
  ])('refuses %s', async (query, field, message) => {
    const { status, body } = await list('FALLUSDT', `?${query}`);
    expect(status).toBe(400);
    expect(body.errors).toEqual([{ field, message: expect.stringMatching(message) as string }]);
  });

  it('knows no symbol that was never recorded', async () => {
    expect(await list('NOPE')).toMatchObject({ status: 404, body: { code: 'market.unknown-symbol' } });
  });
});
