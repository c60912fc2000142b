import { Logger } from '@nestjs/common';
import type { FeedState, PollId, Trade } from '../../contracts/index.js';
import { nowUs } from '../../platform/observability/index.js';
import { CircuitBreaker } from '../../platform/outbound/index.js';
import { FrameError } from '../connectors/connector.js';
import type { Fault, SymbolStatus } from '../feed-status.js';
import { SymbolActivity } from '../symbol-activity.js';
import { type Answer, askAgain, PollError, type Validators } from './conditional-request.service.js';
import { News } from './news.js';
import type { PollMetrics } from './poll-metrics.service.js';
import type { Poll } from './poll.js';
import { retryDelayMs } from './retry.js';
import { untilNextTurnMs } from './schedule.js';

/** Where values go, and what went wrong. */
export type PollDeps = Readonly<{
  publish(source: PollId, trades: readonly Trade[]): void;
  /** An answer, or one value of it, that cannot be used. */
  keepFrame(source: PollId, error: FrameError): void;
  /** The source as a whole, with all its polls, changed its state. */
  changed(source: PollId, state: FeedState, reason: string): void;
  metrics: PollMetrics;
  /** Told of the breaker of each poll. */
  watchCircuit(source: PollId, symbol: string, circuit: CircuitBreaker, nowMs: () => number): void;
}>;

/** The outer world, so that a spec needs no waiting. */
export type PollTimes = Readonly<{
  nowUs(): number;
  /** Runs it later; what it returns calls that off. */
  after(delayMs: number, run: () => void): () => void;
  /** From 0 to 1, for jitter. */
  random(): number;
  answerWithinMs: number;
}>;

export const REAL_TIMES: PollTimes = {
  nowUs,
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs).unref();
    return () => clearTimeout(timer);
  },
  random: Math.random,
  answerWithinMs: 15_000,
};

/** Asks one source for one series: on schedule while it answers, with growing patience while it does not. */
export class Poller {
  private readonly logger: Logger;
  private readonly news = new News();
  private readonly circuit: CircuitBreaker;
  private readonly activity: SymbolActivity;
  private readonly stopping = new AbortController();
  private callOff = (): void => undefined;
  private turn: Promise<void> = Promise.resolve();
  private startedMs = 0;
  private validators: Validators | undefined;
  private lastGoodMs: number | undefined;
  state: FeedState = 'connecting';
  reason = 'not asked yet';
  lastError: Fault | undefined;
  lastAnswerAtUs: number | undefined;
  /** Good ones. */
  answers = 0;
  /** How often good answers ceased. */
  losses = 0;

  constructor(
    readonly poll: Poll,
    private readonly deps: PollDeps,
    private readonly changed: () => void,
    private readonly times: PollTimes,
  ) {
    this.logger = new Logger(`Poll ${poll.symbol}`);
    this.circuit = new CircuitBreaker(times.random);
    deps.watchCircuit(poll.id, poll.symbol, this.circuit, () => this.nowMs());
    this.activity = new SymbolActivity(poll.symbol, poll.symbol, times.nowUs() / 1000);
  }

  start(afterMs: number): void {
    this.startedMs = this.nowMs() + afterMs;
    this.deps.metrics.circuit(this.poll.id, this.poll.symbol, 'closed');
    this.takeTurnIn(afterMs);
  }

  async stop(): Promise<void> {
    this.callOff();
    this.stopping.abort();
    await this.turn;
    this.enter('stopped', 'the process stops');
  }

  /** Failed polls in a row. */
  get failures(): number {
    return this.circuit.failures;
  }

  status(): SymbolStatus {
    const state = this.state === 'connected' && this.activity.trades > 0 ? 'trading' : 'waiting';
    return { ...this.activity.status(this.nowMs()), state, reason: this.reason };
  }

  private takeTurnIn(delayMs: number): void {
    this.callOff = this.times.after(delayMs, () => (this.turn = this.takeTurn()));
  }

  private async takeTurn(): Promise<void> {
    this.showCircuit();
    let delayMs: number;
    try {
      const lastGoodAgoMs = this.lastGoodMs === undefined ? undefined : this.nowMs() - this.lastGoodMs;
      const request = this.poll.request(lastGoodAgoMs);
      const answer = await askAgain(request, this.validators, this.times.answerWithinMs, this.stopping.signal);
      delayMs = this.succeed(answer);
    } catch (error) {
      if (this.stopping.signal.aborted) return;
      delayMs = this.fail(error as Error);
    }
    this.showCircuit();
    this.takeTurnIn(delayMs);
  }

  /** Takes in an answer; returns when to ask again. Throws FrameError when it is not what the source is known to send. */
  private succeed(answer: Answer): number {
    const { id, symbol, everyMs } = this.poll;
    const { metrics } = this.deps;
    if (answer.kind === 'not-modified') metrics.polled(id, 'not-modified');
    else {
      metrics.polled(id, this.takeIn(answer.body) ? 'news' : 'no-news');
      this.validators = answer.validators;
    }
    this.circuit.succeeded();
    this.answers++;
    this.lastAnswerAtUs = this.times.nowUs();
    this.lastGoodMs = this.nowMs();
    metrics.succeeded(id, symbol, this.lastGoodMs);
    this.enter('connected', 'the last poll was answered');
    return untilNextTurnMs(this.startedMs, everyMs, this.nowMs());
  }

  /** Notes a poll that brought nothing; returns when to ask again. */
  private fail(error: Error): number {
    const { id, everyMs } = this.poll;
    if (error instanceof FrameError) this.deps.keepFrame(id, error);
    else if (!(error instanceof PollError)) this.logger.error(error.stack);
    this.deps.metrics.polled(id, error instanceof PollError ? error.fault : 'bad-answer');
    const nowMs = this.nowMs();
    this.circuit.failed(nowMs);
    const patienceMs =
      this.circuit.state(nowMs) === 'open'
        ? this.circuit.openForMs(nowMs)
        : Math.min(retryDelayMs(this.failures, this.times.random), everyMs);
    const delayMs = Math.ceil(Math.max(patienceMs, error instanceof PollError ? error.retryAfterMs : 0));
    if (this.state === 'connected') this.losses++;
    if (this.failures === 1) this.logger.warn(`failed: ${error.message}`);
    this.lastError = { message: error.message, atUs: this.times.nowUs() };
    const circuit = this.circuit.state(nowMs) === 'open' ? 'circuit open, ' : '';
    this.enter('waiting', `${error.message}; ${circuit}asked again in ${Math.ceil(delayMs / 1000)} s`);
    return delayMs;
  }

  /** Hands over what is new in the answer, and says whether anything was. */
  private takeIn(body: string): boolean {
    const { id, exchange, symbol } = this.poll;
    const receivedAtUs = this.times.nowUs();
    const { observations, refused } = this.poll.parse(body);
    for (const error of refused) this.deps.keepFrame(id, error);
    const { entries, revised } = this.news.of(observations, receivedAtUs);
    if (revised > 0) {
      this.deps.metrics.revised(id, revised);
      this.logger.warn(`${revised} values changed under a time already recorded; the first ones stand`);
    }
    if (entries.length === 0) return false;
    const trades = entries.map(({ value, atUs }) => ({
      source: id,
      exchange,
      symbol,
      venueSymbol: symbol,
      tradeId: String(atUs),
      price: value,
      size: '0',
      tradedAtUs: atUs,
      receivedAtUs,
    }));
    for (const trade of trades) this.activity.heard(trade, BigInt(trade.tradeId));
    this.deps.publish(id, trades);
    return true;
  }

  private enter(state: FeedState, reason: string): void {
    [this.state, this.reason] = [state, reason];
    this.changed();
  }

  private showCircuit(): void {
    this.deps.metrics.circuit(this.poll.id, this.poll.symbol, this.circuit.state(this.nowMs()));
  }

  private nowMs(): number {
    return this.times.nowUs() / 1000;
  }
}
