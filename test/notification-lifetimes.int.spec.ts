import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ChannelStore } from '../src/alerts/channels/channel.store.js';
import { INACTIVE, step, type EpisodeState } from '../src/alerts/episodes/episode.js';
import { Episodes } from '../src/alerts/episodes/episodes.service.js';
import { DeliveryStore } from '../src/alerts/notifications/delivery.store.js';
import { policyOf, type StoredRule } from '../src/alerts/rules/rule.js';
import { ruleOf } from '../src/alerts/rules/rule-body.js';
import { RuleStore } from '../src/alerts/rules/rule.store.js';
import { Bus } from '../src/platform/bus/index.js';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed, testDatabase, type TestDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';
import { type HttpReceiver, httpReceiver, type MailReceiver, mailReceiver } from './support/receivers.js';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const KEY = { source: 'binance', symbol: 'BTCUSDT' };

type Said = any; // oxlint-disable-line typescript/no-explicit-any -- a test reads what came

let database: TestDatabase;
let app: RunningApp;
let hook: HttpReceiver;
let mail: MailReceiver;

beforeAll(async () => {
  database = await testDatabase();
  hook = await httpReceiver();
  mail = await mailReceiver();
  app = await startApp(database.connection, {
    MODULES: 'alerts',
    ALLOW_PRIVATE_TARGETS: '127.0.0.1',
    SMTP_URL: mail.url,
    SMTP_FROM: 'alerts@example.com',
  });
  await app.app.get(Bus).whenReady();
});
beforeEach(async () => {
  keepWhenRed();
  hook.behave(() => ({ status: 200, text: 'ok' }));
  mail.choose(() => undefined);
  await rows(
    'truncate alerts.rule, alerts.alert, alerts.silence, alerts.notification, alerts.channel, alerts.settings cascade',
  );
  hook.received.length = 0;
  mail.received.length = 0;
  await send('PUT', 'notifications/settings', { groupWaitMs: 0, retryFirstMs: 100, retryMostMs: 300 });
  await webhook('ops');
});
afterAll(async () => {
  await app.close();
  await hook.close();
  await mail.close();
});

async function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Said> {
  const response = await fetch(`${app.url}/api/v1/${path}`, {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const etag = response.headers.get('etag');
  return { status: response.status, etag, body: text === '' ? undefined : JSON.parse(text) };
}

const rows = (sql: string, ...parameters: unknown[]): Promise<Said[]> => database.dataSource.query(sql, parameters);

const made = async (path: string, body: object): Promise<Said> => {
  const answer = await send('POST', path, body);
  expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 201 });
  return answer.body;
};
const webhook = (name: string): Promise<Said> =>
  made('channels', { name, type: 'webhook', config: { url: `${hook.url}/${name}`, secret: SECRET } });
const raise = (...channels: string[]): Promise<Said> => made('alerts', { name: 'by hand', channels });
const resolve = (id: string): Promise<Said> => send('POST', `alerts/${id}/resolve`, {});

/** `kind state` of what was queued of an alert. */
const queued = async (alertId: string): Promise<string[]> =>
  (await rows('select kind, state from alerts.notification where alert_id = $1 order by seq', alertId)).map(
    ({ kind, state }) => `${kind} ${state}`,
  );
const becomes = (alertId: string, ...states: string[]): Promise<void> =>
  eventually(async () => expect(await queued(alertId)).toEqual(states));
const told = (): string[] =>
  hook.received.flatMap(({ body }) =>
    body.data.alerts.map(({ id, status }: { id: string; status: string }) => `${id} ${status}`),
  );

/** A rule over one series, which fires and ends as it is told. */
async function ruleThat(change: object): Promise<(fires: boolean) => Promise<string>> {
  await made('rules', { id: 'high', symbol: 'BTCUSDT', condition: 'price > 1', channels: ['ops'], ...change });
  const rule: StoredRule = (await app.app.get(RuleStore).one('high'))!;
  let state: EpisodeState = INACTIVE;
  let atUs = Date.now() * 1000;
  return async (fires) => {
    const result = step(state, { atUs: ++atUs, fires, resolves: undefined, value: 2 }, policyOf(rule));
    state = await app.app.get(Bus).transaction((tx) => app.app.get(Episodes).record(tx, rule, KEY, state, result));
    const [alert] = await rows('select id from alerts.alert order by id desc limit 1');
    return alert.id;
  };
}

describe('the history of notifications', () => {
  it('keeps what its alert has to be resolved by, however long that takes', async () => {
    const { id } = await raise('ops');
    await becomes(id, 'fired sent');
    const age = (): Promise<Said[]> => rows(`update alerts.notification set finished_at = now() - interval '31 days'`);
    await age();
    expect(await app.app.get(DeliveryStore).trim(30, 1000)).toBe(0);
    await resolve(id);
    await becomes(id, 'fired sent', 'resolved sent');
    expect(told()).toEqual([`${id} firing`, `${id} resolved`]);
    await age();
    expect(await app.app.get(DeliveryStore).trim(30, 1)).toBe(1);
    expect(await app.app.get(DeliveryStore).trim(30, 1000)).toBe(1);
  });

  it('keeps how many were held back, also where nothing was told before', async () => {
    await rows(
      `insert into alerts.told (channel, rule_id, source, symbol, told_at, kind, severity, held, made_at) values
         ('ops', 'young', 'a', 'b', '-infinity', '', 'low', 3, now()),
         ('ops', 'old', 'a', 'b', '-infinity', '', 'low', 3, now() - interval '31 days'),
         ('ops', 'used', 'a', 'b', now(), '', 'low', 3, now() - interval '31 days')`,
    );
    await app.app.get(DeliveryStore).trimTold();
    expect(await rows('select rule_id from alerts.told order by 1')).toEqual([
      { rule_id: 'used' },
      { rule_id: 'young' },
    ]);
  });

  it('is found by index where another table is deleted from', async () => {
    // every foreign key whose column leads no index: a deletion would read all of the table
    const slow = await rows(
      `select conrelid::regclass::text || '.' || a.attname as "column" from pg_constraint c
       join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
       where c.contype = 'f' and c.connamespace = 'alerts'::regnamespace
         and not exists (select from pg_index i where i.indrelid = c.conrelid and i.indkey[0] = c.conkey[1])`,
    );
    expect(slow).toEqual([]);
  });
});

describe('a repeat that is held', () => {
  it('stays held under a silence that came meanwhile, and is told when that ends', async () => {
    const sees = await ruleThat({ cooldown: '1s' });
    const first = await sees(true);
    await becomes(first, 'fired sent');
    await sees(false);
    const second = await sees(true);
    expect(await queued(second)).toEqual(['fired held']);
    const silence = await made('silences', {
      matchers: [{ name: 'rule', op: '=', value: 'high' }],
      for: '1h',
      comment: 'quiet',
    });
    await rows(`update alerts.notification set next_at = now() - interval '1 second' where state = 'held'`);
    // what comes after it goes out
    const other = await raise('ops');
    await becomes(other.id, 'fired sent');
    expect(await queued(second)).toEqual(['fired held']);
    expect(await app.app.get(DeliveryStore).dueChannels()).toEqual([]);
    expect((await send('DELETE', `silences/${silence.id}`)).status).toBe(204);
    await becomes(second, 'fired sent');
    await sees(false);
    await becomes(second, 'fired sent', 'resolved sent');
  });
});

describe('what waited long', () => {
  const wait = (id: string): Promise<Said[]> =>
    rows(
      `update alerts.notification set created_at = now() - interval '3 days', next_at = now() where alert_id = $1`,
      id,
    );

  it('is tried however old it is, and given up when that fails', async () => {
    await send('PUT', 'notifications/settings', { groupWaitMs: 60_000 });
    const taken = await raise('ops');
    await wait(taken.id);
    await becomes(taken.id, 'fired sent');
    hook.behave(() => ({ status: 500 }));
    const refused = await raise('ops');
    await wait(refused.id);
    await becomes(refused.id, 'fired dead');
  });
});

describe('a mail', () => {
  it('that a recipient refuses for good is sent, and a person looks after the channel', async () => {
    await made('channels', { name: 'post', type: 'email', config: { to: ['a@example.com', 'gone@example.com'] } });
    mail.choose((address) => (address.startsWith('gone') ? { code: 550, message: 'no such user' } : undefined));
    const { id } = await raise('post');
    await becomes(id, 'fired sent');
    const channel = async (): Promise<Said> => (await send('GET', 'channels/post')).body;
    const sick = { healthy: false, unhealthyReason: 'not taken for gone@example.com: 550 no such user', failures: 0 };
    expect(await channel()).toMatchObject(sick);
    expect((await send('POST', 'channels/post/test')).body).toMatchObject({ ok: true, error: sick.unhealthyReason });
    expect(await channel()).toMatchObject(sick);
    mail.choose(() => undefined);
    await send('POST', 'channels/post/test');
    expect(await channel()).toMatchObject({ healthy: true, unhealthyReason: null, unhealthySince: null });
  });

  it('that a recipient refuses for the moment is sent to that one again', async () => {
    await made('channels', { name: 'post', type: 'email', config: { to: ['a@example.com', 'grey@example.com'] } });
    mail.choose((address, count) =>
      address.startsWith('grey') && count < 2 ? { code: 450, message: 'later' } : undefined,
    );
    const { id } = await raise('post');
    await becomes(id, 'fired sent');
    expect(mail.received.map(({ to }) => to)).toEqual([['a@example.com'], ['grey@example.com']]);
    expect((await send('GET', 'channels/post')).body).toMatchObject({ healthy: true });
  });

  it('of a resolve answers the one that its firing was told in with others', async () => {
    await made('channels', { name: 'post', type: 'email', config: { to: ['a@example.com'] } });
    await send('PUT', 'notifications/settings', { groupWaitMs: 1000 });
    const both = [await raise('post'), await raise('post')];
    for (const { id } of both) await becomes(id, 'fired sent');
    await send('PUT', 'notifications/settings', { groupWaitMs: 0 });
    for (const { id } of both) {
      await resolve(id);
      await becomes(id, 'fired sent', 'resolved sent');
    }
    const [group, ...ends] = mail.received.map(({ raw }) => raw) as [string, ...string[]];
    const messageId = /^Message-ID: (.+)$/m.exec(group)![1]!.trim();
    expect(ends).toHaveLength(2);
    for (const end of ends) expect(end).toContain(`References: ${messageId}`);
  });
});

describe('a channel', () => {
  it('that the settings name is not deleted', async () => {
    await send('PUT', 'notifications/settings', { defaultChannels: ['ops'] });
    expect(await send('DELETE', 'channels/ops')).toMatchObject({
      status: 409,
      body: { code: 'channels.in-use', detail: expect.stringContaining('defaultChannels') },
    });
    expect(await send('PUT', 'notifications/settings', { keepDays: 20 })).toMatchObject({
      status: 200,
      body: { keepDays: 20, defaultChannels: ['ops'] },
    });
    await send('PUT', 'notifications/settings', { defaultChannels: [] });
    expect((await send('DELETE', 'channels/ops')).status).toBe(204);
  });

  it('that is gone is told no end', async () => {
    await webhook('more');
    const { id } = await raise('ops', 'more');
    await becomes(id, 'fired sent', 'fired sent');
    expect((await send('DELETE', 'channels/ops')).status).toBe(204);
    await resolve(id);
    await becomes(id, 'fired sent', 'fired sent', 'resolved sent');
    expect(hook.received.map(({ path }) => path).sort()).toEqual(['/more', '/more', '/ops']);
  });

  it('is not deleted while a rule is made that names it', async () => {
    let deleted: Promise<Said> | undefined;
    await app.app.get(Bus).transaction(async (tx) => {
      expect(await app.app.get(ChannelStore).missing(['ops', 'gone'], tx)).toEqual(['gone']);
      deleted = send('DELETE', 'channels/ops');
      await eventually(async () => {
        const waiting = await rows(
          `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
        );
        expect(waiting).toHaveLength(1);
      });
      const read = ruleOf({ symbol: 'BTCUSDT', condition: 'price > 1', channels: ['ops'] }, 'late');
      await app.app.get(RuleStore).insert(tx, (read as { rule: StoredRule }).rule);
    });
    expect(await deleted).toMatchObject({ status: 409, body: { detail: 'rules name it: late' } });
  });
});

it.each([
  ['rules/high', 'rules', { id: 'high', symbol: 'BTCUSDT', condition: 'price > 1' }],
  ['channels/talk', 'channels', { name: 'talk', type: 'slack', config: { url: 'http://127.0.0.1:1/x' } }],
])('%s that was deleted and made anew is not taken for what it was', async (path, list, body) => {
  await made(list, body);
  const { etag } = await send('GET', path);
  await send('DELETE', path);
  await made(list, body);
  expect(await send('PUT', path, body, { 'if-match': etag })).toMatchObject({ status: 412 });
  expect(await send('DELETE', path, undefined, { 'if-match': etag })).toMatchObject({ status: 412 });
});
