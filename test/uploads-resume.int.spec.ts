import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Bus } from '../src/platform/bus/index.js';
import type { Connection } from '../src/platform/database/index.js';
import { FileStore } from '../src/uploads/file.store.js';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed, testDatabase, type TestDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';
import { multipart, sendMultipart } from './support/multipart.js';
import { DatabaseDoor } from './support/proxy.js';

const dataDir = mkdtempSync(join(tmpdir(), 'tapeline-resume-'));
const FILES = '/api/v1/files';
const CONSUMER = 'processing.record-log-events';

let database: TestDatabase;
let apps: RunningApp[] = [];

const start = async (
  env: Record<string, string> = {},
  connection: Connection = database.connection,
): Promise<RunningApp> => {
  const started = await startApp(connection, { MODULES: 'uploads', DATA_DIR: dataDir, ...env });
  apps.push(started);
  await started.app.get(Bus).whenReady();
  return started;
};

beforeAll(async () => {
  database = await testDatabase();
});

beforeEach(() => keepWhenRed());

afterEach(async () => {
  await Promise.all(apps.map((app) => app.close()));
  apps = [];
  await database.dataSource.query('truncate bus.delivery');
  await database.dataSource.query('delete from bus.consumer');
});

afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

const LINES = 12_000;
/** Every tenth line is bad, every line of a run is another one. */
const linesOf = (run: string): string[] =>
  Array.from({ length: LINES }, (_, at) =>
    at % 10 === 3
      ? `{"broken ${run} ${at}`
      : JSON.stringify({ level: 'error', time: 1_700_000_000_000 + at * 1000, msg: `${run} ${at}` }),
  );

async function upload(app: RunningApp, content: Buffer | string, fields: Record<string, string> = { format: 'json' }) {
  const parts = Object.entries(fields).map(([name, value]) => ({ name, value }));
  const sent = await sendMultipart(
    `${app.url}/upload`,
    multipart([...parts, { name: 'file', fileName: 'a.log', value: content }]),
  );
  expect(sent.status).toBe(202);
  return sent.body.id as string;
}

// oxlint-disable-next-line typescript/no-explicit-any -- a test reads what came
const fileOf = async (app: RunningApp, id: string): Promise<any> => (await app.get(`${FILES}/${id}`)).body;
const finished = (app: RunningApp, id: string) =>
  eventually(async () => {
    const body = await fileOf(app, id);
    expect(body.finishedAt).toBeTypeOf('string');
    return body;
  }, 40_000);
const readBeyond = (app: RunningApp, id: string, lines: number) =>
  eventually(async () => expect((await fileOf(app, id)).counts.lines).toBeGreaterThan(lines), 20_000);

async function told(id: string): Promise<number[]> {
  const rows = (await database.dataSource.query(
    `select data->'events' as events from bus.event where name = 'uploads.rows-parsed.v1' and data->>'fileId' = $1 order by id`,
    [id],
  )) as { events: { line: number }[] }[];
  return rows.flatMap(({ events }) => events.map(({ line }) => line));
}

async function expectWhole(app: RunningApp, id: string): Promise<void> {
  const file = await finished(app, id);
  expect(file).toMatchObject({
    status: 'processed_with_errors',
    counts: { lines: LINES, events: LINES * 0.9, bad: LINES / 10 },
  });
  const numbers = Array.from({ length: LINES }, (_, at) => at + 1);
  expect(await told(id)).toEqual(numbers.filter((line) => line % 10 !== 4));
  const letters = (await database.dataSource.query(
    `select source_position::int as line from bus.dead_letter where source_id = $1 order by 1`,
    [id],
  )) as { line: number }[];
  expect(letters.map(({ line }) => line)).toEqual(numbers.filter((line) => line % 10 === 4));
  const [{ sum }] = await database.dataSource.query(
    `select sum((minute->'lines'->>'error')::int)::int from bus.event, json_array_elements(data->'minutes') as minute
     where name = 'uploads.log-minutes-counted.v1' and data->>'fileId' = $1`,
    [id],
  );
  expect(sum).toBe(LINES * 0.9);
  const [{ ends }] = await database.dataSource.query(
    `select count(*)::int as ends from bus.event where name = 'uploads.file-finished.v1' and data->>'fileId' = $1`,
    [id],
  );
  expect(ends).toBe(1);
}

describe('a reading', () => {
  it.each([
    ['a plain file', (text: string) => Buffer.from(text)],
    ['a packed file', (text: string) => gzipSync(text)],
  ])('of %s that is taken over in its middle, again and again, tells each line once', async (what, pack) => {
    const first = await start();
    const id = await upload(first, pack(`${linesOf(`taken over ${what}`).join('\n')}`));
    let last = first;
    for (const lines of [500, 2000, 4000]) {
      await readBeyond(last, id, lines);
      last = await start(); // takes what the one before holds, in the middle of whatever it does
    }
    await expectWhole(last, id);
  });

  it('that is stopped in good order goes on at the next start', async () => {
    const app = await start();
    const id = await upload(app, linesOf('stopped').join('\r\n'));
    await readBeyond(app, id, 500);
    await app.close();
    apps = [];
    const [row] = await database.dataSource.query(
      'select status, lines, lease_until <= now() as is_free from uploads.file where id = $1',
      [id],
    );
    expect(row).toMatchObject({ status: 'processing', is_free: true });
    expect(Number(row.lines)).toBeLessThan(LINES);
    await expectWhole(await start(), id);
  });

  it('waits out a database that goes away, and tells each line once', async () => {
    const door = new DatabaseDoor(database.connection);
    await door.open();
    const app = await start({}, door.connection);
    const id = await upload(app, linesOf('cut off').join('\n'));
    for (const lines of [300, 2500, 5000]) {
      await readBeyond(app, id, lines);
      await door.shut();
      await door.open();
    }
    await expectWhole(app, id);
    await Promise.all(apps.splice(0).map((one) => one.close()));
    await door.shut();
  });

  it('ends when the file is deleted, with what is told of it as told', async () => {
    const app = await start();
    const id = await upload(app, linesOf('deleted').join('\n'));
    await readBeyond(app, id, 500);
    expect((await fetch(`${app.url}${FILES}/${id}`, { method: 'DELETE' })).status).toBe(204);
    const file = await fileOf(app, id);
    expect(file).toMatchObject({ status: 'failed', error: 'deleted before it was read to its end', stored: false });
    expect(readdirSync(join(dataDir, 'uploads'))).not.toContain(id);
    await app.close();
    apps = [];
    expect(await told(id)).toHaveLength(file.counts.events);
  });

  it('is given up after the fifth time without a single chunk', async () => {
    const app = await start();
    const id = await upload(app, '{"msg":"poison"}\n');
    await finished(app, id);
    await database.dataSource.query(
      `update uploads.file set status = 'processing', attempts = 5, finished_at = null, lease_until = null, lines = 0, memory = null where id = $1`,
      [id],
    );
    expect(await finished(app, id)).toMatchObject({
      status: 'failed',
      error: 'reading it ended 5 times without a result; line 1 was next',
    });
  });

  it('of a packed file counts as an attempt only once it is where it stood before', async () => {
    const store = new FileStore(database.dataSource);
    const [plain, packed, fresh] = [randomUUID(), randomUUID(), randomUUID()];
    for (const [id, packing, memory] of [
      [plain, 'none', '{}'],
      [packed, 'gzip', '{}'],
      [fresh, 'gzip', null],
    ])
      await database.dataSource.query(
        `insert into uploads.file (id, name, packing, options, sha256, bytes, received_at, memory) values ($1, 'x', $2, '{}', 'x', 1, now(), $3)`,
        [id, packing, memory],
      );
    const attempts = new Map<string, number>();
    for (let count = 0; count < 3; count++) {
      const claimed = (await store.claim(60_000, 'test:1'))!;
      attempts.set(claimed.file.id, claimed.attempts);
      if (claimed.file.id === packed) await store.noteAttempt(packed, claimed.token);
    }
    expect([plain, packed, fresh].map((id) => attempts.get(id))).toEqual([1, 0, 1]);
    const rows = await database.dataSource.query('select attempts from uploads.file where id = $1', [packed]);
    expect(rows).toEqual([{ attempts: 1 }]);
    await database.dataSource.query('delete from uploads.file where id = any($1::uuid[])', [[plain, packed, fresh]]);
  });

  it('is left to a process that lives, and taken from one that is no more', async () => {
    const app = await start();
    const id = await upload(app, '{"msg":"held"}\n');
    await finished(app, id);
    await app.close();
    apps = [];
    const alive = spawn('sleep', ['60'], { stdio: 'ignore' });
    const gone = spawn('true', { stdio: 'ignore' });
    await once(gone, 'exit');
    const hold = (holder: string) =>
      database.dataSource.query(
        `update uploads.file set status = 'processing', finished_at = null, lines = 0, memory = null, attempts = 1,
           holder = $2, lease_until = now() + interval '1 hour' where id = $1`,
        [id, holder],
      );
    try {
      for (const holder of [`${hostname()}:${alive.pid}`, `elsewhere:${gone.pid}`]) {
        await hold(holder);
        const other = await start();
        const next = await upload(other, `{"msg":"${holder}"}\n`);
        await finished(other, next); // it has looked
        expect(await fileOf(other, id)).toMatchObject({ status: 'processing', counts: { lines: 0 } });
        await other.close();
        apps = [];
      }
    } finally {
      alive.kill();
    }
    await hold(`${hostname()}:${gone.pid}`);
    expect(await finished(await start(), id)).toMatchObject({ status: 'processed' });
  });

  it('is forgotten once it is over, unless bad lines of it may be read again, and then with their letters', async () => {
    const app = await start({ DEAD_LETTERS_RETENTION: '1h' });
    const [good, bad] = [await upload(app, '{"msg":"good"}\n'), await upload(app, '{"msg":"bad"}\n{"\n')];
    for (const id of [good, bad]) await finished(app, id);
    const known = async (): Promise<string[]> =>
      (
        (await database.dataSource.query(
          'select id from uploads.file where memory is not null and id = any($1::uuid[])',
          [[good, bad]],
        )) as { id: string }[]
      ).map(({ id }) => id);
    const { UploadKeeping } = await import('../src/uploads/upload-keeping.service.js');
    await app.app.get(UploadKeeping).look();
    expect(await known()).toEqual([bad]);
    await database.dataSource.query(
      `update uploads.file set finished_at = now() - interval '61 minutes' where id = $1`,
      [bad],
    );
    await app.app.get(UploadKeeping).look();
    expect(await known()).toEqual([]);
  });

  it('waits for who stores what is read, and goes on once that is done', async () => {
    const app = await start();
    await database.dataSource.query(
      `insert into bus.consumer (name, event_name) values ($1, 'uploads.rows-parsed.v1')`,
      [CONSUMER],
    );
    const id = await upload(app, linesOf('held up').join('\n'));
    const waiting = async (): Promise<number> =>
      (
        await database.dataSource.query('select count(*)::int as count from bus.delivery where consumer = $1', [
          CONSUMER,
        ])
      )[0].count;
    await eventually(async () => expect(await waiting()).toBeGreaterThanOrEqual(24), 20_000);
    const before = (await fileOf(app, id)).counts.lines;
    const looks = vi.spyOn(app.app.get(Bus), 'undelivered');
    await eventually(() => expect(looks.mock.calls.length).toBeGreaterThan(5));
    expect((await fileOf(app, id)).counts.lines).toBe(before);
    expect(await waiting()).toBeLessThan(24 + 8);
    const settle = setInterval(
      () => void database.dataSource.query('delete from bus.delivery where consumer = $1', [CONSUMER]),
      20,
    );
    await expectWhole(app, id);
    clearInterval(settle);
  });
});

describe('bytes', () => {
  it('are kept for FILES_RETENTION after the reading, the row longer', async () => {
    const app = await start({ FILES_RETENTION: '1h' });
    const id = await upload(app, '{"msg":"old"}\n');
    await finished(app, id);
    await database.dataSource.query(
      `update uploads.file set finished_at = now() - interval '59 minutes' where id = $1`,
      [id],
    );
    const { UploadKeeping } = await import('../src/uploads/upload-keeping.service.js');
    await app.app.get(UploadKeeping).look();
    expect(await fileOf(app, id)).toMatchObject({ stored: true });
    await database.dataSource.query(
      `update uploads.file set finished_at = now() - interval '61 minutes' where id = $1`,
      [id],
    );
    await app.app.get(UploadKeeping).look();
    expect(await fileOf(app, id)).toMatchObject({ stored: false, status: 'processed' });
    expect(readdirSync(join(dataDir, 'uploads'))).not.toContain(id);
  });
});

describe('a bad line', () => {
  it('that is put right and replayed is told as its line, and counted in its minute', async () => {
    const app = await start();
    const id = await upload(app, '{"msg":"a","time":1700000000000}\n{"msg":"b"\n{"msg":"c"}\n');
    await finished(app, id);
    const { body } = await app.get(`/api/v1/dead-letters?source=file:${id}`);
    expect(body.items).toMatchObject([
      { stage: 'parse', code: 'parse.bad-line', source: { kind: 'file', id, position: '2' } },
    ]);
    const replay = (payload: string) => app.post(`/api/v1/dead-letters/${body.items[0].id}/replay`, { payload });
    expect((await replay('{"msg":')).body).toMatchObject({ state: 'dead' });
    expect((await replay('{"msg":"bé","level":"warn","time":1700000000000}')).body).toMatchObject({
      state: 'replayed',
    });
    expect((await told(id)).sort()).toEqual([1, 2, 3]);
    const minutes = await database.dataSource.query(
      `select minute from bus.event, json_array_elements(data->'minutes') as minute where name = 'uploads.log-minutes-counted.v1' and data->>'fileId' = $1 order by id desc limit 1`,
      [id],
    );
    expect(minutes[0].minute).toMatchObject({ part: 1_000_000_002, lines: { warn: 1, info: 0 } });
  });
});

describe('live', () => {
  it('a file is told when it came, on its way and at its end', async () => {
    const app = await start({ MODULES: 'uploads,processing,streaming' });
    const abort = new AbortController();
    const response = await fetch(`${app.url}/stream?types=file`, { signal: abort.signal });
    let text = '';
    const reading = (async () => {
      for await (const chunk of response.body!) text += Buffer.from(chunk).toString();
    })().catch(() => undefined);
    const id = await upload(app, linesOf('live').join('\n'));
    await expectWhole(app, id);
    const files = await eventually(() => {
      const all = [...text.matchAll(/^event: file\n(?:id: .*\n)?data: (.*)$/gm)].map(([, data]) => JSON.parse(data!));
      expect(all.at(-1)).toMatchObject({ status: 'processed_with_errors' });
      return all;
    });
    abort.abort();
    await reading;
    expect(files[0]).toMatchObject({ id, name: 'a.log', status: 'received', percent: 0 });
    expect(files.at(-1)).toMatchObject({ id, percent: 100, counts: { lines: LINES } });
    expect(files.length).toBeGreaterThan(2);
    const percents = files.map(({ percent }) => percent);
    expect(percents).toEqual([...percents].sort((a, b) => a - b));
  });
});
