import { Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RecordedSeries, Trade } from '../../contracts/index.js';
import type { Bus } from '../../platform/bus/index.js';
import type { Settings } from '../../platform/config/index.js';
import { isTransientDatabaseError } from '../../platform/errors/index.js';
import { type HealthPart, HealthParts, nowUs } from '../../platform/observability/index.js';
import type { RuleStateStore } from '../episodes/rule-state.store.js';
import { type RuleBody, ruleOf } from '../rules/rule-body.js';
import { fingerprintOf, type StoredRule } from '../rules/rule.js';
import type { RuleStore } from '../rules/rule.store.js';
import { EvaluatorRunner } from './evaluator-runner.service.js';
import { Evaluator } from './evaluator.service.js';
import type { EvaluatorStore } from './evaluator.store.js';
import type { History } from './history.service.js';
import type { MarketKey } from './trade-position.js';
import type { TransitionWriter } from './transition-writer.service.js';
import type { WarmUp } from './warm-up.service.js';
import type { RuleTransition } from './running-rule.js';

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
const KEY = { source: 'binance', symbol: 'BTCUSDT' };
const NOTHING = { bars: new Map(), trades: [], anomalies: [], points: new Map(), sentiment: undefined };

function stored(id: string, body: Partial<RuleBody>): StoredRule {
  const read = ruleOf({ symbol: 'BTCUSDT', condition: 'price > 105', ...body }, id);
  if ('faults' in read) throw new Error(JSON.stringify(read.faults));
  return { ...read.rule, version: 1, fingerprint: fingerprintOf(read.rule), createdAtUs: 0, changedAtUs: 0 };
}

/** An evaluator over stores of its own, and what it told. */
function evaluatorOf(rules: readonly StoredRule[], silences: { source: string; sinceUs: number }[] = []) {
  const told: string[] = [];
  const counts = { evaluations: 0, late: {} as Record<string, number> };
  const database = { epoch: 0, lost: [] as (() => void)[], isAway: false, silences };
  const store = {
    raiseEpoch: async () => String(++database.epoch),
    isEpoch: async (_: unknown, epoch: string) => epoch === String(database.epoch),
    openSilences: async () => silences,
    positions: async () => [],
    savePositions: async () => {},
    noteSilence: async (_: unknown, source: string, sinceUs: number) => void silences.push({ source, sinceUs }),
    endSilences: async () => {},
    forgetSilences: async () => {},
    lease: async (lost: () => void) => {
      database.lost.push(lost);
      return { check: async () => {}, release: async () => {} };
    },
  } as unknown as EvaluatorStore;
  const ends = new Map<unknown, (isCommitted: boolean) => void>();
  const bus = {
    whenReady: async () => {},
    standBy: () => {},
    idle: async () => {},
    isCaughtUp: () => true,
    afterEnd: (tx: unknown, act: (isCommitted: boolean) => void) => ends.set(tx, act),
    transaction: async (work: (tx: EntityManager) => Promise<void>) => {
      const tx = {} as EntityManager;
      if (database.isAway) throw Object.assign(new Error('away'), { code: '57P01' });
      let isCommitted = false;
      try {
        await work(tx);
        isCommitted = true;
      } finally {
        ends.get(tx)?.(isCommitted);
      }
    },
  } as unknown as Bus;
  const writer = {
    isEmpty: true,
    clear: () => {},
    began: () => {},
    forget: () => {},
    settle: () => {},
    write: async () => [],
    add: ({ id }: StoredRule, _: MarketKey, { transitions }: RuleTransition) =>
      told.push(...transitions.map(({ kind }) => `${id} ${kind}`)),
  } as unknown as TransitionWriter;
  const evaluator = new Evaluator(
    bus,
    { enabled: async () => rules } as unknown as RuleStore,
    { all: async () => [] } as unknown as RuleStateStore,
    store,
    writer,
    { inc: (by: number) => (counts.evaluations += by) } as never,
    {
      inc: ({ result }: { result: string }, by: number) => (counts.late[result] = (counts.late[result] ?? 0) + by),
    } as never,
  );
  return { evaluator, bus, store, database, told, counts };
}

let nextId = 1;
const recorded = (atUs: number, price: number, source = KEY.source): RecordedSeries =>
  ({
    source,
    symbol: KEY.symbol,
    tradeIds: [String(nextId++)],
    prices: [String(price)],
    sizes: ['1'],
    tradedAtUs: [atUs],
    firstReceivedAtUs: atUs,
  }) as unknown as RecordedSeries;
const point = (name: string, atUs: number, value: number) =>
  ({ key: `${atUs}`, name, value: String(value), atUs }) as never;

beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Logger.overrideLogger(['error']));

describe('an evaluator', () => {
  const START = Date.UTC(2026, 2, 1, 12) * 1000;

  it('leaves out what is far ahead of the clock, and goes on with what is not', async () => {
    const { evaluator, told, counts } = evaluatorOf([stored('high', {}), stored('held', { for: '5s' })]);
    evaluator.open(await evaluator.begin([]), START);
    evaluator.take([recorded(START, 100)], START);
    evaluator.take([recorded(START + 60 * MINUTE, 110)], START + SECOND);
    evaluator.expectTrades([{ ...KEY, tradedAtUs: START + 60 * MINUTE } as Trade], START + SECOND);
    evaluator.take([recorded(START + 2 * SECOND, 150), recorded(START + 3 * SECOND, 90)], START + 3 * SECOND);
    evaluator.take([recorded(START + 4 * SECOND, 110)], START + 4 * SECOND);
    const twice = ['high fired', 'held pending', 'high resolved', 'held cancelled', 'high fired', 'held pending'];
    expect(told).toEqual(twice);
    expect(counts.late).toEqual({ ahead: 1 });
    await evaluator.passTime(START + 30 * SECOND, START + 20 * SECOND);
    expect(told).toEqual([...twice, 'held fired']);
  });

  it('looks at a series for a point that some rule of it reads, and for no other', async () => {
    const { evaluator, told } = evaluatorOf([stored('orders', { condition: 'custom("orders") > 5' })]);
    evaluator.open(await evaluator.begin([]), START);
    evaluator.take([recorded(START, 100)], START);
    const tell = vi.spyOn(evaluator.series[0]!, 'tell');
    evaluator.tellPoints([point('others', START + 1, 9)], START + SECOND);
    expect(tell).not.toHaveBeenCalled();
    evaluator.tellPoints([point('orders', START + 1, 9)], START + SECOND);
    expect(told).toEqual(['orders fired']);
  });

  it('lets no time pass for a feed until its delay is known, for ten seconds', async () => {
    const delayUs = 15 * MINUTE;
    const rules = [stored('held', { condition: 'price > 105', for: '5s' })];
    for (const [afterUs, wanted] of [
      [SECOND, ['held pending', 'held fired', 'held resolved']],
      [11 * SECOND, ['held pending', 'held cancelled']],
    ] as const) {
      const { evaluator, told } = evaluatorOf(rules);
      const epoch = await evaluator.begin([KEY]);
      const past = { ...NOTHING, trades: [{ tradeId: '0', tradedAtUs: START - delayUs, price: 100, size: 1 }] };
      evaluator.series[0]!.keepMeanwhile();
      evaluator.series[0]!.warm(past, evaluator.series[0]!.rules);
      evaluator.open(epoch, START);
      await evaluator.passTime(START + afterUs, START + afterUs);
      for (const [seconds, price] of [
        [1, 106],
        [7, 104],
      ] as const) {
        const atUs = START - delayUs + seconds * SECOND;
        evaluator.take([recorded(atUs, price)], START + afterUs + seconds * SECOND);
      }
      expect(told).toEqual(wanted);
    }
  });

  it('begins with feeds that are lost, and counts evaluations anew', async () => {
    const rules = [stored('age', { condition: 'feed_age_s > 30' })];
    const { evaluator, told, counts } = evaluatorOf(rules, [{ source: KEY.source, sinceUs: START - MINUTE }]);
    for (let life = 0; life < 2; life++) {
      const epoch = await evaluator.begin([KEY]);
      evaluator.series[0]!.keepMeanwhile();
      const past = { ...NOTHING, trades: [{ tradeId: '0', tradedAtUs: START - MINUTE, price: 100, size: 1 }] };
      evaluator.series[0]!.warm(past, evaluator.series[0]!.rules);
      evaluator.open(epoch, START - MINUTE);
      expect(evaluator.feeds.look(START)).toEqual([]);
      for (let second = 0; second <= 120; second++)
        await evaluator.passTime(START + second * SECOND, START + second * SECOND);
    }
    expect(told).toEqual(['age fired', 'age fired']);
    expect(counts.evaluations).toBeGreaterThan(200);
  });

  it('evaluates nothing before it is open, after it is closed, and once another one began', async () => {
    const { evaluator, bus, store } = evaluatorOf([stored('high', {})]);
    const work = vi.fn<() => void>();
    const attempt = (): Promise<unknown> => bus.transaction((tx) => evaluator.inTurn(tx, work)).catch((error) => error);
    const epoch = await evaluator.begin([]);
    expect(isTransientDatabaseError(await attempt())).toBe(true);
    evaluator.open(epoch, START);
    expect(await attempt()).toBeUndefined();
    await store.raiseEpoch();
    expect(isTransientDatabaseError(await attempt())).toBe(true);
    evaluator.open(await evaluator.begin([]), START);
    expect(await attempt()).toBeUndefined();
    evaluator.close();
    expect(isTransientDatabaseError(await attempt())).toBe(true);
    expect(work).toHaveBeenCalledTimes(2);
  });
});

describe('the one who runs it', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: Date.UTC(2026, 2, 1, 12) });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function runnerOf(history: Partial<History>, warmUp: Partial<WarmUp>, rules = [stored('high', {})]) {
    const made = evaluatorOf(rules);
    let part: HealthPart | undefined;
    const health = { register: (one: HealthPart) => void (part = one) } as unknown as HealthParts;
    const runner = new EvaluatorRunner(
      health,
      made.bus,
      made.evaluator,
      made.store,
      { isReachable: true, series: async () => [KEY], ...history } as History,
      warmUp as WarmUp,
      { CANDLE_LATENESS_MS: 2000 } as Settings,
    );
    runner.onApplicationBootstrap();
    const details = async () => (await part!.check()).details as Record<string, unknown>;
    return { ...made, runner, details };
  }

  it('does not evaluate under a lease that was lost while it began', async () => {
    let go!: () => void;
    const gate = new Promise<void>((resolve) => (go = resolve));
    let isHeld = true;
    const pastUpTo = async () => {
      if (isHeld) await gate;
      return NOTHING;
    };
    const { database, details, runner, evaluator } = runnerOf({}, { pastUpTo } as never);
    await vi.advanceTimersByTimeAsync(500);
    expect(await details()).toMatchObject({ evaluator: 'reading history' });
    database.lost[0]!();
    isHeld = false;
    go();
    await vi.advanceTimersByTimeAsync(500);
    expect(await details()).toMatchObject({ evaluator: 'standing by' });
    expect(() => evaluator.assertOpen()).toThrow('does not evaluate');
    await vi.advanceTimersByTimeAsync(2000);
    expect(await details()).toMatchObject({ evaluator: 'evaluating' });
    expect(database).toMatchObject({ epoch: 2, lost: { length: 2 } });
    const stopped = runner.onModuleDestroy();
    await vi.advanceTimersByTimeAsync(2000);
    await stopped;
  });

  it('waits for history that does not answer, a moment and not for each series, and asks it again each minute', async () => {
    let asked = 0;
    let isUp = false;
    const up = async <T>(answer: T): Promise<T> => {
      if (!isUp) throw new Error('refused');
      return answer;
    };
    const keys = Array.from({ length: 50 }, (_, i) => ({ ...KEY, symbol: `S${i}` }));
    const pastUpTo = async () => {
      asked++;
      return up(NOTHING);
    };
    const rules = [stored('moved', { symbol: '*', condition: 'change_24h > 1' })];
    const { details, runner, evaluator } = runnerOf({ series: async () => keys }, { pastUpTo } as never, rules);
    await vi.advanceTimersByTimeAsync(3000);
    expect(await details()).toMatchObject({ evaluator: 'reading history' });
    await vi.advanceTimersByTimeAsync(4000);
    expect(await details()).toMatchObject({ evaluator: 'evaluating', withoutHistory: 50 });
    expect(asked).toBe(5);
    isUp = true;
    await vi.advanceTimersByTimeAsync(61_000);
    expect(asked).toBe(55);
    expect(evaluator.cold()).toEqual([]);
    expect(await details()).toMatchObject({ withoutHistory: 0 });
    const stopped = runner.onModuleDestroy();
    await vi.advanceTimersByTimeAsync(2000);
    await stopped;
  });

  it('does not take a series for new where it does not know what was recorded', async () => {
    let isUp = false;
    const read: unknown[] = [];
    const series = async (): Promise<MarketKey[]> => {
      if (!isUp) throw new Error('refused');
      return [];
    };
    const pastUpTo = async (key: MarketKey) => {
      read.push(key);
      return NOTHING;
    };
    const { runner, evaluator } = runnerOf({ series }, { pastUpTo } as never);
    await vi.advanceTimersByTimeAsync(1000);
    isUp = true;
    evaluator.take([recorded(nowUs(), 100)], nowUs());
    await vi.advanceTimersByTimeAsync(1000);
    expect(read).toEqual([KEY]);
    const stopped = runner.onModuleDestroy();
    await vi.advanceTimersByTimeAsync(2000);
    await stopped;
  });

  it('tells of a feed that was lost while the database was away once that is back', async () => {
    const { runner, evaluator, database, told } = runnerOf({}, { pastUpTo: async () => NOTHING } as never, [
      stored('blind', { noData: 'alert' }),
    ]);
    await vi.advanceTimersByTimeAsync(1000);
    evaluator.take([recorded(nowUs(), 100)], nowUs());
    evaluator.feeds.changed(KEY.source, false, nowUs());
    database.isAway = true;
    await vi.advanceTimersByTimeAsync(60_000);
    expect([told, database.silences]).toEqual([[], []]);
    database.isAway = false;
    await vi.advanceTimersByTimeAsync(30_000);
    expect(told).toEqual(['blind no-data', 'blind fired']);
    expect(database.silences).toHaveLength(1);
    const stopped = runner.onModuleDestroy();
    await vi.advanceTimersByTimeAsync(2000);
    await stopped;
  });
});
