import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Bus } from '../src/platform/bus/index.js';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed, testDatabase, type TestDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';
import { multipart, sendMultipart, type Sent } from './support/multipart.js';

const FILES = '/api/v1/files';
const dataDir = mkdtempSync(join(tmpdir(), 'tapeline-uploads-'));
const folder = join(dataDir, 'uploads');

let database: TestDatabase;
let app: RunningApp;

const start = async (env: Record<string, string> = {}): Promise<RunningApp> => {
  const started = await startApp(database.connection, {
    MODULES: 'uploads',
    DATA_DIR: dataDir,
    UPLOAD_STALL: '1s',
    ...env,
  });
  await started.app.get(Bus).whenReady();
  return started;
};

beforeAll(async () => {
  database = await testDatabase();
  app = await start();
});

beforeEach(() => keepWhenRed());

afterAll(async () => {
  await app?.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const upload = (
  content: Buffer | string,
  fields: Record<string, string> = {},
  name = 'app.log',
  query = '',
): Promise<Sent> =>
  sendMultipart(
    `${app.url}/upload${query}`,
    multipart([
      ...Object.entries(fields).map(([key, value]) => ({ name: key, value })),
      { name: 'file', fileName: name, value: content },
    ]),
  );

// oxlint-disable-next-line typescript/no-explicit-any -- a test reads what came
const finished = (id: string): Promise<any> =>
  eventually(async () => {
    const { body } = await app.get(`${FILES}/${id}`);
    expect(body.finishedAt).not.toBeNull();
    return body;
  });

const json = (count: number, from = 1): string =>
  Array.from(
    { length: count },
    (_, at) => `${JSON.stringify({ level: 'info', message: `event ${from + at}` })}\n`,
  ).join('');

/** What was told to consumers of a file's events, in the order of lines. */
async function told(
  fileId: string,
): Promise<{ line: number; message: string; format: string; fields: Record<string, unknown>; level?: string }[]> {
  const rows = (await database.dataSource.query(
    `select data from bus.event where name = 'uploads.rows-parsed.v1' and data->>'fileId' = $1 order by id`,
    [fileId],
  )) as { data: { events: never[] } }[];
  return rows.flatMap(({ data }) => data.events);
}

const letters = (fileId: string): Promise<{ position: string; payload: Buffer; code: string }[]> =>
  database.dataSource.query(
    `select source_position as position, payload, code from bus.dead_letter where source_kind = 'file' and source_id = $1 order by source_position::int`,
    [fileId],
  );

const stored = (): string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};

describe('an upload', () => {
  it('is answered once it lies on disk, and read to its end', async () => {
    const { status, body, location } = await upload(json(1000), { format: 'json' });
    expect(status).toBe(202);
    expect(location).toBe(`${FILES}/${body.id}`);
    expect(body).toMatchObject({ name: 'app.log', format: null, duplicateOf: null, error: null });
    expect(['received', 'processing', 'processed']).toContain(body.status);
    const file = await finished(body.id);
    expect(file).toMatchObject({ status: 'processed', format: 'json', percent: 100, stored: true });
    expect(file.counts).toMatchObject({ lines: 1000, events: 1000, bad: 0, readBytes: file.counts.bytes });
    expect((await told(body.id)).map(({ message }) => message)).toEqual(
      Array.from({ length: 1000 }, (_, at) => `event ${at + 1}`),
    );
    expect(stored()).toContain(body.id);
  });

  it('keeps good lines, and each bad one with its number and its bytes', async () => {
    const bad = Buffer.concat([Buffer.from('{"broken": '), Buffer.from([0xff, 0x00, 0xfe])]);
    const content = Buffer.concat([Buffer.from(json(5)), bad, Buffer.from(`\n${json(5, 7)}`), bad]);
    const { body } = await upload(content, { format: 'json' });
    const file = await finished(body.id);
    expect(file).toMatchObject({ status: 'processed_with_errors', error: null });
    expect(file.counts).toMatchObject({ lines: 12, events: 10, bad: 2 });
    const kept = await letters(body.id);
    expect(kept.map(({ position, code }) => [position, code])).toEqual([
      ['6', 'parse.bad-line'],
      ['12', 'parse.bad-line'],
    ]);
    expect(kept.every(({ payload }) => payload.equals(bad))).toBe(true);
  });

  it('keeps every bad line of a file with more than the minute of dead letters takes', async () => {
    const lines = Array.from({ length: 900 }, (_, at) => (at % 3 === 1 ? '{"broken"\n' : json(1, at))).join('');
    const { body } = await upload(lines, { format: 'json' });
    expect((await finished(body.id)).counts).toMatchObject({ lines: 900, events: 600, bad: 300 });
    expect(await letters(body.id)).toHaveLength(300);
  });

  it.each([
    ['after 100 lines when none can be read', 'garbage\n'.repeat(50_000), 100],
    ['after 1,000 lines when more than half cannot', `{}\n${'garbage\n'.repeat(2)}`.repeat(20_000), 1000],
  ])('fails as a whole %s', async (_when, content, after) => {
    const { body } = await upload(content, { format: 'json' });
    const file = await finished(body.id);
    expect(file).toMatchObject({
      status: 'failed',
      error: expect.stringContaining('cannot be read as json; the first: line '),
    });
    expect(file.counts.lines).toBe(after);
    expect((await letters(body.id)).length).toBeLessThanOrEqual(after);
  });

  it('fails at its end when nothing of it could be read, and may come again', async () => {
    const content = 'no json\nat all\n';
    const { body } = await upload(content, { format: 'json' });
    expect(await finished(body.id)).toMatchObject({ status: 'failed', counts: { bad: 2 } });
    const again = await upload(content, { format: 'json' });
    expect(again).toMatchObject({ status: 202, body: { duplicateOf: null } });
    expect(again.body.id).not.toBe(body.id);
    await finished(again.body.id);
  });

  it('says so when its lines are of no known format, and takes an empty file for what it is', async () => {
    const { body } = await upload('\u0001\u0002 ? !\n\u0003;;;\n');
    const odd = await finished(body.id);
    expect(['failed', 'processed']).toContain(odd.status);
    const empty = await upload('');
    expect(await finished(empty.body.id)).toMatchObject({
      status: 'processed',
      counts: { bytes: 0, lines: 0 },
      percent: 100,
    });
  });

  it('takes what is said of it in the address or in fields, before or after the file', async () => {
    const after = await sendMultipart(
      `${app.url}/upload?format=json`,
      multipart([
        { name: 'file', fileName: 'a.log', value: json(3, 5000) },
        { name: 'year', value: '2019' },
        { name: 'timezone', value: '+02:00' },
      ]),
    );
    expect(after.status).toBe(202);
    await finished(after.body.id);
    const [row] = await database.dataSource.query('select options from uploads.file where id = $1', [after.body.id]);
    expect(row.options).toEqual({ format: 'json', year: 2019, offsetMinutes: 120 });
  });

  it.each([
    ['format', 'nonsense', 'format must be one of '],
    ['timezone', '+25:00', 'timezone must be Z or an offset'],
    ['year', '12', 'year must be a year'],
    ['charset', 'klingon', 'charset must be a charset'],
    ['force', 'yes', 'force must be true or false'],
    ['colour', 'red', 'colour is not a parameter'],
  ])('refuses %s=%s in the address and in the body, and keeps nothing', async (name, value, detail) => {
    const before = stored();
    for (const sent of [
      await upload('x', { [name]: value }),
      await upload('x', {}, 'a', `?${name}=${encodeURIComponent(value)}`),
    ]) {
      expect(sent).toMatchObject({ status: 400, body: { code: 'request.bad-parameter' } });
      expect(sent.body.detail).toContain(detail);
    }
    expect(stored()).toEqual(before);
  });

  it('has a name that is a label and never a path', async () => {
    const names = ['../../etc/passwd', '..\\..\\boot.ini', 'a\u0000b\u202Etxt.log', '..', ''];
    const files = [];
    for (const [at, name] of names.entries())
      files.push((await upload(json(1, 9000 + at), { format: 'json' }, name)).body);
    expect(files.map(({ name }) => name)).toEqual(['passwd', 'boot.ini', 'abtxt.log', 'unnamed', 'unnamed']);
    expect(stored().every((name) => /^[0-9a-f-]{36}$/.test(name))).toBe(true);
    for (const { id } of files) await finished(id);
  });
});

describe('the same content', () => {
  it('is not read twice, packed or not, unless it is forced', async () => {
    const content = json(50, 100_000);
    const first = await upload(content, { format: 'json' }, 'x.log');
    await finished(first.body.id);
    for (const same of [content, gzipSync(content), zstdCompressSync(Buffer.from(content))]) {
      const again = await upload(same, {}, 'other.log.gz');
      expect(again).toMatchObject({
        status: 200,
        body: { id: first.body.id, duplicateOf: first.body.id, name: 'x.log', status: 'processed' },
      });
    }
    const forced = await upload(gzipSync(content), { format: 'json', force: 'true' });
    expect(forced).toMatchObject({ status: 202, body: { duplicateOf: first.body.id } });
    expect(forced.body.id).not.toBe(first.body.id);
    expect(await finished(forced.body.id)).toMatchObject({ status: 'processed', counts: { events: 50 } });
  });

  it('is known by what it unpacks to, whichever came first', async () => {
    const content = json(50, 200_000);
    const first = await upload(gzipSync(content), { format: 'json' }, 'x.log.gz');
    expect((await finished(first.body.id)).counts).toMatchObject({ events: 50, readBytes: content.length });
    expect(await upload(content)).toMatchObject({ status: 200, body: { id: first.body.id } });
    expect(await upload(gzipSync(content, { level: 1 }))).toMatchObject({ status: 200, body: { id: first.body.id } });
  });

  it('sent at the same time many times is taken once', async () => {
    const content = json(2000, 300_000);
    const sent = await Promise.all(Array.from({ length: 4 }, () => upload(content, { format: 'json' })));
    expect(sent.map(({ status }) => status).sort()).toEqual([200, 200, 200, 202]);
    expect(new Set(sent.map(({ body }) => body.id)).size).toBe(1);
    await finished(sent[0]!.body.id);
    const [{ count }] = await database.dataSource.query(`select count(*)::int from uploads.file where sha256 = $1`, [
      sent[0]!.body.sha256,
    ]);
    expect(count).toBe(1);
    expect(stored().filter((name) => sent.some(({ body }) => body.id === name))).toHaveLength(1);
  });
});

describe('a packed file', () => {
  it.each([
    ['gzip', (data: string) => gzipSync(data)],
    ['zstd', (data: string) => zstdCompressSync(Buffer.from(data))],
  ])('of several %s members is read through', async (kind, pack) => {
    const parts = [json(300, 400_000), '', json(1, 400_300), json(300, 400_301)].map((part) =>
      pack(`${kind === 'gzip' ? '' : ' '}${part}`),
    );
    const { body } = await upload(Buffer.concat(parts), { format: 'json' });
    expect(await finished(body.id)).toMatchObject({ status: 'processed', counts: { events: 601 } });
  });

  it('that ends early has failed, with what could be read kept', async () => {
    const content = Array.from({ length: 20_000 }, (_, at) =>
      JSON.stringify({ message: `${at} ${Math.sin(at)}` }),
    ).join('\n');
    const packed = gzipSync(content);
    const { status, body } = await upload(packed.subarray(0, packed.length / 2), { format: 'json' });
    expect(status).toBe(202);
    const file = await finished(body.id);
    expect(file).toMatchObject({ status: 'failed', unpackedSha256: null });
    expect(file.error).toMatch(
      /^the packed data ends before its end, after line \d+; what was read until there is kept$/,
    );
    expect(file.counts.events).toBeGreaterThan(5000);
    expect(await told(body.id)).toHaveLength(file.counts.events);
    const whole = await upload(packed, { format: 'json' });
    expect(whole.status).toBe(202);
    expect(await finished(whole.body.id)).toMatchObject({ status: 'processed', counts: { events: 20_000 } });
  });

  it('with something after its end is read, and says what was left out', async () => {
    const { body } = await upload(Buffer.concat([gzipSync(json(10, 500_000)), Buffer.from('rubbish')]), {
      format: 'json',
    });
    expect(await finished(body.id)).toMatchObject({
      status: 'processed_with_errors',
      counts: { events: 10 },
      error: '7 bytes after the end of what is packed were left out',
    });
  });
});

describe('text', () => {
  it.each([
    ['utf-8 with a byte order mark', Buffer.from('\uFEFF{"message":"grüße"}\n'), {}, 'grüße', 0],
    ['utf-16le with a byte order mark', Buffer.from('\uFEFF{"message":"grüße"}\r\n', 'utf16le'), {}, 'grüße', 0],
    [
      'utf-16be with a byte order mark',
      Buffer.from('\uFEFF{"message":"grüße Ā"}\n', 'utf16le').swap16(),
      {},
      'grüße Ā',
      0,
    ],
    [
      'utf-16le as declared',
      Buffer.from('{"message":"Ċ ਊ grüße"}\n', 'utf16le'),
      { charset: 'utf-16le' },
      'Ċ ਊ grüße',
      0,
    ],
    ['windows-1252 when it is no UTF-8', Buffer.from('{"message":"gr\xfc\xdfe \x80"}\n', 'latin1'), {}, 'grüße €', 0],
    [
      'another charset as declared',
      Buffer.from([...Buffer.from('{"message":"'), 0xc1, 0xc2, ...Buffer.from('"}\n')]),
      { charset: 'koi8-r' },
      'аб',
      0,
    ],
    [
      'broken UTF-8, what is broken replaced',
      Buffer.concat([
        Buffer.from('{"message":"grüße"}\n{"message":"'),
        Buffer.from([0xff]),
        Buffer.from(' \uFFFD"}\n'),
      ]),
      {},
      'grüße',
      null,
    ],
  ])('is %s', async (_what, content, fields, message, replaced) => {
    const { body } = await upload(content, { format: 'json', force: 'true', ...fields });
    const file = await finished(body.id);
    expect((await told(body.id))[0]).toMatchObject({ message });
    if (replaced !== null) expect(file.counts.replaced).toBe(replaced);
  });

  it('with U+0000 and half surrogates is cleaned, and says how often', async () => {
    const { body } = await upload('{"message":"a\\u0000b","deep":{"x\\ud800":["\\udfff"]}}\n', { format: 'json' });
    const file = await finished(body.id);
    expect(file).toMatchObject({ status: 'processed', counts: { events: 1 } });
    expect(file.counts.replaced).toBe(3);
    expect(await told(body.id)).toMatchObject([{ message: 'a\uFFFDb' }]);
  });
});

describe('files', () => {
  it('are listed newest first, by status, page by page', async () => {
    const all = await app.get(`${FILES}?limit=1000`);
    const ids = all.body.items.map(({ id }: { id: string }) => id);
    const paged: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const { body } = await app.get(`${FILES}?limit=7${cursor && `&cursor=${cursor}`}`);
      paged.push(...body.items.map(({ id }: { id: string }) => id));
      cursor = body.nextCursor;
    }
    expect(paged).toEqual(ids);
    const times = all.body.items.map(({ receivedAt }: { receivedAt: string }) => Date.parse(receivedAt));
    expect(times).toEqual([...times].sort((a, b) => b - a));
    const failed = await app.get(`${FILES}?status=failed&limit=1000`);
    expect(failed.body.items.length).toBeGreaterThan(0);
    expect(failed.body.items.every(({ status }: { status: string }) => status === 'failed')).toBe(true);
    expect(await app.get(`${FILES}?status=lost`)).toMatchObject({
      status: 400,
      body: { code: 'request.bad-parameter' },
    });
    expect(await app.get(`${FILES}?cursor=abc`)).toMatchObject({ status: 400 });
    for (const id of ['nothing', '00000000-0000-4000-8000-000000000000'])
      expect(await app.get(`${FILES}/${id}`)).toMatchObject({ status: 404, body: { code: 'uploads.unknown' } });
  });

  it('that are deleted lose their bytes, and stay with what is recorded of them', async () => {
    const { body } = await upload(json(10, 600_000), { format: 'json' });
    await finished(body.id);
    const answer = await fetch(`${app.url}${FILES}/${body.id}`, { method: 'DELETE' });
    expect(answer.status).toBe(204);
    expect(stored()).not.toContain(body.id);
    expect((await app.get(`${FILES}/${body.id}`)).body).toMatchObject({
      status: 'processed',
      stored: false,
      counts: { events: 10 },
    });
    expect(await told(body.id)).toHaveLength(10);
    expect((await fetch(`${app.url}${FILES}/nothing`, { method: 'DELETE' })).status).toBe(404);
  });
});

describe('what is told about uploads', () => {
  it('has a file chooser and every field in Swagger UI', async () => {
    const { body } = await app.get('/docs-json');
    const { post } = body.paths['/upload'];
    const { schema } = post.requestBody.content['multipart/form-data'];
    expect(schema.properties.file).toEqual({ type: 'string', format: 'binary' });
    const parameters = post.parameters.map(({ name }: { name: string }) => name);
    expect(Object.keys(schema.properties).sort()).toEqual(['file', ...parameters].sort());
    expect(schema.properties.format.enum).toContain('json');
    expect(Object.keys(post.responses).sort()).toEqual(['200', '202', '400', '403', '408', '413', '415', '503', '507']);
    expect(Object.keys(body.paths[`${FILES}/{id}`])).toEqual(['get', 'delete']);
    expect(body.components.schemas.FileBody.properties.counts).toBeDefined();
  });

  it('stands in the metrics and in the health of the process', async () => {
    const metrics = await (await fetch(`${app.url}/metrics`)).text();
    expect(metrics).toMatch(/^uploads_total\{result="accepted"\} [1-9]/m);
    expect(metrics).toMatch(/^uploads_total\{result="duplicate"\} [1-9]/m);
    expect(metrics).toMatch(/^uploads_total\{result="request.bad-parameter"\} [1-9]/m);
    expect(metrics).toMatch(/^upload_bytes_total [1-9]/m);
    expect(metrics).toMatch(/^upload_lines_total\{format="json",outcome="event"\} [1-9]/m);
    expect(metrics).toMatch(/^upload_lines_total\{format="json",outcome="bad"\} [1-9]/m);
    expect(metrics).toMatch(/^upload_reading_seconds_count\{status="processed"\} [1-9]/m);
    expect(metrics).toMatch(/^upload_files_waiting 0$/m);
    const { body } = await app.get('/health');
    expect(JSON.stringify(body)).toContain('"uploads"');
  });
});
