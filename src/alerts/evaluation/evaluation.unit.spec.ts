import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Market, type MarketTrade } from '../inputs/index.js';
import { Evaluation } from './evaluation.js';
import { type RuleBody, ruleOf } from '../rules/rule-body.js';
import { type RuleTransition, type RunningRule, startRule } from './running-rule.js';

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
const START = Date.UTC(2026, 2, 1, 12) * 1000;
const KEY = { source: 'simulator', symbol: 'BTCUSDT' };

const trade = (seconds: number, price: number, size = 1): MarketTrade => ({
  tradedAtUs: START + Math.round(seconds * SECOND),
  price,
  size,
});

const told = (all: readonly RuleTransition[]): string[] =>
  all.flatMap(({ rule, transitions }) =>
    transitions.map(
      ({ kind, atUs, value, reason }) => `${rule.ruleId} ${kind} ${(atUs - START) / SECOND} ${value} ${reason ?? ''}`,
    ),
  );

type Body = Omit<RuleBody, 'symbol'> & Readonly<{ id: string }>;

function running(body: Body): RunningRule {
  const read = ruleOf({ symbol: 'BTCUSDT', ...body }, body.id);
  if ('faults' in read) throw new Error(JSON.stringify(read.faults));
  return startRule(read.rule);
}

const evaluation = (...rules: Body[]): Evaluation => new Evaluation(new Market(KEY), rules.map(running));

const RULES = [
  { id: 'above', condition: 'price > 105' },
  { id: 'held', condition: 'price > 103', for: '10s', keepFiringFor: '15s' },
  { id: 'band', condition: 'price > 106', resolveCondition: 'price < 102', keepFiringFor: '5s' },
  { id: 'cross', condition: 'crosses_above(price, 104)' },
  { id: 'window', condition: 'change_pct(price, "2m") > 3', for: '30s' },
  { id: 'loud', condition: 'volume > 3 * avg(volume, "3m")', mode: 'once-per-bar' },
  { id: 'once', condition: 'price < 96', mode: 'once' },
  { id: 'lost', condition: 'feed_age_s > 10', noData: 'ok' },
  { id: 'calm', condition: 'sum(volume, "1m") < 1', noData: 'alert' },
] as const;

const TRADES = fc.array(
  fc.record({
    after: fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 0, max: 5000 }) },
      { weight: 1, arbitrary: fc.integer({ min: 5000, max: 200_000 }) },
      { weight: 1, arbitrary: fc.constant(60_000) },
    ),
    price: fc.integer({ min: 94, max: 110 }),
    size: fc.integer({ min: 0, max: 5 }),
  }),
  { maxLength: 80 },
);

describe('an evaluation', () => {
  it('tells of a condition at the trade that meets it and at the one that no longer does', () => {
    const one = evaluation({ id: 'above', condition: 'price > 105' });
    expect(told(one.take(trade(0, 100))!)).toEqual([]);
    expect(told(one.take(trade(1, 106))!)).toEqual(['above fired 1 106 condition']);
    expect(told(one.take(trade(2, 107))!)).toEqual([]);
    expect(told(one.take(trade(3, 105))!)).toEqual(['above resolved 3 105 condition']);
  });

  it('fires once for a price that flaps within its hysteresis', () => {
    const one = evaluation({ id: 'band', condition: 'price > 105', resolveCondition: 'price < 100' });
    const all = [100, ...Array.from({ length: 50 }, (_, i) => (i % 2 ? 104 : 106)), 99];
    expect(all.flatMap((price, second) => told(one.take(trade(second, price))!))).toEqual([
      'band fired 1 106 condition',
      'band resolved 51 99 condition',
    ]);
  });

  it('fires at the instant that `for` ends, however late time is passed', () => {
    const one = evaluation({ id: 'held', condition: 'price > 105', for: '30s' });
    one.take(trade(0, 106));
    expect(told(one.passTime(START + 29 * SECOND))).toEqual([]);
    expect(told(one.passTime(START + 47 * SECOND))).toEqual(['held fired 30 106 condition']);
  });

  it('sees a window move in a quiet market', () => {
    const one = evaluation({ id: 'window', condition: 'change(price, "2m") > 5' });
    for (let minute = 0; minute < 3; minute++) one.take(trade(60 * minute, 100));
    expect(told(one.take(trade(121, 110))!)).toEqual(['window fired 121 10 condition']);
    expect(told(one.passTime(START + 10 * MINUTE))).toEqual(['window resolved 240 0 condition']);
  });

  it('refuses a trade that is older than the last one, and takes one that time passed by', () => {
    const one = evaluation({ id: 'above', condition: 'price > 105' });
    one.take(trade(10, 100));
    expect(one.take(trade(9, 106))).toBeUndefined();
    one.passTime(START + 30 * SECOND);
    expect(told(one.take(trade(20, 106))!)).toEqual(['above fired 30 106 condition']);
  });

  it('lets a lost feed count by the no-data policy and as nothing else', () => {
    const one = evaluation(
      { id: 'alert', condition: 'price > 50', noData: 'alert', noDataAfter: '20s' },
      { id: 'held', condition: 'price > 105', for: '10s', noData: 'ok', noDataAfter: '20s' },
      { id: 'age', condition: 'feed_age_s > 15', noData: 'ok' },
    );
    expect(told(one.take(trade(0, 106))!)).toEqual(['alert fired 0 106 condition', 'held pending 0 106 ']);
    one.passTime(START + 5 * SECOND);
    expect(told(one.lose(START))).toEqual([]);
    expect(told(one.passTime(START + 30 * SECOND))).toEqual([
      'age fired 16 16 condition',
      'alert no-data 20 null ',
      'held no-data 20 null ',
      'held cancelled 20 null no-data',
    ]);
    expect(told(one.take(trade(31, 106))!)).toEqual([
      'alert data-back 31 106 ',
      'held data-back 31 106 ',
      'held pending 31 106 ',
      'age resolved 31 0 condition',
    ]);
  });

  it('looks at a rule alike whatever runs beside it', () => {
    const odd = { id: 'odd', condition: 'anomaly("any", "1m")', noDataAfter: '30s' };
    const [alone, beside] = [evaluation(odd), evaluation(odd, { id: 'age', condition: 'feed_age_s > 900' })];
    for (const one of [alone, beside]) {
      one.take(trade(7, 100));
      expect(told(one.tellAnomaly('price-spike', START + 7 * SECOND))).toEqual(['odd fired 7 1 condition']);
      one.passTime(START + 20 * SECOND);
      one.lose(START + 7 * SECOND);
      one.regain(START + 75.5 * SECOND);
      expect(told(one.passTime(START + 100 * SECOND))).toEqual([
        'odd no-data 37 null ',
        'odd data-back 75.5 0 ',
        'odd resolved 75.5 0 condition',
      ]);
    }
  });

  it('decides what came due while nobody looked by what it sees first', () => {
    const pending = (): Evaluation => {
      const rule = running({ id: 'held', condition: 'price > 105', for: '1m' });
      const before = new Evaluation(new Market(KEY), [rule]);
      before.take(trade(0, 106));
      const market = new Market(KEY);
      market.want(rule.condition.inputs);
      market.take(trade(0, 106));
      const after = new Evaluation(market, [running({ id: 'held', condition: 'price > 105', for: '1m' })]);
      after.rules[0]!.state = rule.state;
      after.resume(START);
      return after;
    };
    expect(told(pending().take(trade(300, 107))!)).toEqual(['held fired 60 107 condition']);
    expect(told(pending().take(trade(300, 100))!)[0]).toMatch(/^held cancelled 59.99/);
  });

  it('tells what came due in the order of its instants, and before what is seen then', () => {
    const one = evaluation(
      { id: 'seen', condition: 'price > 110' },
      { id: 'later', condition: 'price > 105', for: '30s' },
      { id: 'sooner', condition: 'price > 105', for: '20s' },
    );
    one.take(trade(0, 106));
    expect(told(one.take(trade(30, 111))!)).toEqual([
      'sooner fired 20 106 condition',
      'later fired 30 106 condition',
      'seen fired 30 111 condition',
    ]);
  });

  it('comes to the same however often time is passed in between, and in whatever batches', () => {
    fc.assert(
      fc.property(TRADES, fc.infiniteStream(fc.integer({ min: 0, max: 100 })), (steps, parts) => {
        let ms = 0;
        const trades = steps.map(({ after, price, size }) => trade((ms += after) / 1000, price, size));
        const endUs = START + (ms + 300_000) * 1000;
        const once = evaluation(...RULES);
        const wanted = [...trades.flatMap((one) => told(once.take(one)!)), ...told(once.passTime(endUs))];

        const often = evaluation(...RULES);
        const got: string[] = [];
        let nowUs = START;
        const upTo = (untilUs: number): void => {
          for (let calls = parts.next().value % 4; calls > 0; calls--) {
            nowUs += Math.floor(((untilUs - nowUs) * parts.next().value) / 100);
            got.push(...told(often.passTime(nowUs)));
          }
        };
        trades.forEach((one, index) => {
          if (index > 0) upTo(one.tradedAtUs); // the first trade starts its clock
          got.push(...told(often.take(one)!));
          nowUs = one.tradedAtUs;
        });
        if (trades.length > 0) upTo(endUs);
        got.push(...told(often.passTime(endUs)));
        expect(got).toEqual(wanted);
      }),
      { numRuns: 300 },
    );
  });

  it('comes to the same from the middle, in a market that knows what was before', () => {
    fc.assert(
      fc.property(TRADES, fc.nat(100), (steps, percent) => {
        let ms = 0;
        const trades = steps.map(({ after, price, size }) => trade((ms += after) / 1000, price, size));
        const middle = Math.floor(((trades.length - 1) * percent) / 100);
        if (middle <= 0 || steps[middle]!.after > 10_000) return;
        const whole = evaluation(...RULES);
        for (const one of trades.slice(0, middle)) whole.take(one);

        const market = new Market(KEY);
        market.want(whole.rules.flatMap(({ condition }) => condition.inputs));
        for (const one of trades.slice(0, middle)) market.take(one);
        const again = RULES.map(running);
        again.forEach((rule, index) => (rule.state = whole.rules[index]!.state));
        const half = new Evaluation(market, again);
        half.resume(trades[middle - 1]!.tradedAtUs);
        const rest = trades.slice(middle);
        const [got, wanted] = [half, whole].map((one) => rest.flatMap((next) => told(one.take(next)!)));
        expect(got).toEqual(wanted);
      }),
      { numRuns: 200 },
    );
  });
});
