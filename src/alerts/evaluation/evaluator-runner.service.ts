import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Bus } from '../../platform/bus/index.js';
import { Settings } from '../../platform/config/index.js';
import { isTransientDatabaseError } from '../../platform/errors/index.js';
import { HealthParts, type HealthReport, nowUs } from '../../platform/observability/index.js';
import { EVALUATE_TRADES, EVALUATOR_CONSUMERS } from './evaluator-consumers.js';
import { Evaluator } from './evaluator.service.js';
import { type EvaluatorLease, EvaluatorStore } from './evaluator.store.js';
import type { FeedChange } from './feed-watch.js';
import { History } from './history.service.js';
import type { LiveSeries } from './live-series.js';
import type { MarketKey } from './trade-position.js';
import { WarmUp } from './warm-up.service.js';

const LOOK_EVERY_MS = 100;
const RETRY_MS = 1000;
const CHECK_EVERY_MS = 1000;
/** History is asked so often; then rules run without it, and it is asked again each minute. */
const MOST_ATTEMPTS = 5;
const ASK_AGAIN_MS = 60_000;
const WAIT_FOR_OTHERS_US = 10_000_000;
const SILENCES_KEPT_US = 90 * 86_400_000_000;

type RunState = 'standing by' | 'reading history' | 'evaluating';

/**
 * One process evaluates: the one that holds the lease. Any other stands by, and its consumers leave what comes to the holder.
 * When that dies, so does its lease, and the next one reads what was before and goes on at the last position committed.
 */
@Injectable()
export class EvaluatorRunner implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Evaluator');
  private lease: EvaluatorLease | undefined;
  private checkedMs = 0;
  private state: RunState = 'standing by';
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;
  private warming: Promise<void> | undefined;
  private isStopping = false;
  private caughtUpUs = 0;
  /** Feeds that were lost or came back, until that is written. */
  private changes: FeedChange[] = [];
  /** Readings of history that failed since this process began to evaluate; then no series waits for another. */
  private startFailures = 0;
  private readonly attempts = new WeakMap<LiveSeries, number>();

  constructor(
    health: HealthParts,
    private readonly bus: Bus,
    private readonly evaluator: Evaluator,
    private readonly store: EvaluatorStore,
    private readonly history: History,
    private readonly warmUp: WarmUp,
    private readonly settings: Settings,
  ) {
    health.register({ name: 'alerts', gatesReadiness: false, check: () => this.report() });
    this.standBy(true);
  }

  onApplicationBootstrap(): void {
    void this.bus.whenReady().then(() => {
      this.timer = setInterval(() => (this.looking ??= this.look()), LOOK_EVERY_MS).unref();
    });
  }

  async onModuleDestroy(): Promise<void> {
    this.isStopping = true;
    clearInterval(this.timer);
    this.standBy(true);
    await this.looking;
    await this.warming;
    this.evaluator.close();
    await this.lease?.release();
  }

  private async look(): Promise<void> {
    try {
      if (!this.lease) await this.start();
      else {
        this.warming ??= this.warmSeries().finally(() => (this.warming = undefined));
        await this.check(this.lease);
        if (this.lease) await this.passTime();
      }
    } catch (error) {
      if (!isTransientDatabaseError(error)) this.logger.error(`Evaluation: ${(error as Error).message}`);
      if (!this.lease) await pause();
    } finally {
      this.looking = undefined;
    }
  }

  private async start(): Promise<void> {
    if (!this.history.isReachable) return; // it listens in a moment
    let lease: EvaluatorLease | undefined;
    let isLost = false;
    const lost = (): void => {
      isLost = true;
      if (lease && this.lease === lease) this.lose();
    };
    lease = await this.store.lease(lost);
    if (!lease) {
      await pause();
      return;
    }
    this.state = 'reading history';
    this.startFailures = 0;
    this.changes = [];
    try {
      const epoch = await this.evaluator.begin(await this.knownSeries());
      await this.warmSeries(true);
      await lease.check();
      if (this.isStopping || isLost) throw new Error('the lease of the evaluator was lost while it began');
      this.lease = lease;
      this.evaluator.open(epoch, nowUs());
    } catch (error) {
      this.state = 'standing by';
      await lease.release();
      if (this.isStopping) return;
      throw error;
    }
    this.checkedMs = Date.now();
    this.caughtUpUs = nowUs();
    this.state = 'evaluating';
    this.standBy(false);
    this.logger.log(`Evaluating ${this.evaluator.ruleCount} rules over ${this.evaluator.series.length} series`);
  }

  /** Series that are known though no trade of theirs was evaluated: they warm up before the first one comes. */
  private async knownSeries(): Promise<readonly MarketKey[] | undefined> {
    try {
      return await this.history.series();
    } catch (error) {
      this.logger.warn(`What was recorded is not known yet: ${(error as Error).message}`);
      return undefined;
    }
  }

  /** A session whose other end vanished tells nobody. */
  private async check(lease: EvaluatorLease): Promise<void> {
    if (Date.now() - this.checkedMs < CHECK_EVERY_MS) return;
    this.checkedMs = Date.now();
    try {
      await lease.check();
    } catch {
      if (this.lease === lease) this.lose();
    }
  }

  /** The session that held the lease is gone: another process may go on already. */
  private lose(): void {
    const { lease } = this;
    this.lease = undefined;
    this.evaluator.close();
    this.state = 'standing by';
    this.standBy(true);
    void lease?.release();
    if (!this.isStopping) this.logger.warn('The lease of the evaluator is lost: beginning anew');
  }

  private standBy(isStandingBy: boolean): void {
    for (const consumer of EVALUATOR_CONSUMERS) this.bus.standBy(consumer, isStandingBy);
  }

  /** Event time follows the clock at a small distance, and trades that are still on their way at theirs. */
  private async passTime(): Promise<void> {
    const now = nowUs();
    const isBehind = !this.bus.isCaughtUp(EVALUATE_TRADES);
    if (isBehind && this.evaluator.lagUs === 0) return; // it begins, and does not know yet how far behind
    if (this.isWaitingForOthers(now)) return;
    const toUs = now - this.settings.CANDLE_LATENESS_MS * 1000 - (isBehind ? this.evaluator.lagUs : 0);
    const hasNews = await this.evaluator.passTime(now, toUs);
    const { changes } = this;
    if (changes.length === 0) changes.push(...this.evaluator.feeds.look(now));
    if (!hasNews && changes.length === 0) return;
    await this.bus.transaction((tx) =>
      this.evaluator.inTurn(tx, async () => {
        for (const { source, sinceUs, isLost } of changes) {
          const delayUs = this.evaluator.feeds.delayUs(source) ?? 0;
          const backUs = now - delayUs;
          this.evaluator.changeFeed(source, { sinceUs, isLost, backUs });
          if (isLost) await this.store.noteSilence(tx, source, sinceUs, toUs - delayUs);
          else await this.store.endSilences(tx, source, backUs);
        }
        if (changes.length > 0) await this.store.forgetSilences(tx, now - SILENCES_KEPT_US);
      }),
    );
    changes.length = 0;
  }

  /** What is told beside the trades comes first, for a while: it may be of before. */
  private isWaitingForOthers(now: number): boolean {
    if (EVALUATOR_CONSUMERS.every((one) => one === EVALUATE_TRADES || this.bus.isCaughtUp(one))) this.caughtUpUs = now;
    return now - this.caughtUpUs < WAIT_FOR_OTHERS_US && now !== this.caughtUpUs;
  }

  private async warmSeries(isStart = false): Promise<void> {
    for (const one of this.evaluator.cold()) {
      if (this.isStopping) return;
      await this.warm(one, isStart);
    }
  }

  private async warm(one: LiveSeries, isStart: boolean): Promise<void> {
    if (isStart && this.startFailures >= MOST_ATTEMPTS) return this.giveUpHistory(one);
    const { rules, inputs } = one;
    const position = one.keepMeanwhile();
    try {
      one.warm(
        await this.warmUp.pastUpTo(one.key, inputs, position, (name) => this.evaluator.toldUntilUs(name)),
        rules,
      );
      this.attempts.delete(one);
    } catch (error) {
      const attempts = (this.attempts.get(one) ?? 0) + 1;
      this.attempts.set(one, attempts);
      const { source, symbol } = one.key;
      this.logger.warn(`History of ${symbol} at ${source}, attempt ${attempts}: ${(error as Error).message}`);
      if (isStart) this.startFailures++;
      if (attempts >= MOST_ATTEMPTS) return this.giveUpHistory(one);
      await pause();
      if (isStart) await this.warm(one, isStart);
    }
  }

  private giveUpHistory(one: LiveSeries): void {
    one.giveUpHistory(nowUs());
    this.attempts.delete(one);
    this.evaluator.coolLater(one, ASK_AGAIN_MS);
  }

  private report(): HealthReport {
    const { ruleCount, series, lagUs } = this.evaluator;
    return {
      up: true,
      details: {
        evaluator: this.state,
        rules: ruleCount,
        series: series.length,
        withoutHistory: series.filter(({ lacksHistory }) => lacksHistory).length,
        behindMs: Math.round(lagUs / 1000),
      },
    };
  }
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
