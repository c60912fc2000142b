import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CUSTOM_SOURCE } from '../../contracts/index.js';
import type { Settings } from '../../platform/config/index.js';
import type { Rule } from '../rules/rule.js';
import { type RuleBody, ruleOf } from '../rules/rule-body.js';
import { type BacktestEpisode, EpisodeLog } from './episode-log.js';
import type { EvaluatorStore, FeedSilence } from './evaluator.store.js';
import { Backtests, type BacktestStep, MOST_SERIES } from './backtests.service.js';
import type { HistoricalAnomaly, HistoricalPoint, History } from './history.service.js';
import { LiveSeries } from './live-series.js';
import { type RuleTransition, startRule } from './running-rule.js';
import { type HistoricalTrade, keyText, type MarketKey } from './trade-position.js';
import { WarmUp } from './warm-up.service.js';

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
const START = Date.UTC(2026, 2, 1, 12) * 1000 + 17 * SECOND;
const BTC = { source: 'simulator', symbol: 'BTCUSDT' };
const ETH = { source: 'simulator', symbol: 'ETHUSDT' };
const ORDERS = { source: CUSTOM_SOURCE, symbol: 'orders' };

/** What was recorded, as it is read back. */
type Recorded = {
  trades: (HistoricalTrade & { key: MarketKey })[];
  points: HistoricalPoint[];
  anomalies: (HistoricalAnomaly & { key: MarketKey })[];
  silences: FeedSilence[];
};
const nothing = (): Recorded => ({ trades: [], points: [], anomalies: [], silences: [] });
const pointTrades = (points: readonly HistoricalPoint[]): HistoricalTrade[] =>
  points.map(({ value, atUs }) => ({ tradeId: String(atUs), tradedAtUs: atUs, price: value, size: 0 }));

function backtestsOf(recorded: Recorded, series: readonly MarketKey[] = [BTC, ETH]): Backtests {
  const within = <T>(all: readonly T[], fromUs: number, toUs: number, at: (one: T) => number): T[] =>
    all.filter((one) => at(one) >= fromUs && at(one) < toUs);
  const history = {
    series: () => Promise.resolve([...series]),
    customSeries: () => Promise.resolve([ORDERS]),
    bars: () => Promise.resolve([]),
    async *trades(key: MarketKey, fromUs: number, toUs: number) {
      const all =
        key.source === CUSTOM_SOURCE
          ? pointTrades(recorded.points)
          : recorded.trades.filter((one) => keyText(one.key) === keyText(key));
      const found = within(all, fromUs, toUs, ({ tradedAtUs }) => tradedAtUs);
      for (let at = 0; at < found.length; at += 7) yield await Promise.resolve(found.slice(at, at + 7));
    },
    points: (_: string, fromUs: number, toUs: number) =>
      Promise.resolve(within(recorded.points, fromUs, toUs, ({ atUs }) => atUs)),
    lastPoint: (_: string, toUs: number) => Promise.resolve(recorded.points.findLast(({ atUs }) => atUs < toUs)),
    anomalies: (key: MarketKey, fromUs: number, toUs: number) => {
      const ofKey = recorded.anomalies.filter((one) => keyText(one.key) === keyText(key));
      return Promise.resolve(within(ofKey, fromUs, toUs, ({ atUs }) => atUs));
    },
  } as unknown as History;
  const store = {
    silences: (source: string) => Promise.resolve(source === BTC.source ? recorded.silences : []),
  } as unknown as EvaluatorStore;
  return new Backtests(history, new WarmUp(history), store, { CANDLE_LATENESS_MS: 2000 } as Settings);
}

async function stepsOf(backtests: Backtests, rule: Rule, fromUs: number, toUs: number): Promise<BacktestStep[]> {
  const steps: BacktestStep[] = [];
  for await (const step of backtests.run(rule, { fromUs, toUs })) steps.push(step);
  return steps;
}

const episodesOf = (steps: readonly BacktestStep[]): BacktestEpisode[] =>
  steps.flatMap((step) => (step.type === 'episode' ? step.episode : []));

function made(id: string, body: Omit<RuleBody, 'symbol'> & Partial<Pick<RuleBody, 'symbol'>>): Rule {
  const read = ruleOf({ symbol: '*', source: BTC.source, ...body }, id);
  if ('faults' in read) throw new Error(JSON.stringify(read.faults));
  return read.rule;
}

/** One thing or another about the market alone, or about the points alone. */
const RULES = [
  made('level', { condition: 'price > 105' }),
  made('held', { condition: 'price > 103', for: '10s', keepFiringFor: '15s' }),
  made('band', { condition: 'price > 106', resolveCondition: 'price < 102', keepFiringFor: '5s' }),
  made('one', { condition: 'price > 104', symbol: 'ETHUSDT', cooldown: '1m' }),
  made('cross', { condition: 'crosses_above(price, 104)', noData: 'ok' }),
  made('moved', { condition: 'change_pct(price, "2m") > 3', for: '30s' }),
  made('loud', { condition: 'volume > 3 * avg(volume, "3m")', mode: 'once-per-bar' }),
  made('bar', { condition: 'price > 100', mode: 'once-per-bar' }),
  made('once', { condition: 'price < 97', mode: 'once' }),
  made('young', { condition: 'avg(price, "2m") > 101', noData: 'alert', noDataAfter: '45s' }),
  made('calm', { condition: 'sum(volume, "1m") < 1', noData: 'alert', noDataAfter: '12s' }),
  made('ok', { condition: 'price > 99', for: '20s', noData: 'ok', noDataAfter: '7s' }),
  made('lost', { condition: 'feed_age_s > 9', keepFiringFor: '3s' }),
  made('orders', { condition: 'custom("orders") > 5', symbol: 'BTCUSDT' }),
  made('ordered', { condition: 'custom("orders") > 4', for: '8s', resolveCondition: 'custom("orders") < 3' }),
  made('jump', { condition: 'crosses_above(custom("orders"), 6)', keepFiringFor: '2s' }),
  made('series', { condition: 'price >= 7', symbol: 'orders', source: CUSTOM_SOURCE }),
  made('slow', { condition: 'price < 4', symbol: 'orders', source: CUSTOM_SOURCE, for: '20s' }),
];
/** About both, or about anomalies: what they see depends on which came first. */
const MIXED = [
  made('odd', { condition: 'anomaly("any", "1m")' }),
  made('both', { condition: 'price > 102 && custom("orders") > 4', keepFiringFor: '4s' }),
  made('either', { condition: 'price > 106 || custom("orders") > 7', resolveCondition: 'custom("orders") < 5' }),
];

/** Live evaluation of everything over everything. */
class Live {
  private readonly all = new Map<string, LiveSeries>();
  readonly episodes = new Map<string, BacktestEpisode[]>();
  private readonly logs = new Map<string, EpisodeLog>();
  private last: HistoricalPoint | undefined;

  constructor(private readonly rules: readonly Rule[]) {}

  /** A series begins with its first trade. */
  take(key: MarketKey, trade: HistoricalTrade): void {
    const one = this.all.get(keyText(key)) ?? this.seriesOf(key);
    this.all.set(keyText(key), one);
    this.keep(one, one.take([trade], trade.tradedAtUs, true).transitions);
  }

  each(how: (one: LiveSeries) => readonly RuleTransition[], only: (key: MarketKey) => boolean = () => true): void {
    for (const one of this.all.values()) if (only(one.key)) this.keep(one, how(one));
  }

  point(point: HistoricalPoint): void {
    this.each((one) => one.tell((evaluation) => evaluation.tellCustom('orders', point.value, point.atUs)));
    this.last = point;
    this.take(ORDERS, pointTrades([point])[0]!);
  }

  anomaly(atUs: number): void {
    this.each((one) => one.passTime(atUs, atUs));
    this.each(
      (one) => one.tell((evaluation) => evaluation.tellAnomaly('price-spike', atUs)),
      ({ symbol }) => symbol === BTC.symbol,
    );
  }

  episodesOf({ id }: Rule): BacktestEpisode[] {
    const open = [...this.logs].flatMap(([name, { unresolved }]) =>
      name.startsWith(`${id} `) && unresolved ? [unresolved] : [],
    );
    return [...(this.episodes.get(id) ?? []), ...open];
  }

  private seriesOf(key: MarketKey): LiveSeries {
    const mine = this.rules.filter(
      ({ symbols, source }) => source === key.source && (symbols === '*' || symbols.includes(key.symbol)),
    );
    const one = new LiveSeries(key, undefined);
    one.setRules(mine.map(startRule));
    one.keepMeanwhile();
    const points = new Map(this.last && [['orders', this.last]]);
    one.warm({ bars: new Map(), trades: [], anomalies: [], points, sentiment: undefined }, one.rules);
    for (const rule of mine) this.logs.set(`${rule.id} ${keyText(key)}`, new EpisodeLog(rule, key));
    return one;
  }

  private keep({ key }: LiveSeries, all: readonly RuleTransition[]): void {
    for (const one of all) {
      const { ruleId } = one.rule;
      const ended = this.logs.get(`${ruleId} ${keyText(key)}`)!.add([one]);
      this.episodes.set(ruleId, [...(this.episodes.get(ruleId) ?? []), ...ended]);
    }
  }
}

const byStart = (a: BacktestEpisode, b: BacktestEpisode): number =>
  a.symbol < b.symbol ? -1 : a.symbol > b.symbol ? 1 : a.startedAtUs - b.startedAtUs;

const STEP = fc.record({
  afterMs: fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 0, max: 4000 }) },
    { weight: 2, arbitrary: fc.integer({ min: 4000, max: 30_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 30_000, max: 200_000 }) },
    { weight: 1, arbitrary: fc.constant(60_000) },
  ),
  what: fc.constantFrom('btc', 'btc', 'btc', 'eth', 'eth', 'point', 'point', 'anomaly'),
  price: fc.integer({ min: 95, max: 109 }),
  size: fc.integer({ min: 0, max: 5 }),
  value: fc.integer({ min: 1, max: 9 }),
  /** How long it is held up on its way. */
  holdUs: fc.integer({ min: 0, max: SECOND }),
  /** When the clock looks after it. */
  looksUs: fc.array(fc.integer({ min: 0, max: MINUTE }), { maxLength: 2 }),
});
type Step = typeof STEP extends fc.Arbitrary<infer T> ? T : never;

/** Both markets are there before anything else is. */
const BEGUN: readonly Step[] = (['btc', 'eth', 'btc'] as const).map((what) => {
  return { afterMs: 3000, what, price: 100, size: 1, value: 1, holdUs: 0, looksUs: [] };
});

/** The clock follows at this distance, and nothing is longer on its way. */
const LATENESS_US = 2 * SECOND;
/** A feed that brings nothing for so long is lost. */
const SILENT_US = 8 * SECOND;

/**
 * Plays steps as they come live, and writes down what was recorded. Points come `leadUs` before the trades of their instant,
 * or, where that is undefined, all comes in order.
 */
function play(steps: readonly Step[], rules: readonly Rule[], leadUs: number | undefined) {
  const live = new Live(rules);
  const recorded: Recorded = { trades: [], points: [], anomalies: [], silences: [] };
  const arrivals: { xUs: number; come: () => void }[] = [];
  const arrive = (xUs: number, come: () => void): unknown => arrivals.push({ xUs, come });
  const pass = (toUs: number): void => live.each((one) => one.passTime(toUs, toUs));
  let [atUs, heldUs, heardUs, newestUs] = [START, START, Infinity, 0];
  for (const [index, { afterMs, what, price, size, value, holdUs, looksUs }] of steps.entries()) {
    atUs += afterMs * 1000 + 1; // no two of one instant
    const instantUs = atUs;
    heldUs = Math.max(heldUs, instantUs + holdUs);
    const xUs = heldUs;
    for (const afterUs of looksUs) arrive(xUs + afterUs, () => pass(xUs + afterUs - LATENESS_US));
    if (what === 'point') {
      const point = { value, atUs: instantUs };
      recorded.points.push(point);
      arrive(leadUs === undefined ? xUs : instantUs - leadUs, () => live.point(point));
    } else if (what === 'anomaly') {
      if (!rules.includes(MIXED[0]!)) continue;
      recorded.anomalies.push({ kind: 'price-spike', atUs: instantUs, key: BTC });
      arrive(xUs, () => live.anomaly(instantUs));
    } else {
      if (instantUs - heardUs > SILENT_US + LATENESS_US) {
        const [sinceUs, notedUs] = [heardUs, heardUs + SILENT_US];
        arrive(notedUs + LATENESS_US, () => {
          pass(notedUs);
          live.each((one) => one.tell((evaluation) => evaluation.lose(sinceUs)), isOfFeed);
        });
        arrive(xUs + SECOND / 10, () => {
          const untilUs = Math.max(instantUs + SECOND / 10, newestUs + 1); // by the delay of the newest
          recorded.silences.push({ sinceUs, notedUs, untilUs });
          live.each((one) => one.tell((evaluation) => evaluation.regain(untilUs)), isOfFeed);
        });
      }
      const key = what === 'btc' ? BTC : ETH;
      const trade = { tradeId: String(index), tradedAtUs: instantUs, price, size };
      recorded.trades.push({ ...trade, key });
      arrive(xUs, () => {
        newestUs = instantUs;
        live.take(key, trade);
      });
      heardUs = instantUs;
    }
  }
  for (const { come } of arrivals.toSorted((a, b) => a.xUs - b.xUs)) come();
  const endUs = atUs + 3 * MINUTE;
  pass(endUs - 1);
  return { live, recorded, endUs };
}

const isOfFeed = ({ source }: MarketKey): boolean => source === BTC.source;

describe('a backtest', () => {
  const compare = async (
    steps: readonly Step[],
    rules: readonly Rule[],
    leadUs: number | undefined,
  ): Promise<number> => {
    const { live, recorded, endUs } = play(steps, rules, leadUs);
    const backtests = backtestsOf(recorded);
    let episodes = 0;
    for (const rule of rules) {
      const wanted = live.episodesOf(rule).toSorted(byStart);
      const found = episodesOf(await stepsOf(backtests, rule, START, endUs)).toSorted(byStart);
      expect({ rule: rule.id, episodes: found }).toEqual({ rule: rule.id, episodes: wanted });
      episodes += found.length;
    }
    return episodes;
  };

  it('gives exactly the episodes that were given live, of every rule by itself', async () => {
    let episodes = 0;
    const steps = fc.array(STEP, { maxLength: 60, size: 'max' });
    await fc.assert(
      fc.asyncProperty(steps, async (some) => void (episodes += await compare(some, RULES, undefined))),
      { numRuns: 200 },
    );
    expect(episodes).toBeGreaterThan(5000);
  }, 120_000);

  it('does so of rules that read the market and points, while all comes in order and the feed is not lost', async () => {
    const steps = fc.array(STEP, { minLength: 1, maxLength: 40, size: 'max' }).map((some) =>
      some
        .flatMap((step) => [step, { ...step, what: 'btc', price: step.price - 2 } as const])
        .map(({ afterMs, ...step }) => {
          return { ...step, afterMs: afterMs % 4000 };
        }),
    );
    await fc.assert(
      fc.asyncProperty(
        steps,
        async (some) => void (await compare([...BEGUN, ...some], [...MIXED, ...RULES], undefined)),
      ),
      { numRuns: 200 },
    );
  }, 120_000);

  it('does so where points come before the trades of their instant, for rules that do not read both', async () => {
    const steps = fc.array(STEP, { maxLength: 60, size: 'max' });
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 0, max: LATENESS_US }), async (some, leadUs) => {
        await compare([...BEGUN, ...some], RULES, leadUs);
      }),
      { numRuns: 200 },
    );
  }, 120_000);

  it('ends before `to`', async () => {
    const recorded = {
      ...nothing(),
      points: [
        { value: 6, atUs: START },
        { value: 9, atUs: START + MINUTE },
      ],
    };
    const series = made('series', { condition: 'price > 5', symbol: 'orders', source: CUSTOM_SOURCE, for: '30s' });
    const run = async (toUs: number) => stepsOf(backtestsOf(recorded), series, START, toUs);
    expect(episodesOf(await run(START + MINUTE / 2))).toEqual([]);
    expect(episodesOf(await run(START + MINUTE / 2 + 1))).toMatchObject([{ startedAtUs: START + MINUTE / 2 }]);
    expect((await run(START + MINUTE)).at(-1)).toMatchObject({ type: 'done', trades: 1 });
    expect((await run(START + MINUTE + 1)).at(-1)).toMatchObject({ type: 'done', trades: 2 });
  });

  it('runs over every series up to a number, and says how many there are and how many it left out', async () => {
    const many = Array.from({ length: MOST_SERIES + 3 }, (_, i) => ({ source: BTC.source, symbol: `S${i}` }));
    const all = made('all', { condition: 'price > 5' });
    const steps = async (count: number) => stepsOf(backtestsOf(nothing(), many.slice(0, count)), all, START, START + 1);
    for (const [count, leftOut] of [
      [MOST_SERIES, 0],
      [MOST_SERIES + 3, 3],
    ] as const) {
      const [head, ...rest] = await steps(count);
      expect(head).toMatchObject({ type: 'series', found: count, leftOut, series: many.slice(0, MOST_SERIES) });
      expect(rest.at(-1)).toMatchObject({ type: 'done', found: count, leftOut });
    }
  });
});
