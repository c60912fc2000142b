import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGzip, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Bus } from '../src/platform/bus/index.js';
import { UploadKeeping } from '../src/uploads/upload-keeping.service.js';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed, testDatabase, type TestDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';
import { BOUNDARY, MULTIPART, multipart, type Sending, sendMultipart } from './support/multipart.js';

const MOST_BYTES = 20_000_000;
const dataDir = mkdtempSync(join(tmpdir(), 'tapeline-hostile-'));
const folder = join(dataDir, 'uploads');

let database: TestDatabase;
let app: RunningApp;

const start = async (dir = dataDir): Promise<RunningApp> => {
  const started = await startApp(database.connection, {
    MODULES: 'uploads',
    DATA_DIR: dir,
    UPLOAD_STALL: '1s',
    UPLOAD_MAX_BYTES: String(MOST_BYTES),
    UPLOAD_CONCURRENT: '2',
    UPLOAD_MAX_TIME: '5s',
  });
  await started.app.get(Bus).whenReady();
  return started;
};

beforeAll(async () => {
  database = await testDatabase();
  app = await start();
});

beforeEach(() => keepWhenRed());

/** Whatever was sent: the process is healthy, takes the next file, and has nothing of this one on its disk. */
afterEach(async () => {
  await eventually(() => expect(readdirSync(folder)).toEqual([]));
  expect((await app.get('/health')).status).toBe(200);
  const good = await send(file(`{"message":"after ${Math.random()}"}\n`));
  expect(good.status).toBe(202);
  await remove(good.body.id);
});

afterAll(async () => {
  await app?.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const send = (body: Buffer, sending?: Sending, query = '?format=json') =>
  sendMultipart(`${app.url}/upload${query}`, body, sending);
const file = (value: Buffer | string, fileName = 'app.log'): Buffer => multipart([{ name: 'file', fileName, value }]);
/** All of a multipart body but its end. */
const opening = (value: Buffer | string): Buffer => file(value).subarray(0, -(BOUNDARY.length + 8));
const remove = async (id: string): Promise<void> => {
  expect((await fetch(`${app.url}/api/v1/files/${id}`, { method: 'DELETE' })).status).toBe(204);
};
// oxlint-disable-next-line typescript/no-explicit-any -- a test reads what came
const finished = (id: string): Promise<any> =>
  eventually(async () => {
    const { body } = await app.get(`/api/v1/files/${id}`);
    expect(body.finishedAt).not.toBeNull();
    return body;
  }, 20_000);

const problem = (status: number, code: string) => ({
  status,
  type: 'application/problem+json; charset=utf-8',
  body: { status, code },
});

/** With another checksum than its content has. */
function damaged(packed: Buffer): Buffer {
  const copy = Buffer.from(packed);
  copy[copy.length - 6]! ^= 0xff;
  return copy;
}

/** So many bytes of zeros, packed. */
async function zeros(bytes: number): Promise<Buffer> {
  const packed: Buffer[] = [];
  const gzip = createGzip({ level: 9 });
  gzip.on('data', (chunk: Buffer) => packed.push(chunk));
  const block = Buffer.alloc(1_000_000);
  for (let left = bytes; left > 0; left -= block.length)
    await new Promise<void>((resolve, reject) => gzip.write(block, (error) => (error ? reject(error) : resolve())));
  await new Promise((resolve) => gzip.on('end', resolve).end());
  return Buffer.concat(packed);
}

describe('an upload is refused with a problem, and leaves nothing', () => {
  it('when it is a bomb of gzip', async () => {
    const answer = await send(file(await zeros(1_000_000_000), 'bomb.gz'));
    expect(answer).toMatchObject(problem(413, 'uploads.unpacks-too-far'));
    expect(answer.body.detail).toContain('200 times');
  });

  it('when it is a bomb of zstd, in one frame or in many', async () => {
    const frame = zstdCompressSync(Buffer.alloc(64_000_000));
    expect(frame.length).toBeLessThan(10_000);
    for (const bomb of [
      frame,
      Buffer.concat(Array.from({ length: 100 }, () => zstdCompressSync(Buffer.alloc(1_000_000)))),
    ])
      expect(await send(file(bomb))).toMatchObject(problem(413, 'uploads.unpacks-too-far'));
  });

  it.each([
    ['zip', Buffer.from('PK\u0003\u0004rest'), 'a zip archive holds any number of files'],
    ['bzip2', Buffer.from('BZh91AY'), 'files packed with bzip2 are not read'],
    ['tar', Buffer.concat([Buffer.alloc(257), Buffer.from('ustar\u000000'), Buffer.alloc(2000)]), 'a tar archive'],
  ])('when it is a %s', async (_kind, content, detail) => {
    const answer = await send(file(content, 'x.log'));
    expect(answer).toMatchObject(problem(415, 'uploads.unsupported-archive'));
    expect(answer.body.detail).toContain(detail);
  });

  it('when its length is told to be more than is taken, before any of it is read', async () => {
    const answer = await send(Buffer.alloc(0), {
      headers: { 'content-length': String(3 * MOST_BYTES) },
      neverEnds: true,
    });
    expect(answer).toMatchObject(problem(413, 'uploads.too-large'));
  });

  it.each([
    ['the file', opening(''), Buffer.alloc(1_000_000, 'a\n')],
    ['what stands before the first part', Buffer.from('junk'), Buffer.alloc(1_000_000, 'junk')],
    ['what follows the last part', file('{}\n'), Buffer.alloc(1_000_000, 'junk')],
  ])('when %s goes on beyond what is taken', async (_what, first, more) => {
    const answer = await send(first, {
      goOn: async (write) => {
        for (let sent = 0; sent < 5 * MOST_BYTES && (await write(more)); sent += more.length);
      },
    });
    expect(answer).toMatchObject(problem(413, 'uploads.too-large'));
  });

  it('when it has 10,000 parts', async () => {
    const parts = Array.from({ length: 10_000 }, (_, at) => ({ name: `f${at}`, value: 'x' }));
    expect(await send(multipart(parts))).toMatchObject(problem(400, 'uploads.too-many-parts'));
    const files = Array.from({ length: 10_000 }, (_, at) => ({ name: 'file', fileName: `f${at}`, value: '{}\n' }));
    expect(await send(multipart(files))).toMatchObject(problem(400, 'uploads.too-many-parts'));
  });

  it('when it has two files, a field that is long or one given twice', async () => {
    const one = { name: 'file', fileName: 'a', value: '{}\n' };
    expect(await send(multipart([one, one]))).toMatchObject(problem(400, 'uploads.too-many-parts'));
    expect(await send(multipart([one, { name: 'symbol', value: 'X'.repeat(2000) }]))).toMatchObject(
      problem(400, 'uploads.malformed'),
    );
    const year = { name: 'year', value: '2019' };
    expect(await send(multipart([year, one, year]))).toMatchObject(problem(400, 'uploads.malformed'));
    expect(await send(multipart([{ name: '__proto__', value: 'x' }, one]))).toMatchObject(
      problem(400, 'request.bad-parameter'),
    );
    expect(await send(multipart([one, { name: 'format', value: 'json' }]))).toMatchObject(
      problem(400, 'request.bad-parameter'),
    );
  });

  it('when it has no file, no boundary, or no end', async () => {
    expect(await send(multipart([{ name: 'year', value: '2019' }]))).toMatchObject(problem(400, 'uploads.no-file'));
    expect(await send(Buffer.from(`--${BOUNDARY}--\r\n`))).toMatchObject(problem(400, 'uploads.no-file'));
    expect(await send(file('x'), { headers: { 'content-type': 'multipart/form-data' } })).toMatchObject(
      problem(400, 'uploads.malformed'),
    );
    expect(await send(opening('{"message":1}\n'.repeat(10_000)))).toMatchObject(problem(400, 'uploads.malformed'));
    expect(await send(Buffer.from('nothing of the kind'))).toMatchObject(problem(400, 'uploads.malformed'));
  });

  it.each([
    'application/octet-stream',
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/mixed; boundary=x',
  ])('when it is %s', async (type) => {
    const answer = await send(Buffer.from('{"message":1}\n'), { headers: { 'content-type': type } });
    expect(answer).toMatchObject(problem(415, 'http.unsupported-media-type'));
  });

  it('when it is JSON, and takes multipart nowhere else', async () => {
    expect(await app.post('/upload', { message: 1 })).toMatchObject({
      status: 415,
      body: { code: 'http.unsupported-media-type' },
    });
    const elsewhere = await sendMultipart(`${app.url}/api/v1/dead-letters/replay`, file('{}\n'));
    expect(elsewhere).toMatchObject(problem(415, 'http.unsupported-media-type'));
  });

  it('when its client stalls, or sends next to nothing', async () => {
    expect(
      await send(opening('{"message":1}\n'), { neverEnds: true, headers: { 'content-length': '100000' } }),
    ).toMatchObject(problem(408, 'uploads.stalled'));
    const dripping = await send(opening('{}\n'.repeat(1000)), {
      goOn: async (write) => {
        while (await write(Buffer.from('x'))) await new Promise((resolve) => setTimeout(resolve, 50));
      },
    });
    expect(dripping).toMatchObject(problem(408, 'uploads.stalled'));
  });

  it('when its client drips faster than that, but too slowly to ever come to an end', async () => {
    const piece = Buffer.from('{}\n'.repeat(400)); // about 24 KB a second
    const dripping = await send(opening(''), {
      goOn: async (write) => {
        while (await write(piece)) await new Promise((resolve) => setTimeout(resolve, 50));
      },
    });
    expect(dripping).toMatchObject(problem(408, 'uploads.stalled'));
    expect(dripping.body.detail).toMatch(/^\d+ bytes within 2 times 1000 ms \(UPLOAD_STALL\)/);
  });

  it('when it is not whole in time, although it comes fast enough', async () => {
    const piece = Buffer.from('{}\n'.repeat(4000)); // about 240 KB a second
    const endless = await send(opening(''), {
      goOn: async (write) => {
        while (await write(piece)) await new Promise((resolve) => setTimeout(resolve, 50));
      },
    });
    expect(endless).toMatchObject(problem(408, 'uploads.stalled'));
    expect(endless.body.detail).toContain('UPLOAD_MAX_TIME');
  });

  it('when it comes from a page of another origin', async () => {
    for (const origin of ['https://evil.example', 'null'])
      expect(await send(file('{}\n'), { headers: { origin } })).toMatchObject(problem(403, 'http.foreign-origin'));
  });

  it('when as many are under way as are taken', async () => {
    const answers: unknown[] = [];
    const release: (() => void)[] = [];
    const held = [1, 2].map((number) =>
      send(opening(`{"message":"held ${number}"}\n`), {
        goOn: async (write) => {
          await new Promise<void>((resolve) => release.push(resolve));
          await write(Buffer.from(`\r\n--${BOUNDARY}--\r\n`));
        },
      }).then((answer) => answers.push(answer)),
    );
    await eventually(() => expect(readdirSync(folder)).toHaveLength(2));
    expect(await send(file('{}\n'))).toMatchObject(problem(503, 'uploads.busy'));
    for (const go of release) go();
    await Promise.all(held);
    expect(answers).toMatchObject([{ status: 202 }, { status: 202 }]);
    for (const { body } of answers as { body: { id: string } }[]) await remove(body.id);
  });
});

describe('an upload', () => {
  it('that is broken off leaves nothing', async () => {
    const socket = connect(Number(new URL(app.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(`POST /upload HTTP/1.1\r\nhost: x\r\ncontent-type: ${MULTIPART}\r\ncontent-length: 1000000\r\n\r\n`);
    socket.write(opening('{"message":1}\n'.repeat(1000)));
    await eventually(() => expect(readdirSync(folder)).toHaveLength(1));
    socket.destroy();
    await eventually(() => expect(readdirSync(folder)).toEqual([]));
    await eventually(async () => {
      const metrics = await (await fetch(`${app.url}/metrics`)).text();
      expect(metrics).toContain('uploads_total{result="uploads.aborted"} 1');
      expect(metrics).not.toContain('uploads_total{result="failed"}');
    });
  });

  it('that was under way in a crash is cleared away, what is young and what has a row is not', async () => {
    const { body } = await send(file('{"message":"kept"}\n'));
    await finished(body.id);
    const [old, young] = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'];
    const longAgo = new Date(Date.now() - 60_000);
    for (const name of [old, young]) writeFileSync(join(folder, name), 'x');
    for (const name of [old, body.id]) utimesSync(join(folder, name), longAgo, longAgo);
    await app.app.get(UploadKeeping).look();
    expect(readdirSync(folder).sort()).toEqual([young, body.id].sort());
    rmSync(join(folder, young));
    await remove(body.id);
  });

  it('with a line of 10 MB is read, of the line its beginning', async () => {
    const long = `{"message":"${'x'.repeat(10_000_000)}"}`;
    const { body } = await send(file(`{"message":1}\n${long}\n{"message":2}\n${'y'.repeat(65_536)}\n`));
    const read = await finished(body.id);
    expect(read).toMatchObject({
      status: 'processed_with_errors',
      counts: { lines: 4, events: 2, bad: 2, truncated: 1 },
    });
    const letters = await database.dataSource.query(
      `select length(payload) as length, message from bus.dead_letter where source_id = $1 order by source_position`,
      [body.id],
    );
    expect(letters.map(({ length }: { length: number }) => length)).toEqual([65_536, 65_536]);
    expect(letters[0].message).toContain('longer than 64 KiB');
    const { body: page } = await app.get(`/api/v1/dead-letters?source=file:${body.id}`);
    const cut = page.items.find(({ source }: { source: { position: string } }) => source.position === '2');
    expect(await app.post(`/api/v1/dead-letters/${cut.id}/replay`, {})).toMatchObject({
      body: { code: 'letters.cut' },
    });
    await remove(body.id);
  });

  it.each([
    ['a truncated gzip', (packed: Buffer) => packed.subarray(0, -(packed.length / 10)), 'ends before its end', 1000],
    ['a gzip with a wrong checksum', damaged, 'the checksum of the packed data does not match', 1200],
  ])('of a few lines in %s keeps those that are good', async (_what, harm, error, least) => {
    const lines = Array.from({ length: 1200 }, (_, at) => `{"message":"${at} ${Math.random()}"}\n`).join('');
    for (const query of ['?format=json', '']) {
      const { body } = await send(file(harm(gzipSync(lines))), {}, `${query}${query === '' ? '?' : '&'}force=true`);
      const read = await finished(body.id);
      expect(read).toMatchObject({ status: 'failed', format: 'json', error: expect.stringContaining(error) });
      expect(read.counts.events).toBeGreaterThanOrEqual(least);
      expect(read.counts.bad).toBe(0);
      await remove(body.id);
    }
  });

  it('whose bytes are lost fails with a reason, and the process lives on', async () => {
    const { body } = await send(file('{"message":"lost"}\n'));
    await finished(body.id);
    rmSync(join(folder, body.id));
    for (const [attempts, options, error] of [
      [0, '{}', 'its bytes are no longer on the disk'],
      [0, '{"format":"json"}', 'its bytes are no longer on the disk'],
      [9, '{}', 'reading it ended 5 times without a result'],
    ] as const) {
      await database.dataSource.query(
        `update uploads.file set status = 'received', finished_at = null, lines = 0, memory = null, lease_until = null, attempts = $2, options = $3 where id = $1`,
        [body.id, attempts, options],
      );
      expect(await finished(body.id)).toMatchObject({ status: 'failed', error: expect.stringContaining(error) });
    }
    await remove(body.id);
  });

  it('of no known format leaves no file open', async () => {
    const open = (): number =>
      readdirSync('/proc/self/fd').filter((name) => {
        try {
          return readlinkSync(`/proc/self/fd/${name}`).startsWith(folder);
        } catch {
          return false;
        }
      }).length;
    const ids: string[] = [];
    for (let count = 0; count < 5; count++) {
      const { body } = await send(file(`zzz qqq ${count}\n`.repeat(3)), {}, '');
      ids.push(body.id);
      expect(await finished(body.id)).toMatchObject({ status: 'failed', error: expect.stringContaining('format') });
    }
    await eventually(() => expect(open()).toBe(0));
    for (const id of ids) await remove(id);
  });

  it('of nothing but blank lines is read in a moment, or not at all', async () => {
    const { body } = await send(file(Buffer.alloc(500_000, '\n')));
    expect(await finished(body.id)).toMatchObject({ status: 'processed', counts: { lines: 500_000, events: 0 } });
    await remove(body.id);
    const undeclared = await send(file(Buffer.alloc(2_000_000, '\n')), {}, '');
    expect(await finished(undeclared.body.id)).toMatchObject({ status: 'failed', counts: { lines: 0 } });
    await remove(undeclared.body.id);
  });

  it('of a truncated gzip fails with a reason, and leaves nothing once it is deleted', async () => {
    const packed = gzipSync(Array.from({ length: 1000 }, () => `{"message":${Math.random()}}\n`).join(''));
    const { status, body } = await send(file(packed.subarray(0, -20)));
    expect(status).toBe(202);
    expect(await finished(body.id)).toMatchObject({
      status: 'failed',
      error: expect.stringContaining('ends before its end'),
    });
    await remove(body.id);
  });

  it('that unpacks too far only later is not read any further', async () => {
    const { body } = await send(file('{"message":"first"}\n'));
    await finished(body.id);
    const bomb = await zeros(60_000_000);
    await database.dataSource.query(
      `update uploads.file set status = 'received', packing = 'gzip', finished_at = null, lines = 0, memory = null, lease_until = null, options = '{}' where id = $1`,
      [body.id],
    );
    writeFileSync(join(folder, body.id), bomb);
    expect(await finished(body.id)).toMatchObject({ status: 'failed', error: expect.stringContaining('200 times') });
    await remove(body.id);
  });
});

describe('a full disk', () => {
  it('is told as a problem, leaves nothing, and passes', async (context) => {
    const small = join(dataDir, 'small');
    mkdirSync(small);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', small], { stdio: 'ignore' });
    } catch {
      return context.skip('mounting a small file system needs more rights than this user has');
    }
    const other = await start(small);
    const sendThere = (body: Buffer, sending?: Sending) =>
      sendMultipart(`${other.url}/upload?format=json`, body, sending);
    try {
      const content = file('{"message":1}\n'.repeat(1_300_000));
      expect(await sendThere(content)).toMatchObject(problem(507, 'uploads.no-room'));
      expect(await sendThere(content, { chunked: true })).toMatchObject(problem(507, 'uploads.no-room'));
      expect(readdirSync(join(small, 'uploads'))).toEqual([]);
      expect((await other.get('/health')).status).toBe(200);
      expect((await sendThere(file('{"message":"fits"}\n'))).status).toBe(202);
    } finally {
      await other.close();
      execFileSync('umount', ['-l', small]);
    }
  });
});
