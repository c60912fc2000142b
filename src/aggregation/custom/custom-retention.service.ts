import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Bus } from '../../platform/bus/index.js';
import { Settings } from '../../platform/config/index.js';
import { isTransientDatabaseError } from '../../platform/errors/index.js';
import { CustomPointStore } from './custom-point.store.js';

const LOOK_EVERY_MS = 60_000;
const BITE = 5000;
/** At most 100,000 points a look: a backlog is worked off over several, beside everything else. */
const MOST_BITES = 20;

/** Deletes custom points that are older than TRADES_RETENTION; their rollups stay. */
@Injectable()
export class CustomRetention implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('CustomRetention');
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;

  constructor(
    private readonly bus: Bus,
    private readonly store: CustomPointStore,
    private readonly settings: Settings,
  ) {}

  onApplicationBootstrap(): void {
    if (this.settings.TRADES_RETENTION === 0) return;
    void this.bus.whenReady().then(() => {
      this.timer = setInterval(() => (this.looking ??= this.look()), LOOK_EVERY_MS).unref();
    });
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    this.timer = undefined;
    await this.looking;
  }

  private async look(): Promise<void> {
    try {
      for (let bites = 0; bites < MOST_BITES && this.timer; bites++) {
        if ((await this.store.deleteOld(this.settings.TRADES_RETENTION, BITE)) < BITE) break;
      }
    } catch (error) {
      if (!isTransientDatabaseError(error))
        this.logger.error(`Old custom points could not be deleted: ${(error as Error).message}`);
    } finally {
      this.looking = undefined;
    }
  }
}
