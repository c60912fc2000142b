import { CircuitBreaker, FAILURES_TO_OPEN } from '../platform/outbound/index.js';
import type { HttpRequest } from './connectors/connector.js';
import type { LimitStatus } from './feed-status.js';
import { pauseAskedMs, textOf, whyUnanswered } from './http-answer.js';
import { WeightBudget } from './weight-budget.js';

const ANSWER_WITHIN_MS = 15_000;
const PAUSE_WITHOUT_RETRY_AFTER_MS = 60_000;
/** The longest known ban is three days; a header that says more is not believed. */
const LONGEST_PAUSE_MS = 3 * 86_400_000;
/** A pause up to this long is waited out; whoever asks during a longer one hears at once how long it is. */
const PATIENCE_MS = 5000;
const MOST_WAITING = 100;
/** What is missing must not wait for long once the venue is back. */
const CIRCUIT_PATIENCE = { firstMs: 5000, longestMs: 60_000 };

/** The REST side of one venue, one request at a time, within the request weight it allows. */
export class VenueRest {
  /** Opens when there is no answer, or 5xx; whatever else the venue says, it is there. */
  readonly circuit = new CircuitBreaker(Math.random, CIRCUIT_PATIENCE);
  private readonly budget: WeightBudget;
  private readonly stopping = new AbortController();
  private queue: Promise<unknown> = Promise.resolve();
  private waiting = 0;

  constructor(weightPerMinute: number) {
    // the monotonic clock: a wall clock that is set back would spend weight that no request took
    this.budget = new WeightBudget(weightPerMinute, performance.now());
  }

  get limit(): LimitStatus {
    return this.budget.status(performance.now());
  }

  /**
   * Body of a good answer. Throws with the venue's own words when it refuses, when it answers more than `mostBytes`, at
   * once while it wants to be left alone, or is for failing, or too many wait, and as soon as `givenUp` is aborted.
   */
  async get(request: HttpRequest, weight: number, mostBytes: number, givenUp?: AbortSignal): Promise<string> {
    const stopped = this.stopping.signal;
    const over = AbortSignal.any(givenUp ? [stopped, givenUp] : [stopped]);
    const whyOver = (): Error =>
      stopped.aborted ? stopped.reason : new Error(`${new URL(request.url).pathname} was not answered in time`);
    if (over.aborted) throw whyOver();
    this.refuseWhilePaused();
    if (this.waiting >= MOST_WAITING) throw new Error(`${MOST_WAITING} requests wait for the venue already`);
    this.waiting++;
    const turn = this.queue.then(() => this.fetch(request, weight, mostBytes, over)).finally(() => this.waiting--);
    this.queue = turn.catch(() => undefined);
    const ended = onceAborted(over);
    return Promise.race([turn, ended.promise.then(() => Promise.reject(whyOver()))]).finally(ended.forget);
  }

  /** Every request, those that wait for their turn too, throws from now on. */
  stop(): void {
    this.stopping.abort(new Error('the process stops'));
  }

  private async fetch(
    { url, headers }: HttpRequest,
    weight: number,
    mostBytes: number,
    over: AbortSignal,
  ): Promise<string> {
    over.throwIfAborted();
    this.refuseWhilePaused(); // the request before may have brought the pause
    await this.turn(weight, over);
    over.throwIfAborted();
    const { pathname } = new URL(url);
    const failed = (what: string) => (error: Error) => {
      if (!over.aborted) this.circuit.failed(performance.now());
      throw new Error(`${pathname} ${what}: ${whyUnanswered(error)}`, { cause: error });
    };
    const signal = AbortSignal.any([over, AbortSignal.timeout(ANSWER_WITHIN_MS)]);
    const response = await fetch(url, { headers, redirect: 'error', signal }).catch(failed('was not answered'));
    // before the body, which may never come to its end
    if (response.status === 429 || response.status === 418) this.pause(response.headers.get('retry-after'));
    const body = await textOf(response, mostBytes).catch(failed('could not be read'));
    if (response.status >= 500) this.circuit.failed(performance.now());
    else this.circuit.succeeded();
    if (!response.ok) throw new Error(`${pathname} answered ${response.status}: ${body.slice(0, 200)}`);
    return body;
  }

  private refuseWhilePaused(): void {
    const pausedMs = this.budget.pausedMs(performance.now());
    if (pausedMs > PATIENCE_MS) throw new Error(`the venue refuses requests for another ${inWords(pausedMs)}`);
    const openMs = this.circuit.openForMs(performance.now());
    if (openMs > 0)
      throw new Error(`the venue is left alone for another ${inWords(openMs)}, after ${FAILURES_TO_OPEN} failures`);
  }

  private async turn(weight: number, over: AbortSignal): Promise<void> {
    const waitMs = this.budget.take(weight, performance.now());
    if (waitMs === 0) return;
    let timer: NodeJS.Timeout;
    const waited = new Promise<void>((resolve) => (timer = setTimeout(resolve, waitMs).unref()));
    const ended = onceAborted(over);
    await Promise.race([waited, ended.promise]);
    clearTimeout(timer!);
    ended.forget();
  }

  private pause(retryAfter: string | null): void {
    const askedMs = pauseAskedMs(retryAfter, Date.now(), LONGEST_PAUSE_MS);
    this.budget.pauseUntil(performance.now() + (askedMs || PAUSE_WITHOUT_RETRY_AFTER_MS));
  }
}

/** A signal lives longer than one request, which must leave no listener on it. */
function onceAborted(signal: AbortSignal): { promise: Promise<void>; forget: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const onAbort = (): void => resolve();
  signal.addEventListener('abort', onAbort);
  return { promise, forget: () => signal.removeEventListener('abort', onAbort) };
}

function inWords(ms: number): string {
  if (ms < 120_000) return `${Math.ceil(ms / 1000)} s`;
  return ms < 3 * 3_600_000 ? `${Math.ceil(ms / 60_000)} min` : `${Math.ceil(ms / 3_600_000)} h`;
}
