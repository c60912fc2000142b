import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../src/ingestion/simulator/simulator.server.js';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed, testDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';

/** A venue that is asked by id, and one that is asked by time. */
const VENUES = [
  { face: 'binance', symbol: 'BTCUSDT', asked: 'BTCUSDT,ETHUSDT' },
  { face: 'kraken', symbol: 'BTCUSD', asked: 'BTC/USD,ETH/USD' },
] as const;

describe.each(VENUES)('a range of the past, asked for by hand from $face', ({ face, symbol, asked }) => {
  let app: RunningApp;
  let simulator: Simulator;
  /** One now for all of it: a test that runs into the next minute asks and compares the same range. */
  const now = Math.floor(Date.now() / 60_000);
  const minute = (ago: number): number => (now - ago) * 60_000;
  const instant = (ago: number): string => new Date(minute(ago)).toISOString();

  beforeAll(async () => {
    simulator = await startSimulator({ face, limits: { weightPerMinute: Infinity } });
    const { connection } = await testDatabase();
    const prefix = face.toUpperCase();
    app = await startApp(connection, {
      FEEDS: face,
      [`${prefix}_SYMBOLS`]: asked,
      [`${prefix}_WS_URL`]: face === 'kraken' ? `${simulator.url}/v2` : simulator.url,
      [`${prefix}_REST_URL`]: simulator.restUrl,
    });
    await eventually(async () => expect((await app.get(`/api/v1/price/${symbol}`)).status).toBe(200), 30_000);
    await eventually(async () => expect((await app.get(`/api/v1/gaps?symbol=${symbol}`)).body.items).not.toEqual([]));
  });

  beforeEach(() => keepWhenRed());

  afterAll(async () => {
    await app?.close();
    await simulator?.close();
  });

  const ask = (body: unknown, source: string = face) => app.post(`/api/v1/feeds/${source}/backfill`, body);

  it('is fetched and told how far it is, and its candles are complete', async () => {
    const asking = { symbol, from: instant(40), to: instant(30) };
    const { status, location, body } = await ask(asking);
    expect([status, body.symbol, body.gap.requested]).toEqual([202, symbol, true]);
    const done = await eventually(async () => {
      const gap = (await app.get(location!)).body;
      expect(gap).toMatchObject({ state: 'closed', remaining: 0, progress: 1 });
      return gap;
    }, 30_000);
    expect(done.fetched).toBeGreaterThanOrEqual(done.missing);
    const tapeSymbol = simulator.tape.instruments[0]!.symbol;
    const [fromUs, toUs] = [minute(40) * 1000, minute(30) * 1000];
    const fromId = simulator.tape.firstIdSince(tapeSymbol, fromUs)!;
    const endId = simulator.tape.firstIdSince(tapeSymbol, toUs)!;
    await eventually(async () => {
      const { candles } = (await app.get(`/api/v1/ohlcv/${symbol}?window=1m&from=${asking.from}&to=${asking.to}`)).body;
      expect(candles.filter((candle: { incomplete: boolean }) => candle.incomplete)).toEqual([]);
      const trades = candles.reduce((sum: number, candle: { trades: number }) => sum + candle.trades, 0);
      expect(trades).toBe(endId - fromId);
    });
    const again = await ask(asking);
    expect([again.status, again.body.gap]).toEqual([200, null]);
  });

  it('is refused in words that say what would be right', async () => {
    const faults: [unknown, number, string][] = [
      [{ symbol }, 400, 'request.bad-parameter'],
      [{ symbol, toTradeId: '7' }, 400, 'request.bad-parameter'],
      [{ symbol, from: instant(5), fromTradeId: '7' }, 400, 'request.bad-parameter'],
      [{ symbol, from: instant(5), to: instant(6) }, 400, 'request.bad-parameter'],
      [{ symbol, from: '2999-01-01T00:00:00Z' }, 400, 'request.bad-parameter'],
      [{ symbol, fromTradeId: '-1' }, 400, 'request.bad-parameter'],
      [{ symbol, fromTradeId: '99999999999999999' }, 400, 'request.bad-parameter'],
      [{ symbol, fromTradeId: '0' }, 400, 'request.bad-parameter'],
      [{ symbol, from: instant(5), every: '1m' }, 400, 'request.bad-parameter'],
      [{ symbol: 'NOPE', from: instant(5) }, 404, 'market.unknown-symbol'],
      ['{', 400, 'http.bad-request'],
      [[], 400, 'request.bad-parameter'],
    ];
    for (const [body, status, code] of faults) {
      const answer = await ask(body);
      expect([answer.status, answer.body.code], JSON.stringify(body)).toEqual([status, code]);
    }
    expect(await ask({ symbol, from: instant(5) }, 'nowhere')).toMatchObject({ status: 404 });
    // as a form or a script of a foreign page would send it
    for (const body of [JSON.stringify({ symbol }), new URLSearchParams({ symbol, from: instant(5) })]) {
      const answer = await fetch(`${app.url}/api/v1/feeds/${face}/backfill`, { method: 'POST', body });
      expect(answer.status).toBe(415);
    }
  });
});
