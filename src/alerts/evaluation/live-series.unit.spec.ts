import { expect, it } from 'vitest';
import { type RuleBody, ruleOf } from '../rules/rule-body.js';
import { compileRule, type Rule } from '../rules/rule.js';
import { LiveSeries } from './live-series.js';
import { type RuleTransition, runningRule, startRule } from './running-rule.js';
import type { HistoricalTrade } from './trade-position.js';
import type { MarketPast } from './warm-market.js';

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
const START = Date.UTC(2026, 2, 1, 12) * 1000;
const NOTHING: MarketPast = { bars: new Map(), trades: [], anomalies: [], points: new Map(), sentiment: undefined };

const trade = (seconds: number, price = 100): HistoricalTrade => {
  return { tradeId: String(seconds), tradedAtUs: START + seconds * SECOND, price, size: 1 };
};

function ruleWith(condition: string, more: Partial<RuleBody> = {}): Rule {
  const read = ruleOf({ symbol: 'BTCUSDT', condition, ...more }, 'rule');
  if ('faults' in read) throw new Error(JSON.stringify(read.faults));
  return read.rule;
}

function series(condition: string, more: Partial<RuleBody> = {}, lostSinceUs?: number): LiveSeries {
  const key = { source: 'simulator', symbol: 'BTCUSDT' };
  const one = new LiveSeries(key, undefined, () => lostSinceUs);
  one.setRules([startRule(ruleWith(condition, more))]);
  return one;
}

const take = (one: LiveSeries, ...trades: HistoricalTrade[]): string[] =>
  told(one.take(trades, trades.at(-1)!.tradedAtUs, true).transitions);
const told = (all: readonly RuleTransition[]): string[] =>
  all.flatMap(({ transitions }) => transitions.map(({ kind, atUs }) => `${kind} ${(atUs - START) / SECOND}`));
const point = (one: LiveSeries, seconds: number, value: number): string[] =>
  told(one.tell((evaluation) => evaluation.tellCustom('orders', value, START + seconds * SECOND)));
const pastWith = (seconds: number, value: number): MarketPast => {
  return { ...NOTHING, trades: [trade(0)], points: new Map([['orders', { value, atUs: START + seconds * SECOND }]]) };
};

it('looks at a point at its own instant, and at trades that come after it at theirs', () => {
  const one = series('custom("orders") > 5', { for: '4s' });
  one.startEmpty();
  take(one, trade(0));
  expect(point(one, 2, 6)).toEqual(['pending 2']);
  expect(take(one, trade(1))).toEqual([]);
  expect(point(one, 5, 7)).toEqual([]);
  expect(take(one, trade(7))).toEqual(['fired 6']);
  expect(point(one, 7, 1)).toEqual(['resolved 7']);
});

it('does not invent what both a point and a later trade of before it are about', () => {
  const one = series('custom("orders") > 5 && price > 99');
  one.startEmpty();
  take(one, trade(58));
  expect(point(one, 61, 6)).toEqual(['fired 61']);
  expect(take(one, trade(59, 90))).toEqual(['resolved 61']);
});

it('hears of points that history knew already, each at its instant, and goes on with the last', () => {
  const one = series('custom("orders") > 5');
  one.keepMeanwhile();
  one.warm(pastWith(3, 1), one.rules);
  expect(point(one, 2, 6)).toEqual(['fired 2', 'resolved 3']);
  expect(point(one, 3, 1)).toEqual([]);
  expect(point(one, 2.5, 6)).toEqual([]);
});

it('looks at a point that history knew and nobody was told of', () => {
  const one = series('custom("orders") > 5');
  one.keepMeanwhile();
  one.warm(pastWith(2, 6), one.rules);
  expect(point(one, 2, 6)).toEqual(['fired 2']);
});

it('keeps what is told while history is read', () => {
  const one = series('custom("orders") > 5');
  one.startEmpty();
  take(one, trade(0));
  one.keepMeanwhile();
  expect(point(one, 2, 6)).toEqual(['fired 2']);
  one.warm(pastWith(1, 1), one.rules);
  expect(take(one, trade(120))).toEqual([]);
});

it('knows the points of before when a series is new', () => {
  const one = series('custom("orders") > 5');
  one.startEmpty();
  expect(one.needsHistory).toBe(true);
  const other = series('price > 5');
  other.startEmpty();
  expect(other.needsHistory).toBe(false);
});

it('does not take a market whose history could not be read for a young one', () => {
  const [young, unknown] = [series('volume_24h < 5'), series('volume_24h < 5')];
  young.startEmpty();
  unknown.giveUpHistory(START);
  expect(take(young, trade(60))).toEqual(['fired 60']);
  expect(take(unknown, trade(60))).toEqual([]);
  const all: string[] = [];
  for (let atUs = START + 2 * MINUTE; atUs < START + 1440 * MINUTE; atUs += 10 * MINUTE)
    all.push(...told(unknown.passTime(atUs, atUs)));
  expect(all).toEqual(['no-data 80']);
  expect(take(unknown, trade(60 + 1440 * 60))).toEqual(['data-back 86400', 'fired 86400']);
});

it('does not let a feed that is lost take data from a rule that reads none of the market', () => {
  const [points, both] = [series('custom("orders") > 5'), series('custom("orders") > 5 && price > 1')];
  for (const one of [points, both]) {
    one.startEmpty();
    take(one, trade(0));
    point(one, 1, 6);
    one.tell((evaluation) => evaluation.lose(START));
  }
  expect(told(points.passTime(START + MINUTE, START + MINUTE))).toEqual([]);
  expect(told(both.passTime(START + MINUTE, START + MINUTE))).toEqual(['no-data 20']);
});

it('knows of a feed that was lost before there was a rule', () => {
  const [nothing, age] = [
    series('price > 1000', { noData: 'alert' }, START - 60 * SECOND),
    series('feed_age_s > 30', {}, START - 60 * SECOND),
  ];
  for (const one of [nothing, age]) {
    one.keepMeanwhile();
    one.warm({ ...NOTHING, trades: [trade(-60)] }, one.rules);
  }
  const pass = (one: LiveSeries, seconds: number): string[] => {
    const atUs = START + seconds * SECOND;
    return told(one.passTime(atUs, atUs));
  };
  for (let second = 1; second < 5; second++) for (const one of [nothing, age]) pass(one, second);
  expect(pass(nothing, 60)).toEqual(['no-data 60', 'fired 60']);
  expect(pass(age, 60)).toEqual([]);
  expect(age.rules[0]!.state).toMatchObject({ phase: 'firing', sinceUs: START + 2 * SECOND });
});

it('neither ends nor repeats, after a restart while the feed is lost, what its silence opened', () => {
  const key = { source: 'simulator', symbol: 'BTCUSDT' };
  for (const rule of [ruleWith('feed_age_s > 30'), ruleWith('price > 1000', { noData: 'alert' })]) {
    const before = new LiveSeries(key, undefined);
    before.setRules([startRule(rule)]);
    before.startEmpty();
    take(before, trade(10));
    const all: string[] = [];
    const pass = (one: LiveSeries, seconds: number): unknown =>
      all.push(...told(one.passTime(START + seconds * SECOND, START + seconds * SECOND)));
    pass(before, 16);
    all.push(...told(before.tell((evaluation) => evaluation.lose(START + 10 * SECOND))));
    for (let second = 17; second < 110; second++) pass(before, second);
    expect(all.at(-1)).toMatch(/^fired /);

    all.length = 0;
    const after = new LiveSeries(key, before.position, () => START + 10 * SECOND);
    after.setRules([runningRule(rule.id, compileRule(rule), before.rules[0]!.state)]);
    after.keepMeanwhile();
    after.warm({ ...NOTHING, trades: [trade(10)] }, after.rules);
    for (let second = 117; second < 200; second++) pass(after, second);
    expect(all).toEqual([]);
    after.tell((evaluation) => evaluation.regain(START + 201 * SECOND));
    all.push(...take(after, trade(202)));
    expect(all.at(-1)).toMatch(/^resolved /);
  }
});

it('tells, once data is back, of what crossed in a gap, though its history was read again meanwhile', () => {
  const one = series('crosses_above(price, 105)');
  one.startEmpty();
  take(one, trade(0), trade(1));
  one.miss(START + SECOND, START + 5 * SECOND);
  one.keepMeanwhile();
  one.warm({ ...NOTHING, trades: [trade(0), trade(1), trade(3, 110)] }, one.rules);
  expect(take(one, trade(6, 111))).toEqual(['fired 6']);
});

it('leaps over the years between a value and now', () => {
  const years = 10 * 365 * 86_400;
  const one = series('price > 10 && feed_age_s > 9');
  one.startEmpty();
  one.take([trade(-years, 5)], 0, false);
  expect(told(one.passTime(START, START))).toEqual([]);
  expect(one.take([trade(-years / 2, 6), trade(1, 7)], 0, false)).toMatchObject({ transitions: [], late: 0 });
  expect(one.evaluations).toBeLessThan(10);
  const other = series('price > 10');
  other.startEmpty();
  expect(told(other.take([trade(-years, 5), trade(1, 20)], 0, false).transitions)).toEqual(['fired 1']);
  expect(other.evaluations).toBeLessThan(10);
});

it('does not say that what nobody looked at had begun', () => {
  const one = series('volume_24h < 5');
  one.giveUpHistory(START);
  expect(take(one, trade(60))).toEqual([]);
  expect(take(one, trade(60 + 1440 * 60))).toEqual(['fired 86460']);
});
