import { Inject, Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { DataSource, type QueryRunner } from 'typeorm';
import { MODULE_NAMES, Settings } from '../config/index.js';

export const WAKE_UP_CHANNEL = 'tapeline_bus';
const RETRY_MS = 1000;

type Listening = { on(event: 'notification' | 'error' | 'end', listener: () => void): void };

/** Hears from other processes that there is something to deliver. A process that runs every module needs no telling. */
@Injectable()
export class WakeUp implements OnModuleDestroy {
  private readonly logger = new Logger('WakeUp');
  private runner: QueryRunner | undefined;
  private connecting: Promise<unknown> | undefined;
  private stopped = false;

  constructor(
    @Inject(DataSource) private readonly dataSource: DataSource,
    private readonly settings: Settings,
  ) {}

  /** Calls `look` at every notice, and once after each reconnect, when one may have been missed. */
  async listen(look: () => void): Promise<void> {
    if (MODULE_NAMES.every((name) => this.settings.MODULES.includes(name))) return;
    while (!this.stopped) {
      try {
        await this.once(look);
      } catch (error) {
        this.logger.warn(`Not listening for a while, polling finds what there is: ${(error as Error).message}`);
      }
      await this.runner?.release().catch(() => undefined);
      if (!this.stopped) await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
    }
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    // released before it is connected, TypeORM 1.1 would look for it for ever when the pool closes
    await this.connecting?.catch(() => undefined);
    await this.runner?.release().catch(() => undefined);
  }

  /** Listens until the connection ends. */
  private async once(look: () => void): Promise<void> {
    this.runner = this.dataSource.createQueryRunner();
    this.connecting = this.runner.connect();
    const connection = (await this.connecting) as Listening;
    const ended = new Promise<void>((resolve) => {
      connection.on('error', () => resolve());
      connection.on('end', () => resolve());
    });
    connection.on('notification', look);
    await this.runner.query(`listen ${WAKE_UP_CHANNEL}`);
    look();
    await ended;
  }
}
