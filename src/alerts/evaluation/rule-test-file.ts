import { ALERT_REASONS, ANOMALY_KINDS, parseInstant } from '../../contracts/index.js';
import { nearest } from '../conditions/nearest.js';
import { type Expectation, isLine, isRecord, must, mustBeOneOf, shown } from '../expectation.js';
import { durationUs } from '../rules/duration-text.js';
import type { Rule } from '../rules/rule.js';
import { faultsOfBody, RULE_FIELDS, type RuleBody, ruleOf, toldFault } from '../rules/rule-body.js';
import { readSeries } from './series-notation.js';

/** A file of rule tests, read. docs/alerts.md tells of it. */
export type RuleTestFile = Readonly<{ rules: readonly Rule[]; interval?: string; tests: readonly RuleTest[] }>;

export type RuleTest = Readonly<{
  name?: string;
  source?: string;
  symbol: string;
  /** When the first values come; left out, a midnight. */
  start?: string;
  /** Between two values of a series. */
  interval?: string;
  input_series: readonly Readonly<{ series: string; values: string }>[];
  alert_rule_test?: readonly AlertRuleTest[];
  /** All episodes of the rules that are named, by time since the start; empty: no rule has any. */
  exp_episodes?: readonly ExpectedEpisode[];
}>;

export type AlertRuleTest = Readonly<{ eval_time: string; rule: string; exp_alerts: readonly ExpectedAlert[] }>;
export type ExpectedAlert = Readonly<{
  openedBy?: string;
  value?: number | null;
  labels?: Readonly<Record<string, string>>;
}>;
export type ExpectedEpisode = Readonly<{
  rule: string;
  from: string;
  to?: string | null;
  openedBy?: string;
  value?: number | null;
}>;

const MOST_RULES = 1000;
const MOST_TESTS = 1000;
const MOST_INPUTS = 50;
const MOST_ASKED = 10_000;
const MOST_TOLD = 20;

/** Throws with everything that is wrong, a line each: where, what, and what would be right. */
export function readRuleTests(text: string): RuleTestFile {
  const file = parsed(text);
  const faults = FILE(file, '');
  if (faults.length > 0) throw wrong(faults);
  const { rules, ...rest } = file as Omit<RuleTestFile, 'rules'> & Readonly<{ rules: readonly RuleBody[] }>;
  const ids = new Set(rules.map(({ id }) => id));
  const strangers = rest.tests.flatMap((test, index) =>
    (['alert_rule_test', 'exp_episodes'] as const).flatMap((name) =>
      (test[name] ?? []).flatMap(({ rule }, at) =>
        ids.has(rule) ? [] : [`tests[${index}].${name}[${at}].rule: ${shown(rule)} is none of ${[...ids].join(', ')}`],
      ),
    ),
  );
  if (strangers.length > 0) throw wrong(strangers);
  return { ...rest, rules: rules.map(compiled) };
}

/** `1m30s`, `90s`, `0s`, in microseconds; undefined for anything else. */
export function spanUs(text: unknown): number | undefined {
  if (typeof text !== 'string' || !/^(?:\d+[smhd])+$/.test(text)) return undefined;
  const parts = text.match(/\d+[smhd]/g)!.map(durationUs);
  return parts.includes(undefined) ? undefined : parts.reduce<number>((sum, us) => sum + us!, 0);
}

/** What is wrong with a value that stands at a path. */
type Check = (value: unknown, path: string) => string[];

const leaf =
  (faultOf: Expectation): Check =>
  (value, path) => {
    const fault = faultOf(value);
    return fault === undefined ? [] : [`${path} ${fault}`];
  };

const listOf =
  (least: number, most: number, each: Check): Check =>
  (value, path) => {
    if (!Array.isArray(value)) return [`${path} must be a list, not ${shown(value)}`];
    if (value.length < least || value.length > most)
      return [`${path} must have ${least} to ${most} entries, not ${value.length}`];
    return value.flatMap((one, index) => each(one, `${path}[${index}]`));
  };

/** `name?` may be left out; any other name is a fault. */
function objectOf(fields: Readonly<Record<string, Check>>): Check {
  const checks = new Map(Object.entries(fields).map(([name, check]) => [name.replace('?', ''), check]));
  const names = [...checks.keys()];
  return (value, path) => {
    const at = (name: string): string => (path === '' ? name : `${path}.${name}`);
    if (!isRecord(value))
      return [`${path || 'the file'} must be an object of ${names.join(', ')}, not ${shown(value)}`];
    const strays = Object.keys(value).filter((name) => !checks.has(name));
    return [
      ...strays.map((name) => `${at(name)} is none of ${names.join(', ')}${meant(name, names)}`),
      ...[...checks].flatMap(([name, check]) => {
        if (value[name] !== undefined) return check(value[name], at(name));
        return Object.hasOwn(fields, `${name}?`) ? [] : [`${at(name)} is missing`];
      }),
    ];
  };
}

function meant(name: string, names: readonly string[]): string {
  const near = nearest(name, names);
  return near === undefined ? '' : `; did you mean ${near}?`;
}

const SPAN = leaf(must('must be a time since the start such as 1m30s', (value) => spanUs(value) !== undefined));
const INTERVAL = leaf(must('must be a duration such as 30s', (value) => (spanUs(value) ?? 0) > 0));
const REASON = leaf(mustBeOneOf(ALERT_REASONS));
const VALUE = leaf(must('must be a number or null', (value) => value === null || typeof value === 'number'));
const RULE = leaf(must('must be the id of a rule of this file', (value) => typeof value === 'string'));
const SERIES_EXPECTED = `must be one of price, size, sentiment, custom:NAME, ${ANOMALY_KINDS.map((kind) => `anomaly:${kind}`).join(', ')}`;

const TEST = objectOf({
  'name?': leaf(must('must be a line of 1 to 200 characters', isLine(1, 200))),
  'source?': leaf(RULE_FIELDS.source),
  symbol: leaf(must('must be one symbol such as BTCUSDT', (value) => typeof value === 'string' && value !== '')),
  'start?': leaf(
    must(
      'must be an RFC 3339 instant such as 2026-08-09T21:00:00Z',
      (value) => typeof value === 'string' && parseInstant(value) !== undefined,
    ),
  ),
  'interval?': INTERVAL,
  input_series: listOf(
    1,
    MOST_INPUTS,
    objectOf({ series: leaf(must(SERIES_EXPECTED, isSeries)), values: leaf(faultOfValues) }),
  ),
  'alert_rule_test?': listOf(
    1,
    MOST_ASKED,
    objectOf({
      eval_time: SPAN,
      rule: RULE,
      // one series has at most one alert
      exp_alerts: listOf(0, 1, objectOf({ 'openedBy?': REASON, 'value?': VALUE, 'labels?': leaf(RULE_FIELDS.labels) })),
    }),
  ),
  'exp_episodes?': listOf(
    0,
    MOST_ASKED,
    objectOf({
      rule: RULE,
      from: SPAN,
      'to?': (value, path) => (value === null ? [] : SPAN(value, path)),
      'openedBy?': REASON,
      'value?': VALUE,
    }),
  ),
});

const FILE = objectOf({
  rules: (value, path) => [...listOf(1, MOST_RULES, faultsOfRule)(value, path), ...repeatedIds(value)],
  'interval?': INTERVAL,
  tests: listOf(1, MOST_TESTS, (value, path) => [...TEST(value, path), ...asksNothing(value, path)]),
});

function faultsOfRule(value: unknown, path: string): string[] {
  const faults = faultsOfBody(value);
  if (faults.length > 0)
    return faults.map(({ field, message }) => {
      const near = message === 'is not a field of a rule' ? meant(field, Object.keys(RULE_FIELDS)) : '';
      return `${path}${field === 'rule' ? '' : `.${field}`} ${message}${near}`;
    });
  const body = value as RuleBody;
  if (body.id === undefined) return [`${path}.id is missing`];
  const read = ruleOf(body, body.id);
  return 'rule' in read ? [] : read.faults.map((fault) => `${path}.${toldFault(fault)}`);
}

function repeatedIds(rules: unknown): string[] {
  if (!Array.isArray(rules)) return [];
  const ids = rules.map((rule) => (isRecord(rule) ? rule.id : undefined));
  return ids.flatMap((id, index) =>
    id !== undefined && ids.indexOf(id) < index
      ? [`rules[${index}].id must be another than ${shown(id)}, which stands before`]
      : [],
  );
}

function asksNothing(test: unknown, path: string): string[] {
  if (!isRecord(test) || test.alert_rule_test !== undefined || test.exp_episodes !== undefined) return [];
  return [`${path} must have alert_rule_test or exp_episodes, or it tests nothing`];
}

function isSeries(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  if (value.startsWith('anomaly:')) return (ANOMALY_KINDS as readonly string[]).includes(value.slice(8));
  return /^(price|size|sentiment|custom:.+)$/.test(value);
}

function faultOfValues(value: unknown): string | undefined {
  if (typeof value !== 'string') return `must be a text such as "1+2x3 _x2 5 stale", not ${shown(value)}`;
  try {
    readSeries(value);
    return undefined;
  } catch (error) {
    return `is wrong: ${(error as Error).message}`;
  }
}

function compiled(body: RuleBody): Rule {
  const read = ruleOf(body, body.id!);
  if ('rule' in read) return read.rule;
  throw wrong(read.faults.map(toldFault));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const reason = (error as Error).message.replaceAll(/\s+/g, ' ');
    throw new Error(`a file of rule tests is JSON, and this is none: ${reason}`, { cause: error });
  }
}

function wrong(faults: readonly string[]): Error {
  const more = faults.length > MOST_TOLD ? [`and ${faults.length - MOST_TOLD} more`] : [];
  return new Error([...faults.slice(0, MOST_TOLD), ...more].join('\n'));
}
