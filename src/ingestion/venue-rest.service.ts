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
  private queue: Promise<unknown> = Promise.resolve();

  constructor(weightPerMinute: number) {
    this.budget = new WeightBudget(weightPerMinute, Date.now());
  }

  get limit(): LimitStatus {
    return this.budget.status(Date.now());
  }

  /** Body of a good answer. Throws with the venue's own words when it refuses, and when it answers more than `mostBytes`. */
  get(request: HttpRequest, weight: number, mostBytes: number): Promise<string> {
    const turn = this.queue.then(() => this.fetch(request, weight, mostBytes));
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  private async fetch({ url, headers }: HttpRequest, weight: number, mostBytes: number): Promise<string> {
    const waitMs = this.budget.take(weight, Date.now());
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs).unref());
    const response = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    const body = await bounded(response, mostBytes);
    if (response.status === 429 || response.status === 418) {
      const pauseMs = Number(response.headers.get('retry-after')) * 1000;
      this.budget.pauseUntil(
        Date.now() + (pauseMs > 0 ? Math.min(pauseMs, LONGEST_PAUSE_MS) : PAUSE_WITHOUT_RETRY_AFTER_MS),
      );
    }
    if (!response.ok) throw new Error(`${new URL(url).pathname} answered ${response.status}: ${body.slice(0, 200)}`);
    return body;
  }
}

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
