import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DeliveryStore } from '../src/alerts/notifications/delivery.store.js';
import { type Addressed, type Notice, Notifications } from '../src/alerts/notifications/notifications.service.js';
import { Bus } from '../src/platform/bus/index.js';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed, testDatabase, type TestDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';
import { type HttpReceiver, httpReceiver, type MailReceiver, mailReceiver, type Reply } from './support/receivers.js';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const KEY = '0123456789abcdef0123456789abcdef';

type Said = any; // oxlint-disable-line typescript/no-explicit-any -- a test reads what came

let database: TestDatabase;
let app: RunningApp;
let hook: HttpReceiver;
let mail: MailReceiver;
let alertIds = 0;

beforeAll(async () => {
  database = await testDatabase();
  mail = await mailReceiver();
  app = await start();
  await settings({ groupWaitMs: 0, retryFirstMs: 100, retryMostMs: 300 });
});
beforeEach(async () => {
  keepWhenRed();
  hook = await httpReceiver();
  return async () => {
    await hook.close();
    await database.dataSource.query('delete from alerts.notification; delete from alerts.channel');
    await database.dataSource.query('delete from alerts.stopped_rule');
  };
});
afterAll(async () => {
  await app.close();
  await mail.close();
});

async function start(): Promise<RunningApp> {
  const started = await startApp(database.connection, {
    MODULES: 'alerts',
    ALLOW_PRIVATE_TARGETS: '127.0.0.1',
    SMTP_URL: mail.url,
    SMTP_FROM: 'alerts@example.com',
  });
  await started.app.get(Bus).whenReady();
  return started;
}

async function send(method: string, path: string, body?: unknown): Promise<{ status: number; body: Said }> {
  const response = await fetch(`${app.url}/api/v1/${path}`, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const said = await response.text();
  return { status: response.status, body: said === '' ? undefined : JSON.parse(said) };
}

async function settings(changes: Record<string, unknown>): Promise<void> {
  expect(await send('PUT', 'notifications/settings', changes)).toMatchObject({ status: 200, body: changes });
}

async function channel(name: string, type: string, config: Record<string, unknown>): Promise<void> {
  const made = await send('POST', 'channels', { name, type, config });
  expect(made, JSON.stringify(made.body)).toMatchObject({ status: 201 });
}
const webhook = (name = 'ops'): Promise<void> => channel(name, 'webhook', { url: `${hook.url}/hook`, secret: SECRET });

function notice(changes: Partial<Notice> = {}): Notice {
  const atUs = Date.now() * 1000;
  return {
    alertId: String(++alertIds),
    ruleId: `rule-${alertIds}`,
    ruleName: 'BTC price high',
    kind: 'fired',
    severity: 'high',
    source: 'binance',
    symbol: 'BTCUSDT',
    condition: 'price > 50000',
    value: 51_234.5,
    atUs,
    startedAtUs: atUs,
    labels: { team: 'ops' },
    cooldownUs: 0,
    ...changes,
  };
}
const resolveOf = (fired: Notice): Notice => ({
  ...fired,
  kind: 'resolved',
  atUs: fired.atUs + 5_000_000,
  value: 49_000,
});

const enqueue = (all: readonly Addressed[]): Promise<void> =>
  app.app.get(Bus).transaction((tx) => app.app.get(Notifications).enqueue(tx, all));
const tell = (one: Notice, ...channels: string[]): Promise<void> => enqueue([{ notice: one, channels }]);

async function listed(query = ''): Promise<Said[]> {
  return (await send('GET', `notifications?${query}`)).body.items;
}
/** States of the notifications of an alert, by kind. */
async function statesOf(alertId: string): Promise<Record<string, string>> {
  return Object.fromEntries((await listed(`alertId=${alertId}`)).map((one) => [one.kind, one.state]));
}
const becomes = (one: Notice, states: Record<string, string>): Promise<void> =>
  eventually(async () => expect(await statesOf(one.alertId)).toEqual(states));

const statuses = (): string[] =>
  hook.received.flatMap(({ body }) => body.data.alerts.map((one: { status: string }) => one.status));

describe('channels', () => {
  it('never show a secret, and keep it through an edit', async () => {
    await channel('hook', 'webhook', { url: `${hook.url}/a?token=hidden`, secret: SECRET, bearerToken: 'very-hidden' });
    const edited = await send('PUT', 'channels/hook', {
      type: 'webhook',
      config: { url: `${hook.url}/b`, title: '{rule}!' },
    });
    expect(edited.body).toMatchObject({
      secretsSet: ['secret', 'bearerToken'],
      config: { url: `${hook.url}/b`, format: 'standard', title: '{rule}!' },
      preview: { title: 'BTC price high!' },
    });
    await channel('talk', 'slack', { url: `${hook.url}/services/T0/hidden` });
    await channel('pager', 'pagerduty', { routingKey: KEY });
    const all = JSON.stringify((await send('GET', 'channels')).body);
    for (const secret of ['hidden', SECRET, KEY]) expect(all).not.toContain(secret);
    await tell(notice(), 'hook');
    await eventually(() => expect(hook.received[0]?.headers).toMatchObject({ authorization: 'Bearer very-hidden' }));
  });

  it('want secrets again when the address moves to another server', async () => {
    await channel('hook', 'webhook', { url: hook.url, secret: SECRET, bearerToken: 'very-hidden' });
    const other = await httpReceiver();
    await channel('pager', 'pagerduty', { routingKey: KEY });
    expect(await send('PUT', 'channels/pager', { type: 'pagerduty', config: { url: other.url } })).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'config.routingKey' }] },
    });
    const moved = await send('PUT', 'channels/hook', { type: 'webhook', config: { url: other.url, secret: SECRET } });
    expect(moved).toMatchObject({ status: 400, body: { errors: [{ field: 'config.bearerToken' }] } });
    const taken = await send('PUT', 'channels/hook', {
      type: 'webhook',
      config: { url: other.url, secret: SECRET, bearerToken: null },
    });
    expect(taken).toMatchObject({ status: 200, body: { secretsSet: ['secret'] } });
    await other.close();
  });

  it.each([
    ['webhook', { url: 'http://192.168.1.1/x', secret: SECRET }, 'config.url'],
    ['webhook', { url: 'http://[::ffff:10.0.0.1]/x', secret: SECRET }, 'config.url'],
    ['webhook', { url: 'http://2130706434/x', secret: SECRET }, 'config.url'],
    ['webhook', { url: 'https://user:pass@example.com/', secret: SECRET }, 'config.url'],
    ['webhook', { url: 'ftp://example.com/', secret: SECRET }, 'config.url'],
    ['webhook', { url: 'https://127.0.0.1/' }, 'config.secret'],
    ['webhook', { url: 'https://127.0.0.1/', secret: 'whsec_c2hvcnQ=' }, 'config.secret'],
    ['webhook', { url: 'https://127.0.0.1/', secret: SECRET, body: 'it is {valeu}' }, 'config.body'],
    ['webhook', { url: 'https://127.0.0.1/', secret: SECRET, colour: 'red' }, 'config.colour'],
    ['email', { to: ['a@example.com\r\nBcc: b@example.com'] }, 'config.to'],
    ['email', { to: ['a@example.com'], smtpUrl: 'smtp://10.0.0.1:25' }, 'config.smtpUrl'],
    ['email', { to: ['a@example.com'], smtpUrl: 'smtp://h?proxy=socks5://10.0.0.1' }, 'config.smtpUrl'],
    ['email', { to: ['a@example.com'], timeZone: 'Mars/Base' }, 'config.timeZone'],
    ['pagerduty', { routingKey: 'short' }, 'config.routingKey'],
  ])('refuse what cannot work or must not be reached: %s %o', async (type, config, field) => {
    expect(await send('POST', 'channels', { name: 'bad', type, config })).toMatchObject({
      status: 400,
      body: { code: 'request.bad-parameter', errors: [{ field }] },
    });
  });

  it('are deleted only when no rule names them', async () => {
    await webhook();
    await database.dataSource.query(
      `insert into alerts.rule (id, body, fingerprint) values ('r1', '{"channels":["ops"]}', 'x')`,
    );
    expect(await send('DELETE', 'channels/ops')).toMatchObject({ status: 409, body: { code: 'channels.in-use' } });
    await database.dataSource.query('delete from alerts.rule');
    expect(await send('DELETE', 'channels/ops')).toMatchObject({ status: 204 });
    expect(await send('GET', 'channels/ops')).toMatchObject({ status: 404, body: { code: 'channels.unknown' } });
  });

  it('are tested the way notifications go, also before they are stored', async () => {
    hook.behave(({ path }) => (path === '/moved' ? { status: 302, headers: { location: '/x' } } : { status: 200 }));
    await webhook();
    expect((await send('POST', 'channels/ops/test')).body).toMatchObject({ channel: 'ops', ok: true, status: 200 });
    const draft = { type: 'webhook', config: { url: `${hook.url}/moved`, secret: SECRET } };
    expect((await send('POST', 'notifications/test', draft)).body.results).toMatchObject([
      { channel: null, ok: false, reason: 'redirect', status: 302 },
    ]);
    expect(hook.received.map(({ path }) => path)).toEqual(['/hook', '/moved']);
    expect(
      await send('POST', 'notifications/test', {
        type: 'webhook',
        config: { url: 'http://10.0.0.1/', secret: SECRET },
      }),
    ).toMatchObject({ status: 400 });
    expect((await send('POST', 'notifications/test', { type: 'webhook' })).body.results).toMatchObject([{ ok: true }]);
    expect(await send('POST', 'notifications/test', { type: 'slack' })).toMatchObject({ status: 404 });
    expect(hook.received[0]!.body).toMatchObject({
      type: 'alert.test',
      data: { alerts: [{ status: 'test', title: expect.stringMatching(/^\[TEST\] /) }] },
    });
  });

  it('of PagerDuty are tested without an incident that stays open', async () => {
    hook.behave(() => ({ status: 202 }));
    await channel('pager', 'pagerduty', { routingKey: KEY, url: hook.url });
    expect((await send('POST', 'channels/pager/test')).body).toMatchObject({ ok: true });
    const [trigger, resolve] = hook.received.map(({ body }) => body);
    expect(trigger).toMatchObject({
      event_action: 'trigger',
      payload: { severity: 'info', summary: expect.stringMatching(/^\[TEST\] /) },
    });
    expect(resolve).toEqual({ routing_key: KEY, event_action: 'resolve', dedup_key: trigger.dedup_key });
  });
});

describe('what goes out', () => {
  it('is signed for webhooks, as the standard says', async () => {
    await webhook();
    const fired = notice();
    await tell(fired, 'ops');
    await becomes(fired, { fired: 'sent' });
    const [{ headers, text, body }] = hook.received as [HttpReceiver['received'][number]];
    const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${text}`;
    const key = Buffer.from(SECRET.slice(6), 'base64');
    expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', key).update(signed).digest('base64')}`);
    expect(body).toMatchObject({
      type: 'alert.firing',
      data: {
        channel: 'ops',
        alerts: [{ id: fired.alertId, status: 'firing', value: 51_234.5, labels: { team: 'ops' } }],
      },
    });
  });

  it('is what Alertmanager sends, for who wants that', async () => {
    await channel('am', 'webhook', { url: hook.url, format: 'alertmanager' });
    const fired = notice();
    await tell(fired, 'am');
    await becomes(fired, { fired: 'sent' });
    await tell(resolveOf(fired), 'am');
    await becomes(fired, { fired: 'sent', resolved: 'sent' });
    const [first, second] = hook.received.map(({ body }) => body);
    expect(first).toMatchObject({
      version: '4',
      status: 'firing',
      receiver: 'am',
      commonLabels: { alertname: 'BTC price high', severity: 'high', symbol: 'BTCUSDT', team: 'ops' },
      alerts: [{ status: 'firing', endsAt: '0001-01-01T00:00:00Z' }],
    });
    expect(second).toMatchObject({ status: 'resolved', alerts: [{ fingerprint: first.alerts[0].fingerprint }] });
    expect(second.alerts[0].labels).toEqual(first.alerts[0].labels);
  });

  it('is escaped for Slack', async () => {
    await channel('talk', 'slack', { url: hook.url });
    await tell(notice({ labels: { note: '<!channel> & co' } }), 'talk');
    await eventually(() => expect(hook.received).toHaveLength(1));
    expect(hook.received[0]!.text).not.toContain('<!channel>');
    expect(hook.received[0]!.text).toContain('&lt;!channel&gt; &amp; co');
    expect(hook.received[0]!.body.text).toBe('[FIRING] high BTCUSDT BTC price high: price &gt; 50000, 51234.5');
  });

  it('opens and resolves one incident at PagerDuty', async () => {
    hook.behave(() => ({ status: 202, text: '{}' }));
    await channel('pager', 'pagerduty', { routingKey: KEY, url: hook.url });
    const fired = notice({ severity: 'critical' });
    await tell(fired, 'pager');
    await becomes(fired, { fired: 'sent' });
    await tell(resolveOf(fired), 'pager');
    await becomes(fired, { fired: 'sent', resolved: 'sent' });
    const [trigger, resolve] = hook.received.map(({ body }) => body);
    expect(trigger).toMatchObject({ routing_key: KEY, event_action: 'trigger', payload: { severity: 'critical' } });
    expect(resolve).toEqual({ routing_key: KEY, event_action: 'resolve', dedup_key: trigger.dedup_key });
  });

  it('is a mail with the id of its notification, in the thread of its firing', async () => {
    await channel('post', 'email', { to: ['a@example.com', 'b@example.com'], timeZone: 'Europe/Berlin' });
    const fired = notice({ ruleName: 'BTC\r\nBcc: evil@example.com', labels: {} });
    await tell(fired, 'post');
    await becomes(fired, { fired: 'sent' });
    await tell(resolveOf(fired), 'post');
    await becomes(fired, { fired: 'sent', resolved: 'sent' });
    const [first, second] = mail.received.splice(0) as [
      MailReceiver['received'][number],
      MailReceiver['received'][number],
    ];
    const [resolved, firing] = (await listed(`alertId=${fired.alertId}`)) as [{ id: string }, { id: string }];
    expect(first.to).toEqual(['a@example.com', 'b@example.com']);
    expect(first.raw).toContain(`Message-ID: <${firing.id}@tapeline>`);
    expect(first.raw).not.toMatch(/^Bcc:/im);
    expect(second.raw).toContain(`Message-ID: <${resolved.id}@tapeline>`);
    expect(second.raw).toContain(`References: <${firing.id}@tapeline>`);
  });

  it('is one message for a burst, and each alert is in it', async () => {
    await webhook();
    await settings({ groupWaitMs: 500 });
    const burst = Array.from({ length: 15 }, () => notice());
    await Promise.all(burst.map((one) => tell(one, 'ops')));
    await eventually(() => expect(statuses()).toHaveLength(15));
    await settings({ groupWaitMs: 0 });
    expect(hook.received).toHaveLength(1);
    expect(hook.received[0]!.body.type).toBe('alert.group');
    expect(hook.received[0]!.body.data.alerts.map((one: { id: string }) => one.id).sort()).toEqual(
      burst.map(({ alertId }) => alertId).sort(),
    );
  });

  it('goes to the default channels where a rule names none, and nowhere else', async () => {
    await webhook();
    await tell(notice());
    expect(await listed()).toEqual([]);
    await settings({ defaultChannels: ['ops'] });
    const fired = notice();
    await tell(fired);
    await settings({ defaultChannels: [] });
    await becomes(fired, { fired: 'sent' });
    await tell(resolveOf(fired));
    await becomes(fired, { fired: 'sent', resolved: 'sent' });
  });
});

describe('a receiver in trouble', () => {
  it.each([
    ['answers 500', { status: 500 }, 'server-error'],
    ['loses the connection', 'lose', 'network'],
    ['answers 503', { status: 503 }, 'server-error'],
  ] as const)('that %s gets the same message with the same id until it takes it', async (_what, reply, reason) => {
    await webhook();
    hook.behave((_one, count) => (count < 4 ? reply : { status: 204 }));
    const fired = notice();
    await tell(fired, 'ops');
    await becomes(fired, { fired: 'sent' });
    expect(new Set(hook.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(new Set(hook.received.map(({ text }) => text)).size).toBe(1);
    const [told] = await listed();
    expect(told.history.map((one: { outcome: string }) => one.outcome)).toEqual(['retry', 'retry', 'retry', 'sent']);
    expect(told.history[0]).toMatchObject({ reason, messageId: told.id });
  });

  it('that asks for a pause gets it, for the whole channel, and no other channel waits', async () => {
    await webhook('busy');
    await channel('post', 'email', { to: ['a@example.com'] });
    hook.behave((_one, count) => (count === 1 ? { status: 429, headers: { 'retry-after': '2' } } : { status: 200 }));
    const [first, second] = [notice(), notice()];
    await tell(first, 'busy', 'post');
    await eventually(() => expect(hook.received).toHaveLength(1));
    const askedMs = Date.now();
    await tell(second, 'busy', 'post');
    await eventually(() => expect(mail.received).toHaveLength(2));
    expect(hook.received).toHaveLength(1);
    expect((await send('GET', 'channels/busy')).body).toMatchObject({ healthy: true, pausedUntil: expect.any(String) });
    await becomes(first, { fired: 'sent' });
    await becomes(second, { fired: 'sent' });
    expect(Date.now() - askedMs).toBeGreaterThan(1900);
    mail.received.splice(0);
  });

  it('that refuses a group gets its alerts one by one, and only the one at fault dies', async () => {
    await webhook();
    const [good, bad, fine] = [notice(), notice({ symbol: 'BAD' }), notice()];
    hook.behave(({ text }) => ({ status: text.includes('BAD') ? 400 : 200 }));
    await settings({ groupWaitMs: 300 });
    for (const one of [good, bad, fine]) await tell(one, 'ops');
    await settings({ groupWaitMs: 0 });
    await becomes(good, { fired: 'sent' });
    await becomes(fine, { fired: 'sent' });
    await becomes(bad, { fired: 'dead' });
    expect(hook.received[0]!.body.type).toBe('alert.group');
    expect(new Set(hook.received.map(({ headers }) => headers['webhook-id'])).size).toBe(4);
  });

  it('that was gone for a moment gets its message without another one, and without anybody', async () => {
    await webhook();
    hook.behave((_one, count) => ({ status: count < 3 ? 410 : 200 }));
    const fired = notice();
    await tell(fired, 'ops');
    await becomes(fired, { fired: 'sent' });
    expect(new Set(hook.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect((await send('GET', 'channels/ops')).body).toMatchObject({ healthy: true });
  });

  it('that took a part of a message gets the rest under another id, so that it does not drop it', async () => {
    await webhook();
    await settings({ groupWaitMs: 0, firingExpiresMs: 1000 });
    const ending = notice();
    await tell(ending, 'ops');
    await becomes(ending, { fired: 'sent' });
    const begun = notice();
    const expired = async (): Promise<boolean> => (await statesOf(begun.alertId)).fired === 'dead';
    let isOpen = false;
    const taken: Said[] = [];
    hook.behave((one) => {
      if (isOpen) taken.push(one);
      return { status: isOpen ? 200 : 500 };
    });
    await settings({ groupWaitMs: 300 });
    await tell(begun, 'ops');
    await tell(resolveOf(ending), 'ops');
    await eventually(async () => expect(await expired()).toBe(true));
    isOpen = true;
    await settings({ groupWaitMs: 0, firingExpiresMs: 3_600_000 });
    await becomes(ending, { fired: 'sent', resolved: 'sent' });
    await becomes(begun, { fired: 'sent' });
    // two messages, unless the first one was tried again as a whole just before the receiver was back
    expect(new Set(taken.map(({ headers }) => headers['webhook-id'])).size).toBe(taken.length);
    const told = taken.flatMap(({ body }) => body.data.alerts.map((one: { status: string }) => one.status));
    expect(told.sort()).toEqual(['firing', 'resolved']);
  });

  it('that did not answer gets the whole of a message again, also while a part of it is being written to', async () => {
    await webhook();
    hook.behave((_one, count) => ({ status: count === 1 ? 500 : 200 }));
    const [one, other] = [notice(), notice()];
    await settings({ groupWaitMs: 300, retryFirstMs: 60_000, retryMostMs: 60_000 });
    for (const each of [one, other]) await tell(each, 'ops');
    const failed = { state: 'pending', attempts: 1 };
    await eventually(async () => expect(await listed()).toMatchObject([failed, failed]));
    await settings({ groupWaitMs: 0, retryFirstMs: 100, retryMostMs: 300 });
    await app.app.get(Bus).transaction(async (tx) => {
      await tx.query('select from alerts.notification where alert_id = $1 for update', [other.alertId]);
      await database.dataSource.query('update alerts.notification set next_at = now() where alert_id = $1', [
        one.alertId,
      ]);
      expect(await app.app.get(DeliveryStore).claim('ops', 20, 60_000)).toEqual([]);
    });
    for (const each of [one, other]) await becomes(each, { fired: 'sent' });
    expect(hook.received.map(({ headers, body }) => [headers['webhook-id'], body.data.alerts.length])).toEqual([
      [hook.received[0]!.headers['webhook-id'], 2],
      [hook.received[0]!.headers['webhook-id'], 2],
    ]);
  });

  it('that is gone is told so in sight, and gets what died of it once it is back', async () => {
    await webhook();
    hook.behave(() => ({ status: 410, text: 'channel_is_archived <b>' }));
    const fired = notice();
    await tell(fired, 'ops');
    await becomes(fired, { fired: 'dead' });
    expect((await send('GET', 'channels/ops')).body).toMatchObject({
      healthy: false,
      unhealthyReason: 'HTTP 410: channel_is_archived <b>',
      pausedUntil: expect.any(String),
    });
    const waiting = notice();
    await tell(waiting, 'ops');
    hook.behave(() => ({ status: 200 }));
    expect((await send('POST', 'channels/ops/test')).body).toMatchObject({ ok: true });
    await becomes(fired, { fired: 'sent' });
    await becomes(waiting, { fired: 'sent' });
    expect((await send('GET', 'channels/ops')).body).toMatchObject({ healthy: true, pausedUntil: null, failures: 0 });
  });

  it('that refuses a message does not get it again, unless a person says so', async () => {
    await webhook();
    hook.behave(() => ({ status: 400, text: 'no_text' }));
    const fired = notice();
    await tell(fired, 'ops');
    await becomes(fired, { fired: 'dead' });
    hook.behave(() => ({ status: 200 }));
    const other = notice();
    await tell(other, 'ops');
    await becomes(other, { fired: 'sent' });
    const [dead] = await listed('state=dead');
    expect(dead).toMatchObject({ alertId: fired.alertId, reason: 'client-error', nextAt: null });
    expect(await send('POST', `notifications/${dead.id}/replay`)).toMatchObject({ status: 200 });
    await becomes(fired, { fired: 'sent' });
    expect(await send('POST', `notifications/${dead.id}/replay`)).toMatchObject({
      status: 409,
      body: { code: 'notifications.not-dead' },
    });
    expect(new Set(hook.received.map(({ headers }) => headers['webhook-id']))).toContain(dead.id);
  });

  it('leaves a dead letter, which is replayed from there, and closed when it goes out by itself', async () => {
    await database.dataSource.query('truncate bus.dead_letter');
    await webhook();
    hook.behave(() => ({ status: 400, text: 'no_text' }));
    const fired = notice();
    await tell(fired, 'ops');
    await becomes(fired, { fired: 'dead' });
    const letter = async () => (await send('GET', 'dead-letters?source=notification:ops')).body.items[0];
    const { id } = await letter();
    expect(await letter()).toMatchObject({
      stage: 'deliver',
      code: 'deliver.failed',
      message: 'client-error: HTTP 400: no_text',
      state: 'dead',
    });
    expect((await send('POST', `dead-letters/${id}/replay`)).body).toMatchObject({
      id,
      state: 'dead',
      attempts: [{}, { error: 'client-error: HTTP 400: no_text' }],
    });
    hook.behave(() => ({ status: 200 }));
    expect((await send('POST', `dead-letters/${id}/replay`)).body).toMatchObject({ id, state: 'replayed' });
    await becomes(fired, { fired: 'sent' });
    expect((await send('GET', 'dead-letters?source=notification')).body.items).toHaveLength(1);

    hook.behave(() => ({ status: 410, text: 'gone' }));
    const another = notice();
    await tell(another, 'ops');
    await becomes(another, { fired: 'dead' });
    expect(await letter()).toMatchObject({ state: 'dead', message: 'gone: HTTP 410: gone' });
    hook.behave(() => ({ status: 200 }));
    expect((await send('POST', 'channels/ops/test')).body).toMatchObject({ ok: true });
    await becomes(another, { fired: 'sent' });
    expect(await letter()).toMatchObject({ state: 'replayed' });
  });

  it('that stands at a forbidden address by now is not reached, though it was once allowed', async () => {
    await webhook();
    await database.dataSource.query(
      `update alerts.channel set config = config || '{"url":"http://127.0.0.2:1/"}' where name = 'ops'`,
    );
    const fired = notice();
    await tell(fired, 'ops');
    await becomes(fired, { fired: 'dead' });
    expect((await listed())[0].history).toMatchObject([{ outcome: 'dead', reason: 'blocked', status: null }]);
  });

  it('of mail is asked again after a 451, and not after a 550', async () => {
    await channel('post', 'email', { to: ['a@example.com'] });
    let attempts = 0;
    mail.behave(() => (++attempts < 3 ? { code: 451, message: 'try later' } : undefined));
    const fired = notice();
    await tell(fired, 'post');
    await becomes(fired, { fired: 'sent' });
    mail.behave(() => ({ code: 550, message: 'no such user' }));
    const refused = notice();
    await tell(refused, 'post');
    await becomes(refused, { fired: 'dead' });
    mail.behave(() => undefined);
    const [{ history }] = (await listed(`alertId=${refused.alertId}`)) as [{ history: unknown[] }];
    expect(history).toMatchObject([{ outcome: 'dead', status: 550, reason: 'client-error' }]);
    mail.received.splice(0);
  });
});

describe('a firing and its resolve', () => {
  it('become one message when the firing was never delivered', async () => {
    await webhook();
    hook.behave((_one, count) => (count <= 1 ? { status: 500 } : { status: 200 }));
    await settings({ retryFirstMs: 60_000, retryMostMs: 60_000 });
    const fired = notice();
    await tell(fired, 'ops');
    await eventually(async () => expect((await listed())[0]).toMatchObject({ state: 'pending', attempts: 1 }));
    await settings({ retryFirstMs: 100, retryMostMs: 300 });
    await tell(resolveOf(fired), 'ops');
    await becomes(fired, { fired: 'superseded', resolved: 'sent' });
    expect(statuses()).toEqual(['firing', 'fired-and-resolved']);
  });

  it('come in this order, also when the resolve is queued while the firing is under way', async () => {
    await webhook();
    const stalled: (() => void)[] = [];
    hook.behave((_one, count) => {
      if (count > 1) return { status: 200 };
      stalled.push(() => undefined);
      return 'stall';
    });
    const fired = notice();
    await tell(fired, 'ops');
    await eventually(() => expect(stalled).toHaveLength(1));
    await tell(resolveOf(fired), 'ops');
    expect(await statesOf(fired.alertId)).toEqual({ fired: 'sending', resolved: 'pending' });
    await restartWithoutAsking();
    await becomes(fired, { fired: 'sent', resolved: 'sent' });
    expect(statuses()).toEqual(['firing', 'firing', 'resolved']);
    expect(hook.received[0]!.headers['webhook-id']).toBe(hook.received[1]!.headers['webhook-id']);
    const [, told] = await listed(`alertId=${fired.alertId}`);
    expect(told.history.map((one: { outcome: string }) => one.outcome)).toEqual(['lost', 'sent']);
  });

  it('are not told on a channel where nobody heard of the firing', async () => {
    await webhook();
    const unheard = notice();
    await tell(resolveOf(unheard), 'ops');
    expect(await listed()).toEqual([]);
  });
});

/** As if the process had been killed: what it was sending is left as it was. */
async function restartWithoutAsking(): Promise<void> {
  const next = await start();
  const before = app;
  app = next;
  await before.close();
}

describe('repeats', () => {
  const COOLDOWN_US = 3_000_000;
  const repeat = (of: Notice, changes: Partial<Notice> = {}): Notice =>
    notice({ ...of, alertId: String(++alertIds), ...changes });

  it('are held for the cooldown, and the next message says how many', async () => {
    await webhook();
    const first = notice({ cooldownUs: COOLDOWN_US });
    await tell(first, 'ops');
    await becomes(first, { fired: 'sent' });
    await tell(resolveOf(first), 'ops');
    for (let flaps = 0; flaps < 3; flaps++) {
      const flap = repeat(first);
      await tell(flap, 'ops');
      await tell(resolveOf(flap), 'ops');
      await becomes(flap, { fired: 'suppressed' });
    }
    const last = repeat(first);
    await tell(last, 'ops');
    expect(await statesOf(last.alertId)).toEqual({ fired: 'held' });
    await becomes(last, { fired: 'sent' });
    expect(statuses()).toEqual(['firing', 'resolved', 'firing']);
    expect(hook.received.at(-1)!.body.data.alerts[0]).toMatchObject({ id: last.alertId, held: 3 });
  });

  it('are not held when they are worse, nor on other channels, symbols and rules', async () => {
    await webhook();
    await webhook('more');
    const first = notice({ cooldownUs: 60_000_000 });
    await tell(first, 'ops');
    for (const other of [
      repeat(first, { severity: 'critical' }),
      repeat(first, { symbol: 'ETHUSDT' }),
      repeat(first, { ruleId: 'another' }),
    ]) {
      await tell(other, 'ops');
      await becomes(other, { fired: 'sent' });
    }
    const elsewhere = repeat(first);
    await tell(elsewhere, 'more');
    await becomes(elsewhere, { fired: 'sent' });
    const same = repeat(first);
    await tell(same, 'ops');
    expect(await statesOf(same.alertId)).toEqual({ fired: 'held' });
  });

  it('beyond all measure stop the rule, which is told once and shown, until a person resumes it', async () => {
    await webhook();
    await settings({ runawayMost: 3 });
    const first = notice();
    for (const one of [first, ...Array.from({ length: 3 }, () => repeat(first))]) {
      await tell(one, 'ops');
      await becomes(one, { fired: 'sent' });
    }
    expect(hook.received.some(({ body }) => body.data.alerts[0].stoppedUntil !== undefined)).toBe(false);
    const tripping = repeat(first);
    await tell(tripping, 'ops');
    await becomes(tripping, { fired: 'sent' });
    expect(hook.received.at(-1)!.body.data.alerts[0].stoppedUntil).toEqual(expect.any(String));
    const held = repeat(first);
    await tell(held, 'ops');
    expect(await statesOf(held.alertId)).toEqual({ fired: 'held' });
    expect((await send('GET', 'notifications/stopped')).body.items).toMatchObject([{ ruleId: first.ruleId }]);
    await settings({ runawayMost: 15 });
    expect(await send('DELETE', `notifications/stopped/${first.ruleId}`)).toMatchObject({ status: 204 });
    await becomes(held, { fired: 'sent' });
    expect(await send('DELETE', `notifications/stopped/${first.ruleId}`)).toMatchObject({ status: 404 });
  });

  it('that stopped the rule say so also where they are over before they are told', async () => {
    await webhook();
    await channel('pager', 'pagerduty', { routingKey: KEY, url: `${hook.url}/pager` });
    await settings({ runawayMost: 1 });
    const first = notice();
    for (const one of [first, repeat(first)]) {
      await tell(one, 'ops', 'pager');
      await becomes(one, { fired: 'sent' });
    }
    hook.behave(() => ({ status: 500 }));
    const tripping = repeat(first);
    await tell(tripping, 'ops', 'pager');
    await tell(resolveOf(tripping), 'ops', 'pager');
    hook.behave(() => ({ status: 200 }));
    await becomes(tripping, { fired: 'superseded', resolved: 'sent' });
    await settings({ runawayMost: 15 });
    const last = (path: string): Said[] => hook.received.filter((one) => one.path === path).map(({ body }) => body);
    expect(last('/hook').at(-1).data.alerts[0]).toMatchObject({
      status: 'fired-and-resolved',
      stoppedUntil: expect.any(String),
    });
    expect(last('/pager').slice(-2)).toMatchObject([
      { event_action: 'trigger', payload: { custom_details: { notes: [expect.stringContaining('too often')] } } },
      { event_action: 'resolve' },
    ]);
  });

  it('of many symbols are no runaway rule', async () => {
    await webhook();
    await settings({ runawayMost: 3 });
    const ruleId = 'all-markets';
    for (let at = 0; at < 10; at++) await tell(notice({ ruleId, symbol: `S${at}` }), 'ops');
    await settings({ runawayMost: 15 });
    expect((await send('GET', 'notifications/stopped')).body.items).toEqual([]);
    await eventually(() => expect(statuses()).toHaveLength(10));
  });
});

it('queues many notices in one go as one after another', async () => {
  await webhook();
  await webhook('more');
  await settings({ groupWaitMs: 60_000, runawayMost: 3 });
  const random = mulberry(3);
  const oneOf = <T>(...all: readonly T[]): T => all[Math.floor(random() * all.length)]!;
  const steps = Array.from({ length: 150 }, (_, index) => ({
    alert: index % 3 === 0 ? index : index - oneOf(1, 2, 3),
    kind: index % 3 === 0 ? oneOf<Notice['kind']>('fired', 'no-data') : oneOf<Notice['kind']>('resolved', 'fired'),
    severity: oneOf<Notice['severity']>('low', 'high'),
    cooldownUs: oneOf(0, 3_600_000_000),
    channels: oneOf(['ops'], ['more', 'ops'], ['more', 'gone']),
  }));
  const from = alertIds;
  const addressed = (way: string): Addressed[] =>
    steps.map(({ alert, kind, severity, cooldownUs, channels }) => ({
      notice: notice({
        alertId: String(from + alert + (way === 'alone' ? 10_000 : 20_000)),
        ruleId: alert % 7 === 0 ? null : `${way}-${alert % 2}`,
        symbol: alert % 5 === 0 ? 'ETHUSDT' : 'BTCUSDT',
        kind,
        severity,
        cooldownUs,
      }),
      channels,
    }));
  for (const one of addressed('alone')) await enqueue([one]);
  const together = addressed('together');
  for (let at = 0; at < together.length; at += 30) await enqueue(together.slice(at, at + 30));
  await settings({ groupWaitMs: 0, runawayMost: 15 });

  const left = async (way: string, base: number): Promise<Said[]> => [
    await database.dataSource.query(
      `select (alert_id - $2)::int as alert, kind, channel, state, held, reason, payload->'isMerged' as merged,
         payload ? 'stoppedUntilUs' as stops, thread = id as begins, finished_at is not null as is_over
       from alerts.notification where alert_id between $2 and $2 + 9999 order by seq`.replaceAll('$2', String(base)),
    ),
    await database.dataSource.query(
      `select replace(rule_id, $1, '') as rule, symbol, channel, kind, severity, held from alerts.told where rule_id like $1 || '%'
       order by 1, 2, 3`,
      [way],
    ),
    await database.dataSource.query(
      `select replace(rule_id, $1, '') as rule, notices from alerts.stopped_rule where rule_id like $1 || '%' order by 1`,
      [way],
    ),
  ];
  const [alone, batched] = [await left('alone', from + 10_000), await left('together', from + 20_000)];
  expect(batched).toEqual(alone);
  expect(new Set(alone[0].map(({ state }: Said) => state))).toEqual(
    new Set(['pending', 'held', 'superseded', 'suppressed']),
  );
  expect(alone[2].length).toBeGreaterThan(0);
  await database.dataSource.query('delete from alerts.notification');
});

it('counts what it does, and what waits', async () => {
  await webhook();
  hook.behave(() => ({ status: 410 }));
  const fired = notice();
  await tell(fired, 'ops');
  await becomes(fired, { fired: 'dead' });
  const metrics = async (): Promise<string> => (await fetch(`${app.url}/metrics`)).text();
  expect(await metrics()).toMatch(/notifications_total\{type="webhook",result="dead",reason="gone"\} \d/);
  await eventually(async () => expect(await metrics()).toMatch(/notification_channels_unhealthy 1\n/));
});

describe('everything together', () => {
  it('reaches every receiver at least once, and nothing is invented, while they fail and processes change', async () => {
    await webhook();
    await channel('talk', 'slack', { url: `${hook.url}/slack` });
    await channel('post', 'email', { to: ['a@example.com'] });
    const random = mulberry(7);
    const replies: readonly Reply[] = [
      { status: 500 },
      'lose',
      { status: 429, headers: { 'retry-after': '0' } },
      { status: 410 },
    ];
    const took: string[] = [];
    const seen = new Set<unknown>();
    hook.behave(({ path, text, headers }) => {
      const reply = random() < 0.4 ? replies[Math.floor(random() * replies.length)]! : { status: 200, text: 'ok' };
      // a receiver that knows the id drops the message, and one that loses the connection has taken it
      const isTaken = reply === 'lose' || (typeof reply === 'object' && reply.status === 200);
      if (path === '/hook' && isTaken && !seen.has(headers['webhook-id'])) {
        seen.add(headers['webhook-id']);
        took.push(text);
      }
      return reply;
    });
    mail.behave(() => (random() < 0.3 ? { code: 451, message: 'busy' } : undefined));
    const episodes: Notice[] = [];
    for (let wave = 0; wave < 12; wave++) {
      const ending = episodes.slice(-4);
      const begun = Array.from({ length: 4 }, () => notice());
      for (const one of ending) await tell(resolveOf(one), 'ops', 'talk', 'post');
      for (const one of begun) await tell(one, 'ops', 'talk', 'post');
      episodes.push(...begun);
      const before = hook.received.length;
      if (wave === 3 || wave === 8) await restartWithoutAsking();
      await eventually(() => expect(hook.received.length).toBeGreaterThan(before + 1));
    }
    for (const one of episodes.slice(-4)) await tell(resolveOf(one), 'ops', 'talk', 'post');
    await eventually(async () => {
      const open = (await database.dataSource.query(
        `select state, count(*)::int from alerts.notification where state not in ('sent', 'superseded') group by 1`,
      )) as unknown[];
      expect(open).toEqual([]);
    }, 50_000);
    const told = new Map<string, Set<string>>();
    for (const text of took)
      for (const { id, status } of JSON.parse(text).data.alerts as { id: string; status: string }[])
        told.set(id, (told.get(id) ?? new Set()).add(status));
    expect([...told.keys()].sort()).toEqual(episodes.map(({ alertId }) => alertId).sort());
    for (const said of told.values()) {
      const isTold = said.has('fired-and-resolved') || (said.has('firing') && said.has('resolved'));
      expect([...said], 'a firing and its resolve').toSatisfy(() => isTold);
    }
    const all = [...told.values()].flatMap((said) => [...said]);
    expect(new Set(all), 'merged and plain ones').toEqual(new Set(['firing', 'resolved', 'fired-and-resolved']));
    const mails = mail.received.map(({ raw }) => raw).join('\n');
    for (const { alertId, ruleId } of episodes) expect(mails, alertId).toContain(`(${ruleId})`);
    mail.behave(() => undefined);
    mail.received.splice(0);
  });
});

/** The same sequence for the same seed. */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
