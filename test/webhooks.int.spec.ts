import { createHmac, randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EventsRecordedV1 } from '../src/contracts/index.js';
import { Bus } from '../src/platform/bus/index.js';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed, testDatabase, type TestDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';

const SECRETS = ['an-old-secret', 'a-new-secret'];
const HOOK_SECRET = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;
const ISSUE = {
  action: 'opened',
  issue: { number: 7, title: 'It broke ♥' },
  repository: { full_name: 'me/app' },
  sender: { login: 'me' },
};

let database: TestDatabase;
let app: RunningApp;

beforeAll(async () => {
  database = await testDatabase();
  app = await startApp(database.connection, {
    MODULES: 'webhooks',
    GITHUB_WEBHOOK_SECRET: SECRETS.join(','),
    WEBHOOKS: `deploys:${HOOK_SECRET}`,
  });
  await app.app.get(Bus).whenReady();
});

beforeEach(() => keepWhenRed());
afterAll(() => app?.close());

const CREDENTIALS = [
  'authorization',
  'cookie',
  'x-api-key',
  'x-hub-signature',
  'x-auth-key',
  'x-password',
  'cf-access-jwt-assertion',
  'x-goog-iap-jwt-assertion',
  'x-amz-credential',
  'x-forwarded-client-cert',
];

const countOf = async (table: string): Promise<number> =>
  (await database.dataSource.query(`select count(*)::int as count from ${table}`))[0].count;

type Sent = {
  id?: string;
  hook?: string;
  event?: string;
  secret?: string;
  type?: string;
  headers?: Record<string, string>;
};

async function github(
  body: unknown,
  {
    id = randomUUID(),
    hook = '1',
    event = 'issues',
    secret = SECRETS[0]!,
    type = 'application/json',
    headers = {},
  }: Sent = {},
) {
  const bytes =
    typeof body === 'string' || Buffer.isBuffer(body) ? Buffer.from(body as string) : Buffer.from(JSON.stringify(body));
  const answer = await fetch(`${app.url}/webhook/github`, {
    method: 'POST',
    body: bytes,
    headers: {
      'content-type': type,
      'x-github-event': event,
      'x-github-delivery': id,
      'x-github-hook-id': hook,
      'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(bytes).digest('hex')}`,
      ...headers,
    },
  });
  return { status: answer.status, body: (await answer.json()) as any }; // oxlint-disable-line typescript/no-explicit-any -- a test reads what came
}

// oxlint-disable-next-line typescript/no-explicit-any -- a test reads what came
const told = async (id: string): Promise<any[]> =>
  (
    await database.dataSource.query(
      `select data from bus.event where name = 'webhooks.delivery-received.v1' and data->>'deliveryId' = $1`,
      [id],
    )
  ).map(({ data }: { data: unknown }) => data);

describe('POST /webhook/github', () => {
  it('stores and tells a delivery once, whichever secret signed it', async () => {
    for (const secret of SECRETS) {
      const { status, body } = await github({ ...ISSUE, salt: randomUUID() }, { secret });
      expect(status).toBe(202);
      expect(body).toEqual({ id: expect.any(String), status: 'received', repeated: false, possibleReplay: false });
      expect(await told(body.id)).toMatchObject([
        {
          source: 'github',
          type: 'issues',
          action: 'opened',
          repository: 'me/app',
          number: 7,
          fields: { title: 'It broke ♥' },
        },
      ]);
    }
  });

  it('knows a repeat, also when twenty come at once, and another hook is another delivery', async () => {
    const id = randomUUID();
    const payload = { ...ISSUE, salt: id };
    const answers = await Promise.all(Array.from({ length: 20 }, () => github(payload, { id })));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect(await told(answers[0]!.body.id)).toHaveLength(1);
    const { body } = await app.get(`/api/v1/webhooks/deliveries/${answers[0]!.body.id}`);
    expect(body).toMatchObject({ repeats: 19, status: 'received', hookId: '1', deliveryId: id });
    const other = await github(payload, { id, hook: '2' });
    expect(other).toMatchObject({ status: 202, body: { repeated: false, possibleReplay: true } });
  });

  it('tells a repeat what became of the first, and tells it again only where that came to nothing', async () => {
    const id = randomUUID();
    const { body: first } = await github({ ...ISSUE, salt: id }, { id });
    await database.dataSource.query(`update webhooks.delivery set told_at = now() - interval '61 s' where id = $1`, [
      first.id,
    ]);
    expect(await github({ ...ISSUE, salt: id }, { id })).toMatchObject({
      status: 200,
      body: { status: 'received', repeated: true },
    });
    expect(await told(first.id)).toHaveLength(2);
    expect((await github({ ...ISSUE, salt: id }, { id })).status).toBe(200);
    expect(await told(first.id)).toHaveLength(2);

    const bus = app.app.get(Bus);
    await bus.transaction((tx) => bus.append(tx, EventsRecordedV1, { deliveryIds: [first.id] }));
    await eventually(async () =>
      expect((await app.get(`/api/v1/webhooks/deliveries/${first.id}`)).body.status).toBe('processed'),
    );
    await database.dataSource.query(`update webhooks.delivery set told_at = now() - interval '61 s' where id = $1`, [
      first.id,
    ]);
    expect(await github({ ...ISSUE, salt: id }, { id })).toMatchObject({ status: 200, body: { status: 'processed' } });
    expect(await told(first.id)).toHaveLength(2);
  });

  it('reads forms', async () => {
    const form = new URLSearchParams({ payload: JSON.stringify({ ...ISSUE, form: true }) }).toString();
    const { status, body } = await github(form, { type: 'application/x-www-form-urlencoded' });
    expect(status).toBe(202);
    expect(await told(body.id)).toMatchObject([{ number: 7 }]);
  });

  it('reads a form whatever the case of its type', async () => {
    const form = new URLSearchParams({ payload: JSON.stringify({ ...ISSUE, form: 2 }) }).toString();
    expect(await github(form, { type: 'Application/X-WWW-Form-Urlencoded' })).toMatchObject({
      status: 202,
      body: { status: 'received' },
    });
  });

  it('takes a repeat of what could not be read for the delivery, when that can', async () => {
    const id = randomUUID();
    const first = await github('{"action": ', { id });
    expect(first).toMatchObject({ status: 202, body: { status: 'failed' } });
    expect(await github('{"action": ', { id })).toMatchObject({ status: 200, body: { status: 'failed' } });
    const again = await github({ ...ISSUE, salt: id }, { id });
    expect(again).toMatchObject({ status: 200, body: { id: first.body.id, status: 'received', repeated: true } });
    expect(await told(first.body.id)).toMatchObject([{ action: 'opened', number: 7 }]);
    const { body } = await app.get(`/api/v1/webhooks/deliveries/${first.body.id}`);
    expect(body).toMatchObject({ status: 'received', error: null, repeats: 2 });
    expect(JSON.parse(body.payload)).toMatchObject({ salt: id });
    const letters = await database.dataSource.query(
      `select state from bus.dead_letter where source_kind = 'webhook' and source_position = $1`,
      [first.body.id],
    );
    expect(letters).toEqual([{ state: 'replayed' }]);
  });

  it.each(['\0', '{"a": \0}', '{"a": "\ud83d'])('keeps a signed %j, which no JSON is', async (payload) => {
    const { status, body } = await github(payload);
    expect({ status, ...body }).toMatchObject({ status: 'failed' });
    expect((await app.get(`/api/v1/webhooks/deliveries/${body.id}`)).body.error).toMatch(/^The payload is not JSON: /);
  });

  it('has a letter for each that cannot be read, however many come', async () => {
    const before = await countOf('bus.dead_letter');
    for (let done = 0; done < 220; done += 20)
      await Promise.all(Array.from({ length: 20 }, (_, at) => github(`{"no": ${done + at}`)));
    expect((await countOf('bus.dead_letter')) - before).toBe(220);
  });

  it('stores events it does not know', async () => {
    const { body } = await github({ novelty: true }, { event: 'brand_new' });
    expect(await told(body.id)).toMatchObject([{ type: 'brand_new', action: null, repository: null }]);
  });

  it.each([
    ['no JSON', '{"action":'],
    ['a list', '[1]'],
    ['nothing', ''],
  ])('keeps a signed payload that is %s as failed, with a dead letter that can be mended', async (_what, payload) => {
    const { status, body } = await github(payload);
    expect({ status, ...body }).toMatchObject({ status: 'failed' });
    expect(await told(body.id)).toEqual([]);
    const { body: letters } = await app.get('/api/v1/dead-letters?stage=parse&state=dead&limit=500');
    const letter = letters.items.find(({ source }: any) => source.kind === 'webhook' && source.position === body.id); // oxlint-disable-line typescript/no-explicit-any -- a test reads what came
    expect(letter).toMatchObject({ code: 'parse.bad-payload', source: { id: 'github' } });
    const replay = await app.post(`/api/v1/dead-letters/${letter.id}/replay`, { payload: JSON.stringify(ISSUE) });
    expect(replay.status).toBeLessThan(300);
    await eventually(async () => expect(await told(body.id)).toMatchObject([{ number: 7 }]));
    expect((await app.get(`/api/v1/webhooks/deliveries/${body.id}`)).body).toMatchObject({
      status: 'received',
      error: null,
    });
  });

  it.each([
    ['a wrong secret', { secret: 'somebody-else' }, 401, 'webhooks.untrusted'],
    [
      'SHA-1 alone',
      { headers: { 'x-hub-signature-256': '', 'x-hub-signature': 'sha1=00' } },
      401,
      'webhooks.untrusted',
    ],
    ['a delivery id that is none', { id: 'a b' }, 400, 'webhooks.bad-delivery'],
    ['a hook id that is none', { hook: 'x'.repeat(6000) }, 400, 'webhooks.bad-delivery'],
    ['a text', { type: 'text/plain' }, 415, 'http.unsupported-media-type'],
  ])('refuses %s', async (_what, sent, status, code) => {
    const before = await app.get('/api/v1/webhooks/deliveries');
    const answer = await github({ ...ISSUE, salt: randomUUID() }, sent);
    expect(answer).toMatchObject({ status, body: { code } });
    expect(JSON.stringify(answer)).not.toMatch(/an-old-secret|a-new-secret/);
    expect((await app.get('/api/v1/webhooks/deliveries')).body).toEqual(before.body);
  });

  it('takes 25 MiB, and no more, while other routes keep to 1 MiB', async () => {
    const filled = (bytes: number) => `{"filler":"${'x'.repeat(bytes - 13)}"}`;
    expect((await github(filled(25 * 1024 * 1024))).status).toBe(202);
    expect(await github(filled(25 * 1024 * 1024 + 1))).toMatchObject({
      status: 413,
      body: { code: 'http.payload-too-large' },
    });
    expect((await app.post('/api/v1/dead-letters/replay', filled(1024 * 1024 + 1))).status).toBe(413);
  });

  it('keeps no signature and no credential', async () => {
    const { body } = await github(
      { ...ISSUE, salt: randomUUID() },
      { headers: Object.fromEntries(CREDENTIALS.map((name) => [name, 'hush'])) },
    );
    const { body: kept } = await app.get(`/api/v1/webhooks/deliveries/${body.id}`);
    expect(JSON.stringify(kept)).not.toMatch(/hush|sha256=/);
    expect(kept.headers['x-github-event']).toBe('issues');
    expect(JSON.parse(kept.payload)).toMatchObject(ISSUE);
  });

  it('survives a client that hangs up in the middle', async () => {
    const { port } = new URL(app.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(
      'POST /webhook/github HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"a":',
    );
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.destroy();
    expect((await github({ ...ISSUE, salt: randomUUID() })).status).toBe(202);
  });

  it('is refused by its headers before its body came', async () => {
    const { port } = new URL(app.url);
    const before = await countOf('webhooks.delivery');
    for (const [path, headers, status] of [
      ['github', '', 401],
      ['github', 'x-hub-signature-256: sha256=00\r\n', 401],
      ['github', `x-hub-signature-256: sha256=${'0'.repeat(64)}\r\n`, 400],
      ['nobody', '', 404],
      ['deploys', '', 401],
    ] as const) {
      const socket = connect(Number(port), '127.0.0.1');
      socket.write(
        `POST /webhook/${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 24000000\r\n${headers}\r\n`,
      );
      const answer = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
      expect(answer.toString()).toContain(`HTTP/1.1 ${status} `);
      expect(answer.toString()).toContain('application/problem+json');
      socket.destroy();
    }
    expect(await countOf('webhooks.delivery')).toBe(before);
  });

  it('answers 503 without a secret', async () => {
    const bare = await startApp(database.connection, { MODULES: 'webhooks' });
    try {
      expect(await bare.post('/webhook/github', {})).toMatchObject({
        status: 503,
        body: { code: 'webhooks.not-set-up' },
      });
    } finally {
      await bare.close();
    }
  });
});

describe('POST /webhook/{name}', () => {
  async function deploys(
    payload: object,
    { name = 'deploys', id = `msg_${randomUUID()}`, atMs = Date.now(), secret = HOOK_SECRET } = {},
  ) {
    const body = JSON.stringify(payload);
    const timestamp = String(Math.floor(atMs / 1000));
    const key = Buffer.from(secret.slice(6), 'base64');
    const answer = await fetch(`${app.url}/webhook/${name}`, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': timestamp,
        'webhook-signature': `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`,
      },
    });
    return { status: answer.status, body: (await answer.json()) as any }; // oxlint-disable-line typescript/no-explicit-any -- a test reads what came
  }

  it('takes Standard Webhooks, each id once', async () => {
    const id = `msg_${randomUUID()}`;
    const payload = {
      type: 'deploy.done',
      timestamp: '2026-11-20T10:00:00.5Z',
      data: { app: 'web', tries: 2, ok: true, nested: { not: 'kept' } },
    };
    const first = await deploys(payload, { id });
    expect(first).toMatchObject({ status: 202, body: { status: 'received' } });
    expect(await told(first.body.id)).toMatchObject([
      {
        source: 'deploys',
        type: 'deploy.done',
        atUs: Date.parse('2026-11-20T10:00:00.5Z') * 1000,
        fields: { app: 'web', tries: 2, ok: true },
      },
    ]);
    expect(await deploys(payload, { id })).toMatchObject({ status: 200, body: { id: first.body.id, repeated: true } });
  });

  it('refuses an unknown name, an old time and a wrong secret', async () => {
    expect(await deploys({}, { name: 'nobody' })).toMatchObject({
      status: 404,
      body: { code: 'webhooks.unknown-hook' },
    });
    expect(await deploys({}, { atMs: Date.now() - 400_000 })).toMatchObject({ status: 401 });
    expect(await deploys({}, { secret: `whsec_${Buffer.alloc(32, 4).toString('base64')}` })).toMatchObject({
      status: 401,
    });
  });
});

describe('GET /api/v1/webhooks/deliveries', () => {
  it('pages through all, newest first, and filters', async () => {
    const seen: string[] = [];
    for (let cursor = ''; ;) {
      const { body } = await app.get(`/api/v1/webhooks/deliveries?limit=3${cursor}`);
      seen.push(...body.items.map(({ id }: { id: string }) => id));
      if (body.nextCursor === null) break;
      cursor = `&cursor=${body.nextCursor}`;
    }
    expect(seen.length).toBeGreaterThan(10);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toEqual(seen.toSorted((a, b) => Number(b) - Number(a)));
    const { body } = await app.get('/api/v1/webhooks/deliveries?source=deploys&type=deploy.done&status=received');
    expect(body.items).toHaveLength(1);
  });

  it.each(['source=GitHub!', 'status=lost', 'limit=0', 'from=soon', 'cursor=x', 'nonsense=1'])(
    'refuses %s',
    async (query) => {
      const { status, body } = await app.get(`/api/v1/webhooks/deliveries?${query}`);
      expect({ status, code: body.code, field: body.errors[0].field }).toEqual({
        status: 400,
        code: 'request.bad-parameter',
        field: query.split('=')[0],
      });
    },
  );

  it.each(['0', 'x', '99999999999999999999'])('knows no delivery %s', async (id) => {
    expect(await app.get(`/api/v1/webhooks/deliveries/${id}`)).toMatchObject({
      status: 404,
      body: { code: 'webhooks.unknown-delivery' },
    });
  });
});
