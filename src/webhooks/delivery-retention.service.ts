import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Bus } from '../platform/bus/index.js';
import { Settings } from '../platform/config/index.js';
import { isTransientDatabaseError } from '../platform/errors/index.js';
import { DeliveryStore } from './delivery.store.js';

const LOOK_EVERY_MS = 60_000;
/** Bodies are up to 25 MiB. */
const BITE = 100;
const MOST_BITES = 50;

/** Deletes deliveries that are older than WEBHOOKS_RETENTION; the events made of them have a time of their own. */
@Injectable()
export class DeliveryRetention implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('DeliveryRetention');
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;

  constructor(
    private readonly bus: Bus,
    private readonly store: DeliveryStore,
    private readonly settings: Settings,
  ) {}

  onApplicationBootstrap(): void {
    if (this.settings.WEBHOOKS_RETENTION === 0) return;
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
      for (let bites = 0; bites < MOST_BITES && this.timer; bites++)
        if ((await this.store.trim(this.settings.WEBHOOKS_RETENTION, BITE)) < BITE) break;
    } catch (error) {
      if (!isTransientDatabaseError(error))
        this.logger.error(`Old deliveries could not be deleted: ${(error as Error).message}`);
    } finally {
      this.looking = undefined;
    }
  }
}
