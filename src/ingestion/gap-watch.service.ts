import { Logger } from '@nestjs/common';
import { isTransientDatabaseError } from '../platform/errors/index.js';
import { firstMissing, joinHoles, outsideOf, splitAtMost } from './coverage.js';
import { type CoverageStore, type Hole, MOST_HOLES, type SeriesEnd } from './coverage.store.js';
import type { Frontier } from './frontier.js';
import type { Gap, GapStore } from './gap.store.js';
import type { Gaps } from './gaps.service.js';
import { type Tail, Tails } from './tails.js';

const LOOK_EVERY_MS = 500;
/** Holes closer than a page of history are one gap: one request heals them. */
const JOIN_WITHIN = 1000n;

export type GapWatchOptions = Readonly<{
  source: string;
  coverage: CoverageStore;
  store: GapStore;
  gaps: Gaps;
  /** Most trades fetched to heal one gap that was not asked for. */
  maxTrades: number;
  frontier: Frontier;
}>;

/**
 * The owner of contiguity for one source: finds holes in the recorded ids, keeps them as gaps, and closes them once they
 * are filled. It looks only at what was recorded, so a lost socket, a full queue, a crash and a long stop are all alike.
 */
export class GapWatch {
  private readonly logger: Logger;
  /** Highest hole of each symbol at the look before: what was there then is no mere reordering. */
  private seenUpTo = new Map<string, bigint>();
  private readonly tails = new Tails();
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;
  private holes = new Map<string, Hole[]>();
  private isWhole = true;
  /** As of the last look: gaps that are to be filled, and where each series ends, unknown until the first one. */
  unfilled: readonly Gap[] = [];
  ends: ReadonlyMap<string, SeriesEnd> | undefined;

  constructor(private readonly options: GapWatchOptions) {
    this.logger = new Logger(`Gaps ${options.source}`);
  }

  start(): void {
    this.timer = setInterval(
      () => (this.looking ??= this.look().finally(() => (this.looking = undefined))),
      LOOK_EVERY_MS,
    ).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.looking;
  }

  /** The first id of a gap from `fromId` on that is missing, as of the last look. */
  missingFrom(gap: Gap, fromId: bigint): bigint | undefined {
    const found = firstMissing(this.holes.get(gap.venueSymbol) ?? [], fromId, gap.to);
    if (found !== undefined) return found;
    // ids from the next one of the series on are no hole yet
    const nextId = this.ends?.get(gap.venueSymbol)?.nextId;
    if (nextId === undefined || nextId > gap.to) return undefined;
    return nextId < fromId ? fromId : nextId;
  }

  private async look(): Promise<void> {
    const { coverage, store, source, frontier } = this.options;
    try {
      const [unfilled, holes, ends] = await coverage.atOneMoment(async (tx) => [
        await store.unfilled(source, tx),
        await coverage.holes(source, tx),
        await coverage.ends(source, tx),
      ]);
      [this.unfilled, this.ends, this.isWhole] = [unfilled, ends, holes.length < MOST_HOLES];
      this.holes = Map.groupBy(holes, ({ venueSymbol }) => venueSymbol);
      await this.closeFilled();
      for (const [venueSymbol, ofSymbol] of this.holes) await this.openNew(venueSymbol, ofSymbol);
      const nextIds = new Map([...ends].map(([venueSymbol, { nextId }]) => [venueSymbol, nextId]));
      for (const tail of this.tails.stuck(nextIds, frontier, Date.now())) await this.openTail(tail);
      this.seenUpTo = new Map(holes.map((hole) => [hole.venueSymbol, hole.to]));
    } catch (error) {
      if (!isTransientDatabaseError(error))
        this.logger.error(`Gaps could not be looked at: ${(error as Error).message}`, (error as Error).stack);
    }
  }

  private async closeFilled(): Promise<void> {
    if (!this.isWhole) return; // a hole that is not listed looks like a filled one
    for (const gap of this.unfilled) {
      if (this.missingFrom(gap, gap.from) !== undefined) continue;
      await this.options.gaps.close(gap);
      this.unfilled = this.unfilled.filter(({ id }) => id !== gap.id);
      this.logger.log(`${gap.symbol}: gap of ${gap.missing} trades closed`);
    }
  }

  private async openNew(venueSymbol: string, holes: readonly Hole[]): Promise<void> {
    const seen = this.seenUpTo.get(venueSymbol) ?? -1n;
    const untracked = outsideOf(
      holes,
      this.unfilled.filter((gap) => gap.venueSymbol === venueSymbol),
    );
    for (const joined of joinHoles(
      untracked.filter((hole) => hole.to <= seen),
      JOIN_WITHIN,
    ))
      await this.openGap(joined);
  }

  /** What arrived and was dropped, or what the venue says it sent, with no later trade to show the hole. */
  private async openTail({ venueSymbol, from, to }: Tail): Promise<void> {
    const { source, frontier } = this.options;
    const tail = { source, venueSymbol, symbol: frontier.get(venueSymbol)!.symbol, from, to };
    const known = this.unfilled.filter((gap) => gap.venueSymbol === venueSymbol);
    if (outsideOf([tail], known).length > 0) await this.openGap([tail]);
  }

  /** More missing trades than one healing may fetch: the newest are healed, the older ones told as unfillable. */
  private async openGap(holes: readonly Hole[]): Promise<void> {
    const { maxTrades, gaps } = this.options;
    const [{ source, venueSymbol, symbol }] = holes as [Hole];
    const { older, newer } = splitAtMost(holes, BigInt(maxTrades));
    if (older) {
      await gaps.openUnfillable(
        { source, venueSymbol, symbol, ...older },
        `more than BACKFILL_MAX_TRADES (${maxTrades}) were missing`,
      );
      this.logger.warn(
        `${symbol}: ${older.missing} trades from ${older.from} stay missing, more than BACKFILL_MAX_TRADES allows to fetch`,
      );
    }
    if (!newer) return;
    this.unfilled = [...this.unfilled, await gaps.open({ source, venueSymbol, symbol, ...newer })];
    this.logger.warn(`${symbol}: ${newer.missing} trades missing between ${newer.from} and ${newer.to}, fetching them`);
  }
}
