import { Injectable } from '@nestjs/common';
import { CUSTOM_SOURCE, INTERVALS } from '../../contracts/index.js';
import { Settings } from '../../platform/config/index.js';
import { AppError, badParameter } from '../../platform/errors/index.js';
import { nowUs } from '../../platform/observability/index.js';
import { inputsOf, type Rule, watches } from '../rules/rule.js';
import { type BacktestEpisode, EpisodeLog } from './episode-log.js';
import { Evaluation } from './evaluation.js';
import { EvaluatorStore } from './evaluator.store.js';
import { History } from './history.service.js';
import { type RuleTransition, startRule } from './running-rule.js';
import type { MarketKey } from './trade-position.js';
import { marketFrom } from './warm-market.js';
import { SENTIMENT, WarmUp } from './warm-up.service.js';

const MOST_AT_ONCE = 2;
const MOST_RANGE_US = 31 * INTERVALS['1d'] * 1000;
export const MOST_SERIES = 200;
const MOST_EPISODES = 10_000;

export type BacktestRange = Readonly<{ fromUs: number; toUs: number }>;
export type BacktestStep =
  | Readonly<{ type: 'series'; series: readonly MarketKey[] } & SeriesCount>
  | Readonly<{ type: 'progress'; key: MarketKey; atUs: number; trades: number; evaluations: number }>
  | Readonly<{ type: 'episode'; episode: BacktestEpisode }>
  | Readonly<{ type: 'done'; isTruncated: boolean } & Sum & SeriesCount>;
type Sum = { trades: number; evaluations: number; episodes: number };
/** Series that the rule watches and that were recorded, and those of them beyond MOST_SERIES. */
type SeriesCount = Readonly<{ found: number; leftOut: number }>;
type SeriesStep =
  Extract<BacktestStep, { type: 'progress' | 'episode' }> | Readonly<{ type: 'end' } & Omit<Sum, 'episodes'>>;

/** Runs rules over what was recorded: the same markets, conditions and states as live, under a clock of their own. */
@Injectable()
export class Backtests {
  private running = 0;

  constructor(
    private readonly history: History,
    private readonly warmUp: WarmUp,
    private readonly store: EvaluatorStore,
    private readonly settings: Settings,
  ) {}

  /** Throws the problem for the range before anything is read. */
  assertRange({ fromUs, toUs }: BacktestRange): void {
    if (fromUs >= toUs) throw badParameter('from', 'must be before to');
    if (toUs - fromUs > MOST_RANGE_US) throw badParameter('from', 'must be at most 31 days before to');
    if (this.running >= MOST_AT_ONCE)
      throw new AppError('alerts.backtest-busy', `${this.running} backtests are running already`);
  }

  async *run(rule: Rule, range: BacktestRange): AsyncGenerator<BacktestStep> {
    this.assertRange(range);
    this.running++;
    try {
      const toUs = Math.min(range.toUs, nowUs());
      const all = await this.seriesOf(rule);
      const series = all.slice(0, MOST_SERIES);
      const count = { found: all.length, leftOut: all.length - series.length };
      yield { type: 'series', series, ...count };
      const sum: Sum = { trades: 0, evaluations: 0, episodes: 0 };
      for (const key of series) {
        for await (const step of this.runSeries(rule, key, range.fromUs, toUs)) {
          if (step.type === 'episode') sum.episodes++;
          if (step.type === 'end') {
            sum.trades += step.trades;
            sum.evaluations += step.evaluations;
          } else if (sum.episodes <= MOST_EPISODES) yield step;
          if (sum.episodes > MOST_EPISODES) break;
        }
        if (sum.episodes > MOST_EPISODES) break;
      }
      yield { type: 'done', ...sum, ...count, isTruncated: sum.episodes > MOST_EPISODES };
    } finally {
      this.running--;
    }
  }

  private async seriesOf(rule: Rule): Promise<MarketKey[]> {
    const { history } = this;
    const all = rule.source === CUSTOM_SOURCE ? await history.customSeries() : await history.series();
    return all.filter((key) => watches(rule, key));
  }

  private async *runSeries(rule: Rule, key: MarketKey, fromUs: number, toUs: number): AsyncGenerator<SeriesStep> {
    const running = startRule(rule);
    const inputs = inputsOf([running]);
    const past = await this.warmUp.pastBefore(key, inputs, fromUs);
    const evaluation = new Evaluation(marketFrom(key, inputs, past), [running]);
    if (past.trades.length > 0 || [...past.bars.values()].some((bars) => bars.length > 0)) evaluation.start(fromUs);
    const log = new EpisodeLog(rule, key);
    const tellings = await this.tellings(key, evaluation, fromUs, toUs);
    let trades = 0;
    let next = 0;
    const pass = function* (untilUs: number): Generator<BacktestEpisode> {
      for (; next < tellings.length && tellings[next]!.atUs <= untilUs; next++) {
        if (evaluation.nowUs !== undefined) yield* log.add(evaluation.passTime(tellings[next]!.atUs));
        yield* log.add(tellings[next]!.tell());
      }
    };
    for await (const page of this.history.trades(key, fromUs, toUs)) {
      for (const trade of page) {
        trades++;
        for (const episode of pass(trade.tradedAtUs)) yield { type: 'episode', episode };
        for (const episode of log.add(evaluation.take(trade) ?? [])) yield { type: 'episode', episode };
      }
      const atUs = page.at(-1)?.tradedAtUs ?? toUs;
      yield { type: 'progress', key, atUs, trades, evaluations: evaluation.evaluations };
    }
    // the last instant is before `to`, and what is later than live evaluation would be is not known yet
    const endUs = Math.min(toUs - 1, nowUs() - this.settings.CANDLE_LATENESS_MS * 1000);
    for (const episode of pass(endUs)) yield { type: 'episode', episode };
    if (evaluation.nowUs !== undefined)
      for (const episode of log.add(evaluation.passTime(endUs))) yield { type: 'episode', episode };
    if (log.unresolved) yield { type: 'episode', episode: log.unresolved };
    yield { type: 'end', trades, evaluations: evaluation.evaluations };
  }

  /** What is told beside the trades, in order: what was written of a lost feed too. */
  private async tellings(key: MarketKey, evaluation: Evaluation, fromUs: number, toUs: number): Promise<Telling[]> {
    const inputs = inputsOf(evaluation.rules);
    const all: Telling[] = [];
    if (inputs.some(({ kind }) => kind === 'anomaly'))
      for (const { kind, atUs } of await this.history.anomalies(key, fromUs, toUs))
        all.push({ atUs, tell: () => evaluation.tellAnomaly(kind, atUs) });
    for (const input of inputs) {
      if (input.kind !== 'custom') continue;
      for (const { value, atUs } of await this.history.points(input.name, fromUs, toUs))
        all.push({ atUs, tell: () => evaluation.tellCustom(input.name, value, atUs) });
    }
    if (inputs.some((input) => input.kind === 'variable' && input.name === 'sentiment'))
      for await (const page of this.history.trades(SENTIMENT, fromUs, toUs))
        for (const { price, tradedAtUs: atUs } of page)
          all.push({ atUs, tell: () => evaluation.tellSentiment(price, atUs) });
    for (const { sinceUs, notedUs, untilUs } of await this.store.silences(key.source, fromUs, toUs)) {
      all.push({ atUs: notedUs, tell: () => evaluation.lose(sinceUs) });
      if (untilUs !== undefined) all.push({ atUs: untilUs, tell: () => evaluation.regain(untilUs) });
    }
    return all.toSorted((a, b) => a.atUs - b.atUs);
  }
}

type Telling = Readonly<{ atUs: number; tell: () => readonly RuleTransition[] }>;
