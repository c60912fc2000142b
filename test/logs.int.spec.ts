import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type DeliveryReceivedV1Data,
  DeliveryReceivedV1,
  formatInstant,
  type Json,
  LOG_LEVELS,
  type LogEvent,
  LogMinutesCountedV1,
  RowsParsedV1,
} from '../src/contracts/index.js';
import { Bus } from '../src/platform/bus/index.js';
import { LogDayStore } from '../src/processing/logs/log-day.store.js';
import { LogRecorder } from '../src/processing/logs/log-recorder.handler.js';
import { LogRetention } from '../src/processing/logs/log-retention.service.js';
import { keepWhenRed } from './support/database.js';
import { eventually } from './support/eventually.js';
import { madeTrade, type Recording, startRecording } from './support/recording.js';

const LOGS = '/api/v1/logs';
const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
const START_US = Date.UTC(2026, 0, 31, 23, 50) * 1000;

let recording: Recording;

beforeAll(async () => {
  recording = await startRecording({ MODULES: 'processing,aggregation,alerts', LOGS_RETENTION: '30d' });
});
beforeEach(() => keepWhenRed());
afterAll(() => recording?.close());

const bus = (): Bus => recording.app().app.get(Bus);
const get = async (path: string) => recording.app().get(path);
const sql = (text: string, parameters: unknown[] = []) => recording.database.dataSource.query(text, parameters);

const line = (
  number: number,
  message: string,
  more: Partial<LogEvent> & { fields?: Record<string, Json> } = {},
): LogEvent => ({ line: number, atUs: START_US + number * SECOND, message, format: 'text', fields: {}, ...more });

async function tell(fileId: string, ...chunks: (readonly LogEvent[])[]): Promise<void> {
  for (const events of chunks) await bus().transaction((tx) => bus().append(tx, RowsParsedV1, { fileId, events }));
  await recording.settled();
}

/** Every item of a list, page by page. */
async function all(
  path: string,
  limit: number,
): Promise<any[]> /* oxlint-disable-line typescript/no-explicit-any -- a test reads what came */ {
  const items = [];
  for (let cursor = ''; ;) {
    const { status, body } = await get(`${path}${path.includes('?') ? '&' : '?'}limit=${limit}${cursor}`);
    expect([status, body.code]).toEqual([200, undefined]);
    items.push(...body.items);
    if (body.nextCursor === null) return items;
    cursor = `&cursor=${body.nextCursor}`;
  }
}

const messages = async (query: string): Promise<string[]> =>
  (await all(`${LOGS}?${query}`, 100)).map(({ message }) => message);

const metric = async (text: string): Promise<number> => {
  const page = await (await fetch(`${recording.app().url}/metrics`)).text();
  return Number(
    page
      .split('\n')
      .find((one) => one.startsWith(`${text} `))
      ?.split(' ')[1] ?? 0,
  );
};

describe('log events of files', () => {
  it('are told apart also when more than two million files came before', async () => {
    await sql(`select setval(pg_get_serial_sequence('processing.log_file', 'no'), 4194304)`);
    const file = randomUUID();
    const number = 4_000_000_001;
    const events = [0, 1, 2].map((at) => ({ ...line(1, `far ${at}`), line: number + at }));
    await tell(file, events);
    const { body } = await get(`${LOGS}?file=${file}`);
    expect(body.items.map((one: { file: { line: number } }) => one.file.line)).toEqual([
      number + 2,
      number + 1,
      number,
    ]);
  });

  it('come back as they were parsed, newest first, by line where their times are equal', async () => {
    const file = randomUUID();
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const fields = {
      port: 8080,
      deep: { list: ['a', null, true, 0.1] },
      ['__proto__']: 'x',
      big: '12345678901234567890',
    };
    await tell(
      file,
      [
        line(1, 'listening', { level: 'info', format: 'json', fields, traceId, atUs: START_US + 123 }),
        line(2, 'no level\n  at x', { atUs: START_US + 123 }),
      ],
      [line(3, 'earlier', { level: 'fatal', atUs: START_US })],
    );
    const { body } = await get(`${LOGS}?file=${file}`);
    expect(body.items.map((one: { file: { line: number } }) => one.file.line)).toEqual([2, 1, 3]);
    const first = body.items[1];
    expect(first).toEqual({
      id: expect.stringMatching(/^\d+$/),
      at: '2026-01-31T23:50:00.000123Z',
      level: 'info',
      message: 'listening',
      format: 'json',
      file: { id: file, line: 1 },
      fields: JSON.parse(JSON.stringify(fields)),
      traceId,
    });
    expect(body.items[0]).toMatchObject({ level: null, traceId: null, message: 'no level\n  at x', fields: {} });
    expect((await get(`${LOGS}/${first.id}`)).body).toEqual(first);
    for (const id of ['1', '0', 'x', '9'.repeat(18), '9'.repeat(40)])
      expect(await get(`${LOGS}/${id}`)).toMatchObject({ status: 404, body: { code: 'logs.unknown' } });
    expect(await messages(`traceId=${traceId}`)).toEqual(['listening']);
    expect(await messages(`file=${file}&level=info,fatal`)).toEqual(['listening', 'earlier']);
    expect(await messages(`file=${file}&minLevel=warn`)).toEqual(['earlier']);
    expect(await messages(`file=${file}&minLevel=trace`)).toEqual(['listening', 'earlier']);
    expect(await messages(`file=${file}&format=json`)).toEqual(['listening']);
    expect(await messages(`file=${file}&from=2026-01-31T23:50:00Z&to=2026-01-31T23:50:00.000123Z`)).toEqual([
      'earlier',
    ]);
    expect(await messages(`file=${randomUUID()}`)).toEqual([]);
  });

  it('are stored once, when told again and across chunks, and counted by level and format', async () => {
    const file = randomUUID();
    const stored = await metric('log_rows_total{result="stored"}');
    const repeated = await metric('log_rows_total{result="repeated"}');
    const warned = await metric('log_events_total{level="warn",format="once"}');
    const events = Array.from({ length: 600 }, (_, i) => line(i + 1, `once ${i}`, { level: 'warn', format: 'once' }));
    await tell(file, events.slice(0, 256), events.slice(256, 512), events.slice(512));
    await tell(file, events.slice(200, 456));
    expect(await all(`${LOGS}?file=${file}`, 77)).toHaveLength(600);
    expect((await metric('log_rows_total{result="stored"}')) - stored).toBe(600);
    expect((await metric('log_rows_total{result="repeated"}')) - repeated).toBe(256);
    expect((await metric('log_events_total{level="warn",format="once"}')) - warned).toBe(600);
  });

  it('page in a stable order while more are stored', async () => {
    const file = randomUUID();
    const events = Array.from({ length: 90 }, (_, i) => line(i + 1, `p${i}`, { atUs: START_US + (i % 3) * SECOND }));
    await tell(file, events);
    const first = await get(`${LOGS}?file=${file}&limit=40`);
    await tell(file, [
      line(100, 'newer', { atUs: START_US + MINUTE }),
      line(101, 'as new', { atUs: START_US + 2 * SECOND }),
    ]);
    const second = await get(`${LOGS}?file=${file}&limit=100&cursor=${first.body.nextCursor}`);
    const got = [...first.body.items, ...second.body.items].map(({ message }) => message);
    const expected = events.toSorted((a, b) => b.atUs - a.atUs || b.line - a.line).map(({ message }) => message);
    expect(got).toEqual(expected);
  });

  it('end a page before it is too large, and lose nothing by that', async () => {
    const file = randomUUID();
    const events = Array.from({ length: 60 }, (_, i) => line(i + 1, `${i} ${'x'.repeat(60_000)}`));
    await tell(file, events.slice(0, 30), events.slice(30));
    const { body } = await get(`${LOGS}?file=${file}&limit=500`);
    expect(body.items.length).toBeGreaterThan(10);
    expect(body.items.length).toBeLessThan(25);
    expect((await all(`${LOGS}?file=${file}`, 500)).map(({ file: { line: at } }) => at)).toEqual(
      events.map((event) => event.line).toReversed(),
    );
  });

  it('that cannot be stored become dead letters, and the others of their batch are stored', async () => {
    const file = randomUUID();
    const bad = new Map<number, LogEvent>([
      [7, line(7, 'nul \0 in it')],
      [40, line(40, 'nul in a field', { fields: { a: { b: 'x\0' } } })],
      [41, line(41, 'nul in a name', { fields: { 'x\0': 1 } })],
      [99, line(99, 'beyond all times', { atUs: 8e15 * 40 })],
    ]);
    const events = Array.from({ length: 200 }, (_, i) => bad.get(i + 1) ?? line(i + 1, `good ${i + 1}`));
    const refused = await metric('log_rows_total{result="refused"}');
    await bus().transaction((tx) =>
      recording
        .app()
        .app.get(LogRecorder)
        .onRowsParsed([{ fileId: file, events }], tx),
    );
    expect(await messages(`file=${file}`)).toHaveLength(196);
    expect((await metric('log_rows_total{result="refused"}')) - refused).toBe(4);
    const { body } = await get(`/api/v1/dead-letters?source=log-event:${file}`);
    expect(body.items).toHaveLength(4);
    expect(body.items.map((one: any) => Number(one.source.position)).sort((a: number, b: number) => a - b)) // oxlint-disable-line typescript/no-explicit-any -- a test reads what came
      .toEqual([...bad.keys()]);
    expect(body.items[0]).toMatchObject({ stage: 'store', code: 'store.refused' });

    const letter = body.items.find((one: any) => one.source.position === '7'); // oxlint-disable-line typescript/no-explicit-any -- a test reads what came
    const again = await recording.app().post(`/api/v1/dead-letters/${letter.id}/replay`, {});
    expect(again.body.state).toBe('dead');
    const payload = JSON.stringify({ fileId: file, event: line(7, 'mended') });
    const mended = await recording.app().post(`/api/v1/dead-letters/${letter.id}/replay`, { payload });
    expect(mended.body.state).toBe('replayed');
    expect(await messages(`file=${file}&q=mended`)).toEqual(['mended']);
  });

  it('of a trace id that is none keep it with the fields', async () => {
    const file = randomUUID();
    await tell(file, [line(1, 'long', { traceId: 't'.repeat(5000) })]);
    const { body } = await get(`${LOGS}?file=${file}`);
    expect(body.items).toMatchObject([{ traceId: null, fields: { traceId: 't'.repeat(5000) } }]);
  });
});

describe('the search of log events', () => {
  const file = randomUUID();
  const find = async (q: string): Promise<string[]> => messages(`file=${file}&q=${encodeURIComponent(q)}`);

  beforeAll(async () => {
    await tell(file, [
      line(1, 'Connection to db-7.eu.example.com:5432 refused', { fields: { path: '/api/v1/users/42', code: 503 } }),
      line(2, 'user_id=42 logged in', { fields: { deep: [{ agent: 'curl/8.1' }], day: '2024-08-08' } }),
      line(3, 'Überraschung: Größe 5 €, ☃ 日本語', {}),
      line(4, 'order service is slow', {}),
      line(5, 'service order is slow', {}),
    ]);
  });

  it.each<[q: string, lines: number[]]>([
    ['connection', [1]],
    ['REFUSED connection', [1]],
    ['connection slow', []],
    ['example', [1]],
    ['db-7.eu.example.com', [1]],
    ['example.eu', []],
    ['/v1/users', [1]],
    ['503', [1]],
    ['42', [2, 1]],
    ['user_id=42', [2]],
    ['42 -logged', [1]],
    ['curl', [2]],
    ['2024-08-08', [2]],
    ['08', [2]],
    ['größe', [3]],
    ['ÜBERRASCHUNG:', [3]],
    ['日本語', [3]],
    ['slow', [5, 4]],
    ['"order service"', [4]],
    ['"service order"', [5]],
    ['slow -"order service"', [5]],
    ['refused or curl', [2, 1]],
    ['slow "', [5, 4]],
    ["slow ' & | ! : * ( ) <-> \\", [5, 4]],
  ])('finds by %s', async (q, lines) => {
    const found = await all(`${LOGS}?file=${file}&q=${encodeURIComponent(q)}`, 100);
    expect(found.map((one) => one.file.line)).toEqual(lines);
  });

  it('finds the words of lines of 64 KiB, whatever they are', async () => {
    const hostile = randomUUID();
    const texts = [
      'a-',
      'a.',
      'a/',
      '1.',
      '-1',
      'a@',
      'http://a',
      '<a ',
      '&a;',
      'é\u0301',
      '😀',
      '\u2028',
      "a'",
      '\\',
      ' 1e5',
    ];
    const events = texts.map((text, i) => line(i + 1, `${text.repeat(Math.floor(65_000 / text.length))}`));
    const distinct = Array.from({ length: 13_000 }, (_, i) => i.toString(36)).join(' ');
    const startedMs = performance.now();
    await tell(hostile, [...events, line(50, `needle ${'w'.repeat(60_000)}`), line(51, `needle ${distinct}`)]);
    expect(performance.now() - startedMs).toBeLessThan(5000);
    expect(await messages(`file=${hostile}`)).toHaveLength(texts.length + 2);
    expect((await all(`${LOGS}?file=${hostile}&q=needle`, 9)).map((one) => one.file.line)).toEqual([51, 50]);
    expect(await find('nothing-of-that')).toEqual([]);
  });

  it.each<[what: string, query: string, field: string]>([
    ['words that are none', `q=${encodeURIComponent('=> "" -')}`, 'q'],
    ['nothing to look for', 'q=', 'q'],
    ['a long text', `q=${'a'.repeat(201)}`, 'q'],
    ['U+0000', 'traceId=%00', 'traceId'],
    ['an unknown level', 'level=error,loud', 'level'],
    ['an unknown least level', 'minLevel=loud', 'minLevel'],
    ['a file that is none', 'file=7', 'file'],
    ['a format that is none', 'format=%20', 'format'],
    ['a stretch that ends before it begins', 'from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z', 'from'],
    ['a long page', 'limit=501', 'limit'],
    ['a cursor of its own making', `cursor=${Buffer.from('["x","y"]').toString('base64url')}`, 'cursor'],
    ['what it does not know', 'source=x', 'source'],
  ])('refuses %s', async (_what, query, field) => {
    const { status, body } = await get(`${LOGS}?${query}`);
    expect([status, body.code, body.errors?.[0]?.field]).toEqual([400, 'request.bad-parameter', field]);
  });

  it('does not go on for ever', async () => {
    await sql('alter table processing.log_event rename to log_event_away');
    await sql(
      `create view processing.log_event as
       select e.* from processing.log_event_away e, lateral (select pg_sleep(10) where e.id is not null) slow`,
    );
    try {
      const { status, body } = await get(`${LOGS}?q=slow&limit=500`);
      expect([status, body.code]).toEqual([422, 'search.too-slow']);
      expect(body.detail).toContain('narrow it by');
    } finally {
      await sql('drop view processing.log_event');
      await sql('alter table processing.log_event_away rename to log_event');
    }
  });
});

describe('the days of log events', () => {
  it('are dropped when they ended longer ago than the retention, with the files of which nothing is left', async () => {
    const days = recording.app().app.get(LogDayStore);
    const [old, young] = [randomUUID(), randomUUID()];
    await tell(old, [line(1, 'old')]);
    await tell(young, [line(1, 'young')]);
    const dayAgo = (count: number): string => new Date(Date.now() - count * 86_400_000).toISOString().slice(0, 10);
    await days.open(dayAgo(40));
    await days.open(dayAgo(29));
    for (const [file, day] of [
      [old, dayAgo(40)],
      [young, dayAgo(29)],
    ] as const) {
      const [{ no }] = await sql('select no from processing.log_file where file_id = $1', [file]);
      await sql('update processing.log_event set stored_on = $2 where (id >> 32) = $1', [no, day]);
      await sql('update processing.log_file set first_day = $2, last_day = $2 where no = $1', [no, day]);
    }
    expect(await messages(`file=${old}`)).toEqual(['old']);
    await recording.app().app.get(LogRetention).look();
    expect(await messages(`file=${old}`)).toEqual([]);
    expect(await messages(`file=${young}`)).toEqual(['young']);
    expect(await sql('select from processing.log_file where file_id = $1', [old])).toHaveLength(0);
    expect(await days.toDrop(30 * 86_400_000)).toEqual([]);
    await tell(old, [line(1, 'again')]);
    expect(await messages(`file=${old}`)).toEqual(['again']);
  });
});

describe('events of webhooks', () => {
  const delivery = (deliveryId: string, more: Partial<DeliveryReceivedV1Data> = {}): DeliveryReceivedV1Data => ({
    deliveryId,
    source: 'github',
    type: 'issues',
    action: 'opened',
    repository: 'me/app',
    actor: 'me',
    ref: null,
    number: 7,
    url: 'https://github.com/me/app/issues/7',
    fields: { title: 'It broke ♥' },
    atUs: START_US,
    ...more,
  });
  const receive = async (...deliveries: DeliveryReceivedV1Data[]): Promise<void> => {
    for (const one of deliveries) await bus().transaction((tx) => bus().append(tx, DeliveryReceivedV1, one));
    await recording.settled();
  };
  const told = async (deliveryId: string): Promise<number> =>
    (
      await sql(
        `select from bus.event where name = 'processing.events-recorded.v1' and data::jsonb->'deliveryIds' @> to_jsonb($1::text)`,
        [deliveryId],
      )
    ).length;

  it('are recorded once a delivery, and each delivery is told so', async () => {
    await receive(delivery('17'));
    const { body } = await get('/api/v1/events?source=github');
    expect(body).toEqual({
      items: [
        {
          id: expect.stringMatching(/^\d+$/),
          source: 'github',
          type: 'issues',
          action: 'opened',
          repository: 'me/app',
          actor: 'me',
          ref: null,
          number: 7,
          url: 'https://github.com/me/app/issues/7',
          at: '2026-01-31T23:50:00Z',
          deliveryId: '17',
          fields: { title: 'It broke ♥' },
        },
      ],
      nextCursor: null,
    });
    await receive(delivery('17'));
    expect((await get('/api/v1/events')).body.items).toHaveLength(1);
    expect(await told('17')).toBe(2);
    await receive(delivery('17', { source: 'deploys' }));
    expect((await get('/api/v1/events')).body.items).toHaveLength(2);
  });

  it('are found by what they are, and page newest first', async () => {
    await receive(
      ...Array.from({ length: 30 }, (_, i) =>
        delivery(`p${i}`, {
          source: 'paged',
          type: i % 2 ? 'push' : 'ping',
          atUs: START_US + (i % 4) * SECOND,
          actor: `a${i}`,
        }),
      ),
    );
    const items = await all('/api/v1/events?source=paged', 7);
    expect(new Set(items.map(({ deliveryId }) => deliveryId)).size).toBe(30);
    expect(items.map(({ at }) => at)).toEqual(
      items
        .map(({ at }) => at)
        .sort()
        .toReversed(),
    );
    const count = async (query: string): Promise<number> =>
      (await all(`/api/v1/events?source=paged&${query}`, 100)).length;
    expect(await count('type=push')).toBe(15);
    expect(await count('actor=a3')).toBe(1);
    expect(await count('repository=me/app')).toBe(30);
    expect(await count('repository=me/other')).toBe(0);
    expect(await count(`from=${formatInstant(START_US + SECOND)}&to=${formatInstant(START_US + 2 * SECOND)}`)).toBe(8);
    expect((await get('/api/v1/events?actor=%00')).body.errors?.[0]?.field).toBe('actor');
  });

  it('are deleted after WEBHOOKS_RETENTION', async () => {
    await receive(delivery('aged', { source: 'aged' }));
    await recording.app().app.get(LogRetention).look();
    expect((await get('/api/v1/events?source=aged')).body.items).toHaveLength(1);
    await sql(`update processing.event set recorded_at = now() - interval '31 days' where source = 'aged'`);
    await recording.app().app.get(LogRetention).look();
    expect((await get('/api/v1/events?source=aged')).body.items).toHaveLength(0);
  });
});

describe('lines counted by level', () => {
  const lines = (more: Partial<Record<(typeof LOG_LEVELS)[number], number>>) => ({
    trace: 0,
    debug: 0,
    info: 0,
    warn: 0,
    error: 0,
    fatal: 0,
    ...more,
  });
  const count = async (
    fileId: string,
    minutes: readonly { minuteUs: number; part?: number; lines: ReturnType<typeof lines> }[],
  ): Promise<void> => {
    const counted = minutes.map((minute) => ({ part: 0, ...minute }));
    await bus().transaction((tx) => bus().append(tx, LogMinutesCountedV1, { fileId, minutes: counted }));
    await recording.settled();
  };
  const sums = async (level: string): Promise<unknown[]> =>
    (await get(`/api/v1/metrics/custom/logs.${level}/rollups?window=1m&limit=1000`)).body.items.map(
      (one: { openTime: string; value: { sum: number; count: number } }) => [one.openTime, one.value.sum],
    );

  it('are points of custom series that rollups sum up, parts and files together, each once', async () => {
    const [a, b] = [randomUUID(), randomUUID()];
    await count(a, [
      { minuteUs: START_US, lines: lines({ info: 10, error: 2 }) },
      { minuteUs: START_US + MINUTE, lines: lines({ info: 3 }) },
    ]);
    await count(a, [{ minuteUs: START_US, part: 1, lines: lines({ info: 5 }) }]);
    await count(b, [{ minuteUs: START_US, lines: lines({ error: 40 }) }]);
    await count(b, [{ minuteUs: START_US, lines: lines({ error: 40 }) }]);
    expect(await sums('info')).toEqual([
      ['2026-01-31T23:50:00Z', 15],
      ['2026-01-31T23:51:00Z', 3],
    ]);
    expect(await sums('error')).toEqual([
      ['2026-01-31T23:50:00Z', 42],
      ['2026-01-31T23:51:00Z', 0],
    ]);
    const { body } = await get('/api/v1/metrics/custom');
    expect(body.items.map(({ name }: { name: string }) => name)).toEqual(
      LOG_LEVELS.map((level) => `logs.${level}`).sort(),
    );
    const points = (await get('/api/v1/metrics/custom/logs.error')).body.items;
    expect(points).toHaveLength(4);
    expect(points.map(({ key }: { key: string }) => key)).toContain(`${b}:2026-01-31T23:50:00Z:0`);
  });

  it('of a clock that was never set are left out', async () => {
    const refused = await metric('custom_points_total{result="refused"}');
    await count(randomUUID(), [
      { minuteUs: 0, lines: lines({ info: 1 }) },
      { minuteUs: (Date.now() + 86_400_000 * 3) * 1000, lines: lines({ info: 1 }) },
    ]);
    expect((await metric('custom_points_total{result="refused"}')) - refused).toBe(12);
    expect((await get('/api/v1/metrics/custom/logs.info')).body.items).toHaveLength(4);
  });

  it('have names that nobody else can send', async () => {
    const { status, body } = await recording.app().post('/api/v1/metrics/custom', {
      points: [
        { name: 'logs.error', value: 1 },
        { name: 'logs.x', value: 1 },
      ],
    });
    expect([status, body.code]).toEqual([400, 'request.bad-parameter']);
    expect(body.errors.map(({ field }: { field: string }) => field)).toEqual(['points[0].name', 'points[1].name']);
    expect(body.detail).toContain('must not begin with logs.');
    const other = await recording.app().post('/api/v1/metrics/custom', { points: [{ name: 'logs', value: 1 }] });
    expect(other.status).toBe(200);
  });

  it('have room beside a thousand series of others', async () => {
    for (const level of LOG_LEVELS)
      await fetch(`${recording.app().url}/api/v1/metrics/custom/logs.${level}`, { method: 'DELETE' });
    const { body } = await recording.app().post('/api/v1/metrics/custom', {
      points: Array.from({ length: 999 }, (_, i) => ({ name: `full-${i}`, value: 1 })),
    });
    expect(body.accepted).toBe(999);
    await count(randomUUID(), [{ minuteUs: START_US, lines: lines({ warn: 1 }) }]);
    expect(await sums('warn')).toEqual([['2026-01-31T23:50:00Z', 1]]);
    expect(
      (await recording.app().post('/api/v1/metrics/custom', { points: [{ name: 'one-more', value: 1 }] })).body.code,
    ).toBe('metrics.too-many-series');
  });

  it('that jump are an anomaly', async () => {
    const from = START_US + 10 * MINUTE;
    const calm = Array.from({ length: 120 }, (_, i) => ({
      minuteUs: from + i * MINUTE,
      lines: lines({ debug: 10 + (i % 5) }),
    }));
    await count(randomUUID(), [...calm, { minuteUs: from + 120 * MINUTE, lines: lines({ debug: 900 }) }]);
    await eventually(async () => {
      const { body } = await get('/api/v1/metrics/custom/logs.debug/anomalies');
      expect(body.items).toMatchObject([{ value: 900, at: formatInstant(from + 120 * MINUTE) }]);
    });
  });

  it('fire a rule that reads them, of their own and beside a market', async () => {
    const nowUs = Math.floor(Date.now() / 1000) * SECOND;
    const minuteUs = Math.floor(nowUs / MINUTE) * MINUTE;
    await eventually(async () =>
      expect(JSON.stringify((await get('/health')).body)).toContain('"evaluator":"evaluating"'),
    );
    for (const rule of [
      { id: 'own', source: 'custom', symbol: 'logs.error', condition: 'price > 100' },
      { id: 'beside', symbol: 'BTCUSDT', condition: 'custom("logs.error") > 100' },
    ])
      expect((await recording.app().post('/api/v1/rules', rule)).status).toBe(201);
    await recording.settled();
    await recording.record([
      madeTrade({ symbol: 'BTCUSDT', tradeId: '1', price: '1', tradedAtUs: nowUs - 3 * SECOND }),
    ]);
    await count(randomUUID(), [{ minuteUs, lines: lines({ error: 500 }) }]);
    await recording.record([madeTrade({ symbol: 'BTCUSDT', tradeId: '2', price: '1', tradedAtUs: nowUs })]);
    await eventually(async () => {
      for (const id of ['own', 'beside']) {
        const { body } = await get(`/api/v1/alerts?ruleId=${id}`);
        expect(body.items).toMatchObject([{ state: 'active', value: 500 }]);
      }
    });
  });
});
