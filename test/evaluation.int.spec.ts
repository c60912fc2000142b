import { EventEmitter2 } from '@nestjs/event-emitter';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  AlertFiredV1,
  type AlertFiredV1Data,
  AnomalyDetectedV1,
  FeedChangedV1,
  formatInstant,
  type Trade,
} from '../src/contracts/index.js';
import { Evaluator } from '../src/alerts/evaluation/evaluator.service.js';
import { Episodes } from '../src/alerts/episodes/episodes.service.js';
import { EvaluatorRunner } from '../src/alerts/evaluation/evaluator-runner.service.js';
import { TransitionWriter } from '../src/alerts/evaluation/transition-writer.service.js';
import { Bus } from '../src/platform/bus/index.js';
import { seeded } from '../bench/seeded.js';
import { keepWhenRed } from './support/database.js';
import { eventually } from './support/eventually.js';
import { madeTrade, type Recording, startRecording } from './support/recording.js';

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
const startUs = Math.floor(Date.now() / 60_000 - 8) * MINUTE; // younger than what is too old to be told

let recording: Recording;
let nextId = 1;

const trade = (symbol: string, atUs: number, price: number, size = 1): Trade =>
  madeTrade({ symbol, tradeId: String(nextId++), price: String(price), size: String(size), tradedAtUs: atUs });

async function rule(body: Record<string, unknown>): Promise<void> {
  const { status, body: answer } = await recording.app().post('/api/v1/rules', body);
  expect(answer).toMatchObject({ id: body.id });
  expect(status).toBe(201);
  await recording.settled();
  await eventually(() => expect(recording.app().app.get(Evaluator).cold()).toHaveLength(0));
}

type Told = { ruleId: string; symbol: string; startedAt: string; resolvedAt: string | null; value: number | null };

async function alertsOf(ruleId: string): Promise<Told[]> {
  const { body } = await recording.app().get(`/api/v1/alerts?ruleId=${ruleId}&limit=500`);
  return (body.items as Told[]).toSorted((a, b) => (a.startedAt < b.startedAt ? -1 : 1));
}

const spans = (all: readonly Told[]): (string | null)[][] => all.map((one) => [one.startedAt, one.resolvedAt]);

async function evaluating(): Promise<void> {
  await eventually(async () => {
    const { body } = await recording.app().get('/health');
    expect(JSON.stringify(body)).toContain('"evaluator":"evaluating"');
  });
  await recording.settled();
}

beforeAll(async () => {
  recording = await startRecording({ MODULES: 'processing,aggregation,alerts' }, 'alerts.%');
  await evaluating();
});
afterAll(() => recording.close());
beforeEach(keepWhenRed);

describe('evaluation', () => {
  it('fires in the transaction of the trade that meets the condition, and resolves in that of the one that does not', async () => {
    await rule({ id: 'high', symbol: 'AAAUSDT', condition: 'price > 105' });
    await recording.record([100, 106, 107, 104].map((price, i) => trade('AAAUSDT', startUs + i * SECOND, price)));
    expect(await alertsOf('high')).toMatchObject([
      { value: 104, startedAt: formatInstant(startUs + SECOND), resolvedAt: formatInstant(startUs + 3 * SECOND) },
    ]);
  });

  it('goes on after a restart where it stood: pending since then, windows known', async () => {
    await rule({ id: 'held', symbol: 'BBBUSDT', condition: 'price > 105', for: '8s' });
    await rule({ id: 'moved', symbol: 'BBBUSDT', condition: 'change_pct(price, "2m") > 20' });
    const now = Math.floor(Date.now() / 1000) * SECOND;
    for (let minute = 4; minute >= 1; minute--) await recording.record([trade('BBBUSDT', now - minute * MINUTE, 100)]);
    await recording.record([trade('BBBUSDT', now - 3 * SECOND, 106)]);
    await recording.restart();
    await evaluating();
    await recording.record([trade('BBBUSDT', now + 1 * SECOND, 107)]);
    await recording.record([trade('BBBUSDT', now + 6 * SECOND, 130)]);
    expect(await alertsOf('held')).toMatchObject([{ startedAt: formatInstant(now + 5 * SECOND), resolvedAt: null }]);
    expect(await alertsOf('moved')).toMatchObject([{ value: 30, startedAt: formatInstant(now + 6 * SECOND) }]);
  });

  it('gives in a backtest exactly the episodes that it gave live', async () => {
    const rules = [
      { id: 'bt-level', condition: 'price > 108' },
      { id: 'bt-band', condition: 'price > 109', resolveCondition: 'price < 104', keepFiringFor: '5s' },
      { id: 'bt-held', condition: 'price > 104', for: '12s' },
      { id: 'bt-cross', condition: 'crosses_above(price, 107)' },
      { id: 'bt-move', condition: 'change_pct(price, "2m") > 4' },
      { id: 'bt-loud', condition: 'volume > 2 * avg(volume, "3m")', mode: 'once-per-bar' },
      { id: 'bt-rsi', condition: 'rsi(3, "1m") > 60' },
      { id: 'bt-once', condition: 'price < 96', mode: 'once' },
    ];
    for (const one of rules) await rule({ ...one, symbol: 'CCCUSDT' });
    const random = seeded(7);
    const trades: Trade[] = [];
    let [atUs, price] = [startUs, 100];
    for (let i = 0; i < 600; i++) {
      atUs += Math.floor(random() * 1_400_000);
      price = Math.min(112, Math.max(93, price + (random() - 0.5) * 3));
      const made = trade('CCCUSDT', atUs, Math.round(price * 100) / 100, Math.ceil(random() * 3));
      trades.push({ ...made, source: 'delayed' }); // a feed whose trades come minutes late
    }
    for (let at = 0; at < trades.length;) {
      const size = 1 + Math.floor(random() * 40);
      await recording.record(trades.slice(at, at + size));
      at += size;
    }
    let episodes = 0;
    for (const { id } of rules) {
      const live = await alertsOf(id);
      const { status, body } = await recording.app().post(`/api/v1/rules/${id}/backtest`, {
        from: formatInstant(startUs),
        to: formatInstant(atUs + 1),
      });
      expect(status, JSON.stringify(body)).toBe(200);
      expect({ id, spans: spans(body.episodes) }).toEqual({ id, spans: spans(live) });
      type Ended = Told & { resolvedValue: number | null };
      const values = (body.episodes as Ended[]).map((one) => (one.resolvedAt ? one.resolvedValue : one.value));
      expect(values).toEqual(live.map((one) => one.value));
      episodes += live.length;
    }
    expect(episodes).toBeGreaterThan(20);
  });

  it('streams a backtest of a draft line by line, and says what is wrong with one', async () => {
    const response = await fetch(`${recording.app().url}/api/v1/rules/backtest`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/x-ndjson' },
      body: JSON.stringify({
        rule: { symbol: 'CCCUSDT', condition: 'price > 100' },
        from: formatInstant(startUs),
        to: formatInstant(startUs + 20 * MINUTE),
      }),
    });
    const steps = (await response.text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; trades?: number });
    const count = { found: 1, leftOut: 0 };
    expect(steps[0]).toEqual({ type: 'series', series: [{ source: 'delayed', symbol: 'CCCUSDT' }], ...count });
    expect(steps.at(-1)).toMatchObject({ type: 'done', trades: 600, ...count, truncated: false });
    const wrong = await recording.app().post('/api/v1/rules/backtest', { rule: { symbol: 'A', condition: 'price >' } });
    expect(wrong).toMatchObject({ status: 422, body: { code: 'rules.bad-condition' } });
    const range = { from: '2026-01-01T00:00:00Z', to: '2026-03-01T00:00:00Z' };
    expect(await recording.app().post('/api/v1/rules/bt-level/backtest', range)).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'from' }] },
    });
  });

  it('counts a trade that is older than the last one, and evaluates nothing backwards', async () => {
    await rule({ id: 'late', symbol: 'DDDUSDT', condition: 'price > 105' });
    await recording.record([trade('DDDUSDT', startUs + 10 * SECOND, 100)]);
    await recording.record([trade('DDDUSDT', startUs + 5 * SECOND, 110)]);
    await recording.record([trade('DDDUSDT', startUs + 11 * SECOND, 101)]);
    expect(await alertsOf('late')).toEqual([]);
    const metrics = await (await fetch(`${recording.app().url}/metrics`)).text();
    expect(metrics).toMatch(/alert_late_trades_total\{result="late"\} [1-9]/);
  });

  it('loses nothing of what was decided in a transaction that is rolled back', async () => {
    await rule({ id: 'rolled', symbol: 'EEEUSDT', condition: 'price > 105' });
    const writer = recording.app().app.get(TransitionWriter);
    const write = writer.write.bind(writer);
    let failures = 0;
    writer.write = async (tx) => {
      const stale = await write(tx);
      if (!writer.isEmpty && failures++ < 3) throw new Error('planted');
      return stale;
    };
    await recording.record([100, 106, 104, 107].map((price, i) => trade('EEEUSDT', startUs + i * SECOND, price)));
    writer.write = write;
    expect(failures).toBeGreaterThanOrEqual(3);
    expect(spans(await alertsOf('rolled'))).toEqual([
      [formatInstant(startUs + SECOND), formatInstant(startUs + 2 * SECOND)],
      [formatInstant(startUs + 3 * SECOND), null],
    ]);
  });

  it('begins a rule anew whose transitions cannot be written, and tells nobody of these', async () => {
    await rule({ id: 'refused', symbol: 'IIIUSDT', condition: 'price > 105' });
    await rule({ id: 'accepted', symbol: 'IIIUSDT', condition: 'price > 105' });
    const { app } = recording.app();
    const heard: string[] = [];
    app.get(EventEmitter2).on(AlertFiredV1.name, ({ ruleId }: AlertFiredV1Data) => heard.push(ruleId!));
    const episodes = app.get(Episodes);
    const recordAll = episodes.recordAll.bind(episodes);
    episodes.recordAll = async (tx, all) => {
      const states = await recordAll(tx, all);
      if (all.some((one) => one.rule.id === 'refused')) throw new Error('planted');
      return states;
    };
    await recording.record([trade('IIIUSDT', startUs, 106)]);
    expect([await alertsOf('refused'), heard]).toEqual([[], ['accepted']]);
    episodes.recordAll = recordAll;
    await recording.record([trade('IIIUSDT', startUs + SECOND, 107)]);
    expect(await alertsOf('refused')).toMatchObject([{ value: 107, resolvedAt: null }]);
    expect(heard).toEqual(['accepted', 'refused']);
    await recording.record([trade('IIIUSDT', startUs + 2 * SECOND, 100)]);
    for (const id of ['refused', 'accepted'])
      expect(await alertsOf(id)).toMatchObject([{ value: 100, resolvedAt: expect.any(String) }]);
  });

  it('voids what it decided on a rule that was edited meanwhile, and goes on with the rule as it reads now', async () => {
    await rule({ id: 'edited', symbol: 'FFFUSDT', condition: 'price > 105' });
    await recording.record([trade('FFFUSDT', startUs, 106)]);
    const response = await fetch(`${recording.app().url}/api/v1/rules/edited`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ symbol: 'FFFUSDT', condition: 'price > 200' }),
    });
    expect(response.status).toBe(200);
    await recording.settled();
    await recording.record([trade('FFFUSDT', startUs + SECOND, 150), trade('FFFUSDT', startUs + 2 * SECOND, 201)]);
    const told = (await alertsOf('edited')) as (Told & { resolution: string | null })[];
    expect(told.map(({ resolution, value }) => [resolution, value])).toEqual([
      ['edited', 106],
      [null, 201],
    ]);
  });

  it('fires the no-data policy when the feed is lost, and nothing else', async () => {
    await rule({ id: 'nodata', symbol: 'GGGUSDT', condition: 'price > 105', noData: 'alert', noDataAfter: '6s' });
    await rule({ id: 'nothing', symbol: 'GGGUSDT', condition: 'price > 105', for: '9s' });
    const app = recording.app().app;
    app.get(Bus).emit(FeedChangedV1, { source: 'lossy', state: 'connected', reason: '', atUs: Date.now() * 1000 });
    const lossy = (price: number): Trade => ({ ...trade('GGGUSDT', Date.now() * 1000, price), source: 'lossy' });
    await recording.record([lossy(100)]);
    await recording.record([lossy(106)]);
    const firedAlready = await alertsOf('nodata');
    expect(firedAlready).toMatchObject([{ resolvedAt: null }]);
    await recording.record([lossy(100)]);
    app.get(Bus).emit(FeedChangedV1, { source: 'lossy', state: 'waiting', reason: '', atUs: Date.now() * 1000 });
    const told = await eventually(async () => {
      const all = (await alertsOf('nodata')) as (Told & { condition: string })[];
      expect(all).toHaveLength(2);
      return all;
    }, 20_000);
    expect(told[1]).toMatchObject({ value: null, resolvedAt: null });
    await recording.record([lossy(100)]);
    expect(await alertsOf('nodata')).toMatchObject([{}, { resolvedAt: expect.any(String) }]);
    expect(await alertsOf('nothing')).toEqual([]);
  });

  it('hears of anomalies', async () => {
    await rule({ id: 'odd', symbol: 'AAAUSDT', condition: 'anomaly("price-spike", "10m")' });
    const app = recording.app().app;
    await app.get(Bus).transaction((tx) =>
      app.get(Bus).append(tx, AnomalyDetectedV1, {
        anomalyId: '1',
        source: 'simulator',
        symbol: 'AAAUSDT',
        kind: 'price-spike',
        detector: 'zscore',
        severity: 'high',
        score: 9,
        threshold: 5,
        value: 1,
        expected: 0,
        lower: -1,
        upper: 1,
        atUs: Date.now() * 1000,
      }),
    );
    await recording.settled();
    expect(await alertsOf('odd')).toMatchObject([{ resolvedAt: null }]);
  });

  it('leaves evaluation to the process that holds the lease, until that is gone', async () => {
    const { startApp } = await import('./support/app.js');
    const second = await startApp(recording.database.connection, { MODULES: 'processing,aggregation,alerts' });
    try {
      await second.app.get(Bus).whenReady();
      await rule({ id: 'leased', symbol: 'HHHUSDT', condition: 'price > 105' });
      const evaluator = second.app.get(Evaluator);
      const take = evaluator.take.bind(evaluator);
      let taken = 0;
      evaluator.take = (...args) => {
        taken++;
        take(...args);
      };
      await recording.record([trade('HHHUSDT', startUs, 106)]);
      expect(taken).toBe(0);
      await recording.app().app.get(EvaluatorRunner).onModuleDestroy();
      await eventually(async () => {
        const { body } = await second.get('/health');
        expect(JSON.stringify(body)).toContain('"evaluator":"evaluating"');
      });
    } finally {
      await second.close();
    }
  });
});
