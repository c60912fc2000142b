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
    expect(
      failuresOf({
        input_series: series,
        exp_episodes: [{ rule: 'high', from: '1m', openedBy: 'no-data', value: 51000 }],
      }),
    ).toEqual(['high from 60s on: openedBy is "condition", expected "no-data"']);
    expect(failuresOf({ input_series: series, exp_episodes: [] })).toEqual(['did not expect high from 60s on']);
  });

  const SERIES = [{ series: 'price', values: '51000x9' }];
  const ASKED = { eval_time: '2m', rule: 'high', exp_alerts: [] };
  const SOUND = { input_series: SERIES, alert_rule_test: [ASKED] };
  it.each<[string, object]>([
    [
      'tests[0].alert_rule_test[0].exp_alert is none of eval_time, rule, exp_alerts; did you mean exp_alerts?\n' +
        'tests[0].alert_rule_test[0].exp_alerts is missing',
      { ...SOUND, alert_rule_test: [{ eval_time: '2m', rule: 'high', exp_alert: [] }] },
    ],
    [
      'tests[0].inputseries is none of name, source, symbol, start, interval, input_series, alert_rule_test, exp_episodes; did you mean input_series?',
      { ...SOUND, inputseries: [] },
    ],
    ['tests[0].symbol must be one symbol such as BTCUSDT, not ["BTCUSDT"]', { ...SOUND, symbol: ['BTCUSDT'] }],
    ['tests[0].start must be an RFC 3339 instant such as 2026-08-09T21:00:00Z, not 5', { ...SOUND, start: 5 }],
    ['tests[0].interval must be a duration such as 30s, not "0s"', { ...SOUND, interval: '0s' }],
    ['tests[0].input_series must have 1 to 50 entries, not 0', { ...SOUND, input_series: [] }],
    [
      'tests[0].input_series[0].values is wrong: "1+2" is none of a, a+bxn, a-bxn, axn, _, _xn, stale',
      { ...SOUND, input_series: [{ series: 'price', values: '1+2' }] },
    ],
    [
      'tests[0].input_series[0].values must be a text such as "1+2x3 _x2 5 stale", not [1,2]',
      { ...SOUND, input_series: [{ series: 'price', values: [1, 2] }] },
    ],
    [
      'tests[0].alert_rule_test[0].eval_time must be a time since the start such as 1m30s, not 120',
      { ...SOUND, alert_rule_test: [{ ...ASKED, eval_time: 120 }] },
    ],
    [
      'tests[0].alert_rule_test[0].rule: "none" is none of high, lost, busy',
      { ...SOUND, alert_rule_test: [{ ...ASKED, rule: 'none' }] },
    ],
    [
      'tests[0].alert_rule_test[0].exp_alerts must have 0 to 1 entries, not 2',
      { ...SOUND, alert_rule_test: [{ ...ASKED, exp_alerts: [{}, {}] }] },
    ],
    [
      'tests[0].alert_rule_test[0].exp_alerts[0].valeu is none of openedBy, value, labels',
      { ...SOUND, alert_rule_test: [{ ...ASKED, exp_alerts: [{ valeu: 1 }] }] },
    ],
    [
      'tests[0].exp_episodes[0].value must be a number or null, not "51000"',
      { input_series: SERIES, exp_episodes: [{ rule: 'high', from: '1m', value: '51000' }] },
    ],
    ['tests[0] must have alert_rule_test or exp_episodes, or it tests nothing', { input_series: SERIES }],
  ])('that is none is refused with the place and what would be right: %s', (told, test) =>
    expect(() => runRuleTests(file(test))).toThrow(new Error(told)),
  );

  it.each([
    ['a file of rule tests is JSON, and this is none', 'rules:\n  - id: a\n'],
    ['the file must be an object of rules, interval, tests, not null', 'null'],
    ['rules is missing\ntests is missing', '{}'],
    ['rules[0].id is missing', '{"rules":[{"symbol":"A","condition":"price > 1"}],"tests":[]}'],
    [
      'rules[0].condition, character 8: the end stands',
      '{"rules":[{"id":"a","symbol":"A","condition":"price >"}],"tests":[]}',
    ],
    [
      'rules[0].condtion is not a field of a rule; did you mean condition?',
      '{"rules":[{"id":"a","symbol":"A","condtion":"price > 1"}],"tests":[]}',
    ],
    [
      'rules[1].id must be another than "a", which stands before',
      '{"rules":[{"id":"a","symbol":"A","condition":"price > 1"},{"id":"a","symbol":"A","condition":"price > 1"}],"tests":[]}',
    ],
  ])('of a file that is none: %s', (told, text) => expect(() => runRuleTests(text)).toThrow(told));

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
