import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runRuleTests } from './rule-test.js';
import { readSeries } from './series-notation.js';

const file = (...tests: object[]): string =>
  JSON.stringify({
    rules: [
      { id: 'high', symbol: 'BTCUSDT', condition: 'price > 50000', for: '1m', labels: { team: 'desk' } },
      { id: 'lost', symbol: 'BTCUSDT', condition: 'price > 0', noData: 'alert', noDataAfter: '30s', for: '7d' },
      { id: 'busy', symbol: '*', condition: 'custom("orders.open") > 10' },
    ],
    interval: '30s',
    tests: tests.map((test) => ({ symbol: 'BTCUSDT', ...test })),
  });

const failuresOf = (test: object): readonly string[] => runRuleTests(file(test))[0]!.failures;

describe('a rule test', () => {
  it("reads promtool's notation", () => {
    const wanted = [1, 3, 5, 7, undefined, undefined, 5, 5, 10, 9.9, 9.8, 'stale', -1];
    expect(readSeries('1+2x3 _x2 5x1 10-0.1x2 stale -1')).toEqual(wanted);
    for (const wrong of ['x', '1+2', '1*3', '1x9999999', '_x1x2'])
      expect(() => readSeries(wrong), wrong).toThrow(/none of|at most/);
  });

  it('passes where the alerts are as expected', () => {
    const series = [{ series: 'price', values: '40000x2 51000x4 40000' }];
    expect(
      failuresOf({
        input_series: series,
        alert_rule_test: [
          { eval_time: '2m', rule: 'high', exp_alerts: [] },
          { eval_time: '2m30s', rule: 'high', exp_alerts: [{ value: 51000, labels: { team: 'desk' } }] },
          { eval_time: '1h', rule: 'high', exp_alerts: [] },
        ],
        exp_episodes: [{ rule: 'high', from: '2m30s', to: '4m' }],
      }),
    ).toEqual([]);
  });

  it('passes for the example of the documentation', () => {
    const text = readFileSync('test/fixtures/alerts/rule-tests.json', 'utf8');
    expect(runRuleTests(text).flatMap(({ failures }) => failures)).toEqual([]);
  });

  it('says what is not as expected', () => {
    const series = [{ series: 'price', values: '51000x9' }];
    expect(
      failuresOf({
        input_series: series,
        alert_rule_test: [
          { eval_time: '30s', rule: 'high', exp_alerts: [{}] },
          { eval_time: '2m', rule: 'high', exp_alerts: [] },
          { eval_time: '2m', rule: 'high', exp_alerts: [{ value: 1 }] },
        ],
        exp_episodes: [{ rule: 'high', from: '1m', to: '2m' }],
      }),
    ).toEqual([
      '30s high: expected an alert, the rule is pending',
      '2m high: expected no alert, one is open since 60s',
      '2m high: value is 51000, expected 1',
      'expected high from 60s to 120s',
      'did not expect high from 60s on',
    ]);
    expect(failuresOf({ input_series: series, exp_episodes: [{ rule: 'none', from: '1m' }] })).toEqual([
      'none is no rule of this file',
    ]);
    expect(() => runRuleTests('{"rules":[{"id":"a","symbol":"A","condition":"price >"}],"tests":[]}')).toThrow(
      /rule "a": condition, character 7/,
    );
  });

  it('loses the feed where a series is stale, and hears of custom series', () => {
    expect(
      failuresOf({
        input_series: [
          { series: 'price', values: '100x20' },
          { series: 'custom:orders.open', values: '_x6 11 _x3 3' },
        ],
        exp_episodes: [{ rule: 'busy', from: '3m', to: '5m' }],
      }),
    ).toEqual([]);
    expect(
      failuresOf({
        input_series: [{ series: 'price', values: '100x4 stale _x9 100' }],
        exp_episodes: [{ rule: 'lost', from: '3m', to: '7m30s' }],
      }),
    ).toEqual([]);
  });
});
