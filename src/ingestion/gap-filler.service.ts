import { Logger } from '@nestjs/common';
import type { Trade } from '../contracts/index.js';
import { isTransientDatabaseError } from '../platform/errors/index.js';
import { joinHoles } from './coverage.js';
import { type CoverageStore, type Hole, MOST_HOLES, type SeriesEnd } from './coverage.store.js';
import { type Fault, faultNow } from './feed-status.js';
import type { Gap, GapStore, NewGap } from './gap.store.js';
import type { Gaps } from './gaps.service.js';
import { type Frontier, type Tail, Tails } from './tails.js';
import type { VenueHistory } from './venue-history.service.js';

const LOOK_EVERY_MS = 500;
/** One look fetches no longer, so that new holes are seen meanwhile. */
const FETCH_WITHIN_MS = 2000;
/** Holes closer than a page of history are one gap: one request heals them. */
const JOIN_WITHIN = 1000n;
/** A venue that answered past an id this often without giving it will not give it. */
const ANSWERS_BEFORE_GIVING_UP = 3;
const RETRY_CAP_MS = 60_000;
/** A page is handed over in parts: a queue with little room left then takes some of it instead of none. */
const PART_TRADES = 100;
/** Fetched trades go the way of live ones; this many pages may be on that way before the next one is asked for. */
const PAGES_AHEAD = 20;

/** Whether the venue answered past the end of what was asked for, and the first id it gave. */
type Answer = Readonly<{ isPast: boolean; firstId: bigint | undefined }>;

type Effort = { emptyAnswers: number; failures: number; notBeforeMs: number; askedMs: number };

export type GapFillerOptions = Readonly<{
  source: string;
  coverage: CoverageStore;
  store: GapStore;
  gaps: Gaps;
  history: VenueHistory;
  /** Most trades fetched to heal one gap that was not asked for. */
  maxTrades: number;
  /** Takes trades the way live ones go. */
  deliver: (trades: readonly Trade[]) => void;
  frontier: Frontier;
}>;

/**
 * The owner of contiguity for one source: finds holes in the recorded ids, keeps them as gaps, and fills them by id.
 * It looks only at what was recorded, so a lost socket, a full queue, a crash and a long stop all heal the same way.
 */
export class GapFiller {
  private readonly logger: Logger;
  private readonly efforts = new Map<string, Effort>();
  /** Highest hole of each symbol at the look before: what was there then is no mere reordering. */
  private seenUpTo = new Map<string, bigint>();
  private readonly tails = new Tails();
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;
  private stopped = false;
  /** By venue symbol. */
  private readonly catchingUp = new Map<string, Promise<void>>();
  /** Gaps that are being filled, as of the last look. */
  unfilled: readonly Gap[] = [];
  lastError: Fault | undefined;

  constructor(private readonly options: GapFillerOptions) {
    this.logger = new Logger(`Gaps ${options.source}`);
  }

  start(): void {
    this.timer = setInterval(
      () => (this.looking ??= this.look().finally(() => (this.looking = undefined))),
      LOOK_EVERY_MS,
    ).unref();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    await Promise.all([this.looking, ...this.catchingUp.values()]);
  }

  /**
   * After a connection is up: everything from where each symbol ended to now, so that quiet ones, whose next trade would
   * show the hole, miss nothing either. What is beyond the bound of one healing shows as a hole with the next trade.
   */
  async catchUp(venueSymbols: readonly string[]): Promise<void> {
    for (const venueSymbol of venueSymbols) {
      if (this.catchingUp.has(venueSymbol) || this.stopped) continue;
      const turn = this.catchUpOne(venueSymbol).finally(() => this.catchingUp.delete(venueSymbol));
      this.catchingUp.set(venueSymbol, turn);
      await turn;
    }
  }

  private async catchUpOne(venueSymbol: string): Promise<void> {
    const { coverage, history, maxTrades, source } = this.options;
    try {
      const end = (await coverage.ends(source)).get(venueSymbol);
      if (!end) return;
      this.noteEnd(end);
      await this.fetch(venueSymbol, end.nextId, undefined, Math.floor(maxTrades / history.pageTrades));
    } catch (error) {
      this.fault(`${venueSymbol}: could not catch up: ${(error as Error).message}`);
    }
  }

  private async look(): Promise<void> {
    const { coverage, store, source, frontier } = this.options;
    try {
      this.unfilled = await store.unfilled(source);
      const [holes, ends] = [await coverage.holes(source), await coverage.ends(source)];
      for (const end of ends.values()) this.noteEnd(end);
      await this.closeFilled(holes, ends);
      await this.openNew(holes);
      for (const tail of this.tails.stuck(nextIds(ends), frontier, Date.now())) await this.openTail(tail);
      this.seenUpTo = new Map(holes.map((hole) => [hole.venueSymbol, hole.to]));
      await this.fillDue(holes, ends);
    } catch (error) {
      if (!isTransientDatabaseError(error))
        this.logger.error(`Gaps could not be looked at: ${(error as Error).message}`, (error as Error).stack);
    }
  }

  private async openNew(holes: readonly Hole[]): Promise<void> {
    const ripe = holes.filter(
      (hole) => hole.to <= (this.seenUpTo.get(hole.venueSymbol) ?? -1n) && !this.isTracked(hole),
    );
    for (const [, ofSymbol] of Map.groupBy(ripe, (hole) => hole.venueSymbol)) {
      for (const joined of joinHoles(ofSymbol, JOIN_WITHIN)) await this.openGap({ ...ofSymbol[0]!, ...joined });
    }
  }

  /** What arrived and was dropped, or what the venue says it sent, with no later trade to show the hole. */
  private async openTail({ venueSymbol, from, to }: Tail): Promise<void> {
    const { source, frontier } = this.options;
    const hole = { source, venueSymbol, symbol: frontier.get(venueSymbol)!.symbol, from, to };
    if (!this.isTracked(hole)) await this.openGap({ ...hole, missing: to - from + 1n });
  }

  /** A hole larger than one healing may be is healed at its newer end; the older part is told as unfillable. */
  private async openGap(gap: NewGap & { missing: bigint }): Promise<void> {
    const { maxTrades, gaps } = this.options;
    const beyond = gap.missing - BigInt(maxTrades);
    if (beyond > 0n) {
      const middle = gap.from + beyond;
      const older = { ...gap, to: middle - 1n, missing: beyond };
      await gaps.openUnfillable(older, `more than BACKFILL_MAX_TRADES (${maxTrades}) were missing`);
      this.logger.warn(
        `${gap.symbol}: ${beyond} trades from ${gap.from} stay missing, more than BACKFILL_MAX_TRADES allows to fetch`,
      );
      if (maxTrades === 0) return;
      gap = { ...gap, from: middle, missing: gap.to - middle + 1n };
    }
    this.unfilled = [...this.unfilled, await gaps.open(gap)];
    this.logger.warn(`${gap.symbol}: ${gap.missing} trades missing between ${gap.from} and ${gap.to}, fetching them`);
  }

  private async closeFilled(holes: readonly Hole[], ends: ReadonlyMap<string, SeriesEnd>): Promise<void> {
    if (holes.length >= MOST_HOLES) return; // a hole that is not listed looks like a filled one
    for (const gap of this.unfilled) {
      if (firstMissing(gap, holes, ends) !== undefined) continue;
      await this.options.gaps.close(gap);
      this.forget(gap);
      this.logger.log(`${gap.symbol}: gap of ${gap.missing} trades closed`);
    }
  }

  /** Holes that were found come before ranges that a person asked for; within each, the one that waited longest. */
  private async fillDue(holes: readonly Hole[], ends: ReadonlyMap<string, SeriesEnd>): Promise<void> {
    const startedMs = Date.now();
    const due = this.unfilled.filter(
      (gap) => this.effortFor(gap).notBeforeMs <= startedMs && !this.catchingUp.has(gap.venueSymbol),
    );
    const byTurn = due.sort(
      (a, b) => Number(a.isRequested) - Number(b.isRequested) || this.effortFor(a).askedMs - this.effortFor(b).askedMs,
    );
    for (const gap of byTurn) {
      if (this.stopped || Date.now() - startedMs > FETCH_WITHIN_MS) return;
      await this.fill(gap, holes, ends);
    }
  }

  private async fill(gap: Gap, holes: readonly Hole[], ends: ReadonlyMap<string, SeriesEnd>): Promise<void> {
    const effort = this.effortFor(gap);
    const first = firstMissing(gap, holes, ends);
    if (first === undefined) return;
    if (effort.emptyAnswers >= ANSWERS_BEFORE_GIVING_UP)
      return this.giveUp(gap, 'the venue answered past these ids without them');
    effort.askedMs = Date.now();
    try {
      const answer = await this.fetch(gap.venueSymbol, first, gap, PAGES_AHEAD);
      // what the venue gave and is not recorded yet is on its way, or was dropped by a full queue: only what it
      // answers past without giving counts against it
      if (answer.isPast && answer.firstId !== first) effort.emptyAnswers++;
      effort.failures = 0;
      effort.notBeforeMs = Date.now() + LOOK_EVERY_MS * (answer.isPast ? 3 : 2);
    } catch (error) {
      effort.failures++;
      effort.notBeforeMs = Date.now() + Math.random() * Math.min(RETRY_CAP_MS, 1000 * 2 ** effort.failures);
      this.fault(`${gap.symbol}: ${(error as Error).message}`);
    }
  }

  /** Fetches from `fromId` to the end of a gap, or to the present, at most so many pages, and hands over what came. */
  private async fetch(venueSymbol: string, fromId: bigint, gap: Gap | undefined, pages: number): Promise<Answer> {
    const { history, store, deliver } = this.options;
    let firstId: bigint | undefined;
    for (let page = 0; page < pages && !this.stopped; page++) {
      const { trades, isNewest } = await history.page(venueSymbol, fromId);
      const wanted = gap ? trades.filter(({ tradeId }) => BigInt(tradeId) <= gap.to) : trades;
      if (gap) await store.noteFetched(gap, wanted.length);
      for (let at = 0; at < wanted.length; at += PART_TRADES) deliver(wanted.slice(at, at + PART_TRADES));
      const last = trades.at(-1);
      if (!last) break; // not given out yet
      firstId ??= BigInt(trades[0]!.tradeId);
      const lastId = BigInt(last.tradeId);
      if (gap ? lastId >= gap.to : isNewest) return { isPast: true, firstId };
      fromId = lastId + 1n;
    }
    return { isPast: false, firstId };
  }

  private async giveUp(gap: Gap, reason: string): Promise<void> {
    await this.options.gaps.giveUp(gap, reason);
    this.forget(gap);
    this.logger.warn(`${gap.symbol}: trades between ${gap.from} and ${gap.to} stay missing: ${reason}`);
  }

  private noteEnd({ venueSymbol, nextId, lastAtUs }: SeriesEnd): void {
    if (lastAtUs !== undefined) this.options.history.note(venueSymbol, nextId - 1n, lastAtUs);
  }

  private isTracked(hole: Hole): boolean {
    return this.unfilled.some(
      (gap) => gap.venueSymbol === hole.venueSymbol && gap.from <= hole.from && hole.to <= gap.to,
    );
  }

  private effortFor(gap: Gap): Effort {
    const known = this.efforts.get(gap.id) ?? { emptyAnswers: 0, failures: 0, notBeforeMs: 0, askedMs: 0 };
    this.efforts.set(gap.id, known);
    return known;
  }

  private forget(gap: Gap): void {
    this.efforts.delete(gap.id);
    this.unfilled = this.unfilled.filter(({ id }) => id !== gap.id);
  }

  private fault(message: string): void {
    if (this.stopped) return;
    this.lastError = faultNow(message);
    this.logger.warn(message);
  }
}

const nextIds = (ends: ReadonlyMap<string, SeriesEnd>): Map<string, bigint> =>
  new Map([...ends].map(([venueSymbol, { nextId }]) => [venueSymbol, nextId]));

/** The first id of a gap that is not accounted for; ids from the next one of its series on are not either. */
function firstMissing(gap: Gap, holes: readonly Hole[], ends: ReadonlyMap<string, SeriesEnd>): bigint | undefined {
  const hole = holes.find((one) => one.venueSymbol === gap.venueSymbol && one.from <= gap.to && one.to >= gap.from);
  if (hole) return hole.from < gap.from ? gap.from : hole.from;
  const nextId = ends.get(gap.venueSymbol)?.nextId;
  if (nextId === undefined || nextId > gap.to) return undefined;
  return nextId < gap.from ? gap.from : nextId;
}
