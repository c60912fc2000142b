import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Bus } from '../../platform/bus/index.js';
import { Settings } from '../../platform/config/index.js';
import { isTransientDatabaseError } from '../../platform/errors/index.js';
import { HealthParts, type HealthReport, nowUs } from '../../platform/observability/index.js';
import { EVALUATE_TRADES, EVALUATOR_CONSUMERS } from './evaluator-consumers.js';
import { Evaluator } from './evaluator.service.js';
import { EvaluatorStore } from './evaluator.store.js';
import { History } from './history.service.js';
import type { LiveSeries } from './live-series.js';
import { WarmUp } from './warm-up.service.js';

const LOOK_EVERY_MS = 100;
const RETRY_MS = 1000;
/** History is asked so often; then rules run without it, and what looks back has no data until trades fill it. */
const MOST_ATTEMPTS = 5;
const WAIT_FOR_OTHERS_US = 10_000_000;
const SILENCES_KEPT_US = 90 * 86_400_000_000;

type Lease = NonNullable<Awaited<ReturnType<EvaluatorStore['lease']>>>;
type RunState = 'standing by' | 'reading history' | 'evaluating';

/**
 * One process evaluates: the one that holds the lease. Any other stands by, and its consumers leave what comes to the holder.
 * When that dies, so does its lease, and the next one reads what was before and goes on at the last position committed.
 */
@Injectable()
export class EvaluatorRunner implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Evaluator');
  private lease: Lease | undefined;
  private state: RunState = 'standing by';
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;
  private warming: Promise<void> | undefined;
  private isStopping = false;
  private caughtUpUs = 0;
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
    await this.looking;
    await this.warming;
    if (this.lease) await this.store.release(this.lease);
  }

  private async look(): Promise<void> {
    try {
      if (!this.lease) await this.start();
      else {
        this.warming ??= this.warmSeries().finally(() => (this.warming = undefined));
        await this.passTime();
      }
    } catch (error) {
      if (!isTransientDatabaseError(error)) this.logger.error(`Evaluation: ${(error as Error).message}`);
      if (!this.lease) await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
    } finally {
      this.looking = undefined;
    }
  }

  private async start(): Promise<void> {
    if (!this.history.isReachable) return; // it listens in a moment
    const lease: Lease | undefined = await this.store.lease(() => this.lose(lease));
    if (!lease) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
      return;
    }
    this.state = 'reading history';
    try {
      await this.evaluator.begin(await this.history.series().catch(() => []));
      await this.warmSeries(true);
      if (this.isStopping) return await this.store.release(lease);
    } catch (error) {
      await this.store.release(lease);
      this.state = 'standing by';
      throw error;
    }
    this.lease = lease;
    this.caughtUpUs = nowUs();
    this.state = 'evaluating';
    this.standBy(false);
    this.logger.log(`Evaluating ${this.evaluator.ruleCount} rules over ${this.evaluator.series.length} series`);
  }

  /** The connection that held the lease is gone: another process may go on already. */
  private lose(lease: Lease | undefined): void {
    if (!lease || this.lease !== lease) return;
    this.lease = undefined;
    this.state = 'standing by';
    this.standBy(true);
    void lease.release().catch(() => undefined);
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
    const changes = this.evaluator.feeds.look(now);
    if (!hasNews && changes.length === 0) return;
    await this.bus.transaction((tx) =>
      this.evaluator.inTurn(tx, async () => {
        for (const { source, sinceUs, isLost } of changes) {
          this.evaluator.changeFeed(source, isLost ? sinceUs : undefined);
          if (isLost) await this.store.noteSilence(tx, source, sinceUs, toUs);
          else await this.store.endSilences(tx, source, now);
        }
        if (changes.length > 0) await this.store.forgetSilences(tx, now - SILENCES_KEPT_US);
      }),
    );
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
    const { rules, inputs } = one;
    const position = one.keepMeanwhile();
    try {
      one.warm(await this.warmUp.pastUpTo(one.key, inputs, position), rules);
      this.attempts.delete(one);
    } catch (error) {
      const attempts = (this.attempts.get(one) ?? 0) + 1;
      this.attempts.set(one, attempts);
      const { source, symbol } = one.key;
      this.logger.warn(`History of ${symbol} at ${source}, attempt ${attempts}: ${(error as Error).message}`);
      if (attempts >= MOST_ATTEMPTS) {
        one.giveUpHistory();
        this.attempts.delete(one);
      } else if (isStart) await this.warm(one, isStart);
      else await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
    }
  }

  private report(): HealthReport {
    const { ruleCount, series, lagUs } = this.evaluator;
    return {
      up: true,
      details: { evaluator: this.state, rules: ruleCount, series: series.length, behindMs: Math.round(lagUs / 1000) },
    };
  }
}
