import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventEmitter2 } from '@nestjs/event-emitter';
import { AlertStore } from '../src/alerts/episodes/alert.store.js';
import { type EpisodeState, INACTIVE, step, type Stepped, type Verdict } from '../src/alerts/episodes/episode.js';
import { Episodes, StaleStateError } from '../src/alerts/episodes/episodes.service.js';
import { RuleStateStore } from '../src/alerts/episodes/rule-state.store.js';
import { policyOf, type StoredRule } from '../src/alerts/rules/rule.js';
import { RuleStore } from '../src/alerts/rules/rule.store.js';
import { Silences } from '../src/alerts/silences/silences.service.js';
import { AlertFiredV1 } from '../src/contracts/index.js';
import { Bus } from '../src/platform/bus/index.js';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed, testDatabase, type TestDatabase } from './support/database.js';

const KEY = { source: 'binance', symbol: 'BTCUSDT' };
const BASE_US = Date.parse('2026-08-09T21:00:00Z') * 1000;

let database: TestDatabase;
let app: RunningApp;

beforeAll(async () => {
  database = await testDatabase();
  app = await startApp(database.connection, { MODULES: 'alerts' });
  await app.app.get(Bus).whenReady();
  await database.dataSource.query(
    `insert into alerts.channel (name, type, config) values ('ops', 'slack', '{"url":"http://127.0.0.1:1/"}')`,
  );
});

beforeEach(async () => {
  keepWhenRed();
  await database.dataSource.query(
    'truncate alerts.rule, alerts.alert, alerts.silence, alerts.notification, alerts.told cascade',
  );
  await database.dataSource.query('alter sequence alerts.version restart');
});

afterAll(() => app?.close());

type Sent = Readonly<{ status: number; etag: string | null; location: string | null; body: any }>; // oxlint-disable-line typescript/no-explicit-any -- a test reads what came

async function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Sent> {
  const response = await fetch(`${app.url}/api/v1/${path}`, {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    etag: response.headers.get('etag'),
    location: response.headers.get('location'),
    body: text === '' ? undefined : JSON.parse(text),
  };
}

const rows = (sql: string, ...parameters: unknown[]): Promise<Record<string, unknown>[]> =>
  database.dataSource.query(sql, parameters);

const eventsOf = async (name: string): Promise<Record<string, unknown>[]> =>
  (await rows('select data from bus.event where name = $1 order by id', name)).map(
    ({ data }) => data as Record<string, unknown>,
  );

const notified = async (): Promise<unknown[]> =>
  (await rows('select kind, channel from alerts.notification order by seq')).map(
    ({ kind, channel }) => `${String(kind)} ${String(channel)}`,
  );

/** One rule over one series, driven as evaluation does, with verdicts at seconds. */
class Driven {
  state: EpisodeState = INACTIVE;

  constructor(readonly rule: StoredRule) {}

  static async of(change: object = {}): Promise<Driven> {
    const { body } = await send('POST', 'rules', { ...RULE, ...change });
    return new Driven((await app.app.get(RuleStore).one(body.id as string))!);
  }

  see(second: number, fires: Verdict): Stepped {
    const seen = { atUs: BASE_US + second * 1e6, fires, resolves: undefined, value: 50_000 + second };
    return step(this.state, seen, policyOf(this.rule));
  }

  async at(second: number, fires: Verdict): Promise<void> {
    const result = this.see(second, fires);
    if (result.transitions.length === 0) this.state = result.state;
    else
      this.state = await app.app
        .get(Bus)
        .transaction((tx) => app.app.get(Episodes).record(tx, this.rule, KEY, this.state, result));
  }

  async alert(): Promise<Sent['body']> {
    return (await send('GET', `alerts?ruleId=${this.rule.id}&limit=1`)).body.items[0];
  }

  async history(): Promise<string> {
    const { id } = (await this.alert()) as { id: string };
    const { body } = await send('GET', `alerts/${id}/history`);
    return (body.items as { kind: string; reason: string | null }[])
      .map(({ kind, reason }) => (reason === null || reason === 'condition' ? kind : `${kind}:${reason}`))
      .join(' ');
  }
}

const RULE = {
  id: 'btc_price_high',
  symbol: 'BTCUSDT',
  condition: 'price > threshold',
  threshold: 50_000,
  severity: 'high',
  channels: ['ops'],
  labels: { team: 'desk' },
  cooldown: '0s',
};

it.each([
  ['POST', 'rules', { symbol: 'BTCUSDT', condition: 'price > 1', description: '\ud800' }, 'description'],
  ['POST', 'rules', { symbol: 'BTCUSDT', condition: 'price > 1', labels: { a: '\u0000' } }, 'labels.a'],
  [
    'POST',
    'silences',
    { matchers: [{ name: 'rule', op: '=', value: 'r\u0000' }], for: '1h', comment: 'x' },
    'matchers[0].value',
  ],
  ['POST', 'alerts', { name: 'x', labels: { '\ud800': 'a' } }, 'labels'],
])('refuses in %s %s text that PostgreSQL cannot hold, and names the field', async (method, path, body, field) => {
  const answer = await send(method, path, body);
  expect([answer.status, answer.body.errors?.[0].field]).toEqual([400, field]);
});

it.each(['rules/%00', 'channels/%00'])('knows nothing that is called %s', async (path) => {
  expect((await send('GET', path)).status).toBe(404);
});

describe('rules over REST', () => {
  it('are made, read, listed, replaced and deleted', async () => {
    const made = await send('POST', 'rules', RULE);
    expect(made).toMatchObject({
      status: 201,
      etag: '"1"',
      location: '/api/v1/rules/btc_price_high',
      body: { ...RULE, name: 'btc_price_high', noDataAfter: '20s', mode: 'every', noData: 'keep', version: 1 },
    });
    expect(await send('GET', 'rules/btc_price_high')).toMatchObject({ status: 200, etag: '"1"', body: made.body });
    const replaced = await send('PUT', 'rules/btc_price_high', { ...RULE, name: 'Bitcoin' }, { 'if-match': '"1"' });
    expect(replaced).toMatchObject({ status: 200, etag: '"2"', body: { name: 'Bitcoin', version: 2 } });
    expect((await send('DELETE', 'rules/btc_price_high')).status).toBe(204);
    expect(await send('GET', 'rules/btc_price_high')).toMatchObject({ status: 404, body: { code: 'rules.unknown' } });
    expect((await eventsOf('alerts.rules-changed.v1')).slice(-3)).toEqual(
      ['made', 'replaced', 'deleted'].map(() => ({ ids: ['btc_price_high'] })),
    );
  });

  it('are not overwritten by who has not seen the last version', async () => {
    await send('POST', 'rules', RULE);
    await send('PUT', 'rules/btc_price_high', { ...RULE, name: 'Second' });
    for (const method of ['PUT', 'DELETE']) {
      const body = method === 'PUT' ? { ...RULE, name: 'Lost' } : undefined;
      expect(await send(method, 'rules/btc_price_high', body, { 'if-match': '"1"' })).toMatchObject({
        status: 412,
        body: { code: 'rules.changed-meanwhile' },
      });
      expect(await send(method, 'rules/btc_price_high', body, { 'if-match': 'W/"2"' })).toMatchObject({ status: 400 });
    }
    expect((await send('GET', 'rules/btc_price_high')).body).toMatchObject({ name: 'Second', version: 2 });
    expect((await send('DELETE', 'rules/btc_price_high', undefined, { 'if-match': '"1", "2"' })).status).toBe(204);
  });

  it('let one of two edits win that come at once', async () => {
    await send('POST', 'rules', RULE);
    const edits = Array.from({ length: 8 }, (_, index) =>
      send('PUT', 'rules/btc_price_high', { ...RULE, name: `edit ${index}` }, { 'if-match': '"1"' }),
    );
    const statuses = (await Promise.all(edits)).map(({ status }) => status);
    expect(statuses.toSorted()).toEqual([200, ...Array(7).fill(412)]);
  });

  it('are given an id where they have none, and keep the one they have', async () => {
    const { id: _id, ...nameless } = RULE;
    expect((await send('POST', 'rules', nameless)).body.id).toMatch(/^rule_[0-9a-f]{12}$/);
    await send('POST', 'rules', RULE);
    expect(await send('POST', 'rules', RULE)).toMatchObject({ status: 409, body: { code: 'rules.id-taken' } });
    expect(await send('PUT', 'rules/btc_price_high', { ...RULE, id: 'other' })).toMatchObject({ status: 400 });
  });

  it('are refused with the field, and a condition with the place', async () => {
    expect(await send('POST', 'rules', { ...RULE, condition: 'price > 51000' })).toMatchObject({
      status: 422,
      body: {
        code: 'rules.bad-condition',
        errors: [{ field: 'condition', code: 'threshold-disagrees', start: 8, end: 13 }],
      },
    });
    const wrong: [string, object][] = [
      ['symbol', { symbol: 'btcusdt' }],
      ['for', { for: 'long' }],
      ['thresold', { thresold: 5 }],
      ['channels', { channels: ['nobody'] }],
      ['threshold', { threshold: null }],
      ['labels', { labels: { rule: 'x' } }],
      ['expiresAt', { expiresAt: '2020-01-01T00:00:00Z' }],
    ];
    for (const [field, change] of wrong)
      expect(await send('POST', 'rules', { ...RULE, ...change })).toMatchObject({
        status: 400,
        body: { code: 'request.bad-parameter', errors: [{ field }] },
      });
    expect((await send('GET', 'rules')).body.items).toEqual([]);
  });

  it('are validated without being stored', async () => {
    const good = await send('POST', 'rules/validate', { ...RULE, resolveCondition: 'rsi(14, "1m") < 30' });
    expect(good.body).toMatchObject({ valid: true, errors: [], rule: { id: RULE.id, for: '0s' } });
    expect(good.body.inputs).toHaveLength(2);
    const bad = await send('POST', 'rules/validate', { ...RULE, condition: 'price >' });
    expect(bad).toMatchObject({ status: 200, body: { valid: false, errors: [{ field: 'condition', start: 7 }] } });
    expect((await send('POST', 'rules/validate', { sybmol: 'X' })).body.valid).toBe(false);
    expect((await send('GET', 'rules')).body.items).toEqual([]);
  });

  it('are listed in pages, by what they watch and whether they are on', async () => {
    for (const [id, symbol, enabled] of [
      ['a', 'BTCUSDT', true],
      ['b', ['ETHUSDT', 'SOLUSDT'], true],
      ['c', '*', false],
    ])
      await send('POST', 'rules', { ...RULE, id, symbol, enabled });
    const idsOf = async (query: string): Promise<string[]> =>
      (await send('GET', `rules?${query}`)).body.items.map(({ id }: { id: string }) => id);
    expect(await idsOf('symbol=SOLUSDT')).toEqual(['b', 'c']);
    expect(await idsOf('enabled=true')).toEqual(['a', 'b']);
    expect(await idsOf('severity=low')).toEqual([]);
    const first = await send('GET', 'rules?limit=2');
    expect(first.body.items).toHaveLength(2);
    expect(await idsOf(`limit=2&cursor=${first.body.nextCursor}`)).toEqual(['c']);
    expect(await send('GET', 'rules?cursor=nonsense')).toMatchObject({ status: 400 });
  });
});

describe('an episode', () => {
  it('is an alert with its history, told once when it begins and once when it ends', async () => {
    const driven = await Driven.of({ for: '5s', keepFiringFor: '5s' });
    for (const [second, fires] of [
      [0, true],
      [10, true],
      [11, false],
      [12, true],
      [13, false],
      [30, false],
    ] as const)
      await driven.at(second, fires);
    expect(await driven.alert()).toMatchObject({
      ruleId: RULE.id,
      ...KEY,
      severity: 'high',
      state: 'resolved',
      phase: 'resolved',
      condition: 'price > threshold',
      threshold: 50_000,
      value: 50_013,
      startedAt: '2026-08-09T21:00:05Z',
      resolvedAt: '2026-08-09T21:00:18Z',
      reason: 'condition',
      resolution: 'condition',
      occurrences: 2,
      labels: { team: 'desk' },
      channels: ['ops'],
    });
    expect(await driven.history()).toBe('pending fired recovering refired recovering resolved');
    const [fired] = (await eventsOf('alerts.alert-fired.v1')).slice(-1);
    expect(fired).toMatchObject({ ruleId: RULE.id, ...KEY, value: 50_000, reason: 'condition', silenced: false });
    const [resolved] = (await eventsOf('alerts.alert-resolved.v1')).slice(-1);
    expect(resolved).toMatchObject({ alertId: fired!.alertId, occurrences: 2, startedAtUs: BASE_US + 5e6 });
    expect(await notified()).toEqual(['fired ops', 'resolved ops']);
  });

  it('goes on after a restart where it stood', async () => {
    const driven = await Driven.of({ for: '10s' });
    await driven.at(0, true);
    const [stored] = await app.app.get(RuleStateStore).all();
    expect(stored).toEqual({ ruleId: RULE.id, ...KEY, state: driven.state });
    expect((await send('GET', `rules/${RULE.id}/states`)).body.items).toEqual([
      { ...KEY, phase: 'pending', since: '2026-08-09T21:00:00Z', due: '2026-08-09T21:00:10Z', alertId: null },
    ]);
    driven.state = stored!.state;
    await driven.at(20, true);
    expect(await driven.alert()).toMatchObject({ startedAt: '2026-08-09T21:00:10Z', state: 'active' });
  });

  it('that begins, ends and begins again within one batch is two alerts, one of them open', async () => {
    const driven = await Driven.of();
    const results: Stepped[] = [];
    for (const [second, fires] of [
      [1, true],
      [2, false],
      [3, true],
    ] as const) {
      results.push(driven.see(second, fires));
      driven.state = results.at(-1)!.state;
    }
    const transitions = results.flatMap((result) => result.transitions);
    const stored = await app.app
      .get(Bus)
      .transaction((tx) =>
        app.app.get(Episodes).record(tx, driven.rule, KEY, INACTIVE, { state: driven.state, transitions }),
      );
    const { items } = (await send('GET', 'alerts')).body as { items: { id: string; state: string }[] };
    expect(items.map(({ state }) => state)).toEqual(['active', 'resolved']);
    expect(stored.alertId).toBe(items[0]!.id);
  });

  it('is recorded wholly or not at all', async () => {
    const driven = await Driven.of();
    const before = (await eventsOf('alerts.alert-fired.v1')).length;
    await rows('alter table alerts.notification add constraint planted check (false) not valid');
    try {
      await expect(driven.at(1, true)).rejects.toThrow(/planted/);
    } finally {
      await rows('alter table alerts.notification drop constraint planted');
    }
    expect(await app.app.get(RuleStateStore).all()).toEqual([]);
    expect((await send('GET', 'alerts')).body.items).toEqual([]);
    expect(await rows('select * from alerts.transition')).toEqual([]);
    expect(await eventsOf('alerts.alert-fired.v1')).toHaveLength(before);
    await driven.at(1, true);
    expect(await notified()).toEqual(['fired ops']);
  });

  it('is not recorded by who knows less than the database', async () => {
    const driven = await Driven.of();
    const slow = new Driven(driven.rule);
    await driven.at(1, true);
    await expect(slow.at(1, true)).rejects.toThrow(StaleStateError);
    slow.state = driven.state;
    await driven.at(2, false);
    await expect(slow.at(2, false)).rejects.toThrow(StaleStateError);
    await send('PUT', `rules/${RULE.id}`, { ...RULE, threshold: 60_000 });
    await expect(driven.at(3, true)).rejects.toThrow(StaleStateError);
    expect((await send('GET', 'alerts')).body.items).toHaveLength(1);
  });

  it('is not recorded of a rule that was edited, also where the series has no state yet', async () => {
    const driven = await Driven.of();
    await send('PUT', `rules/${RULE.id}`, { ...RULE, threshold: 60_000 });
    await expect(driven.at(1, true)).rejects.toThrow(StaleStateError);
    expect((await send('GET', 'alerts')).body.items).toEqual([]);
  });

  it('tells nobody of what a savepoint took back', async () => {
    const driven = await Driven.of();
    const told = vi.fn<() => void>();
    app.app.get(EventEmitter2).on(AlertFiredV1.name, told);
    await rows('alter table alerts.notification add constraint planted check (false) not valid');
    try {
      await app.app.get(Bus).transaction(async (tx) => {
        const recording = { rule: driven.rule, key: KEY, before: INACTIVE, result: driven.see(1, true) };
        const refused = tx.transaction(() => app.app.get(Episodes).recordAll(tx, [recording]));
        await expect(refused).rejects.toThrow(/planted/);
      });
    } finally {
      await rows('alter table alerts.notification drop constraint planted');
    }
    expect(told).not.toHaveBeenCalled();
    await driven.at(1, true);
    expect(told).toHaveBeenCalledOnce();
    app.app.get(EventEmitter2).off(AlertFiredV1.name, told);
  });

  it('takes many with as many statements as one', async () => {
    const driven = await Driven.of({ symbol: '*' });
    const result = driven.see(1, true);
    const recordings = Array.from({ length: 500 }, (_, index) => ({
      rule: driven.rule,
      key: { source: 'binance', symbol: `S${index}` },
      before: INACTIVE,
      result,
    }));
    const counts: number[] = [];
    const record = (some: typeof recordings): Promise<EpisodeState[]> =>
      app.app.get(Bus).transaction(async (tx) => {
        const query = vi.spyOn(tx, 'query');
        const states = await app.app.get(Episodes).recordAll(tx, some);
        counts.push(query.mock.calls.length);
        return states;
      });
    const states = [...(await record(recordings.slice(0, 1))), ...(await record(recordings.slice(1)))];
    expect(counts[1]).toBe(counts[0]);
    expect(new Set(states.map(({ alertId }) => alertId)).size).toBe(500);
    expect((await send('GET', 'alerts?symbol=S499')).body.items[0].id).toBe(states[499]!.alertId);
    expect((await eventsOf('alerts.alert-fired.v1')).slice(-500).map(({ symbol }) => symbol)).toEqual(
      recordings.map(({ key }) => key.symbol),
    );
    expect(await rows(`select symbol from alerts.notification where channel = 'ops' order by seq`)).toEqual(
      recordings.map(({ key: { symbol } }) => ({ symbol })),
    );
  });
});

describe('changing a rule that fires', () => {
  it.each<[string, () => Promise<Sent>]>([
    ['edited', () => send('PUT', `rules/${RULE.id}`, { ...RULE, threshold: 60_000 })],
    ['disabled', () => send('PUT', `rules/${RULE.id}`, { ...RULE, enabled: false })],
    ['deleted', () => send('DELETE', `rules/${RULE.id}`)],
  ])('resolves its alert as %s, and tells so', async (reason, change) => {
    const driven = await Driven.of();
    await driven.at(1, true);
    expect((await change()).status).toBeLessThan(300);
    expect(await driven.alert()).toMatchObject({ state: 'resolved', resolution: reason });
    expect(await driven.history()).toBe(`fired resolved:${reason}`);
    expect((await eventsOf('alerts.alert-resolved.v1')).at(-1)).toMatchObject({ reason });
    expect(await notified()).toEqual(['fired ops', 'resolved ops']);
    expect(await app.app.get(RuleStateStore).all()).toEqual([]);
  });

  it('leaves it alone when the change decides nothing', async () => {
    const driven = await Driven.of();
    await driven.at(1, true);
    await send('PUT', `rules/${RULE.id}`, { ...RULE, name: 'Other', severity: 'low', labels: {}, cooldown: '1h' });
    expect(await driven.alert()).toMatchObject({ state: 'active', severity: 'high' });
    await driven.at(2, false);
    expect(await driven.alert()).toMatchObject({ state: 'resolved', resolution: 'condition' });
  });

  it('moves the expiry of what fires', async () => {
    const driven = await Driven.of();
    await driven.at(1, true);
    await send('PUT', `rules/${RULE.id}`, { ...RULE, expiresAt: '2100-01-01T00:00:00Z' });
    expect((await send('GET', `rules/${RULE.id}/states`)).body.items).toMatchObject([
      { phase: 'firing', due: '2100-01-01T00:00:00Z' },
    ]);
    expect(await driven.alert()).toMatchObject({ state: 'active' });
    await expect(driven.at(2, false)).rejects.toThrow(StaleStateError);
  });

  it('changes nothing when what it ends cannot be recorded', async () => {
    const driven = await Driven.of();
    await driven.at(1, true);
    await rows('alter table alerts.transition add constraint planted check (false) not valid');
    try {
      expect((await send('DELETE', `rules/${RULE.id}`)).status).toBe(500);
    } finally {
      await rows('alter table alerts.transition drop constraint planted');
    }
    expect((await send('GET', `rules/${RULE.id}`)).status).toBe(200);
    expect(await driven.alert()).toMatchObject({ state: 'active' });
  });
});

describe('an alert', () => {
  it('is resolved by hand once, and its rule then waits for the condition to end', async () => {
    const driven = await Driven.of();
    await driven.at(1, true);
    const { id } = await driven.alert();
    expect(await send('POST', `alerts/${id}/resolve`, { by: 'ada' })).toMatchObject({
      status: 200,
      body: { state: 'resolved', resolution: 'manual' },
    });
    expect(await send('POST', `alerts/${id}/resolve`)).toMatchObject({
      status: 409,
      body: { code: 'alerts.resolved' },
    });
    expect((await eventsOf('alerts.rules-changed.v1')).at(-1)).toEqual({ ids: [RULE.id] });
    await expect(driven.at(2, false)).rejects.toThrow(StaleStateError);
    driven.state = (await app.app.get(RuleStateStore).all())[0]!.state;
    for (const [second, fires] of [
      [2, true],
      [3, false],
      [4, true],
    ] as const)
      await driven.at(second, fires);
    expect((await send('GET', 'alerts')).body.items).toHaveLength(2);
    expect(await notified()).toEqual(['fired ops', 'resolved ops', 'fired ops']);
  });

  it('is raised, acknowledged, labelled, resolved and deleted by hand', async () => {
    const raised = await send('POST', 'alerts', {
      name: 'Halt',
      message: 'Trading stops',
      severity: 'critical',
      channels: ['ops'],
    });
    expect(raised).toMatchObject({
      status: 201,
      body: { ruleId: null, name: 'Halt', condition: 'Trading stops', state: 'active', reason: 'manual', symbol: '' },
    });
    const { id } = raised.body;
    expect(raised.location).toBe(`/api/v1/alerts/${id}`);
    expect(
      (await send('PUT', `alerts/${id}`, { acknowledged: true, by: 'ada', labels: { a: 'b' } })).body,
    ).toMatchObject({
      acknowledgedBy: 'ada',
      acknowledgedAt: expect.stringMatching(/Z$/),
      labels: { a: 'b' },
    });
    expect((await send('PUT', `alerts/${id}`, { acknowledged: false })).body).toMatchObject({
      acknowledgedBy: null,
      acknowledgedAt: null,
      labels: { a: 'b' },
    });
    expect(await send('DELETE', `alerts/${id}`)).toMatchObject({ status: 409, body: { code: 'alerts.not-resolved' } });
    expect((await send('POST', `alerts/${id}/resolve`, { by: 'ada' })).body).toMatchObject({ state: 'resolved' });
    const { items } = (await send('GET', `alerts/${id}/history`)).body as { items: { kind: string; note: string }[] };
    expect(items.map(({ kind, note }) => `${kind} ${note}`)).toEqual([
      'fired null',
      'acknowledged ada',
      'relabelled ada',
      'unacknowledged null',
      'resolved ada',
    ]);
    expect((await send('DELETE', `alerts/${id}`)).status).toBe(204);
    expect(await send('GET', `alerts/${id}`)).toMatchObject({ status: 404, body: { code: 'alerts.unknown' } });
    expect(await notified()).toEqual(['fired ops', 'resolved ops']);
  });

  it.each<[string, string, object]>([
    ['name', 'alerts', {}],
    ['channels', 'alerts', { name: 'x', channels: ['nobody'] }],
    ['value', 'alerts', { name: 'x', value: 'high' }],
    ['severity', 'alerts', { name: 'x', severity: 'awful' }],
    ['more', 'alerts', { name: 'x', more: 1 }],
  ])('is refused for its %s', async (field, path, body) =>
    expect(await send('POST', path, body)).toMatchObject({ status: 400, body: { errors: [{ field }] } }),
  );

  it('refuses what is no body of an action', async () => {
    const { id } = (await send('POST', 'alerts', { name: 'x' })).body;
    expect(await send('POST', `alerts/${id}/resolve`, { by: 7 })).toMatchObject({ status: 400 });
    expect(await send('POST', `alerts/${id}/silence`, { for: '0s' })).toMatchObject({ status: 400 });
    expect(await send('GET', 'alerts/nonsense')).toMatchObject({ status: 404 });
  });

  it('is found by state, rule, symbol, severity and time, in pages', async () => {
    const driven = await Driven.of();
    await driven.at(1, true);
    await driven.at(2, false);
    await driven.at(3, true);
    await send('POST', 'alerts', { name: 'Other', symbol: 'ETHUSDT', severity: 'low' });
    const count = async (query: string): Promise<number> => (await send('GET', `alerts?${query}`)).body.items.length;
    expect(await count('')).toBe(3);
    expect(await count('state=active')).toBe(2);
    expect(await count('state=resolved')).toBe(1);
    expect(await count('state=active,resolved')).toBe(3);
    expect(await count('state=silenced')).toBe(0);
    expect(await count(`ruleId=${RULE.id}`)).toBe(2);
    expect(await count('symbol=ETHUSDT')).toBe(1);
    expect(await count('severity=low,critical')).toBe(1);
    expect(await count('from=2026-08-09T21:00:02Z&to=2026-08-09T21:00:04Z')).toBe(1);
    const first = (await send('GET', 'alerts?limit=2')).body;
    expect(await count(`limit=2&cursor=${first.nextCursor}`)).toBe(1);
    expect((await send('GET', 'alerts?state=broken')).status).toBe(400);
    const { id } = await driven.alert();
    const history = (await send('GET', `alerts/${id}/history?limit=1`)).body;
    expect(history.nextCursor).toBeNull();
  });
});

describe('a silence', () => {
  const SILENCE = { matchers: [{ name: 'symbol', op: '=', value: 'BTC*' }], for: '2h', comment: 'known' };

  it('keeps a firing from people, and so its end, but from nobody else', async () => {
    const made = await send('POST', 'silences', { ...SILENCE, createdBy: 'ada' });
    expect(made).toMatchObject({ status: 201, body: { state: 'active', createdBy: 'ada', schedule: null } });
    const driven = await Driven.of();
    await driven.at(1, true);
    expect(await driven.alert()).toMatchObject({ state: 'silenced', phase: 'firing', silencedBy: made.body.id });
    expect((await eventsOf('alerts.alert-fired.v1')).at(-1)).toMatchObject({ silenced: true });
    await driven.at(2, false);
    expect(await driven.alert()).toMatchObject({ state: 'resolved' });
    expect((await eventsOf('alerts.alert-resolved.v1')).at(-1)).toMatchObject({ ruleId: RULE.id });
    expect(await driven.history()).toBe('fired silenced resolved');
    expect(await notified()).toEqual([]);
  });

  it('that comes after a firing does not swallow its end', async () => {
    const driven = await Driven.of();
    await driven.at(1, true);
    await send('POST', 'silences', SILENCE);
    expect(await driven.alert()).toMatchObject({ state: 'silenced' });
    await driven.at(2, false);
    expect(await notified()).toEqual(['fired ops', 'resolved ops']);
  });

  it('that is taken off lets people know of what still fires', async () => {
    const { body } = await send('POST', 'silences', SILENCE);
    const driven = await Driven.of();
    await driven.at(1, true);
    expect((await send('DELETE', `silences/${body.id}`)).status).toBe(204);
    expect(await driven.alert()).toMatchObject({ state: 'active', silencedBy: null });
    expect(await notified()).toEqual(['fired ops']);
    await driven.at(2, false);
    expect(await notified()).toEqual(['fired ops', 'resolved ops']);
    expect(await driven.history()).toBe('fired silenced unsilenced resolved');
    expect(await send('DELETE', `silences/${body.id}`)).toMatchObject({
      status: 404,
      body: { code: 'silences.unknown' },
    });
  });

  it('begins and ends by itself', async () => {
    const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
    const { body } = await send('POST', 'silences', { ...SILENCE, startsAt: inAnHour });
    expect(body.state).toBe('waiting');
    const driven = await Driven.of();
    await driven.at(1, true);
    const silences = app.app.get(Silences);
    await silences.look();
    expect(await driven.alert()).toMatchObject({ state: 'active' });
    await rows(`update alerts.silence set starts_at = now() - interval '1 minute'`);
    await silences.look();
    expect(await driven.alert()).toMatchObject({ state: 'silenced' });
    await rows(`update alerts.silence set ends_at = now() - interval '1 second'`);
    await silences.look();
    expect(await driven.alert()).toMatchObject({ state: 'active' });
    expect(await notified()).toEqual(['fired ops']);
    expect((await send('GET', 'silences?ended=false')).body.items).toEqual([]);
    expect((await send('GET', 'silences?ended=true')).body.items).toHaveLength(1);
  });

  it('that went away while an alert fired under it leaves nobody untold', async () => {
    await send('POST', 'silences', SILENCE);
    const driven = await Driven.of();
    await driven.at(1, true);
    await rows('delete from alerts.silence');
    for (let looks = 0; looks < 12; looks++) await app.app.get(Silences).look();
    expect(await notified()).toEqual(['fired ops']);
  });

  it('can be of one alert: its rule and series, or a manual one alone', async () => {
    const driven = await Driven.of();
    await driven.at(1, true);
    const manual = (await send('POST', 'alerts', { name: 'x', symbol: 'BTCUSDT' })).body;
    const { id } = await driven.alert();
    expect((await send('POST', `alerts/${id}/silence`, { for: '30m', by: 'ada' })).body.state).toBe('silenced');
    expect((await send('GET', `alerts/${manual.id}`)).body.state).toBe('active');
    expect((await send('POST', `alerts/${manual.id}/silence`)).body.state).toBe('silenced');
    const { items } = (await send('GET', 'silences')).body;
    expect(items.map(({ matchers }: { matchers: { name: string }[] }) => matchers.map(({ name }) => name))).toEqual([
      ['alert'],
      ['rule', 'source', 'symbol'],
    ]);
    await driven.at(2, false);
    expect(await send('POST', `alerts/${id}/silence`)).toMatchObject({
      status: 409,
      body: { code: 'alerts.resolved' },
    });
  });

  it('shows beforehand what it would match', async () => {
    const driven = await Driven.of();
    await driven.at(1, true);
    await send('POST', 'alerts', { name: 'x', symbol: 'ETHUSDT' });
    const preview = await send('POST', 'silences/preview', { matchers: SILENCE.matchers });
    expect(preview).toMatchObject({ status: 200, body: { matches: 1, alerts: [{ ruleId: RULE.id }] } });
    expect((await send('GET', 'silences')).body.items).toEqual([]);
  });

  it.each<[string, object]>([
    ['matchers', { matchers: [] }],
    ['matchers', { matchers: [{ name: 'symbol', op: '=~', value: '.*' }] }],
    ['schedule', { schedule: { zone: 'Mars/Olympus', from: '01:00', to: '02:00' } }],
    ['for', { endsAt: '2030-01-01T00:00:00Z' }],
    ['endsAt', { for: undefined }],
    ['endsAt', { for: undefined, endsAt: '2020-01-01T00:00:00Z' }],
    ['for', { for: '400d' }],
    ['for', { for: 'ages' }],
    ['comment', { comment: '' }],
    ['startsAt', { startsAt: 'soon' }],
  ])('is refused for its %s: %j', async (field, change) =>
    expect(await send('POST', 'silences', { ...SILENCE, ...change })).toMatchObject({
      status: 400,
      body: { errors: [{ field }] },
    }),
  );
});

it('forgets alerts that are long resolved, with their history', async () => {
  const driven = await Driven.of();
  await driven.at(1, true);
  await driven.at(2, false);
  await driven.at(3, true);
  const alerts = app.app.get(AlertStore);
  expect(await alerts.trim(Date.now() - BASE_US / 1000 + 60_000, 10)).toBe(0);
  expect(await alerts.trim(0, 10)).toBe(1);
  expect(await rows('select distinct alert_id from alerts.transition')).toHaveLength(1);
  expect(await driven.alert()).toMatchObject({ state: 'active' });
});
