import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { nineFields, oracleCandles, type OracleTrade } from '../bench/candle-oracle.js';
import { CandleStore } from '../src/aggregation/candles/candle.store.js';
import { INTERVALS, type IntervalName, type Trade, TradesReceivedV1 } from '../src/contracts/index.js';
import { Bus } from '../src/platform/bus/index.js';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed, testDatabase, type TestDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';
import { multipart, sendMultipart } from './support/multipart.js';

const dataDir = mkdtempSync(join(tmpdir(), 'tapeline-file-trades-'));
let database: TestDatabase;
let app: RunningApp;
let bus: Bus;

beforeAll(async () => {
  database = await testDatabase();
  app = await startApp(database.connection, { MODULES: 'uploads,processing,aggregation', DATA_DIR: dataDir });
  bus = app.app.get(Bus);
  await bus.whenReady();
});

beforeEach(() => keepWhenRed());

afterAll(async () => {
  await app?.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const START_US = Date.UTC(2019, 0, 31, 23, 50) * 1000; // windows of all intervals end within the span

/** Uploads lines as a file, waits until it is read, and gives it back. */
async function upload(lines: readonly string[], name: string, fields: Record<string, string> = {}) {
  const parts = Object.entries({ force: 'true', ...fields }).map(([key, value]) => ({ name: key, value }));
  const file = { name: 'file', fileName: name, value: `${lines.join('\n')}\n` };
  const sent = await sendMultipart(`${app.url}/upload`, multipart([...parts, file]));
  expect(sent.status).toBe(202);
  return eventually(async () => {
    const { body } = await app.get(`/api/v1/files/${sent.body.id}`);
    expect(body.finishedAt).not.toBeNull();
    return body;
  }, 10_000);
}

/** A row of Binance's archive of spot trades. */
const archived = ({ id, price, size, atUs, buyerIsMaker }: OracleTrade): string =>
  [id, price, size, '1', atUs, buyerIsMaker, true].join(',');

async function expectCandles(source: string, symbol: string, trades: readonly OracleTrade[]): Promise<void> {
  await eventually(async () => {
    for (const window of Object.keys(INTERVALS) as IntervalName[]) {
      const { body } = await app.get(`/api/v1/ohlcv/${symbol}?source=${source}&window=${window}&limit=1000`);
      const candles = (body.candles ?? []) as Record<string, unknown>[];
      const got = new Map(candles.map((candle) => [candle.openTime, nineFields(candle)]));
      expect(got).toEqual(oracleCandles([...trades], INTERVALS[window]));
    }
  }, 10_000);
}

async function expectRows(source: string, symbol: string, trades: readonly OracleTrade[]): Promise<void> {
  const { body } = await app.get(`/api/v1/trades/${symbol}?source=${source}&limit=1000&from=2019-01-01T00:00:00Z`);
  const rows = (body.items as { tradeId: string; size: string; side: string }[]).map(({ tradeId }) => tradeId);
  expect(rows.toSorted()).toEqual(trades.map(({ id }) => String(id)).toSorted());
}

const delivery = fc
  .array(
    fc.record({
      atUs: fc.integer({ min: 0, max: 1_200 }).map((second) => START_US + second * 1_000_000 + (second % 3)),
      price: fc.integer({ min: 1, max: 500_000_000 }).map(decimal8),
      size: fc.integer({ min: 1, max: 2_000_000_000 }).map(decimal8),
      buyerIsMaker: fc.boolean(),
    }),
    { minLength: 1, maxLength: 40 },
  )
  .map((trades) => trades.map((trade, index): OracleTrade => ({ ...trade, id: 1000 + index })))
  .chain((trades) =>
    fc.record({
      trades: fc.constant(trades),
      // every trade comes at least once, some twice, in any order
      order: fc.shuffledSubarray([...trades, ...trades], { minLength: trades.length, maxLength: trades.length * 2 }),
      cut: fc.integer({ min: 0, max: 80 }),
      live: fc.subarray(trades),
      isTwice: fc.boolean(),
    }),
  );

let run = 0;

it('gives the rows and candles of live trades, whatever the order, split and repetition of files, and with live ones', async () => {
  await fc.assert(
    fc.asyncProperty(delivery, async ({ trades, order, cut, live, isTwice }) => {
      const symbol = `FILE${++run}`;
      const sent = [...order, ...trades.filter((trade) => !order.includes(trade))].map(archived);
      bus.emit(TradesReceivedV1, { trades: live.map((trade) => received(symbol, trade)) });
      const files = [sent.slice(0, cut), sent.slice(cut), ...(isTwice ? [sent] : [])].filter(
        ({ length }) => length > 0,
      );
      const read = await Promise.all(files.map((lines) => upload(lines, `${symbol}-trades-2019-01-31.csv`)));
      for (const file of read) expect(file).toMatchObject({ status: 'processed', format: 'binance-trades' });
      await expectCandles('binance', symbol, trades);
      await expectRows('binance', symbol, trades);
    }),
    { numRuns: 25 },
  );
});

describe('a file of trades without ids', () => {
  const trades = Array.from({ length: 700 }, (_, at): OracleTrade => ({
    id: 0,
    atUs: START_US + Math.floor(at / 3) * 1_000_000,
    price: `${100 + (at % 7)}.00000000`,
    size: '0.50000000',
    buyerIsMaker: false,
  }));
  const lines = [
    'symbol,ts,price,size,side',
    ...trades.map(({ atUs, price, size }) => `abc/usd,${atUs / 1e6},${price},${size},buy`),
  ];

  it('makes candles of each of them, and stores nothing twice when it comes again', async () => {
    for (let turn = 0; turn < 2; turn++) {
      const file = await upload(lines, 'mine.csv');
      expect(file).toMatchObject({ status: 'processed', format: 'trades-csv', counts: { trades: 700, bad: 0 } });
      const placed = trades.map((trade, at) => ({ ...trade, id: at }));
      await expectCandles('upload', 'ABCUSD', placed);
    }
    await expectNoDeliveries();
    const [{ count }] = (await database.dataSource.query(
      `select count(*)::int as count from processing.trade t join processing.series s on s.id = t.series_id where s.symbol = 'ABCUSD'`,
    )) as [{ count: number }];
    expect(count).toBe(700);
  });

  it.each([
    'price/ABCUSD?source=upload',
    'price/ABCUSD',
    'trades/ABCUSD',
    'ohlcv/ABCUSD?window=1h',
    'symbols',
    'indicators/ABCUSD?interval=1m',
    'moving-average/ABCUSD?length=2',
    'flow/ABCUSD',
    'metrics/ABCUSD?source=upload',
    'metrics/ABCUSD/anomalies',
    'metrics/ABCUSD/rollups?window=1m',
    'metrics/ABCUSD/aggregated',
    '24h-change/ABCUSD',
    'vwap/ABCUSD',
  ])('is served: %s', async (route) => expect(await app.get(`/api/v1/${route}`)).toMatchObject({ status: 200 }));

  it('closes its candles a minute after the last of it, and calls none incomplete', async () => {
    await database.dataSource.query(
      `update aggregation.candle set close_seen_at = now() - interval '2 minutes' where symbol = 'ABCUSD'`,
    );
    await bus.transaction((tx) =>
      app.app.get(CandleStore).closePassed(tx, { latenessMs: 2000, sinceMs: 0, except: [] }),
    );
    for (const window of Object.keys(INTERVALS)) {
      const { body } = await app.get(`/api/v1/ohlcv/ABCUSD?window=${window}`);
      expect(body.candles.length).toBeGreaterThan(0);
      for (const candle of body.candles) expect(candle).toMatchObject({ closed: true, incomplete: false });
    }
  });
});

it('keeps the good lines of a file, and a dead letter of each bad one', async () => {
  const row = '{"symbol":"GOOD","ts":1548979200000,"price":1.50,"size":2,"id":';
  const file = await upload([`${row}1}`, `${row}-1}`.replace('1.50', '0'), `${row}2}`], 'x.jsonl');
  expect(file).toMatchObject({ status: 'processed_with_errors', format: 'trades-json', counts: { trades: 2, bad: 1 } });
  await eventually(async () => {
    const { body } = await app.get('/api/v1/trades/GOOD?source=upload');
    expect(body.items).toMatchObject([
      { tradeId: '1', price: '1.5', size: '2' },
      { tradeId: '2', price: '1.5', size: '2' },
    ]);
  });
  const letters = await app.get(`/api/v1/dead-letters?source=file:${file.id}`);
  expect(letters.body.items).toMatchObject([{ code: 'parse.bad-line', source: { position: '2' } }]);
});

it('refuses trades of a day that was dropped, and tells so', async () => {
  await database.dataSource.query(
    `insert into processing.trade_day (day, dropped_at) values ('2018-05-05', now()) on conflict do nothing`,
  );
  const atUs = Date.UTC(2018, 4, 5, 12) * 1000;
  const trade = { id: 5, atUs, price: '1', size: '1', buyerIsMaker: true };
  await upload([archived(trade), archived({ ...trade, id: 6, atUs: atUs + 86_400_000_000 })], 'DROPPED-trades-x.csv');
  await eventually(async () => {
    const { body } = await app.get('/api/v1/trades/DROPPED');
    expect(body.items).toMatchObject([{ tradeId: '6' }]);
  });
  const told = (await database.dataSource.query(
    `select data from bus.event where name = 'processing.trades-rejected.v1' and data::text like '%DROPPED%'`,
  )) as { data: { rejected: unknown } }[];
  expect(told.map(({ data }) => data.rejected)).toMatchObject([[{ symbol: 'DROPPED', tradeId: '5' }]]);
});

it('says which sources trades of files may have', async () => {
  const sent = await sendMultipart(
    `${app.url}/upload?source=constructor`,
    multipart([{ name: 'file', fileName: 'a', value: 'a' }]),
  );
  expect(sent).toMatchObject({ status: 400, body: { code: 'request.bad-parameter' } });
});

/** All that was told has been taken in. */
const expectNoDeliveries = (): Promise<void> =>
  eventually(async () => {
    const [{ count }] = (await database.dataSource.query(
      `select count(*)::int as count from bus.delivery d join bus.event e on e.id = d.event_id
       where e.name in ('uploads.trades-parsed.v1', 'processing.trades-recorded.v1') and d.consumer not like 'alerts.%'`,
    )) as [{ count: number }];
    expect(count).toBe(0);
  }, 10_000);

function received(symbol: string, trade: OracleTrade): Trade {
  return {
    source: 'binance',
    exchange: 'Binance',
    symbol,
    venueSymbol: symbol,
    tradeId: String(trade.id),
    price: trade.price,
    size: trade.size,
    side: trade.buyerIsMaker ? 'sell' : 'buy',
    tradedAtUs: trade.atUs,
    receivedAtUs: trade.atUs + 1000,
  };
}

function decimal8(units: number): string {
  return `${Math.floor(units / 1e8)}.${String(units % 1e8).padStart(8, '0')}`;
}

it.each([1, 2, 5, 10])(
  'of rows that contradict each other under one id, after %i alike, the first is stored and told',
  async (alike) => {
    const symbol = `DUP${alike}`;
    const first = `${symbol},2026-11-20T10:00:00Z,5,1,1`;
    const rows = [...Array.from({ length: alike }, () => first), `${symbol},2026-11-20T10:07:00Z,600,9,1`];
    await upload(['symbol,ts,price,size,id', ...rows], `${symbol}.csv`);
    await eventually(async () => {
      const { body } = await app.get(`/api/v1/trades/${symbol}?source=upload&from=2019-01-01T00:00:00Z`);
      expect(body.items).toMatchObject([{ price: '5', size: '1', tradedAt: '2026-11-20T10:00:00Z' }]);
    });
    await eventually(async () => {
      const { body } = await app.get(`/api/v1/ohlcv/${symbol}?source=upload&window=1m&from=2019-01-01T00:00:00Z`);
      expect(body.candles).toMatchObject([{ openTime: '2026-11-20T10:00:00Z', close: '5', trades: 1 }]);
    });
  },
);
