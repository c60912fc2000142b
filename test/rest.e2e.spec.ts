import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningApp, startApp } from './support/app.js';
import { testDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';

let app: RunningApp;

beforeAll(async () => {
  const database = await testDatabase();
  app = await startApp(database.connection, { FEEDS: 'simulator' });
  await eventually(async () => expect((await app.get('/api/v1/24h-change/BTCUSDT')).status).toBe(200), 20_000);
});

afterAll(() => app?.close());

const problems: [path: string, status: number, code: string, field?: string][] = [
  ['/api/v1/price/NOPE', 404, 'market.unknown-symbol'],
  ['/api/v1/price/BTCUSDT?source=kraken', 404, 'market.unknown-symbol'],
  ['/api/v1/price/BTCUSDT?source=K!', 400, 'request.bad-parameter', 'source'],
  ['/api/v1/trades/NOPE', 404, 'market.unknown-symbol'],
  ['/api/v1/trades/BTCUSDT?limit=0', 400, 'request.bad-parameter', 'limit'],
  ['/api/v1/trades/BTCUSDT?limit=1e9', 400, 'request.bad-parameter', 'limit'],
  ['/api/v1/trades/BTCUSDT?from=yesterday', 400, 'request.bad-parameter', 'from'],
  ['/api/v1/trades/BTCUSDT?from=2026-02-30T00:00:00Z', 400, 'request.bad-parameter', 'from'],
  ['/api/v1/trades/BTCUSDT?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z', 400, 'request.bad-parameter', 'from'],
  ['/api/v1/trades/BTCUSDT?cursor=garbage', 400, 'request.bad-parameter', 'cursor'],
  ['/api/v1/ohlcv/NOPE', 404, 'market.unknown-symbol'],
  ['/api/v1/ohlcv/BTCUSDT?window=7m', 400, 'request.bad-parameter', 'window'],
  ['/api/v1/ohlcv/BTCUSDT?windw=1m', 400, 'request.bad-parameter', 'windw'],
  ['/api/v1/ohlcv/BTCUSDT?fill=zero', 400, 'request.bad-parameter', 'fill'],
  ['/api/v1/ohlcv/BTCUSDT?cursor=e30', 400, 'request.bad-parameter', 'cursor'],
  ['/api/v1/24h-change/NOPE', 404, 'market.unknown-symbol'],
  ['/api/v1/feeds/nyse', 404, 'market.unknown-source'],
  ['/api/v1/feeds?limit=1', 400, 'request.bad-parameter', 'limit'],
  ['/api/v1/symbols?x=1', 400, 'request.bad-parameter', 'x'],
  ['/api/v1/price/%E0%A4%A', 400, 'http.bad-request'],
  [`/api/v1/price/${'A'.repeat(300)}`, 414, 'http.uri-too-long'],
  ['/api/v1/nothing', 404, 'http.not-found'],
  ['/stream?types=gossip', 400, 'request.bad-parameter', 'types'],
  ['/stream?symbols=', 400, 'request.bad-parameter', 'symbols'],
];

describe('the REST API', () => {
  it.each(problems)('answers %s with problem %i %s', async (path, status, code, field) => {
    const response = await fetch(app.url + path);
    const body = (await response.json()) as { code: string; detail: string; errors?: { field: string }[] };
    expect([response.status, body.code]).toEqual([status, code]);
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    expect(body.detail.length).toBeGreaterThan(5);
    expect(body.detail).not.toMatch(/(must be .*) and \1/);
    if (field) expect(body.errors?.map((error) => error.field)).toEqual([field]);
  });

  it('answers price, symbols, feeds and 24 h change in the documented shapes', async () => {
    expect((await app.get('/api/v1/price/BTCUSDT')).body).toEqual({
      symbol: 'BTCUSDT',
      source: 'simulator',
      price: expect.stringMatching(/^\d+(\.\d+)?$/),
      size: expect.stringMatching(/^\d+(\.\d+)?$/),
      side: expect.stringMatching(/^(buy|sell)$/),
      tradeId: expect.stringMatching(/^\d+$/),
      tradedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3,6})?Z$/),
    });
    await eventually(async () => expect((await app.get('/api/v1/symbols')).body.items).toHaveLength(10), 25_000);
    expect((await app.get('/api/v1/feeds')).body.items).toMatchObject([
      { source: 'simulator', simulated: true, state: 'connected', openGaps: 0 },
    ]);
    expect((await app.get('/api/v1/24h-change/BTCUSDT')).body).toMatchObject({
      symbol: 'BTCUSDT',
      source: 'simulator',
      previousVolume: '0',
      volumeChangePercent: null,
    });
  });

  it('pages through trades without loss or repetition, forward and backward', async () => {
    await eventually(
      async () => expect((await app.get('/api/v1/trades/BTCUSDT?limit=25')).body.items).toHaveLength(25),
      20_000,
    );
    // up to a trade that is recorded: what was traded before now may still be on its way
    const newest = (await app.get('/api/v1/trades/BTCUSDT?limit=1')).body.items as { tradedAt: string }[];
    const to = newest[0]!.tradedAt;
    const all = (await app.get(`/api/v1/trades/BTCUSDT?limit=1000&to=${to}`)).body.items as { tradeId: string }[];
    for (const start of [`to=${to}`, `from=2020-01-01T00:00:00Z&to=${to}`]) {
      const pages: { tradeId: string }[][] = [];
      let cursor: string | null = null;
      do {
        const { body } = await app.get(`/api/v1/trades/BTCUSDT?${start}&limit=7${cursor ? `&cursor=${cursor}` : ''}`);
        pages.push(body.items);
        cursor = body.nextCursor;
      } while (cursor);
      const ordered = start.startsWith('to') ? pages.toReversed() : pages;
      expect(ordered.flat().map((trade) => trade.tradeId)).toEqual(all.map((trade) => trade.tradeId));
    }
  });

  it('answers an empty page for a time that has not come, and takes any RFC 3339 year', async () => {
    const later = new Date(Date.now() + 30 * 86_400_000).toISOString();
    for (const route of ['trades', 'ohlcv']) {
      const { status, body } = await app.get(`/api/v1/${route}/BTCUSDT?from=${later}`);
      expect([status, (body.items ?? body.candles) as unknown[]]).toEqual([200, []]);
      expect(
        (await app.get(`/api/v1/${route}/BTCUSDT?from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59Z&limit=1`)).status,
      ).toBe(200);
    }
  });

  it('echoes a correlation id, and makes one where none came', async () => {
    const given = await fetch(`${app.url}/api/v1/feeds`, { headers: { 'x-correlation-id': 'desk-42' } });
    expect(given.headers.get('x-correlation-id')).toBe('desk-42');
    expect((await fetch(`${app.url}/api/v1/feeds`)).headers.get('x-correlation-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('exposes the metrics by their names', async () => {
    const text = await (await fetch(`${app.url}/metrics`)).text();
    for (const name of [
      'crypto_price_current',
      'crypto_trades_total',
      'crypto_volume_24h',
      'processing_duration_seconds',
      'ingestor_fetch_total',
      'ingestor_publish_total',
      'bus_queue_depth',
      'feed_connected',
      'stream_clients',
    ]) {
      expect(text).toContain(`# HELP ${name} `);
    }
  });

  it('serves the page, and an OpenAPI document in which every route has its answers', async () => {
    const page = await fetch(`${app.url}/`, { redirect: 'follow' });
    expect(page.url).toBe(`${app.url}/dashboard`);
    expect(await page.text()).toContain('<table');
    const { body } = await app.get('/docs-json');
    for (const path of [
      'symbols',
      'price/{symbol}',
      'trades/{symbol}',
      'ohlcv/{symbol}',
      '24h-change/{symbol}',
      'feeds',
      'feeds/{source}',
    ]) {
      const responses = body.paths[`/api/v1/${path}`].get.responses;
      expect(responses['200'].content['application/json'].schema.$ref, path).toMatch(/Body$/);
    }
    expect(body.paths['/api/v1/price/{symbol}'].get.responses['404'].content).toHaveProperty(
      'application/problem+json',
    );
    expect(body.paths).toHaveProperty('/stream');
  });
});
