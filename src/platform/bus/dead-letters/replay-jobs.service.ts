import { randomUUID } from 'node:crypto';
import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { MODULE_NAMES, Settings } from '../../config/index.js';
import { Database } from '../../database/index.js';
import { AppError } from '../../errors/index.js';
import type { LetterFilter } from './dead-letter-list.store.js';
import { DeadLetterListStore } from './dead-letter-list.store.js';
import { DeadLetters } from './dead-letters.service.js';
import { ReplayJobStore } from './replay-job.store.js';
import { Replays } from './replays.service.js';

const LOOK_EVERY_MS = 500;
const LEASE_MS = 10_000;
const RENEW_EVERY_MS = 2000;
const BITE = 50;

/** What a replay by filter would take. */
export type Forecast = Readonly<{
  matching: number;
  kinds: readonly Readonly<{ kind: string; count: number; replayable: boolean }>[];
}>;

/** Carries replays by filter out, letter by letter, oldest first; a job that a crash left is taken up by who finds it. */
@Injectable()
export class ReplayJobs implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('ReplayJobs');
  private readonly holder = randomUUID();
  private timer: NodeJS.Timeout | undefined;
  private working: Promise<void> | undefined;
  private stopped = false;

  constructor(
    private readonly database: Database,
    private readonly deadLetters: DeadLetters,
    private readonly letters: DeadLetterListStore,
    private readonly jobs: ReplayJobStore,
    private readonly replays: Replays,
    private readonly settings: Settings,
  ) {}

  onApplicationBootstrap(): void {
    void this.database.whenReady().then(() => {
      if (!this.stopped) this.timer = setInterval(() => this.look(), LOOK_EVERY_MS).unref();
    });
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    await this.working;
  }

  async forecast(filter: LetterFilter): Promise<Forecast> {
    const { replayable } = this.deadLetters;
    const kinds = await this.letters.count({ ...filter, states: ['dead'] });
    return {
      matching: kinds.reduce((sum, { count }) => sum + count, 0),
      kinds: kinds.map(({ kind, count }) => ({ kind, count, replayable: replayable.includes(kind) })),
    };
  }

  /** Its id; throws when too many run. */
  async start(filter: LetterFilter, ratePerSecond: number): Promise<string> {
    // of kinds that nothing here replays another process may know more, unless there can be none
    const id = await this.jobs.create(filter, ratePerSecond, this.isWhole ? this.deadLetters.replayable : null);
    if (id === undefined) throw new AppError('letters.too-many-jobs', 'ten replays run already');
    this.look();
    return id;
  }

  private look(): void {
    this.working ??= this.work().finally(() => (this.working = undefined));
  }

  private async work(): Promise<void> {
    try {
      const job = await this.jobs.claim(this.kinds, this.holder, LEASE_MS);
      if (!job) return;
      await this.carryOut(job.id, job.ratePerSecond);
    } catch (error) {
      if (!this.stopped) this.logger.warn(`A replay job rests for a moment: ${(error as Error).message}`);
    }
  }

  private async carryOut(id: string, ratePerSecond: number): Promise<void> {
    let renewedMs = performance.now();
    let dueMs = renewedMs;
    try {
      for (
        let ids = await this.jobs.next(id, this.kinds, BITE);
        ids.length > 0;
        ids = await this.jobs.next(id, this.kinds, BITE)
      ) {
        for (const letter of ids) {
          await pauseUntil(dueMs);
          if (this.stopped) return;
          if (performance.now() - renewedMs > RENEW_EVERY_MS) {
            if (!(await this.jobs.renew(id, this.holder, LEASE_MS))) return;
            renewedMs = performance.now();
          }
          await this.replays.replayPending(letter);
          dueMs = Math.max(dueMs + 1000 / ratePerSecond, performance.now() - 1000);
        }
      }
      await this.jobs.finish(id);
    } finally {
      await this.jobs.release(id, this.holder).catch(() => undefined); // else the lease runs out
    }
  }

  /** Null: whatever the kind. In a process that runs everything, what nothing replays fails with that reason. */
  private get kinds(): readonly string[] | null {
    return this.isWhole ? null : this.deadLetters.replayable;
  }

  private get isWhole(): boolean {
    return MODULE_NAMES.every((name) => this.settings.MODULES.includes(name));
  }
}

async function pauseUntil(dueMs: number): Promise<void> {
  const waitMs = dueMs - performance.now();
  if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs).unref());
}
