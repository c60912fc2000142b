import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Bus } from '../platform/bus/index.js';
import { Settings } from '../platform/config/index.js';
import { isTransientDatabaseError } from '../platform/errors/index.js';
import { FileStore } from './file.store.js';
import { Receiver } from './receiving/receiver.service.js';
import { UploadFolder } from './upload-folder.service.js';

const LOOK_EVERY_MS = 10_000;
const BITE = 500;

/** Deletes bytes that nobody needs: of files read long ago, of deleted ones, and what a crash left of an upload. */
@Injectable()
export class UploadKeeping implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Uploads');
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;
  private stopped = false;

  constructor(
    private readonly bus: Bus,
    private readonly store: FileStore,
    private readonly folder: UploadFolder,
    private readonly receiver: Receiver,
    private readonly settings: Settings,
  ) {}

  onApplicationBootstrap(): void {
    void this.bus.whenReady().then(() => {
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
    this.looking ??= this.clean().finally(() => (this.looking = undefined));
    return this.looking;
  }

  private async clean(): Promise<void> {
    try {
      await this.expire();
      await this.forget();
      await this.sweep();
    } catch (error) {
      if (!isTransientDatabaseError(error))
        this.logger.error(`Old files were not deleted: ${(error as Error).message}`);
    }
  }

  private async expire(): Promise<void> {
    if (this.settings.FILES_RETENTION === 0) return;
    while (!this.stopped) {
      const expired = await this.store.expire(this.settings.FILES_RETENTION, BITE);
      for (const id of expired) await this.folder.remove(id);
      if (expired.length < BITE) return;
    }
  }

  private async forget(): Promise<void> {
    const { DEAD_LETTERS_RETENTION: keptMs } = this.settings;
    if (keptMs === 0) return;
    while (!this.stopped && (await this.store.forgetReadings(keptMs, BITE)) === BITE);
  }

  /**
   * A file without a row is an upload under way, here or in another process over this folder, or what is left of one:
   * one under way is written to, or given up, within a stall.
   */
  private async sweep(): Promise<void> {
    const names = await this.folder.untouched(2 * this.settings.UPLOAD_STALL);
    for (let from = 0; from < names.length && !this.stopped; from += BITE) {
      const some = names.slice(from, from + BITE).filter((name) => !this.receiver.writing.has(name));
      const stored = await this.store.stored(some);
      for (const name of some) if (!stored.has(name)) await this.folder.remove(name);
    }
  }
}
