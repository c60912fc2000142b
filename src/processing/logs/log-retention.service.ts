import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Settings } from '../../platform/config/index.js';
import { Database } from '../../platform/database/index.js';
import { isTransientDatabaseError } from '../../platform/errors/index.js';
import { EventRecordStore } from '../events/event-record.store.js';
import { LogDayStore } from './log-day.store.js';

const LOOK_EVERY_MS = 10 * 60_000;
const FIRST_LOOK_MS = 20_000;
const BITE = 5000;
const MOST_BITES = 100;

/** Drops days of log events (LOGS_RETENTION), and deletes events of webhooks (WEBHOOKS_RETENTION). */
@Injectable()
export class LogRetention implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('LogRetention');
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;
  private stopping = false;

  constructor(
    private readonly database: Database,
    private readonly days: LogDayStore,
    private readonly events: EventRecordStore,
    private readonly settings: Settings,
  ) {}

  onApplicationBootstrap(): void {
    void this.database.whenReady().then(() => this.schedule(FIRST_LOOK_MS));
  }

  async onModuleDestroy(): Promise<void> {
    this.stopping = true;
    clearTimeout(this.timer);
    await this.looking;
  }

  /** Also at once, for who does not want to wait. */
  look(): Promise<void> {
    this.looking ??= this.trim().finally(() => (this.looking = undefined));
    return this.looking;
  }

  private schedule(inMs: number): void {
    if (this.stopping) return;
    this.timer = setTimeout(() => void this.look().then(() => this.schedule(LOOK_EVERY_MS)), inMs).unref();
  }

  private async trim(): Promise<void> {
    const { LOGS_RETENTION, WEBHOOKS_RETENTION } = this.settings;
    try {
      if (LOGS_RETENTION > 0) await this.dropDays(LOGS_RETENTION);
      if (WEBHOOKS_RETENTION === 0) return;
      for (let bites = 0; bites < MOST_BITES && !this.stopping; bites++)
        if ((await this.events.trim(WEBHOOKS_RETENTION, BITE)) < BITE) break;
    } catch (error) {
      if (!isTransientDatabaseError(error))
        this.logger.error(`Old log events or events could not be dropped: ${(error as Error).message}`);
    }
  }

  private async dropDays(olderThanMs: number): Promise<void> {
    for (const day of await this.days.toDrop(olderThanMs)) {
      if (this.stopping || !(await this.days.drop(day))) return; // in use: at the next look
      this.logger.log(`Log events stored on ${day} were dropped`);
    }
  }
}
