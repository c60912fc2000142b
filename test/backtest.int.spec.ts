import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { seeded } from '../bench/seeded.js';
import { Evaluator } from '../src/alerts/evaluation/evaluator.service.js';
import { formatInstant, type Trade, TradesReceivedV1 } from '../src/contracts/index.js';
import { Bus } from '../src/platform/bus/index.js';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed } from './support/database.js';
import { eventually } from './support/eventually.js';
import { madeTrade, type Recording, startRecording } from './support/recording.js';

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
const startUs = Math.floor(Date.now() / 60_000 - 12) * MINUTE + 17 * SECOND; // younger than what is too old to be told
const MARKETS = ['AAAUSDT', 'BBBUSDT'];

const RULES = [
  { id: 'level', condition: 'price > 108' },
  { id: 'band', condition: 'price > 106', resolveCondition: 'price < 102', keepFiringFor: '5s' },
  { id: 'held', condition: 'price > 104', for: '12s', keepFiringFor: '3s' },
  { id: 'cross', condition: 'crosses_above(price, 104)' },
  { id: 'loud', condition: 'volume > 1.1 * avg(volume, "2m")', mode: 'once-per-bar' },
  { id: 'once', condition: 'price < 98', mode: 'once' },
  { id: 'young', condition: 'avg(price, "2m") > 101', noData: 'alert', noDataAfter: '20s' },
  { id: 'day', condition: 'price >= high_24h && trades_24h > 20' },
  { id: 'two', condition: 'price > 103', symbol: MARKETS, for: '4s' },
  { id: 'orders', condition: 'custom("law.orders") > 5', for: '6s' },
  { id: 'both', condition: 'custom("law.orders") > 3 && price > 103', resolveCondition: 'custom("law.orders") < 3' },
] as const;

let recording: Recording;

beforeAll(async () => {
  // event time moves with the trades alone, so that a slow machine changes nothing
  recording = await startRecording({ MODULES: 'processing,aggregation,alerts', CANDLE_LATENESS_MS: '60000' });
  await evaluating();
});
afterAll(() => recording.close());
beforeEach(keepWhenRed);

async function evaluating(): Promise<void> {
  await eventually(async () => {
    const { body } = await recording.app().get('/health');
    expect(JSON.stringify(body)).toContain('"evaluator":"evaluating"');
  });
}

/** What is new has heard of all points once it is warm. Candles may come later. */
async function settled(): Promise<void> {
  await eventually(async () => {
    const owed = await recording.database.dataSource.query(
      `select consumer from bus.delivery where consumer like 'alerts.%'`,
    );
    expect(owed).toEqual([]);
  });
  await eventually(() => expect(recording.app().app.get(Evaluator).cold()).toHaveLength(0));
}

let recorded = 0;
async function record(trades: readonly Trade[]): Promise<void> {
  if (trades.length === 0) return;
  recording.app().app.get(Bus).emit(TradesReceivedV1, { trades });
  recorded += trades.length;
  await eventually(async () =>
    expect(await recording.database.dataSource.query('select from processing.trade')).toHaveLength(recorded),
  );
  await settled();
}

const point = async (atUs: number, value: number): Promise<void> => {
  const points = [{ name: 'law.orders', value, at: formatInstant(atUs) }];
  expect((await recording.app().post('/api/v1/metrics/custom', { points })).status).toBe(200);
  await settled();
};

type Told = Readonly<
  Record<'source' | 'symbol' | 'startedAt' | 'openedBy', string> & Record<'resolvedAt', string | null>
>;
const spans = (all: readonly Told[]): string[] =>
  all.map((one) => [one.source, one.symbol, one.startedAt, one.resolvedAt].join(' ')).toSorted();

/** Both markets are heard of just before it and just after it: it is too short to be a break. */
const RESTART_AT = 120;
const isNearRestart = (step: number): boolean => step >= RESTART_AT - 2 && step < RESTART_AT + 2;

it('gives exactly the episodes that were given live, over several series and points and a restart', async () => {
  for (const one of RULES) {
    const { status, body } = await recording.app().post('/api/v1/rules', { symbol: '*', source: 'delayed', ...one });
    expect(status, JSON.stringify(body)).toBe(201);
  }
  await settled();
  const random = seeded(11);
  const prices = [100, 100];
  let [atUs, id] = [startUs, 0];
  await point(startUs - SECOND, 1);
  const trades: Trade[] = [];
  for (let step = 0; step < 240; step++) {
    const isNear = isNearRestart(step);
    atUs += 1 + Math.floor(random() * (isNear ? 900_000 : 3_600_000));
    if (step === RESTART_AT) {
      await record(trades.splice(0));
      await recording.restart();
      await evaluating();
    }
    if ((random() < 0.1 && !isNear) || step === 3) {
      await record(trades.splice(0));
      await point(atUs, Math.ceil(random() * 9));
      continue;
    }
    const which = step < 2 || isNear ? step % 2 : Math.floor(random() * 2);
    const price = (prices[which] = Math.min(111, Math.max(95, prices[which]! + (random() - 0.5) * 4)));
    const made = { symbol: MARKETS[which]!, tradeId: String(++id), price: price.toFixed(2), tradedAtUs: atUs };
    trades.push({ ...madeTrade({ ...made, size: String(Math.ceil(random() * 3)) }), source: 'delayed' });
    if (random() < 0.04) await record(trades.splice(0));
  }
  await record(trades.splice(0));

  let episodes = 0;
  for (const { id: ruleId } of RULES) {
    const { body: live } = await recording.app().get(`/api/v1/alerts?ruleId=${ruleId}&limit=500`);
    const { status, body } = await recording.app().post(`/api/v1/rules/${ruleId}/backtest`, {
      from: formatInstant(startUs - 2 * SECOND),
      to: formatInstant(atUs + 1),
    });
    expect(status, JSON.stringify(body)).toBe(200);
    expect({ ruleId, spans: spans(body.episodes) }).toEqual({ ruleId, spans: spans(live.items) });
    expect(body).toMatchObject({ found: 2, leftOut: 0 });
    expect(body.episodes.length, ruleId).toBeGreaterThan(0);
    episodes += body.episodes.length;
  }
  expect(episodes).toBeGreaterThan(20);
}, 60_000);

it('does so of a rule over a custom series', async () => {
  const rule = { id: 'points', condition: 'price > 6', source: 'custom', symbol: 'law.live' };
  expect((await recording.app().post('/api/v1/rules', rule)).status).toBe(201);
  await settled();
  const fromMs = Date.now();
  for (const value of [1, 7, 8, 2, 9, 6, 7]) {
    const sent = await recording.app().post('/api/v1/metrics/custom', { points: [{ name: 'law.live', value }] });
    expect(sent.status).toBe(200);
    await settled();
  }
  const { body: live } = await recording.app().get('/api/v1/alerts?ruleId=points');
  const range = { from: fromMs, to: Date.now() };
  const { body } = await recording.app().post('/api/v1/rules/points/backtest', range);
  expect(spans(body.episodes)).toEqual(spans(live.items));
  expect(body).toMatchObject({ found: 1, leftOut: 0, trades: 7, episodes: [{}, {}, { resolvedAt: null }] });
});

/** A rule of a custom series that reads it as such, and what it told beside its backtest. */
async function pointsRule(id: string, series: string) {
  const rule = { id, condition: `custom("${series}") > 0`, source: 'custom', symbol: series };
  expect((await recording.app().post('/api/v1/rules', rule)).status).toBe(201);
  await settled();
  const fromMs = Date.now();
  return async (): Promise<string[]> => {
    const { body: live } = await recording.app().get(`/api/v1/alerts?ruleId=${id}`);
    const { body } = await recording.app().post(`/api/v1/rules/${id}/backtest`, { from: fromMs, to: Date.now() + 1 });
    expect(spans(live.items)).toEqual(spans(body.episodes));
    return spans(live.items);
  };
}

it('looks at the first point of a series at once', async () => {
  const told = await pointsRule('first', 'law.first');
  for (const value of [3, -1]) {
    const sent = await recording.app().post('/api/v1/metrics/custom', { points: [{ name: 'law.first', value }] });
    expect(sent.status).toBe(200);
    await settled();
  }
  expect(await told()).toHaveLength(1);
});

it('looks at points that waited over a restart one by one, as of their own instants', async () => {
  const told = await pointsRule('waited', 'law.waited');
  const post = async (app: RunningApp, value: number): Promise<void> => {
    expect((await app.post('/api/v1/metrics/custom', { points: [{ name: 'law.waited', value }] })).status).toBe(200);
  };
  await post(recording.app(), -1);
  await settled();
  await post(recording.app(), 11);
  await settled();
  await recording.app().close();
  const other = await startApp(recording.database.connection, { MODULES: 'aggregation' });
  await other.app.get(Bus).whenReady();
  for (const value of [-12, 13, -14]) await post(other, value);
  await other.close();
  await recording.restart();
  await evaluating();
  await settled();
  expect(await told()).toHaveLength(2);
});
