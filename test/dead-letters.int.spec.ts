import type { EntityManager } from 'typeorm';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TradesReceivedV1, TradesRecordedV1 } from '../src/contracts/index.js';
import { Bus, type DeadLetter, DeadLetters, type ReplayedLetter } from '../src/platform/bus/index.js';
import { DeadLetterListStore } from '../src/platform/bus/dead-letters/dead-letter-list.store.js';
import { LetterRetention } from '../src/platform/bus/dead-letters/letter-retention.service.js';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed, testDatabase, type TestDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';
import { madeTrade } from './support/recording.js';

const ROUTE = '/api/v1/dead-letters';
const ALL = 'ingestion,processing,aggregation,alerts,uploads,webhooks,streaming,dashboard';
let database: TestDatabase;
const apps: RunningApp[] = [];
/** What the replayer of kind `test` is to do, and what it was given. */
let act: (letter: ReplayedLetter, tx: EntityManager) => Promise<void>;
let given: string[];

async function start(env: Record<string, string> = {}): Promise<RunningApp> {
  const app = await startApp(database.connection, { MODULES: 'processing,aggregation', ...env });
  apps.push(app);
  await app.app.get(Bus).whenReady();
  return app;
}

/** With a replayer of letters of kind `test`. */
async function startReplaying(env: Record<string, string> = {}): Promise<RunningApp> {
  const app = await start(env);
  app.app.get(DeadLetters).onReplay('test', async (letter, tx) => {
    given.push(letter.payload.toString());
    await act(letter, tx);
  });
  return app;
}

const query = (sql: string, parameters: unknown[] = []): Promise<Record<string, unknown>[]> =>
  database.dataSource.query(sql, parameters);
const keep = (app: RunningApp, ...letters: Partial<DeadLetter>[]): Promise<void> =>
  app.app.get(Bus).transaction((tx) =>
    app.app.get(DeadLetters).keepAll(
      tx,
      letters.map((one, at) => ({
        stage: 'parse',
        code: 'parse.bad-trade',
        message: `field ${at} is "wrong"`,
        source: { kind: 'test', id: 'made', position: String(at) },
        attempts: 1,
        payload: `payload ${at}`,
        ...one,
      })),
    ),
  );
const send = async (app: RunningApp, method: string, path: string, body?: unknown) => {
  const response = await fetch(app.url + path, {
    method,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
};
const idsOf = async (app: RunningApp, filter = ''): Promise<string[]> =>
  (await app.get(ROUTE + filter)).body.items.map((one: { id: string }) => one.id);
const metric = async (app: RunningApp, name: string): Promise<string[]> =>
  (await (await fetch(`${app.url}/metrics`)).text()).split('\n').filter((line) => line.startsWith(name));

beforeAll(async () => {
  database = await testDatabase();
  await query('create schema test');
  await query('create table test.effect (letter text primary key, payload text)');
});

beforeEach(async () => {
  keepWhenRed();
  given = [];
  act = async (letter, tx) => {
    await tx.query('insert into test.effect values ($1, $2)', [letter.id, letter.payload.toString()]);
  };
  await query('truncate bus.delivery, bus.dead_letter, bus.replay_job, test.effect');
});

afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

describe('the list of dead letters', () => {
  it('filters, pages newest first, and refuses what it does not know', async () => {
    const app = await start();
    await keep(
      app,
      { message: 'Price of BTCUSDT is odd' },
      { stage: 'validate', code: 'validate.price', payload: 'has a needle inside' },
      { source: { kind: 'test', id: 'other', position: '7' } },
      {},
    );
    const all = await idsOf(app);
    expect(all).toHaveLength(4);
    expect(all).toEqual(all.toSorted((a, b) => Number(b) - Number(a)));
    const [fourth, third, second, first] = all;
    expect(await idsOf(app, '?stage=validate,store')).toEqual([second]);
    expect(await idsOf(app, '?code=validate.price')).toEqual([second]);
    expect(await idsOf(app, '?source=test:other')).toEqual([third]);
    expect(await idsOf(app, '?source=test')).toEqual(all);
    expect(await idsOf(app, '?source=delivery')).toEqual([]);
    expect(await idsOf(app, '?state=discarded,replayed')).toEqual([]);
    expect(await idsOf(app, '?q=btcusdt')).toEqual([first]);
    expect(await idsOf(app, '?q=needle')).toEqual([second]);
    expect(await idsOf(app, '?from=2100-01-01T00:00:00Z')).toEqual([]);
    expect(await idsOf(app, '?to=2100-01-01T00:00:00Z')).toEqual(all);
    const page = (await app.get(`${ROUTE}?limit=3`)).body;
    expect(page.items.map((one: { id: string }) => one.id)).toEqual([fourth, third, second]);
    expect(await idsOf(app, `?limit=3&cursor=${page.nextCursor}`)).toEqual([first]);
    for (const wrong of ['stage=odd', 'state=gone', 'source=A:b', 'fingerprint=x', 'limit=0', 'cursor=x', 'colour=red'])
      expect(await app.get(`${ROUTE}?${wrong}`)).toMatchObject({
        status: 400,
        body: { code: 'request.bad-parameter', errors: [{ field: wrong.split('=')[0] }] },
      });
  });

  it('counts what failed alike in groups, with a sample', async () => {
    const app = await start();
    await keep(app, {}, {}, {}, { code: 'decode.not-json', stage: 'decode' });
    const { items, nextCursor } = (await app.get(`${ROUTE}/groups`)).body;
    expect(items).toMatchObject([
      { count: 1, dead: 1, sample: { stage: 'decode' } },
      { count: 3, dead: 3, sample: { message: 'field 2 is "wrong"' } },
    ]);
    expect(nextCursor).toBeNull();
    const [, second] = items;
    expect(await idsOf(app, `?fingerprint=${second.fingerprint}`)).toHaveLength(3);
    const page = (await app.get(`${ROUTE}/groups?limit=1`)).body;
    expect((await app.get(`${ROUTE}/groups?limit=1&cursor=${page.nextCursor}`)).body.items).toEqual([second]);
  });

  it('shows the payload as text, as base64 where it is none, and what of it is missing', async () => {
    const app = await start();
    await keep(
      app,
      { payload: 'naïve' },
      { payload: Buffer.from([0xff, 0]) },
      { payload: 'ééé', mostPayloadBytes: 3, contentType: 'text/csv' },
    );
    const [cut, binary, text] = await Promise.all(
      (await idsOf(app)).map(async (id) => (await app.get(`${ROUTE}/${id}`)).body),
    );
    expect(text).toMatchObject({ payload: 'naïve', encoding: 'utf8', payloadBytes: 6, truncated: false });
    expect(binary).toMatchObject({ payload: '/wA=', encoding: 'base64', contentType: 'application/octet-stream' });
    expect(cut).toMatchObject({ payload: 'é', payloadBytes: 6, truncated: true, contentType: 'text/csv' });
    expect(text.attempts).toMatchObject([{ error: 'field 0 is "wrong"' }]);
    for (const id of ['0', '999999', 'abc', '-1'])
      expect(await app.get(`${ROUTE}/${id}`)).toMatchObject({ status: 404, body: { code: 'letters.unknown' } });
  });

  it('keeps 200 a minute of a kind, and all of a caller that bounds itself', async () => {
    const app = await start();
    const letters = app.app.get(DeadLetters);
    const flood = Array.from({ length: 300 }, (_, at): DeadLetter => ({
      stage: 'parse',
      code: 'parse.bad-trade',
      message: `flood ${at}`,
      source: { kind: 'test', id: 'flood' },
      attempts: 1,
      payload: 'x',
    }));
    await app.app.get(Bus).transaction((tx) => letters.keep(tx, flood));
    expect(await query('select count(*)::int as n from bus.dead_letter')).toEqual([{ n: 200 }]);
    await app.app.get(Bus).transaction((tx) => letters.keepAll(tx, flood));
    expect(await query('select count(*)::int as n from bus.dead_letter')).toEqual([{ n: 500 }]);
    await app.app.get(Bus).transaction((tx) => letters.keepMany(tx, flood));
    expect(await query('select count(*)::int as n from bus.dead_letter')).toEqual([{ n: 800 }]);
  });
});

describe('a replay', () => {
  it('does the work and closes the letter in one transaction', async () => {
    const app = await startReplaying();
    await keep(app, {});
    const [id] = await idsOf(app);
    expect(await send(app, 'POST', `${ROUTE}/${id}/replay`)).toMatchObject({
      status: 200,
      body: { id, state: 'replayed', attemptCount: 2, original: null, replayedAt: expect.any(String) },
    });
    expect(await query('select * from test.effect')).toEqual([{ letter: id, payload: 'payload 0' }]);
    expect(await send(app, 'POST', `${ROUTE}/${id}/replay`)).toMatchObject({
      status: 409,
      body: { code: 'letters.not-dead', detail: 'it is replayed' },
    });
    expect(await metric(app, 'dead_letter_replays_total{')).toContainEqual(
      expect.stringMatching(/"test",outcome="replayed"\} 1/),
    );
  });

  it('that fails returns to the same letter, with an attempt more and nothing of its work', async () => {
    const app = await startReplaying();
    await keep(app, {});
    const [id] = await idsOf(app);
    act = async (letter, tx) => {
      await tx.query('insert into test.effect values ($1, $2)', [letter.id, '']);
      throw new Error('still broken');
    };
    for (const attemptCount of [2, 3])
      expect((await send(app, 'POST', `${ROUTE}/${id}/replay`)).body).toMatchObject({ state: 'dead', attemptCount });
    const { body } = await app.get(`${ROUTE}/${id}`);
    expect(body.attempts.map((one: { error: string }) => one.error)).toEqual([
      'field 0 is "wrong"',
      'still broken',
      'still broken',
    ]);
    expect(body.attempts[2].durationMs).toEqual(expect.any(Number));
    expect(await query('select * from test.effect')).toEqual([]);
    expect(await idsOf(app)).toEqual([id]);
  });

  it('with another payload keeps what came, over several edits', async () => {
    const app = await startReplaying();
    await keep(app, { payload: 'wrong' });
    const [id] = await idsOf(app);
    act = async ({ payload }) => {
      if (payload.toString() !== 'right') throw new Error('no');
    };
    const first = await send(app, 'POST', `${ROUTE}/${id}/replay`, { payload: 'better' });
    expect(first.body).toMatchObject({ state: 'dead', payload: 'better', original: { payload: 'wrong' } });
    const second = await send(app, 'POST', `${ROUTE}/${id}/replay`, { payload: 'cmlnaHQ=', encoding: 'base64' });
    expect(second.body).toMatchObject({
      state: 'replayed',
      payload: 'right',
      payloadBytes: 5,
      original: { payload: 'wrong', payloadBytes: 5 },
      editedAt: expect.any(String),
    });
    expect(given).toEqual(['better', 'right']);
  });

  it('is refused where nothing replays the kind, or only a part of the payload is there', async () => {
    const app = await startReplaying();
    await keep(app, { source: { kind: 'nobody', id: 'x' } }, { payload: 'too long', mostPayloadBytes: 3 });
    const [cut, nobody] = await idsOf(app);
    expect(await send(app, 'POST', `${ROUTE}/${nobody}/replay`)).toMatchObject({
      status: 409,
      body: { code: 'letters.no-replayer' },
    });
    expect(await send(app, 'POST', `${ROUTE}/${cut}/replay`)).toMatchObject({
      status: 409,
      body: { code: 'letters.cut' },
    });
    expect((await send(app, 'POST', `${ROUTE}/${cut}/replay`, { payload: 'whole' })).body.state).toBe('replayed');
    expect(await send(app, 'POST', `${ROUTE}/${cut}/replay`, { payload: 7 })).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'payload' }] },
    });
  });

  it('happens once when two ask for it at the same time', async () => {
    const app = await startReplaying();
    await keep(app, {});
    const [id] = await idsOf(app);
    const answers = await Promise.all([1, 2, 3].map(() => send(app, 'POST', `${ROUTE}/${id}/replay`)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(given).toEqual(['payload 0']);
  });

  it('whose process died is a dead letter again, and counts', async () => {
    const app = await startReplaying();
    await keep(app, {});
    const [id] = await idsOf(app);
    await query(
      `update bus.dead_letter set state = 'retrying', attempts = attempts + 1, retry_until = now() - interval '1 s'`,
    );
    await app.app.get(LetterRetention).look();
    const { body } = await app.get(`${ROUTE}/${id}`);
    expect(body).toMatchObject({ state: 'dead', attemptCount: 2 });
    expect(body.attempts.at(-1).error).toMatch(/process ended/);
  });
});

describe('what is asked at once', () => {
  it('is replayed a few at a time, so that the pool has room for all else', async () => {
    const app = await startReplaying({ DATABASE_POOL: '12' });
    const other = app.app.get(DeadLetterListStore);
    await keep(app, ...Array.from({ length: 60 }, () => ({})));
    let inside = 0;
    let most = 0;
    act = async (_letter, tx) => {
      most = Math.max(most, ++inside);
      await other.one('1'); // a second connection, as a replayer should not take one
      await tx.query('select pg_sleep(0.005)');
      inside--;
    };
    const ids = await idsOf(app);
    const answers = await Promise.all(ids.map((id) => send(app, 'POST', `${ROUTE}/${id}/replay`)));
    expect(answers.filter(({ body }) => body.state === 'replayed' && body.attemptCount === 2)).toHaveLength(60);
    expect(most).toBe(3);
  });

  it('is searched a few at a time, and too much of it refused', async () => {
    const app = await start({ DATABASE_POOL: '12' });
    const slow = Promise.withResolvers<void>();
    const three = Array.from({ length: 3 }, () => app.app.get(DeadLetterListStore).bounded(() => slow.promise));
    const searches = Array.from({ length: 30 }, () => fetch(`${app.url}${ROUTE}?q=needle`));
    const refused = await Promise.any(
      searches.map(async (one) => {
        const answer = await one;
        return [answer.status, answer.headers.get('retry-after'), ((await answer.json()) as { code: string }).code];
      }),
    );
    expect(refused).toEqual([503, '1', 'http.busy']);
    expect(await app.get('/api/v1/symbols')).toMatchObject({ status: 200 });
    expect(await app.get('/api/v1/logs')).toMatchObject({ status: 503, body: { code: 'http.busy' } });
    slow.resolve();
    await Promise.all([...three, ...searches]);
    expect((await app.get(`${ROUTE}?q=needle`)).status).toBe(200);
  });

  it('is no attempt when the database is at fault', async () => {
    const app = await startReplaying();
    await keep(app, {});
    const [id] = await idsOf(app);
    act = () => Promise.reject(Object.assign(new Error('Connection terminated'), { code: '08006' }));
    expect(await send(app, 'POST', `${ROUTE}/${id}/replay`)).toMatchObject({ status: 503 });
    expect((await app.get(`${ROUTE}/${id}`)).body).toMatchObject({ state: 'dead', attemptCount: 1 });
  });

  it('is refused when a page of another origin asks', async () => {
    const app = await startReplaying();
    await keep(app, {});
    const [id] = await idsOf(app);
    for (const [origin, status] of [
      ['https://evil.example', 403],
      ['null', 403],
      [app.url, 200],
    ] as const) {
      const answer = await fetch(`${app.url}${ROUTE}/${id}/replay`, { method: 'POST', headers: { origin } });
      expect(answer.status).toBe(status);
      if (status === 403) expect(await answer.json()).toMatchObject({ code: 'http.foreign-origin' });
    }
  });
});

describe('a letter of a delivery', () => {
  const poison = { name: TradesRecordedV1.name, data: { series: 'poison' } };

  async function poisoned(app: RunningApp): Promise<string> {
    await query(
      `with poison as (insert into bus.event (name, data) values ($1, $2) returning id, at)
       insert into bus.delivery (consumer, event_id, event_at, attempts)
       select 'aggregation.merge-candles', p.id, p.at, 8 from poison p`,
      [poison.name, JSON.stringify(poison.data)],
    );
    return eventually(async () => {
      await query('update bus.delivery set due_at = now() where error is not null and due_at > now()');
      const [id] = await idsOf(app, '?source=delivery:aggregation.merge-candles&state=dead');
      if (id === undefined) throw new Error('no letter yet');
      return id;
    });
  }

  it('has every attempt, and fails again on the same row though its event is gone', async () => {
    const app = await start();
    const id = await poisoned(app);
    const before = (await app.get(`${ROUTE}/${id}`)).body;
    expect(before).toMatchObject({ stage: 'process', attemptCount: 10, contentType: 'application/json' });
    expect(before.attempts).toHaveLength(2); // of the ten, two happened
    expect(before.attempts[0]).toMatchObject({ at: expect.any(String), durationMs: expect.any(Number) });
    expect(JSON.parse(before.payload)).toMatchObject(poison);
    expect(await metric(app, 'dead_letters_total{stage="process"')).toEqual([
      expect.stringMatching(/kept="true"\} 1$/),
    ]);
    await query('truncate bus.event');
    expect((await send(app, 'POST', `${ROUTE}/${id}/replay`)).body).toMatchObject({
      id,
      state: 'dead',
      attemptCount: 11,
    });
    expect((await app.get(`${ROUTE}/${id}`)).body.attempts).toHaveLength(3);
    expect(await idsOf(app)).toEqual([id]);
    expect(await query('select * from bus.delivery')).toEqual([]);
  });

  it('takes effect once when its event is mended', async () => {
    const app = await start();
    const id = await poisoned(app);
    const trade = madeTrade({ symbol: 'MENDUSDT', tradeId: '1', price: '5', tradedAtUs: Date.now() * 1000 });
    app.app.get(Bus).emit(TradesReceivedV1, { trades: [trade] });
    await eventually(async () =>
      expect((await app.get('/api/v1/ohlcv/MENDUSDT?window=1m')).body.candles).toHaveLength(1),
    );
    const [event] = await query(`select data from bus.event where name = $1 order by id desc limit 1`, [poison.name]);
    const mended = JSON.stringify(event!.data).replaceAll('MENDUSDT', 'AGAINUSDT');
    const answer = await send(app, 'POST', `${ROUTE}/${id}/replay`, {
      payload: JSON.stringify({ name: poison.name, data: JSON.parse(mended) }),
    });
    expect(answer).toMatchObject({ status: 200, body: { state: 'replayed', attemptCount: 11 } });
    await eventually(async () =>
      expect(
        await query(`select trades::int from aggregation.candle where symbol = 'AGAINUSDT' and interval_name = '1m'`),
      ).toEqual([{ trades: 1 }]),
    );
  });

  it('says so when its payload is no event, or its consumer is gone', async () => {
    const app = await start();
    await keep(
      app,
      {
        stage: 'process',
        code: 'process.failed',
        source: { kind: 'delivery', id: 'shop.gone' },
        payload: JSON.stringify(poison),
      },
      { stage: 'process', code: 'process.failed', source: { kind: 'delivery', id: 'shop.gone' }, payload: 'junk' },
    );
    const [junk, gone] = await idsOf(app);
    for (const [id, error] of [
      [junk, /not JSON/],
      [gone, /no consumer shop.gone/],
    ] as const)
      expect((await send(app, 'POST', `${ROUTE}/${id}/replay`)).body).toMatchObject({
        state: 'dead',
        attempts: [{}, { error: expect.stringMatching(error) }],
      });
  });

  it('is carried out by the process that runs its consumer', async () => {
    const app = await start({ MODULES: 'processing' });
    await start({ MODULES: 'aggregation' });
    await keep(app, {
      stage: 'process',
      code: 'process.failed',
      source: { kind: 'delivery', id: 'aggregation.merge-candles', position: '1' },
      payload: JSON.stringify({ name: poison.name, data: { series: [] } }),
    });
    const [id] = await idsOf(app);
    expect((await send(app, 'POST', `${ROUTE}/${id}/replay`)).body).toMatchObject({ state: 'replayed' });
  });
});

describe('a letter of market data', () => {
  it('a refused trade is recorded when it is mended, once, and told to those who follow', async () => {
    const app = await start();
    const trade = madeTrade({ symbol: 'RIGHTUSDT', tradeId: '7', price: '-1', tradedAtUs: Date.now() * 1000 });
    app.app.get(Bus).emit(TradesReceivedV1, { trades: [trade] });
    const [id] = await eventually(async () => {
      const ids = await idsOf(app, '?source=trade:simulator');
      expect(ids).toHaveLength(1);
      return ids;
    });
    expect((await send(app, 'POST', `${ROUTE}/${id}/replay`)).body).toMatchObject({
      state: 'dead',
      attempts: [{}, { error: expect.stringContaining('positive decimal') }],
    });
    for (const payload of [{ ...trade, price: '12.5' }])
      expect(
        (await send(app, 'POST', `${ROUTE}/${id}/replay`, { payload: JSON.stringify(payload) })).body,
      ).toMatchObject({
        state: 'replayed',
      });
    expect((await app.get('/api/v1/price/RIGHTUSDT')).body).toMatchObject({ price: '12.5', tradeId: '7' });
    await eventually(async () =>
      expect((await app.get('/api/v1/ohlcv/RIGHTUSDT?window=1m')).body.candles).toMatchObject([
        { close: '12.5', trades: 1 },
      ]),
    );
  });

  it('a frame is read again by its connector, and its trades are recorded', async () => {
    const app = await start({
      MODULES: 'ingestion,processing',
      FEEDS: 'fear-greed',
      FEAR_GREED_URL: 'http://127.0.0.1:9/',
    });
    const frame = {
      stream: 'btcusdt@trade',
      data: {
        e: 'trade',
        E: 1723151148167,
        s: 'BTCUSDT',
        t: 5,
        p: '65083.67',
        q: '0.01',
        T: Date.now(),
        m: false,
        M: true,
      },
    };
    const broken = JSON.stringify(frame).slice(0, -1);
    const of = (id: string, payload: string): Partial<DeadLetter> => ({
      stage: 'decode',
      code: 'decode.not-json',
      source: { kind: 'feed', id },
      payload,
    });
    await keep(app, of('binance', broken), of('fear-greed', '{}'), of('gone', '{}'));
    const [gone, polled, binance] = await idsOf(app, '?source=feed&q=wrong');
    expect((await send(app, 'POST', `${ROUTE}/${binance}/replay`)).body).toMatchObject({ state: 'dead' });
    expect((await send(app, 'POST', `${ROUTE}/${polled}/replay`)).body.attempts.at(-1).error).toMatch(/asked anew/);
    expect((await send(app, 'POST', `${ROUTE}/${gone}/replay`)).body.attempts.at(-1).error).toMatch(/no feed gone/);
    const mended = await send(app, 'POST', `${ROUTE}/${binance}/replay`, { payload: JSON.stringify(frame) });
    expect(mended.body).toMatchObject({ state: 'replayed', original: { payload: broken } });
    await eventually(async () =>
      expect((await app.get('/api/v1/price/BTCUSDT?source=binance')).body).toMatchObject({ price: '65083.67' }),
    );
  });
});

describe('a replay by filter', () => {
  const job = (app: RunningApp, body: object) => send(app, 'POST', `${ROUTE}/replay`, body);
  const over = (app: RunningApp, id: string) =>
    eventually(async () => {
      const { body } = await app.get(`${ROUTE}/replay-jobs/${id}`);
      expect(body.state).not.toBe('running');
      return body;
    });

  it('says what it would take, and takes just that, oldest first, with its progress', async () => {
    const app = await startReplaying();
    await keep(app, {}, {}, { stage: 'store', code: 'store.refused' }, { source: { kind: 'nobody', id: 'x' } });
    expect(await job(app, { filter: {}, dryRun: true })).toEqual({
      status: 200,
      body: {
        dryRun: true,
        matching: 4,
        kinds: [
          { kind: 'nobody', count: 1, replayable: false },
          { kind: 'test', count: 3, replayable: true },
        ],
      },
    });
    expect(given).toEqual([]);
    act = async ({ payload }) => {
      if (payload.toString() === 'payload 1') throw new Error('this one not');
    };
    const started = await job(app, { filter: { stage: 'parse', source: 'test' }, ratePerSecond: 500 });
    expect(started).toMatchObject({
      status: 202,
      body: { state: 'running', total: 2, filter: { stage: 'parse', source: 'test' } },
    });
    expect(await over(app, started.body.id)).toMatchObject({
      state: 'done',
      total: 2,
      replayed: 1,
      failed: 1,
      pending: 0,
      progress: 1,
      finishedAt: expect.any(String),
    });
    expect(given).toEqual(['payload 0', 'payload 1']);
    expect((await app.get(`${ROUTE}/replay-jobs`)).body.items).toHaveLength(1);
  });

  it('keeps to its rate, and ends when it is cancelled, leaving the rest as it was', async () => {
    const app = await startReplaying();
    await keep(app, ...Array.from({ length: 100 }, () => ({})));
    const { body } = await job(app, { filter: {}, ratePerSecond: 20 });
    await eventually(() => expect(given.length).toBeGreaterThan(3));
    const cancelled = await send(app, 'DELETE', `${ROUTE}/replay-jobs/${body.id}`);
    expect(cancelled.body).toMatchObject({ state: 'cancelled', pending: 0 });
    const { length } = given;
    expect(length).toBeLessThan(60);
    expect(await idsOf(app, '?state=pending')).toEqual([]);
    expect((await app.get(`${ROUTE}?state=dead&limit=500`)).body.items.length).toBeGreaterThanOrEqual(99 - length);
    expect(await send(app, 'DELETE', `${ROUTE}/replay-jobs/${body.id}`)).toMatchObject({ status: 200 });
  });

  it('is taken up by another process when the first is gone', async () => {
    const app = await startReplaying();
    await keep(app, ...Array.from({ length: 5 }, () => ({})));
    await query(`insert into bus.replay_job (filter, rate_per_second, total, holder, lease_until)
      values ('{}', 100, 5, gen_random_uuid(), now() - interval '1 s')`);
    await query(`update bus.dead_letter set state = 'pending', job_id = (select max(id) from bus.replay_job)`);
    // one of them crashed the process that replayed it: it is not tried again by itself
    await query(`update bus.dead_letter set state = 'retrying', retry_until = now() - interval '1 s'
      where id = (select min(id) from bus.dead_letter)`);
    await app.app.get(LetterRetention).look();
    const [{ id }] = (await query('select max(id) as id from bus.replay_job')) as [{ id: string }];
    expect(await over(app, id)).toMatchObject({ state: 'done', replayed: 4, failed: 1 });
  });

  it('waits for the deliveries it has begun', async () => {
    const app = await start();
    await keep(
      app,
      ...Array.from({ length: 20 }, (_, at): Partial<DeadLetter> => ({
        stage: 'process',
        code: 'process.failed',
        source: { kind: 'delivery', id: 'aggregation.merge-candles', position: String(at) },
        payload: JSON.stringify({ name: TradesRecordedV1.name, data: { series: at % 4 === 0 ? 'poison' : [] } }),
      })),
    );
    const { body } = await job(app, { filter: { source: 'delivery' }, ratePerSecond: 1000 });
    expect(await over(app, body.id)).toMatchObject({ state: 'done', replayed: 15, failed: 5, retrying: 0 });
  });

  it('in a process that runs everything fails for letters that nobody replays', async () => {
    const app = await start({ MODULES: ALL, FEEDS: 'fear-greed', FEAR_GREED_URL: 'http://127.0.0.1:9/' });
    await keep(app, { source: { kind: 'nobody', id: 'x' } });
    const [id] = await idsOf(app, '?source=nobody');
    await query(`insert into bus.replay_job (filter, rate_per_second, total) values ('{}', 100, 1)`);
    await query(
      `update bus.dead_letter set state = 'pending', job_id = (select max(id) from bus.replay_job) where id = $1`,
      [id],
    );
    const [{ id: jobId }] = (await query('select max(id) as id from bus.replay_job')) as [{ id: string }];
    expect(await over(app, jobId)).toMatchObject({ failed: 1 });
    expect((await app.get(`${ROUTE}/${id}`)).body.attempts.at(-1).error).toMatch(/nothing in this process/);
  });

  it('says what is wrong with it by field', async () => {
    const app = await start();
    for (const [body, field] of [
      [{}, 'filter'],
      [{ filter: { stage: 'odd' } }, 'filter.stage'],
      [{ filter: { colour: 'red' } }, 'filter.colour'],
      [{ filter: { ids: ['x'] } }, 'filter.ids'],
      [{ filter: {}, ratePerSecond: 0 }, 'ratePerSecond'],
      [{ filter: {}, dryRun: 'yes' }, 'dryRun'],
    ] as const)
      expect(await job(app, body)).toMatchObject({ status: 400, body: { errors: [{ field }] } });
    expect(await app.get(`${ROUTE}/replay-jobs/77`)).toMatchObject({
      status: 404,
      body: { code: 'letters.unknown-job' },
    });
  });
});

describe('discarding', () => {
  it('takes a reason, and closes one letter or those of a filter', async () => {
    const app = await startReplaying();
    await keep(app, {}, {}, { stage: 'store', code: 'store.refused' });
    const [store, second] = await idsOf(app);
    expect(await send(app, 'DELETE', `${ROUTE}/${store}`)).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'reason' }] },
    });
    expect(await send(app, 'DELETE', `${ROUTE}/${store}?reason=test%20data&by=jo`)).toEqual({
      status: 204,
      body: undefined,
    });
    expect((await app.get(`${ROUTE}/${store}`)).body).toMatchObject({
      state: 'discarded',
      reason: 'test data',
      discardedBy: 'jo',
    });
    expect(await send(app, 'DELETE', `${ROUTE}/${store}?reason=again`)).toMatchObject({ status: 409 });
    expect(await send(app, 'DELETE', `${ROUTE}?reason=all`)).toMatchObject({ status: 400 });
    expect(await send(app, 'DELETE', `${ROUTE}?reason=all&stage=parse`)).toEqual({
      status: 200,
      body: { discarded: 2 },
    });
    expect((await send(app, 'POST', `${ROUTE}/${second}/replay`)).body).toMatchObject({
      state: 'replayed',
      reason: null,
    });
  });
});

describe('the bounds', () => {
  it('drop the oldest, those that are over first, and never unseen', async () => {
    const app = await start({ DEAD_LETTERS_MAX: '1000' });
    await keep(app, ...Array.from({ length: 1010 }, () => ({})));
    const ids = (await query('select id from bus.dead_letter order by id')).map(({ id }) => id as string);
    await query(`update bus.dead_letter set state = 'discarded', discarded_at = now() where id = any($1)`, [
      ids.slice(500, 504),
    ]);
    await query(`update bus.dead_letter set state = 'pending' where id = $1`, [ids[0]]);
    await app.app.get(LetterRetention).look();
    const left = new Set((await query('select id from bus.dead_letter')).map(({ id }) => id as string));
    expect(left.size).toBe(1000);
    expect(ids.filter((id) => !left.has(id))).toEqual([...ids.slice(1, 7), ...ids.slice(500, 504)]);
    expect((await app.get('/health')).body.details['dead-letters']).toMatchObject({
      dead: 999,
      pending: 1,
      deadDropped: 6,
    });
    expect(await metric(app, 'dead_letters_dropped_total{')).toContainEqual(
      expect.stringMatching(/stage="parse",reason="number"\} 6/),
    );
    expect(await metric(app, 'dead_letters{stage="parse",state="dead"}')).toContainEqual(
      expect.stringMatching(/ 999$/),
    );
  });

  it('drop what is too old, but not what ended lately or is being replayed', async () => {
    const app = await start({ DEAD_LETTERS_RETENTION: '1d' });
    await keep(app, {}, {}, {}, {});
    await query(
      `update bus.dead_letter set first_failed_at = now() - interval '2 d', last_failed_at = now() - interval '2 d'`,
    );
    const [young, replayed, pending, old] = await idsOf(app);
    await query(`update bus.dead_letter set last_failed_at = now() where id = $1`, [young]);
    await query(`update bus.dead_letter set state = 'replayed', replayed_at = now() where id = $1`, [replayed]);
    await query(`update bus.dead_letter set state = 'pending' where id = $1`, [pending]);
    await app.app.get(LetterRetention).look();
    expect(await idsOf(app)).toEqual([young, replayed, pending]);
    expect(old).toBeDefined();
  });
});
