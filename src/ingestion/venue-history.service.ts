import type { Trade } from '../contracts/index.js';
import { nowUs } from '../platform/observability/index.js';
import type { TradeHistory } from './connectors/connector.js';
import { WeightBudget } from './weight-budget.js';

const ANSWER_WITHIN_MS = 15_000;
const PAUSE_WITHOUT_RETRY_AFTER_MS = 60_000;
const MAX_BODY_BYTES = 8 * 1024 * 1024;

/** Asks one venue for trades by id, within the request weight it allows. */
export class VenueHistory {
  private readonly budget: WeightBudget;
  private queue: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly history: TradeHistory,
    private readonly restUrl: string,
  ) {
    this.budget = new WeightBudget(history.weightPerMinute, Date.now());
  }

  get pageTrades(): number {
    return this.history.pageTrades;
  }

  /** Trades from `fromId` on, at most a page, oldest first. Throws with the venue's own words when it refuses. */
  page(venueSymbol: string, fromId: bigint): Promise<Trade[]> {
    const turn = this.queue.then(() => this.fetch(venueSymbol, fromId));
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  private async fetch(venueSymbol: string, fromId: bigint): Promise<Trade[]> {
    const waitMs = this.budget.take(this.history.weight, Date.now());
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs).unref());
    const { url, headers } = this.history.request(this.restUrl, venueSymbol, fromId);
    const response = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    const body = await response.text();
    if (response.status === 429 || response.status === 418) {
      const seconds = Number(response.headers.get('retry-after'));
      this.budget.pauseUntil(Date.now() + (seconds > 0 ? seconds * 1000 : PAUSE_WITHOUT_RETRY_AFTER_MS));
    }
    if (!response.ok) throw new Error(`history answered ${response.status}: ${body.slice(0, 200)}`);
    if (body.length > MAX_BODY_BYTES)
      throw new Error(`history answered ${body.length} bytes, more than ${MAX_BODY_BYTES}`);
    return this.history.parse(body, venueSymbol, nowUs());
  }
}
