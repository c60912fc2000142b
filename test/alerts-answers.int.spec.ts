import { Writable } from 'node:stream';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import pino from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createApp } from '../src/create-app.js';
import { Bus } from '../src/platform/bus/index.js';
import { readSettings } from '../src/platform/config/index.js';
import { keepWhenRed, testDatabase, type TestDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';
import { type HttpReceiver, httpReceiver } from './support/receivers.js';

const SECRET = 'whsec_UExBTlRFRC1zaWduaW5nLXNlY3JldC0wMDE=';
const NEXT_SECRET = 'whsec_UExBTlRFRC1zaWduaW5nLXNlY3JldC0wMDI=';
const KEY = 'PLANTED0routing0key0123456789abc';
const RULE = { id: 'high', symbol: 'BTCUSDT', condition: 'price > 1', labels: { team: 'desk' } };

let database: TestDatabase;
let app: NestFastifyApplication;
let url: string;
let hook: HttpReceiver;
/** Everything that was answered and logged, as text. */
let said = '';

type Said = any; // oxlint-disable-line typescript/no-explicit-any -- a test reads what came

beforeAll(async () => {
  database = await testDatabase();
  hook = await httpReceiver();
  const log = new Writable({ write: (chunk, _, done) => ((said += String(chunk)), done()) });
  const settings = { PORT: '0', MODULES: 'alerts', ALLOW_PRIVATE_TARGETS: '127.0.0.1' };
  app = await createApp(readSettings(settings), pino({ level: 'trace' }, log), database.connection);
  await app.listen(0, '127.0.0.1');
  url = `http://127.0.0.1:${(app.getHttpServer().address() as { port: number }).port}/api/v1`;
  await app.get(Bus).whenReady();
});

beforeEach(async () => {
  keepWhenRed();
  hook.behave(() => ({ status: 200, text: 'ok' }));
  await rows(
    `truncate alerts.rule, alerts.alert, alerts.silence, alerts.notification, alerts.channel, alerts.position,
       alerts.stopped_rule, alerts.settings cascade`,
  );
  await rows('alter sequence alerts.version restart');
});

afterAll(async () => {
  await app.close();
  await hook.close();
});

async function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Said> {
  const response = await fetch(`${url}/${path}`, {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  said += `${JSON.stringify([...response.headers])}\n${text}\n`;
  const { status } = response;
  return { status, etag: response.headers.get('etag'), body: text === '' ? undefined : JSON.parse(text) };
}

const rows = (sql: string, ...parameters: unknown[]): Promise<Said[]> => database.dataSource.query(sql, parameters);

describe('a rule', () => {
  it('over what nobody has heard of says so, in every answer, until it is heard of', async () => {
    const watching = { series: 0, lastValueAt: null, unheard: ['BTCUSDT'] };
    expect(await send('POST', 'rules', RULE)).toMatchObject({ status: 201, body: { watching } });
    expect((await send('POST', 'rules/validate', RULE)).body).toMatchObject({ valid: true, watching });
    expect((await send('PUT', 'rules/high', RULE)).body).toMatchObject({ watching });
    await rows(`insert into alerts.position values ('binance', 'BTCUSDT', 1786309548000000, '1')`);
    const heard = { series: 1, lastValueAt: '2026-08-09T21:05:48Z', unheard: [] };
    expect((await send('GET', 'rules/high')).body).toMatchObject({ watching: heard });
    await send('POST', 'rules', { ...RULE, id: 'typo', source: 'binanec' });
    const { items } = (await send('GET', 'rules')).body;
    expect(items.map((one: Said) => [one.id, one.watching])).toEqual([
      ['high', heard],
      ['typo', watching],
    ]);
  });

  it('that is stopped says since when, why, and what starts it again', async () => {
    await send('POST', 'rules', RULE);
    expect((await send('GET', 'rules/high')).body.stopped).toBeNull();
    const stop = (): Promise<unknown> =>
      rows(
        `insert into alerts.stopped_rule (rule_id, stopped_at, until, notices)
         values ('high', '2026-08-09T21:00:00Z', '2999-01-01T00:00:00Z', 17)`,
      );
    await stop();
    const stopped = {
      since: '2026-08-09T21:00:00Z',
      until: '2999-01-01T00:00:00Z',
      why: expect.stringContaining('17 firings'),
      resume: 'DELETE /api/v1/notifications/stopped/high',
    };
    expect((await send('GET', 'rules')).body.items).toMatchObject([{ stopped }]);
    const { body } = await send('GET', 'rules/high');
    expect(body).toMatchObject({ stopped });
    const [method, path] = body.stopped.resume.replace('/api/v1/', '').split(' ');
    expect((await send(method, path)).status).toBe(204);
    expect((await send('GET', 'rules/high')).body.stopped).toBeNull();
    await stop();
    expect((await send('PUT', 'rules/high', { ...RULE, name: 'Other' })).body).toMatchObject({ stopped });
    expect((await send('PUT', 'rules/high', { ...RULE, condition: 'price > 2' })).body.stopped).toBeNull();
    await stop();
    await send('DELETE', 'rules/high');
    expect((await send('POST', 'rules', RULE)).body.stopped).toBeNull();
  });

  it('is not called valid where it would be refused', async () => {
    const faultsOf = async (change: object): Promise<unknown> =>
      (await send('POST', 'rules/validate', { ...RULE, ...change })).body.errors;
    expect(await faultsOf({ channels: ['nobody'] })).toMatchObject([{ field: 'channels' }]);
    expect(await faultsOf({ expiresAt: '2020-01-01T00:00:00Z' })).toMatchObject([{ field: 'expiresAt' }]);
  });

  it('says where a draft of it is wrong in a backtest as elsewhere', async () => {
    const wrong = { ...RULE, condition: 'price >' };
    const made = await send('POST', 'rules', wrong);
    const tested = await send('POST', 'rules/backtest', { rule: wrong });
    expect(tested).toMatchObject({ status: 422, body: { detail: made.body.detail, errors: made.body.errors } });
    expect(made.body.detail).toContain('condition, character 8: ');
  });
});

describe('labels that change', () => {
  const SILENCE = { matchers: [{ name: 'team', op: '=', value: 'night' }], for: '1h', comment: 'asleep' };
  const stateOf = async (id: string): Promise<string> => (await send('GET', `alerts/${id}`)).body.state;

  it('bring an alert under a silence, or out of it, at once', async () => {
    await send('POST', 'silences', SILENCE);
    const { id } = (await send('POST', 'alerts', { name: 'x', labels: { team: 'desk' } })).body;
    expect((await send('PUT', `alerts/${id}`, { labels: { team: 'night' } })).body.state).toBe('silenced');
    expect((await send('PUT', `alerts/${id}`, { labels: {} })).body.state).toBe('active');
    expect((await send('GET', `alerts/${id}/history`)).body.items.map(({ kind }: Said) => kind)).toEqual([
      'fired',
      'relabelled',
      'silenced',
      'relabelled',
      'unsilenced',
    ]);
  });

  it('of a rule are those of its open alerts too, but where a person gave them others', async () => {
    await send('POST', 'silences', SILENCE);
    await send('POST', 'rules', { ...RULE, symbol: '*' });
    const ids = (
      await rows(
        `insert into alerts.alert (rule_id, name, source, symbol, severity, condition, labels, channels, phase, opened_by, started_at,
           cooldown_us, notified) select 'high', 'x', 'binance', symbol, 'high', 'x', '{"team":"desk"}', '{}', 'firing', 'condition', now(), 0, true
         from unnest('{BTCUSDT,ETHUSDT}'::text[]) as n (symbol) returning id`,
      )
    ).map(({ id }) => id as string) as [string, string];
    await send('PUT', `alerts/${ids[1]}`, { labels: { team: 'mine' } });
    await send('PUT', 'rules/high', { ...RULE, symbol: '*', labels: { team: 'night' } });
    expect([await stateOf(ids[0]), await stateOf(ids[1])]).toEqual(['silenced', 'active']);
    expect((await send('GET', `alerts/${ids[1]}`)).body.labels).toEqual({ team: 'mine' });
    await send('PUT', 'rules/high', { ...RULE, symbol: '*' });
    expect(await stateOf(ids[0])).toBe('active');
  });
});

describe('a channel', () => {
  const config = { url: 'https://example.com/hook', secret: SECRET };
  const body = { type: 'webhook', config };

  it('is not overwritten by who has not seen the last version', async () => {
    const made = await send('POST', 'channels', { name: 'ops', ...body });
    expect(made).toMatchObject({ status: 201, etag: '"1"', body: { version: 1 } });
    expect(await send('PUT', 'channels/ops', body, { 'if-match': '"1"' })).toMatchObject({ status: 200, etag: '"2"' });
    expect(await send('GET', 'channels/ops')).toMatchObject({ etag: '"2"' });
    const lost = { status: 412, body: { code: 'channels.changed-meanwhile', detail: 'it is at version 2, not 1' } };
    expect(await send('PUT', 'channels/ops', body, { 'if-match': '"1"' })).toMatchObject(lost);
    expect(await send('DELETE', 'channels/ops', undefined, { 'if-match': '"1"' })).toMatchObject(lost);
    expect(await send('PUT', 'channels/ops', body, { 'if-match': 'two' })).toMatchObject({ status: 400 });
    expect(await send('PUT', 'channels/ops', body)).toMatchObject({ status: 200, etag: '"3"' });
    expect(await send('DELETE', 'channels/ops', undefined, { 'if-match': '"3"' })).toMatchObject({ status: 204 });
  });

  it('lets one of many edits win that come at once, and loses none that asks for no version', async () => {
    await send('POST', 'channels', { name: 'ops', ...body });
    const edits = (headers: Record<string, string>): Promise<Said[]> =>
      Promise.all(Array.from({ length: 8 }, () => send('PUT', 'channels/ops', body, headers)));
    expect((await edits({ 'if-match': '"1"' })).map(({ status }) => status).toSorted()).toEqual([
      200,
      ...Array(7).fill(412),
    ]);
    expect((await edits({})).map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect((await send('GET', 'channels/ops')).body.version).toBeGreaterThanOrEqual(10); // one that had to wait leaves a gap
  });

  it('shows its secrets nowhere: in no answer, history, error or log, whatever a receiver answers', async () => {
    said = '';
    hook.behave(({ path, headers, text }, count) => {
      const status = [400, 500, 410, 429][count % 4]!;
      return {
        status,
        text: `${path} ${headers.authorization ?? ''} ${text.slice(0, 60)}`.slice(0, 90 + (count % 90)),
      };
    });
    const web = { url: `${hook.url}/h?token=PLANTED-in-query`, secret: SECRET, bearerToken: 'PLANTED-bearer' };
    const made: [string, string, object][] = [
      ['web', 'webhook', { ...web, previousSecret: NEXT_SECRET }],
      ['talk', 'slack', { url: `${hook.url}/services/T00/B00/PLANTED-in-path` }],
      ['pager', 'pagerduty', { routingKey: KEY, url: hook.url }],
      ['mail', 'email', { to: ['a@b.c'], from: 'a@b.c', smtpUrl: 'smtp://u:PLANTED-pass@127.0.0.1:1' }],
    ];
    for (const [name, type, given] of made) {
      expect(await send('POST', 'channels', { name, type, config: given })).toMatchObject({ status: 201 });
      await send('PUT', `channels/${name}`, { type, config: { ...given, title: '{rule}' } });
      await send('PUT', `channels/${name}`, { type, config: { ...given, title: '{bogus}' } });
      await send('PUT', `channels/${name}`, { type, config: { ...given, timeZone: 5 } });
      for (let count = 0; count < 4; count++) await send('POST', `channels/${name}/test`);
      await send('POST', 'notifications/test', { type, config: given });
    }
    await send('POST', 'channels', { name: 'bad', type: 'webhook', config: { ...web, secret: 'PLANTED-malformed' } });
    await send('PUT', 'channels/web', { type: 'webhook', config: { url: 'https://example.com/' } });
    await send('POST', 'alerts', { name: 'x', channels: made.map(([name]) => name) });
    await eventually(async () => {
      const { items } = (await send('GET', 'notifications')).body;
      expect(items.every(({ attempts }: Said) => attempts > 0)).toBe(true);
      expect(items).toHaveLength(made.length);
    });
    await rows('alter table alerts.channel add constraint planted check (false) not valid');
    try {
      const broken = await send('POST', 'channels', { name: 'broken', type: 'webhook', config: web });
      expect(broken.status).toBe(500);
    } finally {
      await rows('alter table alerts.channel drop constraint planted');
    }
    await send('GET', 'channels');
    expect(said).toContain('HTTP 500');
    const texts = [SECRET, NEXT_SECRET, KEY].flatMap((one) => [one, one.slice(6)]);
    for (const secret of ['PLANTED', ...texts]) expect(said.includes(secret), secret).toBe(false);
  });
});

describe('what is refused', () => {
  const MATCHERS = [{ name: 'symbol', op: '=', value: 'BTC*' }];
  const silence = { matchers: MATCHERS, comment: 'x' };

  it.each<[string, string, object, string]>([
    ['POST', 'silences', silence, 'endsAt must be given, or for in its place'],
    [
      'POST',
      'silences',
      { ...silence, for: '1h', endsAt: '2030-01-01T00:00:00Z' },
      'for must be left out where endsAt is given',
    ],
    [
      'POST',
      'silences',
      { ...silence, for: 5 },
      'for must be a duration such as 30s, 5m or 1h, from 1s to 366d, not 5',
    ],
    [
      'POST',
      'silences',
      { ...silence, startsAt: '2020-01-01T00:00:00Z', for: '1h' },
      'for must end it later than now, not at 2020-01-01T01:00:00Z',
    ],
    [
      'POST',
      'silences',
      { ...silence, startsAt: '9999-12-31T23:00:00Z', for: '2h' },
      'startsAt must let it end before the year 10000',
    ],
    [
      'POST',
      'silences',
      { ...silence, startsAt: '2030-01-02T00:00:00Z', endsAt: '2030-01-01T00:00:00Z' },
      'endsAt must be after the start, 2030-01-02T00:00:00Z',
    ],
    [
      'POST',
      'silences/preview',
      { matchers: [...MATCHERS, { name: 'symbol', op: '~', value: 'x' }] },
      'matchers is wrong at [1].op: must be = or !=, not "~"',
    ],
    [
      'POST',
      'alerts/1/silence',
      { for: '400d' },
      'for must be a duration such as 30s, 5m or 1h, from 1s to 366d, not "400d"',
    ],
    [
      'POST',
      'alerts',
      { name: 'x', labels: null },
      'labels must be an object of texts such as {"team":"desk"}, not null',
    ],
    ['PUT', 'alerts/1', { labels: null }, 'labels must be an object of texts such as {"team":"desk"}, not null'],
    ['PUT', 'alerts/1', { acknowledged: null }, 'acknowledged must be true or false, not null'],
    [
      'POST',
      'alerts',
      { name: 'x', channels: ['nobody'] },
      'channels names nobody, which is no channel; GET /api/v1/channels lists them',
    ],
    ['POST', 'notifications/test', { type: 'webhook', config: null }, 'config must be an object'],
    [
      'PUT',
      'notifications/settings',
      { groupWaitMs: null },
      'groupWaitMs must be a whole number from 0 to 60000, not null',
    ],
    ['PUT', 'notifications/settings', { keepDays: 1.5 }, 'keepDays must be a whole number from 1 to 3650, not 1.5'],
    [
      'PUT',
      'notifications/settings',
      { defaultChannels: 'ops' },
      'defaultChannels must be a list of names of channels such as ["ops"], not "ops"',
    ],
    [
      'PUT',
      'notifications/settings',
      { defaultChannels: null },
      'defaultChannels must be a list of names of channels such as ["ops"], not null',
    ],
    [
      'PUT',
      'notifications/settings',
      { retryFirstMs: 5000, retryMostMs: 4000 },
      'retryFirstMs must not be above retryMostMs, 4000',
    ],
  ])('%s %s %j says which field, what was wrong and what would be right', async (method, path, body, detail) =>
    expect(await send(method, path, body)).toMatchObject({
      status: 400,
      body: { code: 'request.bad-parameter', detail, errors: [{ field: detail.split(' ')[0] }] },
    }),
  );
});
