import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { AppError } from '../errors/index.js';
import { migrate } from './migrate.js';

const RETRY_MS = [200, 500, 1000, 2000, 5000];
const ANSWER_WITHIN_MS = 2000;

/** Connects in the background, so that the process answers its probes while the database is still away. */
@Injectable()
export class Database implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Database');
  private announceReady!: () => void;
  private readonly ready = new Promise<void>((resolve) => (this.announceReady = resolve));
  private stopping = false;
  private lastFailure = 'connecting';
  private migrated = false;

  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** Resolves once the database answered and every migration has run; pending while it is down at start. */
  whenReady(): Promise<void> {
    return this.ready;
  }

  /** Throws AppError('database.unavailable') unless the database answers within two seconds. */
  async ping(): Promise<void> {
    if (!this.migrated) throw new AppError('database.unavailable', this.lastFailure);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${ANSWER_WITHIN_MS} ms`)), ANSWER_WITHIN_MS);
    });
    try {
      await Promise.race([this.dataSource.query('select 1'), late]);
    } catch (error) {
      throw new AppError('database.unavailable', (error as Error).message, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  onApplicationBootstrap(): void {
    void this.open();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping = true;
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
  }

  private async open(): Promise<void> {
    for (let attempt = 0; !this.stopping; attempt++) {
      try {
        if (!this.dataSource.isInitialized) await this.dataSource.initialize();
        const ran = await migrate(this.dataSource);
        if (ran.length > 0) this.logger.log(`Migrations run: ${ran.join(', ')}`);
        this.migrated = true;
        this.announceReady();
        return;
      } catch (error) {
        this.lastFailure = (error as Error).message;
        const waitMs = RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)]!;
        this.logger.warn(`Database is not usable yet, next try in ${waitMs} ms: ${this.lastFailure}`);
        await new Promise((resolve) => setTimeout(resolve, waitMs).unref());
      }
    }
  }
}
