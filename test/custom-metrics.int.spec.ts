import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AnomalyFinder } from '../src/aggregation/anomalies/anomaly-finder.handler.js';
import { CustomPointStore } from '../src/aggregation/custom/custom-point.store.js';
import { RollupMerger } from '../src/aggregation/rollups/rollup-merger.service.js';
import { Bus } from '../src/platform/bus/index.js';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed, testDatabase, type TestDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';

const CUSTOM = '/api/v1/metrics/custom';

let database: TestDatabase;
let app: RunningApp;

const start = async (): Promise<RunningApp> => {
  const started = await startApp(database.connection, { MODULES: 'aggregation' });
  await started.app.get(Bus).whenReady();
  return started;
};

beforeAll(async () => {
  database = await testDatabase();
  app = await start();
});

beforeEach(() => keepWhenRed());

afterAll(() => app?.close());

type Point = Readonly<{ name: string; value: number | string; at?: string | number; key?: string }>;

const post = (points: readonly unknown[]) => app.post(CUSTOM, { points });

/** Count, sum, least and greatest of each window of a series. */
async function windows(name: string, window: string): Promise<unknown[]> {
  const { body } = await app.get(`${CUSTOM}/${name}/rollups?window=${window}&limit=1000`);
  return body.items.map(({ openTime, value }: { openTime: string; value: Record<string, number> }) => [
    openTime,
    value.count,
    value.sum,
    value.min,
    value.max,
  ]);
}

function windowsOf(points: readonly Point[], windowMs: number): unknown[] {
  const byWindow = Map.groupBy(points, ({ at }) => Math.floor(Number(at) / windowMs) * windowMs);
  return [...byWindow]
    .sort(([a], [b]) => a - b)
    .map(([openMs, those]) => {
      const values = those.map(({ value }) => Number(value));
      const sum = values.reduce((total, value) => total + value);
      return [
        new Date(openMs).toISOString().replace('.000Z', 'Z'),
        those.length,
        sum,
        Math.min(...values),
        Math.max(...values),
      ];
    });
}

/** Statements that wait for the lock of another transaction. */
const waiting = async (): Promise<number> =>
  (
    await database.dataSource.query(
      `select count(*)::int as waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    )
  )[0].waiting;

const START_MS = Date.UTC(2026, 0, 31, 23, 50);

describe('points of custom series', () => {
  it('are rolled up once each, whatever their order, batches and repetition', async () => {
    let run = 0;
    const pointsArbitrary = fc
      .array(fc.record({ value: fc.integer({ min: -50, max: 50 }), at: fc.integer({ min: 0, max: 1_200_000 }) }), {
        minLength: 1,
        maxLength: 40,
      })
      .map((points) => points.map(({ value, at }, i) => ({ value, at: START_MS + at, key: `k${i}` })));
    const sentArbitrary = pointsArbitrary.chain((points) =>
      fc.record({
        points: fc.constant(points),
        order: fc.shuffledSubarray([...points, ...points], { minLength: points.length, maxLength: points.length * 2 }),
        size: fc.integer({ min: 1, max: 20 }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(sentArbitrary, async ({ points, order, size }) => {
        const name = `law-${++run}`;
        const named = [...order, ...points].map((point) => ({ ...point, name }));
        let accepted = 0;
        for (let at = 0; at < named.length; at += size)
          accepted += (await post(named.slice(at, at + size))).body.accepted as number;
        expect(accepted).toBe(points.length);
        const expected = points.map((point) => ({ ...point, name }));
        await eventually(async () => {
          expect(await windows(name, '1m')).toEqual(windowsOf(expected, 60_000));
          expect(await windows(name, '1d')).toEqual(windowsOf(expected, 86_400_000));
        });
      }),
      { numRuns: 15 },
    );
  });

  it('are kept exactly, and paged in order', async () => {
    const values = ['12345678901234567890.000000000000000001', '-0.5', '1e2', 7, 1e-7, -12.5, 0];
    const sent = values.filter((value) => value !== '1e2');
    const { status, body } = await post(sent.map((value, i) => ({ name: 'exact', value, at: START_MS + i })));
    expect([status, body]).toEqual([200, { accepted: 6, repeated: 0 }]);
    const pages: { key: string; value: string; at: string }[] = [];
    for (let cursor = ''; ;) {
      const page = await app.get(`${CUSTOM}/exact?limit=4&from=2026-01-01T00:00:00Z${cursor}`);
      pages.push(...page.body.items);
      if (page.body.nextCursor === null) break;
      cursor = `&cursor=${page.body.nextCursor}`;
    }
    expect(pages.map(({ value }) => value)).toEqual([
      '12345678901234567890.000000000000000001',
      '-0.5',
      '7',
      '0.0000001',
      '-12.5',
      '0',
    ]);
    expect(pages[1]).toEqual({ key: '2026-01-31T23:50:00.001Z', value: '-0.5', at: '2026-01-31T23:50:00.001Z' });
    const last = await app.get(`${CUSTOM}/exact?limit=4`);
    expect(last.body.items.map(({ value }: { value: string }) => value)).toEqual(['7', '0.0000001', '-12.5', '0']);
    const before = await app.get(`${CUSTOM}/exact?limit=4&cursor=${last.body.nextCursor}`);
    expect(before.body).toMatchObject({
      items: [{ value: '12345678901234567890.000000000000000001' }, { value: '-0.5' }],
      nextCursor: null,
    });
  });

  it('are known by their key, else by their instant, else new', async () => {
    const at = '2026-01-05T12:00:00Z';
    const batch = [
      { name: 'known', value: 1, key: 'a' },
      { name: 'known', value: 1.0, key: 'a' },
      { name: 'known', value: '2.50', at },
    ];
    expect((await post(batch)).body).toEqual({ accepted: 2, repeated: 1 });
    expect((await post(batch)).body).toEqual({ accepted: 0, repeated: 3 });
    expect((await post([{ name: 'known', value: 2.5, at: '2026-01-05T13:00:00+01:00' }])).body.repeated).toBe(1);
    const unkeyed = [1, 2].map(() => ({ name: 'known', value: 3 }));
    expect((await post(unkeyed)).body).toEqual({ accepted: 2, repeated: 0 });
    expect((await post(unkeyed)).body).toEqual({ accepted: 2, repeated: 0 });
    const { body } = await app.get(`${CUSTOM}?limit=1000`);
    expect(body.items).toContainEqual(expect.objectContaining({ name: 'known', points: 6, firstAt: at }));
  });

  it('are refused, the whole batch, when a key stands for another value', async () => {
    await post([{ name: 'taken', value: 1, key: 'a' }]);
    const changed = await post([
      { name: 'taken', value: 5, key: 'b' },
      { name: 'taken', value: 2, key: 'a' },
    ]);
    expect(changed.status).toBe(409);
    expect(changed.body).toMatchObject({ code: 'metrics.key-taken', detail: 'taken has 1 under the key a' });
    const twice = await post([3, 4].map((value) => ({ name: 'taken', value, key: 'c' })));
    expect([twice.status, twice.body.code]).toEqual([409, 'metrics.key-taken']);
    expect((await app.get(`${CUSTOM}/taken`)).body.items).toHaveLength(1);
  });

  it('are recorded once when sent twice at once', async () => {
    const points = Array.from({ length: 200 }, (_, i) => ({ name: `twin-${i % 7}`, value: i, key: String(i) }));
    const answers = await Promise.all([0, 1, 2, 3].map((i) => post(i % 2 ? points.toReversed() : points)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(answers.reduce((sum, { body }) => sum + (body.accepted as number), 0)).toBe(200);
  });

  it('are rolled up after a restart in the middle', async () => {
    const points = Array.from({ length: 100 }, (_, i) => ({ name: 'restarted', value: i, at: START_MS + i * 1000 }));
    await post(points.slice(0, 60));
    await app.close();
    app = await start();
    expect((await post(points)).body).toEqual({ accepted: 40, repeated: 60 });
    await eventually(async () => expect(await windows('restarted', '1d')).toEqual(windowsOf(points, 86_400_000)));
  });

  it('are deleted when they are old and were recorded long ago; their rollups stay', async () => {
    await post([1, 2, 3].map((value) => ({ name: 'aged', value, at: START_MS + value })));
    await eventually(async () => expect(await windows('aged', '1d')).toHaveLength(1));
    const store = app.app.get(CustomPointStore);
    expect(await store.deleteOld(3_600_000, 10)).toBe(0);
    await database.dataSource.query(
      `update aggregation.custom_point set recorded_at = '2026-02-01', at = '2026-02-01' where name = 'aged'`,
    );
    const retentionMs = Date.now() - Date.UTC(2026, 1, 2);
    expect(await store.deleteOld(retentionMs, 2)).toBe(2);
    expect(await store.deleteOld(retentionMs, 2)).toBe(1);
    expect((await app.get(`${CUSTOM}/aged`)).body.items).toEqual([]);
    expect(await windows('aged', '1d')).toHaveLength(1);
  });
});

describe('the routes of custom series', () => {
  it('tell the figures of one rolling window, of any sign', async () => {
    const points = [-4, -2, 0, 2, 4].map((value, i) => ({ name: 'signed', value, at: START_MS + i * 60_000 }));
    await post(points);
    await eventually(async () => {
      const { body } = await app.get(`${CUSTOM}/signed/aggregated?window=1h`);
      expect(body).toMatchObject({ name: 'signed', window: '1h', to: '2026-01-31T23:55:00Z', relativeError: 0.001 });
      expect(body.value).toMatchObject({
        count: 5,
        sum: 0,
        min: -4,
        max: 4,
        range: 8,
        mean: 0,
        median: 0,
        coefficientOfVariation: null,
      });
      expect(body.value.standardDeviation).toBeCloseTo(Math.sqrt(8), 10);
    });
  });

  it('delete a series with all that was made of it, and make room for it again', async () => {
    await post([{ name: 'gone', value: 1, key: 'a' }]);
    await eventually(async () => expect((await app.get(`${CUSTOM}/gone/rollups`)).body.items).toHaveLength(1));
    const remove = () => fetch(`${app.url}${CUSTOM}/gone`, { method: 'DELETE' });
    expect((await remove()).status).toBe(204);
    expect((await remove()).status).toBe(404);
    expect((await app.get(`${CUSTOM}/gone`)).body.code).toBe('metrics.unknown-series');
    expect(await post([{ name: 'gone', value: 2, key: 'a' }])).toMatchObject({ body: { accepted: 1 } });
    expect((await app.get(`${CUSTOM}/gone`)).body.items).toMatchObject([{ value: '2' }]);
  });

  it('leave nothing of a series that is deleted while it is recorded and rolled up', async () => {
    const sent = { name: 'leaving', value: '1', key: 'late', atUs: START_MS * 1000 };
    await post([{ name: 'leaving', value: 1, key: 'a' }]);
    let removed: Promise<Response> | undefined;
    await app.app.get(Bus).transaction(async (tx) => {
      await app.app.get(CustomPointStore).record(tx, [sent]);
      removed = fetch(`${app.url}${CUSTOM}/leaving`, { method: 'DELETE' });
      await eventually(async () => expect(await waiting()).toBe(1));
    });
    expect((await removed)?.status).toBe(204);
    const events = [{ points: [sent] }];
    await app.app.get(Bus).transaction((tx) => app.app.get(RollupMerger).onCustomPointsRecorded(events, tx));
    await app.app.get(Bus).transaction((tx) => app.app.get(AnomalyFinder).onPointsRecorded(events, tx));
    const rows = await database.dataSource.query(
      `select 'point' from aggregation.custom_point where name = 'leaving'
       union all select 'rollup' from aggregation.rollup where symbol = 'leaving'
       union all select 'detector' from aggregation.detector_state where symbol = 'leaving'`,
    );
    expect(rows).toEqual([]);
  });

  it('refuse a body that is nested without end', async () => {
    const { status, body } = await app.post(CUSTOM, `{"points":${'['.repeat(20_000)}${']'.repeat(20_000)}}`);
    expect([status, body.code]).toEqual([400, 'http.bad-request']);
  });

  it('go before those of a symbol', async () => {
    await post([{ name: 'rollups', value: 1 }]);
    expect((await app.get(`${CUSTOM}/rollups`)).body).toMatchObject({ name: 'rollups', items: [{ value: '1' }] });
    expect((await app.get(`${CUSTOM}?limit=1`)).body.items).toHaveLength(1);
  });

  it('page through every series once', async () => {
    await post(Array.from({ length: 25 }, (_, i) => ({ name: `paged.${i}`, value: 1 })));
    const names: string[] = [];
    for (let cursor = ''; ;) {
      const { body } = await app.get(`${CUSTOM}?limit=10${cursor}`);
      names.push(...body.items.map(({ name }: { name: string }) => name));
      if (body.nextCursor === null) break;
      cursor = `&cursor=${body.nextCursor}`;
    }
    expect(names.filter((name) => name.startsWith('paged.'))).toHaveLength(25);
    expect(new Set(names).size).toBe(names.length);
  });

  const sound = { name: 'sound', value: 1 };
  it.each<[what: string, sent: unknown, field: string, expected: string]>([
    ['no points', { points: [] }, 'points', '1 to 1000'],
    ['too many points', { points: Array.from({ length: 1001 }, () => sound) }, 'points', '1 to 1000'],
    ['what is no list', { points: 'x' }, 'points', '1 to 1000'],
    ['an empty body', {}, 'points', '1 to 1000'],
    ['what is not known beside the points', { points: [sound], more: 1 }, 'more', 'not a parameter'],
    ['what is no point', { points: [null] }, 'points[0]', 'object'],
    ['a point without a name', { points: [sound, { value: 1 }] }, 'points[1].name', '1 to 80'],
    ['a name in capitals', { points: [{ name: 'Upper', value: 1 }] }, 'points[0].name', '1 to 80'],
    ['the name of the route', { points: [{ name: 'custom', value: 1 }] }, 'points[0].name', 'not custom'],
    ['a long name', { points: [{ name: 'a'.repeat(81), value: 1 }] }, 'points[0].name', '1 to 80'],
    ['a point without a value', { points: [{ name: 'a' }] }, 'points[0].value', 'decimal'],
    ['an exponent as text', { points: [{ name: 'a', value: '1e5' }] }, 'points[0].value', 'decimal'],
    ['a number beyond 2^53', { points: [{ name: 'a', value: 1e17 }] }, 'points[0].value', '2^53'],
    ['a number with 39 decimals', { points: [{ name: 'a', value: 1e-39 }] }, 'points[0].value', '38 digits'],
    ['39 digits', { points: [{ name: 'a', value: '1'.repeat(39) }] }, 'points[0].value', '38 digits'],
    ['what is no instant', { points: [{ name: 'a', value: 1, at: 'noon' }] }, 'points[0].at', 'RFC 3339'],
    ['1999', { points: [{ name: 'a', value: 1, at: '1999-12-31T23:59:59Z' }] }, 'points[0].at', 'year 2000'],
    [
      'the day after tomorrow',
      { points: [{ name: 'a', value: 1, at: Date.now() + 2 * 86_400_000 }] },
      'points[0].at',
      'a day from now',
    ],
    ['an empty key', { points: [{ name: 'a', value: 1, key: '' }] }, 'points[0].key', '1 to 120'],
    ['a key that does not print', { points: [{ name: 'a', value: 1, key: 'a\u0000b' }] }, 'points[0].key', 'U+0000'],
    [
      'a key that is too long',
      { points: [{ name: 'a', value: 1, key: 'k'.repeat(121) }] },
      'points[0].key',
      'printable',
    ],
    ['an unknown field', { points: [{ name: 'a', value: 1, unit: 'ms' }] }, 'points[0].unit', 'not a field'],
  ])('refuse %s', async (_what, sent, field, expected) => {
    const { status, body } = await app.post(CUSTOM, sent);
    expect(status).toBe(400);
    expect(body.errors).toContainEqual({ field, message: expect.stringContaining(expected) });
  });

  it.each([
    ['?limit=0', 'limit'],
    ['?cursor=WyJVUCJd', 'cursor'],
    ['/sound?limit=1001', 'limit'],
    ['/sound?source=binance', 'source'],
    ['/sound?cursor=WzEsIlx1MDAwMCJd', 'cursor'],
    ['/sound?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z', 'from'],
    ['/sound/rollups?window=2h', 'window'],
    ['/sound/rollups?source=binance', 'source'],
    ['/sound/aggregated?window=30s', 'window'],
  ])('refuse %s', async (path, field) => {
    await post([{ ...sound, key: 'one' }]);
    const { status, body } = await app.get(CUSTOM + path);
    expect(status).toBe(400);
    expect(body.errors.map((fault: { field: string }) => fault.field)).toEqual([field]);
  });

  it.each(['/nope', '/nope/rollups', '/nope/aggregated'])('know nothing of %s', async (path) => {
    const { status, body } = await app.get(CUSTOM + path);
    expect([status, body.code]).toEqual([404, 'metrics.unknown-series']);
  });

  it('take a thousand series and refuse the next by name of the limit', async () => {
    const [{ known }] = await database.dataSource.query('select count(*)::int as known from aggregation.custom_series');
    const more = (from: number, count: number) =>
      post(Array.from({ length: count }, (_, i) => ({ name: `full.${from + i}`, value: 1, key: 'k' })));
    expect((await more(0, 1000 - known)).status).toBe(200);
    const refused = await more(900, 200);
    expect([refused.status, refused.body.code]).toEqual([409, 'metrics.too-many-series']);
    expect(refused.body.detail).toContain('1000 at most');
    expect((await post([{ name: 'full.0', value: 2, key: 'other' }])).status).toBe(200);
    expect((await app.get(`${CUSTOM}/full.1050`)).status).toBe(404);
  });
});
