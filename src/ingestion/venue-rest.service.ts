import type { HttpRequest } from './connectors/connector.js';
import type { LimitStatus } from './feed-status.js';
import { WeightBudget } from './weight-budget.js';

const ANSWER_WITHIN_MS = 15_000;
const PAUSE_WITHOUT_RETRY_AFTER_MS = 60_000;
/** The longest known ban is three days; a header that says more is not believed. */
const LONGEST_PAUSE_MS = 3 * 86_400_000;

/** The REST side of one venue, one request at a time, within the request weight it allows. */
export class VenueRest {
  private readonly budget: WeightBudget;
  private readonly stopping = new AbortController();
  private queue: Promise<unknown> = Promise.resolve();
  private wake: (() => void) | undefined;

  constructor(weightPerMinute: number) {
    // the monotonic clock: a wall clock that is set back would spend weight that no request took
    this.budget = new WeightBudget(weightPerMinute, performance.now());
  }

  get limit(): LimitStatus {
    return this.budget.status(performance.now());
  }

  /** Body of a good answer. Throws with the venue's own words when it refuses, and when it answers more than `mostBytes`. */
  get(request: HttpRequest, weight: number, mostBytes: number): Promise<string> {
    const turn = this.queue.then(() => this.fetch(request, weight, mostBytes));
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  /** Every request, those that wait for their turn too, throws from now on: a pause may last days. */
  stop(): void {
    this.stopping.abort(new Error('the process stops'));
    this.wake?.();
  }

  private async fetch({ url, headers }: HttpRequest, weight: number, mostBytes: number): Promise<string> {
    const stopped = this.stopping.signal;
    if (!stopped.aborted) await this.turn(weight);
    stopped.throwIfAborted();
    const { pathname } = new URL(url);
    const signal = AbortSignal.any([stopped, AbortSignal.timeout(ANSWER_WITHIN_MS)]);
    const response = await fetch(url, { headers, redirect: 'error', signal }).catch((error: Error) => {
      throw new Error(`${pathname} was not answered: ${wordsOf(error)}`, { cause: error });
    });
    // before the body, which may never come to its end
    if (response.status === 429 || response.status === 418) this.pause(response.headers.get('retry-after'));
    const body = await bounded(response, mostBytes);
    if (!response.ok) throw new Error(`${pathname} answered ${response.status}: ${body.slice(0, 200)}`);
    return body;
  }

  private async turn(weight: number): Promise<void> {
    const waitMs = this.budget.take(weight, performance.now());
    if (waitMs === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs).unref();
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private pause(retryAfter: string | null): void {
    const askedMs = Number(retryAfter) * 1000;
    const pauseMs = askedMs > 0 ? Math.min(askedMs, LONGEST_PAUSE_MS) : PAUSE_WITHOUT_RETRY_AFTER_MS;
    this.budget.pauseUntil(performance.now() + pauseMs);
  }
}

/** `fetch` keeps what happened in the cause. */
const wordsOf = ({ message, cause }: Error): string => (cause instanceof Error && cause.message) || message;

/** Reads no more than `mostBytes` of a body. */
async function bounded(response: Response, mostBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += (chunk as Uint8Array).length;
    if (bytes > mostBytes) throw new Error(`${new URL(response.url).pathname} answered more than ${mostBytes} bytes`);
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks).toString();
}
