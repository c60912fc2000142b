import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed, testDatabase, type TestDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';
import {
  coinbaseFrames,
  finnhubFrames,
  type FrameServer,
  RECORDED_VENUES,
  serveFrames,
} from './support/recorded-frames.js';

/** A frame read by nothing but JSON.parse. */
type Frame = {
  type: string;
  product_id: string;
  trade_id?: number;
  side: string;
  price: string;
  size: string;
  time: string;
};
type FinnhubRow = { s: string; p: number; v: number; t: number };
type Stored = {
  venue: string;
  symbol: string;
  id: string;
  price: string;
  size: string;
  buys: boolean | null;
  us: string;
};

const PRODUCTS = 'SKL-USD,SKL-BTC,BAND-GBP,NMR-EUR,BAND-BTC,YFI-BTC,DASH-BTC,NU-GBP,CRV-EUR,SKL-GBP'.split(',');
const MODULES = 'ingestion,processing,aggregation';

if (!RECORDED_VENUES)
  process.stderr.write(
    'skipped: ../shared/data/market is not there, so no session of Coinbase or Finnhub is replayed\n',
  );

/** Decimal text as a count of 10^-20. */
function units(text: string): bigint {
  const [whole, fraction = ''] = text.split('.');
  return BigInt(whole + fraction.padEnd(20, '0'));
}

/** Everything stored, when it is as much as expected and nothing is on its way. */
const storedTrades = (database: TestDatabase, count: number): Promise<Stored[]> =>
  eventually(async () => {
    const [{ waiting }] = (await database.dataSource.query('select count(*)::int as waiting from bus.delivery')) as [
      { waiting: number },
    ];
    const stored = (await database.dataSource.query(
      `select venue_symbol as venue, symbol, trade_id::text as id, price::text as price, size::text as size, taker_buys as buys,
              (extract(epoch from traded_at) * 1000000)::bigint::text as us
       from processing.trade join processing.series on series.id = series_id order by venue_symbol, trade_id`,
    )) as Stored[];
    expect({ stored: stored.length, waiting }).toEqual({ stored: count, waiting: 0 });
    return stored;
  }, 30_000);

describe.skipIf(!RECORDED_VENUES)('the recorded session of ten Coinbase products', () => {
  let database: TestDatabase;
  let venue: FrameServer;
  let running: RunningApp;
  let stored: Stored[];
  const frames = RECORDED_VENUES ? coinbaseFrames().map((raw) => JSON.parse(raw) as Frame) : [];
  const matches = frames.filter(({ type }) => type === 'match' || type === 'last_match');

  beforeAll(async () => {
    database = await testDatabase();
    venue = await serveFrames(coinbaseFrames(), 1);
    running = await startApp(database.connection, {
      FEEDS: 'coinbase',
      COINBASE_SYMBOLS: PRODUCTS.join(','),
      COINBASE_WS_URL: venue.wsUrl,
      COINBASE_REST_URL: venue.restUrl,
      MODULES,
    });
    stored = await storedTrades(database, matches.length);
  });

  beforeEach(() => keepWhenRed());

  afterAll(async () => {
    await running?.close();
    await venue?.close();
  });

  it('is subscribed to in one frame, and read to its last frame, whatever the frames are', async () => {
    expect(venue.heard).toHaveLength(1);
    expect(JSON.parse(venue.heard[0]!)).toMatchObject({ type: 'subscribe', product_ids: PRODUCTS });
    expect(frames).toHaveLength(9946);
    await eventually(async () => {
      const { body } = await running.get('/api/v1/feeds');
      expect(body.items).toMatchObject([{ source: 'coinbase', frames: 9946, reconnects: 0 }]);
    });
  });

  it('gives its 107 trades, each once, with the decimals and microseconds of the frames', () => {
    expect(matches).toHaveLength(107);
    const told = matches.map((frame) => {
      const [second, fraction] = frame.time.slice(0, -1).split('.');
      const us = BigInt(Date.parse(`${second}Z`)) * 1000n + BigInt(fraction!.padEnd(6, '0'));
      return `${frame.product_id} ${frame.trade_id} ${units(frame.price)} ${units(frame.size)} ${us}`;
    });
    const got = stored.map((row) => `${row.venue} ${row.id} ${units(row.price)} ${units(row.size)} ${row.us}`);
    expect(got.sort()).toEqual(told.sort());
    for (const row of stored) expect(row.symbol).toBe(row.venue.replace('-', ''));
  });

  it('has the taker’s side: the opposite of its frames, and that of the ticker of the same trade', () => {
    const takers = new Map(stored.map((row) => [`${row.venue} ${row.id}`, row.buys ? 'buy' : 'sell']));
    const differing = matches.filter((frame) => takers.get(`${frame.product_id} ${frame.trade_id}`) !== frame.side);
    expect(differing).toHaveLength(107);
    const tickers = frames.filter(
      (frame) => frame.type === 'ticker' && takers.has(`${frame.product_id} ${frame.trade_id}`),
    );
    expect(tickers).toHaveLength(107);
    expect(tickers.filter((frame) => takers.get(`${frame.product_id} ${frame.trade_id}`) !== frame.side)).toEqual([]);
  });

  it.each(PRODUCTS)('has contiguous ids and the exact sums of %s', async (product) => {
    const own = matches.filter((frame) => frame.product_id === product);
    const ids = stored.filter(({ venue: symbol }) => symbol === product).map(({ id }) => Number(id));
    expect(ids).toEqual(ids.map((_, index) => ids[0]! + index));
    const [sums] = (await database.dataSource.query(
      `select sum(size)::text as base, sum(price * size)::text as quote
       from processing.trade join processing.series on series.id = series_id where venue_symbol = $1`,
      [product],
    )) as [{ base: string; quote: string }];
    expect(units(sums.base)).toBe(own.reduce((sum, frame) => sum + units(frame.size), 0n));
    expect(units(sums.quote) * 10n ** 20n).toBe(
      own.reduce((sum, frame) => sum + units(frame.price) * units(frame.size), 0n),
    );
  });

  it('has no gap from the first trade of a product on', async () => {
    const first = new Map(stored.toReversed().map((row) => [row.venue, BigInt(row.id)]));
    const gaps = (await database.dataSource.query(
      'select venue_symbol as venue, to_trade_id::text as last from ingestion.gap',
    )) as { venue: string; last: string }[];
    expect(gaps.filter(({ venue: product, last }) => BigInt(last) >= first.get(product)!)).toEqual([]);
  });
});

describe.skipIf(!RECORDED_VENUES)('the recorded frames of Finnhub, sent twice and one more with two equal rows', () => {
  let database: TestDatabase;
  let venue: FrameServer;
  let running: RunningApp;
  let stored: Stored[];
  const recorded = RECORDED_VENUES ? finnhubFrames() : [];
  const doubled = (recorded[0] ?? '').replace(/(\{"p".*?\})/, '$1,$1');
  const sent = [...recorded, ...recorded, doubled];
  const rows = sent
    .filter((raw) => raw.includes('"data"'))
    .flatMap((raw) => (JSON.parse(raw) as { data: FinnhubRow[] }).data);

  beforeAll(async () => {
    database = await testDatabase();
    venue = await serveFrames(sent, 3);
    running = await startApp(database.connection, {
      FEEDS: 'finnhub',
      FINNHUB_SYMBOLS: 'SPY,TSLA,AAPL',
      FINNHUB_TOKEN: 'the key',
      FINNHUB_WS_URL: venue.wsUrl,
      MODULES,
    });
    stored = await storedTrades(database, rows.length);
  });

  beforeEach(() => keepWhenRed());

  afterAll(async () => {
    await running?.close();
    await venue?.close();
  });

  it('are subscribed to with the key, a frame a symbol', () => {
    expect(venue.paths.map((path) => new URL(path, venue.restUrl).searchParams.get('token'))).toEqual(['the key']);
    expect(venue.heard.map((raw) => JSON.parse(raw) as unknown)).toEqual(
      ['SPY', 'TSLA', 'AAPL'].map((symbol) => ({ type: 'subscribe', symbol })),
    );
  });

  it('are stored row by row, equal ones too, in the order of the frames', () => {
    expect(rows).toHaveLength(26);
    for (const symbol of ['SPY', 'TSLA', 'AAPL']) {
      const told = rows.filter(({ s }) => s === symbol).map(({ p, v, t }) => `${p} ${v} ${t}000`);
      const got = stored.filter((row) => row.venue === symbol).map((row) => `${row.price} ${row.size} ${row.us}`);
      expect(got).toEqual(told);
    }
    expect(stored.filter(({ buys }) => buys !== null)).toEqual([]);
    expect(new Set(stored.map(({ id }) => id)).size).toBe(26);
  });
});
