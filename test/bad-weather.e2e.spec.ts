import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed, testDatabase, type TestDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';
import { DatabaseDoor } from './support/proxy.js';
import { ServedMarket } from './support/served-market.js';

const MODULES = 'ingestion,processing,aggregation';

let database: TestDatabase;
let app: RunningApp | undefined;
let market: ServedMarket | undefined;

const one = async <T>(sql: string): Promise<T> => ((await database.dataSource.query(sql)) as T[])[0]!;
const markets = async (): Promise<number> =>
  (await one<{ n: number }>('select count(distinct series_id)::int as n from processing.trade')).n;
const stored = async (): Promise<number> =>
  (await one<{ n: number }>('select count(*)::int as n from processing.trade')).n;

beforeAll(async () => {
  database = await testDatabase();
});

beforeEach(async () => {
  keepWhenRed();
  await database.dataSource.query(
    'truncate processing.trade, processing.series, aggregation.candle, aggregation.gap, ingestion.coverage, ingestion.gap, bus.delivery, bus.dead_letter, bus.event',
  );
});

afterEach(async () => {
  await app?.close();
  await market?.close();
  app = undefined;
  market = undefined;
});

describe('a venue that misbehaves', () => {
  it('costs nothing: dropped, repeated, reordered, cut and malformed frames leave the served set, once', async () => {
    market = await ServedMarket.start(50, {
      faults: {
        drop: 0.01,
        repeat: 0.02,
        reorder: { often: 0.02, withinMs: 300 },
        gap: { often: { count: 2, over: 2000 }, trades: 20 },
        badFrame: 0.005,
        negative: 0.005,
        disconnect: { count: 2, over: 2000 },
      },
    });
    app = await startApp(database.connection, { ...market.env, MODULES });
    await eventually(() => expect(market!.struck).toMatchObject({ disconnect: 2, gap: 2 }), 25_000);
    await eventually(() =>
      expect(Object.values(market!.struck).every((count) => count > 0) || market!.struck.stall === 0).toBe(true),
    );
    market.stopClock();
    await market.expectStored(database.dataSource, app);
    await eventually(async () =>
      expect(await one(`select count(*)::int as n from ingestion.gap where state in ('open', 'filling')`)).toEqual({
        n: 0,
      }),
    );
    const letters = (await database.dataSource.query(
      'select stage, code, count(*)::int as n from bus.dead_letter group by 1, 2 order by 1',
    )) as object[];
    expect(letters).toMatchObject([
      { stage: 'decode', code: 'decode.not-json' },
      { stage: 'validate', code: 'validate.price' },
    ]);
  });
});

describe('a hole that nobody can fill', () => {
  it('stays in sight, as a gap and on the candles, and holds up nothing', async () => {
    market = await ServedMarket.start(50, { faults: { gap: { often: { count: 2, over: 1000 }, trades: 20 } } });
    app = await startApp(database.connection, { ...market.env, MODULES, BACKFILL_MAX_TRADES: '0' });
    await eventually(() => expect(market!.struck).toMatchObject({ gap: 2 }), 25_000);
    const holes = `from ingestion.gap where state = 'unfillable' and from_trade_id > 0`;
    await eventually(
      async () => expect(await one(`select sum(missing)::int as n ${holes}`)).toEqual({ n: 40 }),
      20_000,
    );
    const { symbol } = await one<{ symbol: string }>(`select symbol ${holes}`);
    expect((await app.get(`/api/v1/ohlcv/${symbol}?window=1d`)).body.candles[0].incomplete).toBe(true);
    expect((await app.get('/api/v1/feeds')).body.items[0].openGaps).toBe(0);
    const recorded = await stored();
    await eventually(async () => expect(await stored()).toBeGreaterThan(recorded + 50));
  });
});

describe('a database that is away', () => {
  it('at start: the process lives, is not ready, says so, and goes to work when the database comes', async () => {
    market = await ServedMarket.start(20);
    const door = new DatabaseDoor(database.connection);
    await door.open();
    await door.shut();
    app = await startApp(door.connection, { ...market.env, MODULES });
    expect((await app.get('/health/live')).status).toBe(200);
    const ready = await app.get('/health/ready');
    expect(ready.status).toBe(503);
    expect(ready.body.error.database.status).toBe('down');
    expect(await app.get('/api/v1/symbols')).toMatchObject({ status: 503, body: { code: 'database.unavailable' } });
    await door.open();
    await eventually(async () => expect((await app!.get('/health/ready')).status).toBe(200), 20_000);
    await eventually(async () => expect(await stored()).toBeGreaterThan(20));
    await app.close();
    app = undefined;
    await door.shut();
  });

  it('later: it goes on receiving up to its bound, says what it drops, and heals the hole afterwards', async () => {
    market = await ServedMarket.start(100);
    const door = new DatabaseDoor(database.connection);
    await door.open();
    app = await startApp(door.connection, { ...market.env, MODULES, RECEIVE_QUEUE_TRADES: '1000' });
    await eventually(async () => expect(await markets()).toBe(10), 20_000);
    await door.shut();
    await eventually(async () => expect((await app!.get('/health/ready')).status).toBe(503));
    await eventually(async () => {
      const metrics = await (await fetch(`${app!.url}/metrics`)).text();
      expect(
        Number(/bus_queue_dropped_total\{queue="processing.record-trades"\} (\d+)/.exec(metrics)?.[1] ?? 0),
      ).toBeGreaterThan(100);
    }, 20_000);
    const feeds = await app.get('/api/v1/feeds');
    expect(feeds.body.items[0].state).toBe('connected');
    await door.open();
    await eventually(async () => expect((await app!.get('/health/ready')).status).toBe(200), 20_000);
    await eventually(
      async () => expect(await one('select count(*)::int as n from ingestion.gap')).not.toEqual({ n: 0 }),
      20_000,
    );
    market.stopClock();
    await market.expectStored(database.dataSource, app);
    await app.close();
    app = undefined;
    await door.shut();
  });
});

describe('a poison event', () => {
  it('ends as a dead letter of each consumer, while everything behind it flows', async () => {
    market = await ServedMarket.start(20);
    app = await startApp(database.connection, { ...market.env, MODULES });
    await eventually(async () => expect(await markets()).toBe(10), 20_000);
    const recorded = await stored();
    await database.dataSource.query(
      `with poison as (insert into bus.event (name, data) values ('processing.trades-recorded.v1', '{"series":"poison"}') returning id, at)
       insert into bus.delivery (consumer, event_id, event_at, attempts)
       select c.name, p.id, p.at, 8 from poison p, bus.consumer c where c.event_name = 'processing.trades-recorded.v1'`,
    );
    await eventually(async () => expect(await stored()).toBeGreaterThan(recorded + 50), 20_000);
    await eventually(async () => {
      await database.dataSource.query(
        'update bus.delivery set due_at = now() where error is not null and due_at > now()',
      ); // skip the back-off
      expect(
        await database.dataSource.query(
          `select source_id, stage, attempts, convert_from(payload, 'UTF8')::json->'data'->>'series' as series from bus.dead_letter order by 1`,
        ),
      ).toEqual(
        ['aggregation.merge-candles', 'ingestion.track-recorded'].map((source_id) => ({
          source_id,
          stage: 'process',
          attempts: 10,
          series: 'poison',
        })),
      );
    }, 20_000);
    market.stopClock();
    await market.expectStored(database.dataSource, app);
  });
});

describe('modules in two processes over one database', () => {
  it('give the same candles as in one', async () => {
    market = await ServedMarket.start(20);
    app = await startApp(database.connection, { ...market.env, MODULES: 'ingestion,processing' });
    const second = await startApp(database.connection, { MODULES: 'aggregation' });
    await eventually(async () => expect(await markets()).toBe(10));
    market.stopClock();
    await market.expectStored(database.dataSource, second);
    await second.close();
  });
});
