import { Logger } from '@nestjs/common';
import { GapClosedV1, GapOpenedV1, type Trade } from '../contracts/index.js';
import type { Bus } from '../platform/bus/index.js';
import { isTransientDatabaseError } from '../platform/errors/index.js';
import { joinHoles } from './coverage.js';
import { type Frontier, type Tail, Tails } from './tails.js';
import { type CoverageStore, type Gap, gapData, type Hole } from './coverage.store.js';
import type { VenueHistory } from './venue-history.service.js';

const LOOK_EVERY_MS = 500;
/** Holes closer than a page of history are one gap: one request heals them. */
const JOIN_WITHIN = 1000n;
/** A venue that answered past an id this often without giving it will not give it. */
const ANSWERS_BEFORE_GIVING_UP = 3;
const RETRY_CAP_MS = 60_000;
/** A page is handed over in parts: a queue with little room left then takes some of it instead of none. */
const PART_TRADES = 100;
/** Fetched trades go the way of live ones; this many may be on that way before the next page is asked for. */
const PAGES_AHEAD = 20;

/** Whether the venue answered past the end of what was asked for, and the first id it gave. */
type Answer = Readonly<{ isPast: boolean; firstId: bigint | undefined }>;

type Filling = { gap: Gap; emptyAnswers: number; failures: number; notBeforeMs: number };

/**
 * The owner of contiguity for one source: finds holes in the recorded ids, keeps them as gaps, and fills them by id.
 * It looks only at what was recorded, so a lost socket, a full queue, a crash and a long stop all heal the same way.
 */
export class GapFiller {
  private readonly logger: Logger;
  private readonly filling = new Map<string, Filling>();
  /** Highest hole of each symbol at the look before: what was there then is no mere reordering. */
  private seenUpTo = new Map<string, bigint>();
  private readonly tails = new Tails();
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;
  private loaded = false;
  private stopped = false;
  private readonly catchingUp = new Set<string>();
  lastError: string | undefined;

  constructor(
    private readonly source: string,
    private readonly bus: Bus,
    private readonly coverage: CoverageStore,
    private readonly history: VenueHistory,
    private readonly maxTrades: number,
    private readonly deliver: (trades: readonly Trade[]) => void,
    /** The highest id received of each venue symbol, and its canonical symbol. */
    private readonly frontier: Frontier,
  ) {
    this.logger = new Logger(`Gaps ${source}`);
  }

  get open(): readonly Gap[] {
    return [...this.filling.values()].map(({ gap }) => gap);
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
    await this.looking;
  }

  /**
   * After a connection is up: everything from where each symbol ended to now, so that quiet ones, whose next trade would
   * show the hole, miss nothing either. What is beyond the bound of one healing shows as a hole with the next trade.
   */
  async catchUp(venueSymbols: readonly string[]): Promise<void> {
    try {
      const nextIds = await this.coverage.nextIds(this.source);
      for (const venueSymbol of venueSymbols) {
        const nextId = nextIds.get(venueSymbol);
        if (nextId === undefined || this.catchingUp.has(venueSymbol)) continue;
        this.catchingUp.add(venueSymbol);
        try {
          await this.fetch(venueSymbol, nextId, undefined, Math.floor(this.maxTrades / this.history.pageTrades));
        } finally {
          this.catchingUp.delete(venueSymbol);
        }
      }
    } catch (error) {
      this.fault(`could not catch up: ${(error as Error).message}`);
    }
  }

  private async look(): Promise<void> {
    try {
      if (!this.loaded) {
        for (const gap of await this.coverage.openGaps(this.source)) this.track(gap);
        this.loaded = true;
      }
      const [holes, nextIds] = [await this.coverage.holes(this.source), await this.coverage.nextIds(this.source)];
      await this.closeFilled(holes, nextIds);
      await this.openNew(holes);
      for (const tail of this.tails.stuck(nextIds, this.frontier, Date.now())) await this.openTail(tail);
      this.seenUpTo = new Map(holes.map((hole) => [hole.venueSymbol, hole.to]));
      const due = [...this.filling.values()].find(
        (one) => one.notBeforeMs <= Date.now() && !this.catchingUp.has(one.gap.venueSymbol),
      );
      if (due) await this.fill(due, holes, nextIds);
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

  /** What arrived and was dropped, with no later trade to show the hole. */
  private async openTail({ venueSymbol, from, to }: Tail): Promise<void> {
    const hole = { source: this.source, venueSymbol, symbol: this.frontier.get(venueSymbol)!.symbol, from, to };
    if (!this.isTracked(hole)) await this.openGap({ ...hole, missing: to - from + 1n });
  }

  /** A hole larger than one healing may be is healed at its newer end; the older part is told as unfillable. */
  private async openGap(gap: Omit<Gap, 'id'>): Promise<void> {
    const beyond = gap.missing - BigInt(this.maxTrades);
    if (beyond > 0n) {
      const middle = gap.from + beyond;
      const older = { ...gap, to: middle - 1n, missing: beyond };
      await this.bus.transaction(async (tx) => {
        const kept = await this.coverage.openGap(tx, older);
        await this.bus.append(tx, GapOpenedV1, gapData(kept));
        await this.coverage.giveUpGap(tx, kept, `more than BACKFILL_MAX_TRADES (${this.maxTrades}) are missing`);
      });
      this.logger.warn(
        `${gap.symbol}: ${beyond} trades from ${gap.from} stay missing, more than BACKFILL_MAX_TRADES allows to fetch`,
      );
      if (this.maxTrades === 0) return;
      gap = { ...gap, from: middle, missing: gap.to - middle + 1n };
    }
    const opened = await this.bus.transaction(async (tx) => {
      const kept = await this.coverage.openGap(tx, gap);
      await this.bus.append(tx, GapOpenedV1, gapData(kept));
      return kept;
    });
    this.logger.warn(`${gap.symbol}: ${gap.missing} trades missing between ${gap.from} and ${gap.to}, fetching them`);
    this.track(opened);
  }

  private async closeFilled(holes: readonly Hole[], nextIds: ReadonlyMap<string, bigint>): Promise<void> {
    for (const { gap } of this.filling.values()) {
      if (firstMissing(gap, holes, nextIds) !== undefined) continue;
      await this.bus.transaction(async (tx) => {
        await this.coverage.closeGap(tx, gap);
        await this.bus.append(tx, GapClosedV1, gapData(gap));
      });
      this.filling.delete(gap.id);
      this.logger.log(`${gap.symbol}: gap of ${gap.missing} trades closed`);
    }
  }

  private async fill(filling: Filling, holes: readonly Hole[], nextIds: ReadonlyMap<string, bigint>): Promise<void> {
    const { gap } = filling;
    const first = firstMissing(gap, holes, nextIds);
    if (first === undefined) return;
    if (filling.emptyAnswers >= ANSWERS_BEFORE_GIVING_UP)
      return this.giveUp(filling, 'the venue answered past these ids without them');
    try {
      const answer = await this.fetch(gap.venueSymbol, first, gap.to, PAGES_AHEAD);
      // what the venue gave and is not recorded yet is on its way, or was dropped by a full queue: only what it
      // answers past without giving counts against it
      if (answer.isPast && answer.firstId !== first) filling.emptyAnswers++;
      filling.failures = 0;
      filling.notBeforeMs = Date.now() + LOOK_EVERY_MS * (answer.isPast ? 3 : 2);
    } catch (error) {
      filling.failures++;
      filling.notBeforeMs = Date.now() + Math.random() * Math.min(RETRY_CAP_MS, 1000 * 2 ** filling.failures);
      this.fault(`${gap.symbol}: ${(error as Error).message}`);
    }
  }

  /** Fetches from `fromId` to `toId`, or to the present, at most so many pages, and hands over what came. */
  private async fetch(venueSymbol: string, fromId: bigint, toId: bigint | undefined, pages: number): Promise<Answer> {
    let firstId: bigint | undefined;
    for (let page = 0; page < pages && !this.stopped; page++) {
      const trades = await this.history.page(venueSymbol, fromId);
      const wanted = toId === undefined ? trades : trades.filter(({ tradeId }) => BigInt(tradeId) <= toId);
      for (let at = 0; at < wanted.length; at += PART_TRADES) this.deliver(wanted.slice(at, at + PART_TRADES));
      const last = trades.at(-1);
      if (!last) break; // not given out yet
      firstId ??= BigInt(trades[0]!.tradeId);
      const lastId = BigInt(last.tradeId);
      if (toId === undefined ? trades.length < this.history.pageTrades : lastId >= toId)
        return { isPast: true, firstId };
      fromId = lastId + 1n;
    }
    return { isPast: false, firstId };
  }

  private async giveUp(filling: Filling, reason: string): Promise<void> {
    await this.bus.transaction((tx) => this.coverage.giveUpGap(tx, filling.gap, reason));
    this.filling.delete(filling.gap.id);
    this.logger.warn(
      `${filling.gap.symbol}: trades between ${filling.gap.from} and ${filling.gap.to} stay missing: ${reason}`,
    );
  }

  private isTracked(hole: Hole): boolean {
    return this.open.some((gap) => gap.venueSymbol === hole.venueSymbol && gap.from <= hole.from && hole.to <= gap.to);
  }

  private track(gap: Gap): void {
    this.filling.set(gap.id, { gap, emptyAnswers: 0, failures: 0, notBeforeMs: 0 });
  }

  private fault(message: string): void {
    this.lastError = message;
    this.logger.warn(message);
  }
}

/** The first id of a gap that is not accounted for; ids from the next one of its series on are not either. */
function firstMissing(gap: Gap, holes: readonly Hole[], nextIds: ReadonlyMap<string, bigint>): bigint | undefined {
  const hole = holes.find((one) => one.venueSymbol === gap.venueSymbol && one.from <= gap.to && one.to >= gap.from);
  if (hole) return hole.from < gap.from ? gap.from : hole.from;
  const nextId = nextIds.get(gap.venueSymbol);
  if (nextId === undefined || nextId > gap.to) return undefined;
  return nextId < gap.from ? gap.from : nextId;
}
