import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter, Gauge } from 'prom-client';
import { Settings } from '../../config/index.js';
import { Database } from '../../database/index.js';
import { isTransientDatabaseError } from '../../errors/index.js';
import { HealthParts } from '../../observability/index.js';
import { LETTER_STATES, STAGES } from './dead-letter.js';
import { DeadLetterStore } from './dead-letter.store.js';
import { LetterRetentionStore, type Standing, type Trimmed } from './letter-retention.store.js';
import { ReplayJobStore } from './replay-job.store.js';

const LOOK_EVERY_MS = 10_000;
/** Of all payloads. */
export const MOST_BYTES = 2 * 1024 ** 3;
const BITE = 1000;
/** At most 100,000 a look: a backlog is worked off over several. */
const MOST_BITES = 100;

/** Keeps the dead letters within DEAD_LETTERS_RETENTION and DEAD_LETTERS_MAX, and says how they stand. */
@Injectable()
export class LetterRetention implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('DeadLetters');
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;
  private stopped = false;
  private standing: readonly Standing[] = [];
  private dropped = { letters: 0, lastAt: undefined as string | undefined };

  constructor(
    health: HealthParts,
    private readonly database: Database,
    private readonly letters: DeadLetterStore,
    private readonly store: LetterRetentionStore,
    private readonly jobs: ReplayJobStore,
    private readonly settings: Settings,
    @InjectMetric('dead_letters') private readonly depth: Gauge<'stage' | 'state'>,
    @InjectMetric('dead_letters_oldest_seconds') private readonly oldest: Gauge,
    @InjectMetric('dead_letters_dropped_total') private readonly drops: Counter<'stage' | 'reason'>,
  ) {
    health.register({
      name: 'dead-letters',
      gatesReadiness: false,
      check: () => ({ up: true, details: this.report() }),
    });
  }

  onApplicationBootstrap(): void {
    void this.database.whenReady().then(() => {
      if (this.stopped) return;
      this.timer = setInterval(() => void this.look(), LOOK_EVERY_MS).unref();
      void this.look();
    });
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    await this.looking;
  }

  /** Also at once, for who does not want to wait. */
  look(): Promise<void> {
    this.looking ??= this.keepBounds().finally(() => (this.looking = undefined));
    return this.looking;
  }

  private async keepBounds(): Promise<void> {
    try {
      await this.letters.returnLost();
      await this.trimOld();
      await this.trimMost();
      this.standing = await this.store.standing();
      this.measure();
    } catch (error) {
      if (!isTransientDatabaseError(error))
        this.logger.error(`Dead letters could not be kept within bounds: ${(error as Error).message}`);
    }
  }

  private async trimOld(): Promise<void> {
    const { DEAD_LETTERS_RETENTION: retentionMs } = this.settings;
    if (retentionMs === 0) return;
    for (let bites = 0; bites < MOST_BITES && !this.stopped; bites++) {
      const trimmed = await this.store.trimOld(retentionMs, BITE);
      this.tell(trimmed, 'age');
      if (trimmed.letters < BITE) break;
    }
    await this.jobs.trim(retentionMs);
  }

  private async trimMost(): Promise<void> {
    for (let bites = 0; bites < MOST_BITES && !this.stopped; bites++) {
      const { letters, bytes } = await this.store.size();
      const excess = letters - this.settings.DEAD_LETTERS_MAX;
      const reason = excess > 0 ? 'number' : 'bytes';
      if (excess <= 0 && bytes <= MOST_BYTES) return;
      const trimmed = await this.store.trimMost(Math.min(BITE, excess > 0 ? excess : Math.ceil(letters / 20)));
      this.tell(trimmed, reason);
      if (trimmed.letters === 0) return;
    }
  }

  private tell({ dead }: Trimmed, reason: 'age' | 'number' | 'bytes'): void {
    const letters = dead.reduce((sum, { count }) => sum + count, 0);
    if (letters === 0) return;
    for (const { stage, count } of dead) this.drops.inc({ stage, reason }, count);
    this.dropped = { letters: this.dropped.letters + letters, lastAt: new Date().toISOString() };
    const bound = reason === 'age' ? 'DEAD_LETTERS_RETENTION' : reason === 'number' ? 'DEAD_LETTERS_MAX' : '2 GiB';
    this.logger.warn(`${letters} dead letters that nobody had replayed or discarded were deleted: beyond ${bound}`);
  }

  private measure(): void {
    for (const stage of STAGES)
      for (const state of LETTER_STATES) {
        const found = this.standing.find((one) => one.stage === stage && one.state === state);
        this.depth.set({ stage, state }, found?.count ?? 0);
      }
    this.oldest.set(this.oldestSeconds());
  }

  private oldestSeconds(): number {
    return Math.max(0, ...this.standing.filter(({ state }) => state === 'dead').map((one) => one.oldestSeconds));
  }

  private report(): Record<string, unknown> {
    const sums = LETTER_STATES.map((state): [string, number] => [
      state,
      this.standing.filter((one) => one.state === state).reduce((sum, { count }) => sum + count, 0),
    ]);
    return {
      ...Object.fromEntries(sums),
      oldestDeadSeconds: Math.round(this.oldestSeconds()),
      ...(this.dropped.letters > 0 && { deadDropped: this.dropped.letters, deadDroppedAt: this.dropped.lastAt }),
    };
  }
}
