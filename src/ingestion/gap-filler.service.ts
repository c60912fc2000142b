import { Logger } from '@nestjs/common';
import type { Trade } from '../contracts/index.js';
import { jitteredMs } from './backoff.js';
import type { IdRun } from './coverage.js';
import { type Fault, faultNow } from './feed-status.js';
import { advance, type Frontier } from './frontier.js';
import type { Gap, GapStore } from './gap.store.js';
import type { GapWatch } from './gap-watch.service.js';
import type { Gaps } from './gaps.service.js';
import type { VenueHistory } from './venue-history.service.js';

const TURN_EVERY_MS = 250;
/** One turn asks for so many pages; then whatever waits longest has its turn. */
const PAGES_A_TURN = 5;
/** What was handed over needs a moment to be recorded before it can be missed. */
const RECORDED_WITHIN_MS = 1500;
/** A venue that answered past ids this often without giving them will not give them. */
const ANSWERS_BEFORE_GIVING_UP = 3;
const RETRY_FIRST_MS = 1000;
const RETRY_CAP_MS = 60_000;
/** A page is handed over in parts: a queue with little room left then takes some of it instead of none. */
const PART_TRADES = 100;

/** How far the work on a gap has come. */
type Effort = {
  /** Where the next turn goes on; undefined: at the first missing id, with a new pass over the gap. */
  cursor: bigint | undefined;
  /** The run that the venue answered past, and how often. */
  skipped: IdRun | undefined;
  skippedTimes: number;
  /** The first missing id at the start of the last pass, and how many passes it has not moved. */
  firstMissing: bigint | undefined;
  idlePasses: number;
  failures: number;
  notBeforeMs: number;
  askedMs: number;
};

/** A symbol that may have traded while nobody listened, with what it took so far. */
type Behind = { fetched: number; failures: number; notBeforeMs: number };

export type GapFillerOptions = Readonly<{
  source: string;
  watch: GapWatch;
  store: GapStore;
  gaps: Gaps;
  history: VenueHistory;
  /** Most trades that are fetched after a connection without a gap that tells of them. */
  maxTrades: number;
  /** Takes trades the way live ones go. */
  deliver: (trades: readonly Trade[]) => void;
  frontier: Frontier;
}>;

/** Asks one venue for what is missing: the gaps that were found, and what was traded before a connection was up. */
export class GapFiller {
  private readonly logger: Logger;
  private readonly efforts = new Map<string, Effort>();
  /** By venue symbol, in order of their turns. */
  private readonly behind = new Map<string, Behind>();
  private timer: NodeJS.Timeout | undefined;
  private turn: Promise<void> | undefined;
  private stopped = false;
  lastError: Fault | undefined;

  constructor(private readonly options: GapFillerOptions) {
    this.logger = new Logger(`Gaps ${options.source}`);
  }

  get unfilled(): readonly Gap[] {
    return this.options.watch.unfilled;
  }

  start(): void {
    this.options.watch.start();
    this.timer = setInterval(
      () => (this.turn ??= this.takeTurns().finally(() => (this.turn = undefined))),
      TURN_EVERY_MS,
    ).unref();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    await this.options.watch.stop();
    await this.turn;
  }

  /**
   * After a connection is up: everything from where each symbol ended to now, so that quiet ones, whose next trade would
   * show the hole, miss nothing either. It is tried until the venue has answered.
   */
  catchUp(venueSymbols: readonly string[]): void {
    for (const name of venueSymbols) this.behind.set(name, { fetched: 0, failures: 0, notBeforeMs: 0 });
  }

  /** Holes and symbols that are behind by turns; ranges that a person asked for when there is nothing else. */
  private async takeTurns(): Promise<void> {
    try {
      const found = (gap: Gap): boolean => !gap.isRequested;
      for (let isBusy = true; isBusy && !this.stopped;) {
        isBusy = await this.fillNext(found);
        for (const venueSymbol of this.behind.keys()) {
          if (this.stopped) return;
          if (!(await this.catchUpOne(venueSymbol))) continue;
          await this.fillNext(found);
          isBusy = true;
        }
      }
      await this.fillNext(() => true);
      this.forgetEnded();
    } catch (error) {
      this.fault(`gaps could not be filled: ${(error as Error).message}`);
    }
  }

  /** False when nothing was to be asked. */
  private async catchUpOne(venueSymbol: string): Promise<boolean> {
    const { watch, history, maxTrades, frontier } = this.options;
    const behind = this.behind.get(venueSymbol);
    if (!behind || !watch.ends || behind.notBeforeMs > Date.now()) return false;
    const end = watch.ends.get(venueSymbol);
    if (!end || behind.fetched >= maxTrades) {
      this.behind.delete(venueSymbol);
      return false;
    }
    try {
      if (end.lastAtUs !== undefined) history.note(venueSymbol, end.nextId - 1n, end.lastAtUs);
      const known = frontier.get(venueSymbol)?.lastId ?? -1n;
      // from where the series ends, or on from what was handed over and is not recorded yet
      let fromId = behind.fetched > 0 && known >= end.nextId ? known + 1n : end.nextId;
      for (let page = 0; page < PAGES_A_TURN && !this.stopped; page++) {
        const { trades, isNewest } = await history.page(venueSymbol, fromId);
        this.handOver(trades);
        const last = trades.at(-1);
        if (last) advance(frontier, venueSymbol, end.symbol, BigInt(last.tradeId));
        if (!last || isNewest) {
          this.behind.delete(venueSymbol);
          break;
        }
        behind.fetched += trades.length;
        fromId = BigInt(last.tradeId) + 1n;
      }
    } catch (error) {
      behind.failures++;
      behind.notBeforeMs = Date.now() + jitteredMs(behind.failures, RETRY_FIRST_MS, RETRY_CAP_MS);
      this.fault(`${venueSymbol}: could not catch up: ${(error as Error).message}`);
    }
    return true;
  }

  /** One turn of the gap that waited longest; false when none is due. */
  private async fillNext(isWanted: (gap: Gap) => boolean): Promise<boolean> {
    const nowMs = Date.now();
    const due = this.unfilled.filter((gap) => isWanted(gap) && this.effortFor(gap).notBeforeMs <= nowMs);
    const [next] = due.sort((a, b) => this.effortFor(a).askedMs - this.effortFor(b).askedMs);
    if (!next) return false;
    await this.fill(next, this.effortFor(next));
    return true;
  }

  private async fill(gap: Gap, effort: Effort): Promise<void> {
    effort.askedMs = Date.now();
    effort.notBeforeMs = Date.now() + RECORDED_WITHIN_MS;
    if (effort.cursor === undefined && !this.beginPass(gap, effort)) return;
    try {
      for (let page = 0; page < PAGES_A_TURN && !this.stopped; page++) {
        const asked = this.options.watch.missingFrom(gap, effort.cursor ?? gap.from);
        if (asked === undefined) return void (effort.cursor = undefined);
        const { trades, isNewest } = await this.options.history.page(gap.venueSymbol, asked);
        const wanted = trades.filter(({ tradeId }) => BigInt(tradeId) <= gap.to);
        await this.options.store.noteFetched(gap, wanted.length);
        this.handOver(wanted);
        effort.failures = 0;
        const [first, last] = [trades[0], trades.at(-1)];
        if (!first || !last) return void (effort.cursor = undefined); // not given out yet
        await this.noteSkipped(gap, effort, asked, BigInt(first.tradeId) - 1n);
        const lastId = BigInt(last.tradeId);
        effort.cursor = lastId >= gap.to || isNewest ? undefined : lastId + 1n;
        if (effort.cursor === undefined) return;
      }
      effort.notBeforeMs = 0; // its next turn comes after everybody else's
    } catch (error) {
      effort.failures++;
      effort.notBeforeMs = Date.now() + jitteredMs(effort.failures, RETRY_FIRST_MS, RETRY_CAP_MS);
      this.fault(`${gap.symbol}: ${(error as Error).message}`);
    }
  }

  /** False when there is nothing to ask for now. What the venue gives and nothing records is asked for ever more rarely. */
  private beginPass(gap: Gap, effort: Effort): boolean {
    const first = this.options.watch.missingFrom(gap, gap.from);
    if (first === undefined) return false; // complete: the next look closes it
    effort.idlePasses = first === effort.firstMissing ? effort.idlePasses + 1 : 0;
    effort.firstMissing = first;
    effort.cursor = first;
    effort.notBeforeMs =
      Date.now() + Math.min(RETRY_CAP_MS, RECORDED_WITHIN_MS * 2 ** Math.max(0, effort.idlePasses - 4));
    return true;
  }

  /** Ids that the venue answered past without giving them, three times, are given up; the rest of the gap is not. */
  private async noteSkipped(gap: Gap, effort: Effort, asked: bigint, until: bigint): Promise<void> {
    const to = until < gap.to ? until : gap.to;
    if (to < asked || asked !== effort.firstMissing) return;
    const isSame = effort.skipped?.from === asked && effort.skipped.to === to;
    effort.skippedTimes = isSame ? effort.skippedTimes + 1 : 1;
    effort.skipped = { from: asked, to };
    if (effort.skippedTimes < ANSWERS_BEFORE_GIVING_UP) return;
    await this.giveUp(gap, { from: asked, to }, 'the venue answered past these ids without them');
    effort.skipped = undefined;
  }

  private async giveUp(gap: Gap, { from, to }: IdRun, reason: string): Promise<void> {
    await this.options.gaps.giveUp(gap, { from, to }, reason);
    this.logger.warn(`${gap.symbol}: trades between ${from} and ${to} stay missing: ${reason}`);
  }

  private handOver(trades: readonly Trade[]): void {
    for (let at = 0; at < trades.length; at += PART_TRADES) this.options.deliver(trades.slice(at, at + PART_TRADES));
  }

  private effortFor(gap: Gap): Effort {
    const known = this.efforts.get(gap.id) ?? {
      cursor: undefined,
      skipped: undefined,
      skippedTimes: 0,
      firstMissing: undefined,
      idlePasses: 0,
      failures: 0,
      notBeforeMs: 0,
      askedMs: 0,
    };
    this.efforts.set(gap.id, known);
    return known;
  }

  private forgetEnded(): void {
    const ids = new Set(this.unfilled.map(({ id }) => id));
    for (const id of this.efforts.keys()) if (!ids.has(id)) this.efforts.delete(id);
  }

  private fault(message: string): void {
    if (this.stopped) return;
    this.lastError = faultNow(message);
    this.logger.warn(message);
  }
}
