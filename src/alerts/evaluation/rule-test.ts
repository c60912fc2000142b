import { ANOMALY_KINDS, type AnomalyKind, parseInstant } from '../../contracts/index.js';
import { Market } from '../inputs/index.js';
import { durationUs } from '../rules/duration-text.js';
import type { Rule } from '../rules/rule.js';
import { faultsOfBody, type RuleBody, ruleOf } from '../rules/rule-body.js';
import { type BacktestEpisode, EpisodeLog } from './episode-log.js';
import { Evaluation } from './evaluation.js';
import { type RunningRule, startRule } from './running-rule.js';
import { readSeries, type SeriesValue } from './series-notation.js';

/** A file of rule tests, as JSON. docs/alerts.md tells of it. */
type TestFile = Readonly<{ rules: readonly unknown[]; interval?: string; tests: readonly RuleTest[] }>;

type RuleTest = Readonly<{
  name?: string;
  source?: string;
  symbol: string;
  /** When the first values come; left out, a midnight. */
  start?: string;
  /** Between two values of a series. */
  interval?: string;
  input_series: readonly Readonly<{ series: string; values: string }>[];
  alert_rule_test?: readonly Readonly<{ eval_time: string; rule: string; exp_alerts: readonly ExpectedAlert[] }>[];
  /** All episodes of the rules that are named, by time since the start. */
  exp_episodes?: readonly ExpectedEpisode[];
}>;

type ExpectedAlert = Readonly<{ openedBy?: string; value?: number | null; labels?: Readonly<Record<string, string>> }>;
type ExpectedEpisode = Readonly<{ rule: string; from: string; to?: string | null; openedBy?: string; value?: number }>;

export type RuleTestResult = Readonly<{ name: string; failures: readonly string[] }>;

const DEFAULT_START_US = Date.UTC(2026, 0, 1) * 1000;
const SERIES = /^(price|size|sentiment|custom:.+|anomaly:.+)$/;
const MOST_INPUTS = 50;

/** Runs every test of a file; what is wrong with the file itself throws, in words. */
export function runRuleTests(text: string): RuleTestResult[] {
  const file = readFile(text);
  const rules = file.rules.map(readRule);
  return file.tests.map((test, index) => {
    const name = test.name ?? `test ${index + 1}`;
    try {
      return { name, failures: new TestRun(test, rules, file.interval).failures() };
    } catch (error) {
      return { name, failures: [(error as Error).message] };
    }
  });
}

function readFile(text: string): TestFile {
  const file = JSON.parse(text) as Partial<TestFile> | null;
  if (!Array.isArray(file?.rules) || !Array.isArray(file.tests))
    throw new Error('a file of rule tests is an object with the lists `rules` and `tests`');
  return file as TestFile;
}

function readRule(body: unknown): Rule {
  const name = JSON.stringify((body as { id?: unknown } | null)?.id);
  const [fault] = faultsOfBody(body);
  if (fault) throw new Error(`rule ${name}: ${fault.field} ${fault.message}`);
  const sound = body as RuleBody;
  if (sound.id === undefined) throw new Error('a rule of a test needs an id');
  const read = ruleOf(sound, sound.id);
  if ('rule' in read) return read.rule;
  const [wrong] = read.faults;
  throw new Error(`rule ${name}: ${wrong!.field}, character ${wrong!.start}: ${wrong!.message}`);
}

type Input = Readonly<{ atUs: number; order: number; series: string; value: number | 'stale'; size: number }>;

class TestRun {
  private readonly startUs: number;
  private readonly running: readonly RunningRule[];
  private readonly evaluation: Evaluation;
  private readonly logs: ReadonlyMap<string, EpisodeLog>;
  private readonly ended: (BacktestEpisode & { ruleId: string })[] = [];

  constructor(
    private readonly test: RuleTest,
    private readonly rules: readonly Rule[],
    private readonly interval: string | undefined,
  ) {
    const key = { source: test.source ?? 'test', symbol: test.symbol };
    const startUs = test.start === undefined ? DEFAULT_START_US : parseInstant(test.start);
    if (startUs === undefined) throw new Error(`start ${test.start} is no RFC 3339 instant`);
    this.startUs = startUs;
    const watching = rules.filter(
      (rule) =>
        (rule.symbols === '*' || rule.symbols.includes(key.symbol)) &&
        (rule.source === undefined || rule.source === key.source),
    );
    this.running = watching.map(startRule);
    this.evaluation = new Evaluation(new Market(key), this.running);
    this.logs = new Map(watching.map((rule) => [rule.id, new EpisodeLog(rule, key)]));
  }

  failures(): string[] {
    const failures: string[] = [];
    const asked = (this.test.alert_rule_test ?? [])
      .map((one) => ({ ...one, atUs: this.startUs + lasting('eval_time', one.eval_time) }))
      .toSorted((a, b) => a.atUs - b.atUs);
    const inputs = this.inputs();
    let next = 0;
    for (const one of asked) {
      for (; next < inputs.length && inputs[next]!.atUs <= one.atUs; next++) this.give(inputs[next]!);
      this.pass(one.atUs);
      failures.push(...this.compareAlerts(one));
    }
    for (; next < inputs.length; next++) this.give(inputs[next]!);
    if (this.test.exp_episodes) failures.push(...this.compareEpisodes(this.test.exp_episodes));
    return failures;
  }

  private inputs(): Input[] {
    const stepUs = lasting('interval', this.test.interval ?? this.interval ?? '1m');
    const given = this.test.input_series;
    if (!Array.isArray(given) || given.length === 0 || given.length > MOST_INPUTS)
      throw new Error(`input_series must list 1 to ${MOST_INPUTS} series`);
    const sizes = given.find(({ series }) => series === 'size');
    const sizeAt = sizes && readSeries(sizes.values);
    return given
      .flatMap(({ series, values }, order) => {
        if (!SERIES.test(series))
          throw new Error(`${series} is none of price, size, sentiment, custom:NAME, anomaly:KIND`);
        if (series === 'size') return [];
        return readSeries(values).flatMap((value: SeriesValue, index): Input[] => {
          if (value === undefined) return [];
          const size = sizeAt?.[index];
          const atUs = this.startUs + index * stepUs;
          return [{ atUs, order, series, value, size: typeof size === 'number' ? size : 1 }];
        });
      })
      .toSorted((a, b) => a.atUs - b.atUs || a.order - b.order);
  }

  private give({ atUs, series, value, size }: Input): void {
    const { evaluation } = this;
    if (value === 'stale') {
      this.pass(atUs);
      this.keep(evaluation.lose(atUs));
    } else if (series === 'price') {
      this.keep(evaluation.take({ tradedAtUs: atUs, price: value, size }) ?? []);
    } else {
      this.pass(atUs);
      if (series === 'sentiment') this.keep(evaluation.tellSentiment(value, atUs));
      else if (series.startsWith('custom:')) this.keep(evaluation.tellCustom(series.slice(7), value, atUs));
      else if (value !== 0) this.keep(evaluation.tellAnomaly(anomalyOf(series.slice(8)), atUs));
    }
  }

  private pass(toUs: number): void {
    if (this.evaluation.nowUs !== undefined) this.keep(this.evaluation.passTime(toUs));
  }

  private keep(all: ReturnType<Evaluation['passTime']>): void {
    for (const one of all) {
      const { ruleId } = one.rule;
      for (const episode of this.logs.get(ruleId)!.add([one])) this.ended.push({ ...episode, ruleId });
    }
  }

  private compareAlerts(asked: Readonly<{ eval_time: string; rule: string; exp_alerts: readonly ExpectedAlert[] }>) {
    const rule = this.ruleOf(asked.rule);
    const open = this.logs.get(rule.id)?.unresolved;
    const at = `${asked.eval_time} ${rule.id}`;
    if (asked.exp_alerts.length > 1) return [`${at}: one series has at most one alert`];
    const [wanted] = asked.exp_alerts;
    if (!wanted) return open ? [`${at}: expected no alert, one is open since ${this.since(open.startedAtUs)}`] : [];
    if (!open) {
      const phase = this.running.find(({ ruleId }) => ruleId === rule.id)?.state.phase ?? 'not run for this symbol';
      return [`${at}: expected an alert, the rule is ${phase}`];
    }
    const got = { openedBy: open.openedBy, value: open.value, labels: rule.labels };
    return Object.entries(wanted).flatMap(([field, value]) => {
      const is = got[field as keyof typeof got];
      return sameJson(is, value) ? [] : [`${at}: ${field} is ${JSON.stringify(is)}, expected ${JSON.stringify(value)}`];
    });
  }

  private compareEpisodes(wanted: readonly ExpectedEpisode[]): string[] {
    const named = new Set(wanted.map(({ rule }) => this.ruleOf(rule).id));
    const open = [...this.logs].flatMap(([ruleId, { unresolved }]) => (unresolved ? [{ ...unresolved, ruleId }] : []));
    const got = [...this.ended, ...open]
      .filter(({ ruleId }) => named.has(ruleId))
      .map(({ ruleId, startedAtUs, resolvedAtUs }) => this.spanText(ruleId, startedAtUs, resolvedAtUs));
    const expected = wanted.map(({ rule, from, to }) => {
      const endUs = to === undefined || to === null ? undefined : this.startUs + lasting('to', to);
      return this.spanText(rule, this.startUs + lasting('from', from), endUs);
    });
    return [
      ...expected.filter((one) => !got.includes(one)).map((one) => `expected ${one}`),
      ...got.filter((one) => !expected.includes(one)).map((one) => `did not expect ${one}`),
    ];
  }

  private ruleOf(id: string): Rule {
    const rule = this.rules.find((one) => one.id === id);
    if (!rule) throw new Error(`${id} is no rule of this file`);
    return rule;
  }

  private spanText(ruleId: string, fromUs: number, toUs: number | undefined): string {
    return `${ruleId} from ${this.since(fromUs)} ${toUs === undefined ? 'on' : `to ${this.since(toUs)}`}`;
  }

  private since(us: number): string {
    return `${(us - this.startUs) / 1e6}s`;
  }
}

/** `1m30s`, `90s`, `0s`. */
function lasting(field: string, text: string): number {
  const parts = /^(?:\d+[smhd])+$/.test(text) ? text.match(/\d+[smhd]/g)! : [];
  const all = parts.map((part) => durationUs(part));
  if (all.length === 0 || all.includes(undefined)) throw new Error(`${field} ${text} is no duration such as 1m30s`);
  return all.reduce<number>((sum, us) => sum + us!, 0);
}

function anomalyOf(kind: string): AnomalyKind {
  const known = ANOMALY_KINDS.find((one) => one === kind);
  if (!known) throw new Error(`${kind} is none of ${ANOMALY_KINDS.join(', ')}`);
  return known;
}

const sameJson = (a: unknown, b: unknown): boolean => JSON.stringify(a, keysOf(a)) === JSON.stringify(b, keysOf(b));

const keysOf = (value: unknown): string[] | null =>
  typeof value === 'object' && value !== null ? Object.keys(value).toSorted() : null;
