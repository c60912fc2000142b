import type { Trade } from '../contracts/index.js';
import { nowUs } from '../platform/observability/index.js';
import type { TradeHistory } from './connectors/connector.js';
import { TradeSearch } from './trade-search.js';
import { type Anchor, TradeTimes } from './trade-times.js';
import type { VenueRest } from './venue-rest.service.js';

const MAX_BODY_BYTES = 8 * 1024 * 1024;
/** Requests that may look for one trade id by time. */
const MOST_TRIES = 24;
const NEWEST_WITHIN_MS = 20_000;

export type Page = Readonly<{
  /** Oldest first, the first with the id that was asked for, or the next one the venue has. */
  trades: readonly Trade[];
  /** The venue has nothing newer than this page yet. */
  isNewest: boolean;
}>;

/** Asks one venue for trades by id, whether it knows them by id or by time. */
export class VenueHistory {
  private readonly times = new Map<string, TradeTimes>();

  constructor(
    private readonly history: TradeHistory,
    private readonly restUrl: string,
    private readonly rest: VenueRest,
  ) {}

  /** Notes when a live trade was made: where trades are known by time, its neighbours are found with it. */
  note(venueSymbol: string, id: bigint, atUs: number): void {
    if (this.history.by === 'time') this.timesOf(venueSymbol).noteLive(id, atUs);
  }

  /**
   * Trades from `fromId` on, at most a page. Throws with the venue's own words when it refuses, and once `givenUp` is
   * aborted.
   */
  async page(venueSymbol: string, fromId: bigint, givenUp?: AbortSignal): Promise<Page> {
    if (this.history.by === 'id') {
      const trades = from(fromId, await this.fetch(venueSymbol, fromId, givenUp));
      return { trades, isNewest: trades.length < this.history.pageTrades };
    }
    const times = this.timesOf(venueSymbol);
    const search = new TradeSearch(fromId, times.around(fromId), this.history.pageTrades);
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const question = search.next();
      const trades = await this.fetch(venueSymbol, BigInt(question.atUs), givenUp);
      const [first, last] = [trades[0], trades.at(-1)].map((trade) => trade && anchorOf(trade));
      for (const found of [first, last]) if (found) times.noteFound(found);
      const isNewest = trades.length < this.history.pageTrades;
      if (search.learn(question, { first, last, isNewest })) return { trades: from(fromId, trades), isNewest };
    }
    throw new Error(`${venueSymbol}: trade ${fromId} was not found by time in ${MOST_TRIES} requests`);
  }

  /** The first trade at or after an instant, among those with an id below `beforeId`; undefined when there is none. */
  async firstIdSince(
    venueSymbol: string,
    sinceUs: number,
    beforeId: bigint,
    givenUp?: AbortSignal,
  ): Promise<bigint | undefined> {
    if (this.history.by === 'time') {
      const [first] = await this.fetch(venueSymbol, BigInt(sinceUs), givenUp);
      return first && BigInt(first.tradeId) < beforeId ? BigInt(first.tradeId) : undefined;
    }
    // back in growing steps to a trade before the instant, then halving the span between
    let [tooOld, late] = [-1n, beforeId];
    for (let step = 1000n; late > 0n && tooOld < 0n; step *= 8n) {
      const id = beforeId > step ? beforeId - step : 0n;
      if (await this.isBefore(venueSymbol, id, sinceUs, givenUp)) tooOld = id;
      else late = id;
    }
    while (late - tooOld > 1n) {
      const middle = tooOld + 1n + (late - tooOld - 1n) / 2n;
      const { trades } = await this.page(venueSymbol, middle, givenUp);
      const first = trades[0];
      if (!first) return undefined;
      const at = trades.findIndex((trade) => trade.tradedAtUs >= sinceUs);
      if (at > 0) return below(beforeId, BigInt(trades[at]!.tradeId));
      if (at < 0) tooOld = BigInt(trades.at(-1)!.tradeId);
      else late = middle;
    }
    const { trades } = await this.page(venueSymbol, late, givenUp);
    const first = trades.find((trade) => trade.tradedAtUs >= sinceUs);
    return first && below(beforeId, BigInt(first.tradeId));
  }

  /** The newest trades the venue has, at most a page, oldest first; throws when they do not come while they are new. */
  newest(venueSymbol: string): Promise<Trade[]> {
    return this.fetch(venueSymbol, undefined, AbortSignal.timeout(NEWEST_WITHIN_MS));
  }

  private async isBefore(venueSymbol: string, id: bigint, atUs: number, givenUp?: AbortSignal): Promise<boolean> {
    const { trades } = await this.page(venueSymbol, id, givenUp);
    return trades[0] !== undefined && trades[0].tradedAtUs < atUs;
  }

  private async fetch(venueSymbol: string, at?: bigint, givenUp?: AbortSignal): Promise<Trade[]> {
    const request = this.history.request(this.restUrl, venueSymbol, at);
    const body = await this.rest.get(request, this.history.weight, MAX_BODY_BYTES, givenUp);
    return this.history.parse(body, venueSymbol, nowUs());
  }

  private timesOf(venueSymbol: string): TradeTimes {
    const known = this.times.get(venueSymbol) ?? new TradeTimes();
    this.times.set(venueSymbol, known);
    return known;
  }
}

const anchorOf = (trade: Trade): Anchor => ({ id: BigInt(trade.tradeId), atUs: trade.tradedAtUs });
const from = (id: bigint, trades: readonly Trade[]): Trade[] => trades.filter((trade) => BigInt(trade.tradeId) >= id);
const below = (limit: bigint, id: bigint): bigint | undefined => (id < limit ? id : undefined);
