import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Bus } from '../../platform/bus/index.js';
import { Settings } from '../../platform/config/index.js';
import { isTransientDatabaseError } from '../../platform/errors/index.js';
import { SilenceStore } from '../silences/silence.store.js';
import { AlertStore } from './alert.store.js';

const LOOK_EVERY_MS = 60_000;
const BITE = 1000;
/** At most 20,000 a look: a backlog is worked off over several. */
const MOST_BITES = 20;

/** Deletes alerts that are resolved, and silences that ended, for longer than ALERTS_RETENTION. */
@Injectable()
export class AlertRetention implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('AlertRetention');
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;

  constructor(
    private readonly bus: Bus,
    private readonly alerts: AlertStore,
    private readonly silences: SilenceStore,
    private readonly settings: Settings,
  ) {}

  onApplicationBootstrap(): void {
    if (this.settings.ALERTS_RETENTION === 0) return;
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
      for (const store of [this.alerts, this.silences])
        for (let bites = 0; bites < MOST_BITES && this.timer; bites++)
          if ((await store.trim(this.settings.ALERTS_RETENTION, BITE)) < BITE) break;
    } catch (error) {
      if (!isTransientDatabaseError(error))
        this.logger.error(`Old alerts could not be deleted: ${(error as Error).message}`);
    } finally {
      this.looking = undefined;
    }
  }
}
