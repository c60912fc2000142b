import { Injectable, Logger } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter } from 'prom-client';
import type { EntityManager } from 'typeorm';
import type { DeadLetter, ReplayedLetter, Replayer } from './dead-letter.js';
import { DeadLetterStore } from './dead-letter.store.js';

const WINDOW_MS = 60_000;
/** A venue that sends garbage at full speed must not fill the disk: more than this a minute and kind are only counted. */
const KEPT_PER_WINDOW = 200;
/** Of what comes of a file or of another source that ends: it is worth more, and must not drive out all others either. */
const MANY_KEPT_PER_WINDOW = 10_000;
const KINDS_REMEMBERED = 1000;

type Preparation = (letter: ReplayedLetter) => Promise<void>;
type Replaying = Readonly<{ replayer: Replayer<EntityManager>; prepare: Preparation | undefined }>;

/** Where everything goes that could not be read, accepted or handled, and who can do it again. */
@Injectable()
export class DeadLetters {
  private readonly logger = new Logger('DeadLetters');
  private windows = new Map<string, { startedMs: number; kept: number }>();
  private readonly replayers = new Map<string, Replaying>();

  constructor(
    private readonly store: DeadLetterStore,
    @InjectMetric('dead_letters_total') private readonly counter: Counter<'stage' | 'code' | 'kept'>,
  ) {}

  /** Keeps letters in the caller's transaction: of one kind 200 a minute, the others are only counted. */
  async keep(tx: EntityManager, letters: readonly DeadLetter[]): Promise<void> {
    const kept = letters.filter((letter) => this.admit(letter, KEPT_PER_WINDOW));
    if (kept.length > 0) await this.store.keep(kept, tx);
  }

  /** As keep, but 10,000 a minute and kind: for what comes of a file. */
  async keepMany(tx: EntityManager, letters: readonly DeadLetter[]): Promise<void> {
    const kept = letters.filter((letter) => this.admit(letter, MANY_KEPT_PER_WINDOW));
    if (kept.length > 0) await this.store.keep(kept, tx);
  }

  /** As keep, but every one: for a caller that bounds how many there can be. */
  async keepAll(tx: EntityManager, letters: readonly DeadLetter[]): Promise<void> {
    for (const letter of letters) this.admit(letter, Infinity);
    if (letters.length > 0) await this.store.keep(letters, tx);
  }

  /** As keepAll, but what has a letter already, by source and position, is that letter again, unless it was discarded. */
  async keepOrReturn(tx: EntityManager, letters: readonly DeadLetter[]): Promise<void> {
    const fresh: DeadLetter[] = [];
    for (const letter of letters) if (!(await this.store.returned(tx, letter))) fresh.push(letter);
    await this.keepAll(tx, fresh);
  }

  /** What these stand for has been done after all. */
  async closed(tx: EntityManager, kind: string, id: string, positions: readonly string[]): Promise<void> {
    await this.store.closed(tx, kind, id, positions);
  }

  /** Keeps a letter when nothing else hangs on it; a database that is away costs the letter, not the caller. */
  report(letter: DeadLetter): void {
    if (!this.admit(letter, KEPT_PER_WINDOW)) return;
    this.store.keep([letter]).catch((error: Error) => {
      this.logger.warn(`Dead letter ${letter.code} of ${letter.source.id} was not kept: ${error.message}`);
    });
  }

  /**
   * Says how letters of a kind of source are replayed; call it in a constructor. Without one they cannot be. `prepare` runs
   * before the transaction: what needs one of its own, such as a partition, must not wait for a second connection while the
   * first is held.
   */
  onReplay(kind: string, replayer: Replayer<EntityManager>, prepare?: Preparation): void {
    if (this.replayers.has(kind)) throw new Error(`Two replay dead letters of kind ${kind}`);
    this.replayers.set(kind, { replayer, prepare });
  }

  replayingOf(kind: string): Replaying | undefined {
    return this.replayers.get(kind);
  }

  /** Kinds that this process can replay. */
  get replayable(): string[] {
    return [...this.replayers.keys()];
  }

  private admit(letter: DeadLetter, most: number): boolean {
    const kind = `${letter.stage} ${letter.code} ${letter.source.kind} ${letter.source.id}`;
    const now = Date.now();
    let window = this.windows.get(kind);
    if (!window || now - window.startedMs > WINDOW_MS) {
      if (this.windows.size >= KINDS_REMEMBERED) this.windows.clear();
      this.windows.set(kind, (window = { startedMs: now, kept: 0 }));
      this.logger.warn(`Dead letter ${letter.code} from ${letter.source.id}: ${letter.message.slice(0, 500)}`);
    }
    const kept = window.kept < most;
    if (kept) window.kept++;
    this.counter.inc({ stage: letter.stage, code: letter.code, kept: String(kept) });
    return kept;
  }
}
