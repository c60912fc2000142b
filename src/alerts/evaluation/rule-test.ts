import { type AnomalyKind, parseInstant } from '../../contracts/index.js';
import { Market } from '../inputs/index.js';
import { type Rule, watches } from '../rules/rule.js';
import { type BacktestEpisode, EpisodeLog } from './episode-log.js';
import { Evaluation } from './evaluation.js';
import { type RunningRule, startRule } from './running-rule.js';
import { type AlertRuleTest, type ExpectedEpisode, readRuleTests, type RuleTest, spanUs } from './rule-test-file.js';
import { readSeries, type SeriesValue } from './series-notation.js';

export type RuleTestResult = Readonly<{ name: string; failures: readonly string[] }>;

const DEFAULT_START_US = Date.UTC(2026, 0, 1) * 1000;

/** Runs every test of a file; what is wrong with the file itself throws, in words. */
export function runRuleTests(text: string): RuleTestResult[] {
  const { rules, interval, tests } = readRuleTests(text);
  return tests.map((test, index) => ({
    name: test.name ?? `test ${index + 1}`,
    failures: new TestRun(test, rules, interval).failures(),
  }));
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
    this.startUs = test.start === undefined ? DEFAULT_START_US : parseInstant(test.start)!;
    const watching = rules.filter((rule) => watches(rule, key));
    this.running = watching.map(startRule);
    this.evaluation = new Evaluation(new Market(key), this.running);
    this.logs = new Map(watching.map((rule) => [rule.id, new EpisodeLog(rule, key)]));
  }

  failures(): string[] {
    const failures: string[] = [];
    const asked = (this.test.alert_rule_test ?? [])
      .map((one) => ({ ...one, atUs: this.startUs + lasting(one.eval_time) }))
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
    const stepUs = lasting(this.test.interval ?? this.interval ?? '1m');
    const given = this.test.input_series;
    const sizes = given.find(({ series }) => series === 'size');
    const sizeAt = sizes && readSeries(sizes.values);
    return given
      .flatMap(({ series, values }, order) => {
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
      else if (value !== 0) this.keep(evaluation.tellAnomaly(series.slice(8) as AnomalyKind, atUs));
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

  private compareAlerts(asked: AlertRuleTest): string[] {
    const rule = this.rules.find(({ id }) => id === asked.rule)!;
    const open = this.logs.get(rule.id)?.unresolved;
    const at = `${asked.eval_time} ${rule.id}`;
    const [wanted] = asked.exp_alerts;
    if (!wanted) return open ? [`${at}: expected no alert, one is open since ${this.since(open.startedAtUs)}`] : [];
    if (!open) {
      const phase = this.running.find(({ ruleId }) => ruleId === rule.id)?.state.phase ?? 'not run for this symbol';
      return [`${at}: expected an alert, the rule is ${phase}`];
    }
    return differences(at, { ...open, labels: rule.labels }, wanted);
  }

  private compareEpisodes(wanted: readonly ExpectedEpisode[]): string[] {
    const named = new Set(wanted.length > 0 ? wanted.map(({ rule }) => rule) : this.rules.map(({ id }) => id));
    const open = [...this.logs].flatMap(([ruleId, { unresolved }]) => (unresolved ? [{ ...unresolved, ruleId }] : []));
    const got = [...this.ended, ...open]
      .filter(({ ruleId }) => named.has(ruleId))
      .map((one) => ({ ...one, span: this.spanText(one.ruleId, one.startedAtUs, one.resolvedAtUs) }));
    const expected = wanted.map(({ rule, from, to, ...fields }) => {
      const endUs = to === undefined || to === null ? undefined : this.startUs + lasting(to);
      return { span: this.spanText(rule, this.startUs + lasting(from), endUs), fields };
    });
    return [
      ...expected.flatMap(({ span, fields }) => {
        const one = got.find((episode) => episode.span === span);
        return one ? differences(span, one, fields) : [`expected ${span}`];
      }),
      ...got
        .filter(({ span }) => !expected.some((one) => one.span === span))
        .map(({ span }) => `did not expect ${span}`),
    ];
  }

  private spanText(ruleId: string, fromUs: number, toUs: number | undefined): string {
    return `${ruleId} from ${this.since(fromUs)} ${toUs === undefined ? 'on' : `to ${this.since(toUs)}`}`;
  }

  private since(us: number): string {
    return `${(us - this.startUs) / 1e6}s`;
  }
}

const lasting = (text: string): number => spanUs(text)!;

const differences = (at: string, got: object, wanted: object): string[] =>
  Object.entries(wanted).flatMap(([field, value]) => {
    const is: unknown = got[field as keyof typeof got];
    return sameJson(is, value) ? [] : [`${at}: ${field} is ${JSON.stringify(is)}, expected ${JSON.stringify(value)}`];
  });

const sameJson = (a: unknown, b: unknown): boolean => JSON.stringify(a, keysOf(a)) === JSON.stringify(b, keysOf(b));

const keysOf = (value: unknown): string[] | null =>
  typeof value === 'object' && value !== null ? Object.keys(value).toSorted() : null;
