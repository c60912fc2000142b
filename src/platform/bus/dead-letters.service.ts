import { Injectable, Logger } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter } from 'prom-client';
import type { EntityManager } from 'typeorm';
import { type DeadLetter, DeadLetterStore } from './dead-letter.store.js';

const WINDOW_MS = 60_000;
/** A venue that sends garbage at full speed must not fill the disk: more than this a minute and kind are only counted. */
const KEPT_PER_WINDOW = 200;
const KINDS_REMEMBERED = 1000;

/** Where everything goes that could not be read or accepted. */
@Injectable()
export class DeadLetters {
  private readonly logger = new Logger('DeadLetters');
  private windows = new Map<string, { startedMs: number; kept: number }>();

  constructor(
    private readonly store: DeadLetterStore,
    @InjectMetric('dead_letters_total') private readonly counter: Counter<'stage' | 'code' | 'kept'>,
  ) {}

  /** Keeps the letters in the caller's transaction. */
  async keep(tx: EntityManager, letters: readonly DeadLetter[]): Promise<void> {
    const kept = letters.filter((letter) => this.admit(letter));
    if (kept.length > 0) await this.store.keep(kept, tx);
  }

  /** Keeps a letter when nothing else hangs on it; a database that is away costs the letter, not the caller. */
  report(letter: DeadLetter): void {
    if (!this.admit(letter)) return;
    this.store.keep([letter]).catch((error: Error) => {
      this.logger.warn(`Dead letter ${letter.code} of ${letter.source.id} was not kept: ${error.message}`);
    });
  }

  private admit(letter: DeadLetter): boolean {
    const kind = `${letter.stage} ${letter.code} ${letter.source.kind} ${letter.source.id}`;
    const now = Date.now();
    let window = this.windows.get(kind);
    if (!window || now - window.startedMs > WINDOW_MS) {
      if (this.windows.size >= KINDS_REMEMBERED) this.windows.clear();
      this.windows.set(kind, (window = { startedMs: now, kept: 0 }));
      this.logger.warn(`Dead letter ${letter.code} from ${letter.source.id}: ${letter.message}`);
    }
    const kept = window.kept < KEPT_PER_WINDOW;
    if (kept) window.kept++;
    this.counter.inc({ stage: letter.stage, code: letter.code, kept: String(kept) });
    return kept;
  }
}
