import { Injectable, Logger } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter } from 'prom-client';
import type { EntityManager } from 'typeorm';
import {
  type AnomalyDetectedV1Data,
  CUSTOM_SOURCE,
  type CustomPointsRecordedV1Data,
  type GapV1Data,
  isPolled,
  type RecordedSeries,
  type Trade,
  UPLOAD_SOURCE,
} from '../../contracts/index.js';
import { Bus } from '../../platform/bus/index.js';
import { RuleStateStore } from '../episodes/rule-state.store.js';
import { EvaluatorStore, type SeriesPosition } from './evaluator.store.js';
import { FeedWatch } from './feed-watch.js';
import { LiveSeries } from './live-series.js';
import { NotEvaluating } from './not-evaluating.js';
import { RuleBook } from './rule-book.js';
import { RuleStore } from '../rules/rule.store.js';
import { type HistoricalTrade, keyText, type MarketKey } from './trade-position.js';
import { TransitionWriter } from './transition-writer.service.js';
import { Turn } from './turn.js';
import { SENTIMENT } from './warm-up.service.js';
import type { RuleTransition } from './running-rule.js';

/**
 * Rules over every series, in memory: one thing at a time. What it decides is written in the transaction of what it was
 * decided on; the position in the trades goes with it, so a crash repeats nothing and leaves nothing out.
 */
@Injectable()
export class Evaluator {
  private readonly logger = new Logger('Evaluator');
  private readonly turn = new Turn();
  private readonly book = new RuleBook();
  private readonly all = new Map<string, LiveSeries>();
  /** Positions that changed and are not committed. */
  private readonly moved = new Set<LiveSeries>();
  /** The newest point of each custom series that rules were told of; `movedPoints` are not committed. */
  private readonly points = new Map<string, SeriesPosition>();
  private readonly movedPoints = new Set<string>();
  private readonly coolings = new Map<LiveSeries, number>();
  /** Of this process, while it evaluates. */
  private epoch: string | undefined;
  readonly feeds = new FeedWatch();
  /** How far behind the last trades were. */
  lagUs = 0;
  private counted = 0;
  /** A series that is not there has no past. */
  private isPastKnown = true;
  private openedUs = 0;

  constructor(
    private readonly bus: Bus,
    private readonly rules: RuleStore,
    private readonly states: RuleStateStore,
    private readonly store: EvaluatorStore,
    private readonly writer: TransitionWriter,
    @InjectMetric('alert_evaluations_total') private readonly evaluations: Counter,
    @InjectMetric('alert_late_trades_total') private readonly late: Counter<'result'>,
  ) {}

  get series(): readonly LiveSeries[] {
    return [...this.all.values()];
  }

  get ruleCount(): number {
    return this.book.size;
  }

  /**
   * Begins with what is stored: rules, where they stand, how far trades were evaluated, which feeds are lost. Another process
   * that still evaluates can write nothing from here on. `known` are series that recorded something, if that can be said.
   * Answers the epoch, for `open`.
   */
  async begin(known: readonly MarketKey[] | undefined): Promise<string> {
    const end = await this.turn.take();
    try {
      const epoch = await this.store.raiseEpoch();
      this.all.clear();
      this.moved.clear();
      this.points.clear();
      this.movedPoints.clear();
      this.coolings.clear();
      this.writer.clear();
      this.counted = 0;
      this.isPastKnown = known !== undefined;
      this.feeds.begin(await this.store.openSilences());
      for (const fault of this.book.load(await this.rules.enabled(), await this.states.all())) this.logger.error(fault);
      const positions = new Map((await this.store.positions()).map((one) => [keyText(one), one]));
      for (const key of [...(known ?? []), ...positions.values()]) {
        const position = positions.get(keyText(key));
        if (position && position.source === CUSTOM_SOURCE) this.points.set(position.symbol, position);
        if (this.all.has(keyText(key))) continue;
        this.add(key, position && { tradedAtUs: position.tradedAtUs, tradeId: position.tradeId });
      }
      return epoch;
    } finally {
      end();
    }
  }

  /** From now on it is evaluated what comes. */
  open(epoch: string, nowUs: number): void {
    this.epoch = epoch;
    this.openedUs = nowUs;
  }

  /** What still comes waits for whoever evaluates next, here or elsewhere. */
  close(): void {
    this.epoch = undefined;
  }

  /** Throws NotEvaluating where this process does not evaluate. */
  assertOpen(): void {
    if (this.epoch === undefined) throw new NotEvaluating();
  }

  /**
   * Changes what is in memory, and writes what comes of it. Others wait until the transaction is over: only then is it known
   * whether what was written stands. Throws NotEvaluating where this process does not evaluate, or no longer.
   */
  async inTurn(tx: EntityManager, work: () => void | Promise<void>): Promise<void> {
    const end = await this.turn.take();
    this.bus.afterEnd(tx, (isCommitted) => {
      this.writer.settle(isCommitted);
      if (isCommitted) {
        this.moved.clear();
        this.movedPoints.clear();
      }
      end();
    });
    this.assertOpen();
    if (!(await this.store.isEpoch(tx, this.epoch!))) throw new NotEvaluating();
    await work();
    const voided = await this.writer.write(tx);
    for (const running of voided) this.book.forget(running);
    if (voided.length > 0) await this.reload([...new Set(voided.map(({ ruleId }) => ruleId))], tx);
    await this.savePositions(tx);
  }

  private async savePositions(tx: EntityManager): Promise<void> {
    const points = [...this.movedPoints].map((name) => this.points.get(name)!);
    const series = [...this.moved].filter(
      ({ key }) => key.source !== CUSTOM_SOURCE || !this.movedPoints.has(key.symbol),
    );
    const positions = [...series.flatMap(positionOf), ...points];
    if (positions.length > 0) await this.store.savePositions(tx, positions);
  }

  /** Lets time pass; answers whether there is something to write. */
  async passTime(nowUs: number, toUs: number): Promise<boolean> {
    const end = await this.turn.take();
    try {
      const isNew = nowUs - this.openedUs < UNHEARD_AT_MOST_US;
      for (const one of this.all.values()) {
        const { source } = one.key;
        const delayUs = source === CUSTOM_SOURCE ? 0 : this.feeds.delayUs(source);
        // where the delay of a feed is not known yet, time would be ahead of what it brings
        if (delayUs !== undefined || !isNew) this.keep(one, one.passTime(toUs - (delayUs ?? 0), nowUs));
      }
      this.countEvaluations();
      return !this.writer.isEmpty;
    } finally {
      end();
    }
  }

  /** A feed was lost since an instant, or came back at one. */
  changeFeed(source: string, { sinceUs, isLost, backUs }: { sinceUs: number; isLost: boolean; backUs: number }): void {
    for (const one of this.all.values()) {
      if (one.key.source !== source) continue;
      this.keep(
        one,
        one.tell((evaluation) => (isLost ? evaluation.lose(sinceUs) : evaluation.regain(backUs))),
      );
    }
  }

  take(recorded: readonly RecordedSeries[], nowUs: number): void {
    const byKey = Map.groupBy(recorded, keyText);
    const untilUs = nowUs + AHEAD_AT_MOST_US;
    let receivedUs = 0;
    for (const columns of byKey.values()) {
      const { source, symbol } = columns[0]!;
      const trades = this.withoutAhead(columns.flatMap(tradesOf), untilUs);
      const polled = isPolled(source);
      this.feeds.heard(source, nowUs, !polled && source !== UPLOAD_SOURCE);
      if (!polled) this.feeds.traded(source, trades, nowUs);
      const one = this.find({ source, symbol }) ?? this.addNew({ source, symbol }, nowUs);
      if (trades.length === 0) continue;
      const { transitions, late, stale } = one.take(trades, nowUs, !polled);
      this.moved.add(one);
      this.keep(one, transitions);
      if (late > 0) this.late.inc({ result: 'late' }, late);
      if (stale > 0) this.late.inc({ result: 'too-old' }, stale);
      if (!polled) receivedUs = Math.max(receivedUs, ...columns.map(({ firstReceivedAtUs }) => firstReceivedAtUs));
      if (source === SENTIMENT.source && symbol === SENTIMENT.symbol) this.tellSentiment(trades);
    }
    if (receivedUs > 0) this.lagUs = Math.max(0, nowUs - receivedUs);
  }

  tellAnomaly({ source, symbol, kind, atUs }: AnomalyDetectedV1Data): void {
    const one = this.find({ source, symbol });
    if (one)
      this.keep(
        one,
        one.tell((evaluation) => evaluation.tellAnomaly(kind, atUs)),
      );
  }

  tellPoints(points: CustomPointsRecordedV1Data['points'], nowUs: number): void {
    for (const point of points.toSorted((a, b) => a.atUs - b.atUs)) {
      const { name, value, atUs } = point;
      const key = { source: CUSTOM_SOURCE, symbol: name };
      if (!this.find(key) && this.book.isWatched(key)) this.addNew(key, nowUs);
      let isRead = false;
      // one of the future counts at once
      for (const one of this.all.values())
        if (one.reads(name)) {
          isRead = true;
          this.keep(
            one,
            one.tell((evaluation) => evaluation.tellCustom(name, Number(value), Math.min(atUs, nowUs))),
          );
        }
      if (isRead) this.noteTold(key, point);
      this.takePoint(key, point, nowUs);
    }
  }

  /** Until when rules were told of a custom series; undefined where nobody was. */
  toldUntilUs(series: string): number | undefined {
    return this.points.get(series)?.tradedAtUs;
  }

  private noteTold(key: MarketKey, { key: tradeId, atUs }: CustomPointsRecordedV1Data['points'][number]): void {
    const known = this.points.get(key.symbol);
    if (known && known.tradedAtUs > atUs) return;
    this.points.set(key.symbol, { ...key, tradedAtUs: atUs, tradeId });
    this.movedPoints.add(key.symbol);
  }

  /** A rule of source `custom` watches a series as it were a market: its points are prices. */
  private takePoint(key: MarketKey, point: CustomPointsRecordedV1Data['points'][number], nowUs: number): void {
    const one = this.find(key);
    if (!one) return;
    const prices = this.withoutAhead([priceOf(point)], nowUs + AHEAD_AT_MOST_US);
    if (prices.length === 0) return;
    const { transitions, late } = one.take(prices, 0, false);
    this.moved.add(one);
    this.keep(one, transitions);
    if (late > 0) this.late.inc({ result: 'late' }, late);
  }

  missTrades({ source, symbol, fromUs, toUs }: GapV1Data, nowUs: number): void {
    const one = this.find({ source, symbol });
    one?.miss(fromUs ?? one.position?.tradedAtUs ?? nowUs, toUs ?? nowUs);
  }

  /** The trades of a gap are there: candles say so in a moment. */
  findTrades({ source, symbol }: GapV1Data): void {
    const one = this.find({ source, symbol });
    if (one) this.coolLater(one, HEALED_WITHIN_MS);
  }

  expectTrades(trades: readonly Trade[], nowUs: number): void {
    for (const { source, symbol, tradedAtUs } of trades) {
      if (tradedAtUs > nowUs + AHEAD_AT_MOST_US) continue;
      const one = this.find({ source, symbol });
      if (one && !isPolled(source)) one.expect(tradedAtUs, nowUs);
      this.feeds.heard(source, nowUs, false);
    }
  }

  /** The market of a series learns more of the past in a while. */
  coolLater(one: LiveSeries, afterMs: number): void {
    this.coolings.set(one, Date.now() + afterMs);
  }

  /** Series whose markets must learn more of the past. */
  cold(): LiveSeries[] {
    for (const [one, atMs] of this.coolings) {
      if (atMs > Date.now()) continue;
      this.coolings.delete(one);
      one.cool();
    }
    return this.series.filter(({ needsHistory }) => needsHistory);
  }

  /** Rules that were changed, made or deleted, and where they stand now. */
  async reload(ids: readonly string[], tx: EntityManager): Promise<void> {
    const [rules, states] = [await this.rules.enabled(ids, tx), await this.states.all(ids, tx)];
    const { faults, gone, touched } = this.book.reload(ids, rules, states);
    for (const fault of faults) this.logger.error(fault);
    for (const running of gone) this.writer.forget(running);
    for (const one of this.all.values()) if (touched(one.key)) this.give(one);
  }

  /** One that is far ahead of the clock here would make all that is not look late, for as long as it is ahead. */
  private withoutAhead(trades: readonly HistoricalTrade[], untilUs: number): readonly HistoricalTrade[] {
    if (trades.every(({ tradedAtUs }) => tradedAtUs <= untilUs)) return trades;
    const sound = trades.filter(({ tradedAtUs }) => tradedAtUs <= untilUs);
    this.late.inc({ result: 'ahead' }, trades.length - sound.length);
    return sound;
  }

  private find(key: MarketKey): LiveSeries | undefined {
    return this.all.get(keyText(key));
  }

  /** A series that nobody knew when this process began has no past. */
  private addNew(key: MarketKey, nowUs: number): LiveSeries {
    const one = this.add(key, undefined);
    if (this.isPastKnown) one.startEmpty();
    else {
      one.giveUpHistory(nowUs);
      this.coolLater(one, 0);
    }
    return one;
  }

  private add(key: MarketKey, position: LiveSeries['position']): LiveSeries {
    const one = new LiveSeries(key, position, () => this.feeds.lostSinceUs(key.source));
    this.all.set(keyText(key), one);
    this.give(one);
    return one;
  }

  private give(one: LiveSeries): void {
    const rules = this.book.runningAt(one.key);
    if (rules.length === one.rules.length && rules.every((rule, index) => rule === one.rules[index])) return;
    for (const running of rules) this.writer.began(running);
    one.setRules(rules);
  }

  private keep(one: LiveSeries, transitions: readonly RuleTransition[]): void {
    for (const transition of transitions) {
      if (!isWorthKeeping(transition)) continue;
      const rule = this.book.ruleOf(transition.rule);
      if (rule) this.writer.add(rule, one.key, transition);
    }
  }

  private tellSentiment(trades: readonly HistoricalTrade[]): void {
    const last = trades.reduce((a, b) => (b.tradedAtUs >= a.tradedAtUs ? b : a));
    for (const one of this.all.values())
      this.keep(
        one,
        one.tell((evaluation) => evaluation.tellSentiment(last.price, last.tradedAtUs)),
      );
  }

  private countEvaluations(): void {
    const sum = this.series.reduce((total, one) => total + one.evaluations, 0);
    if (sum > this.counted) this.evaluations.inc(sum - this.counted);
    this.counted = sum;
  }
}

/** Wrong clocks differ by less. */
const AHEAD_AT_MOST_US = 5 * 60_000_000;
/** A feed that brings nothing for so long after this process began has no delay. */
const UNHEARD_AT_MOST_US = 10_000_000;
/** So long after a gap is closed, its candles are put together anew. */
const HEALED_WITHIN_MS = 2000;

/** That nothing is known, or something again, where nothing is open or pending: a restart finds out by itself. */
function isWorthKeeping({ before, after, transitions }: RuleTransition): boolean {
  if (transitions.length === 0 || transitions.some(({ kind }) => kind !== 'no-data' && kind !== 'data-back'))
    return true;
  return [before, after].some(
    ({ open, phase, resumes }) => open !== undefined || (resumes?.phase ?? phase) !== 'inactive',
  );
}

const tradesOf = ({ tradeIds, prices, sizes, tradedAtUs }: RecordedSeries): HistoricalTrade[] =>
  tradeIds.map((tradeId, index) => ({
    tradeId,
    tradedAtUs: tradedAtUs[index]!,
    price: Number(prices[index]),
    size: Number(sizes[index]),
  }));

const priceOf = ({ key, value, atUs }: CustomPointsRecordedV1Data['points'][number]): HistoricalTrade => ({
  tradeId: key,
  tradedAtUs: atUs,
  price: Number(value),
  size: 0,
});

const positionOf = ({ key, position }: LiveSeries) => (position ? [{ ...key, ...position }] : []);
