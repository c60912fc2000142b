import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { CandlesClosedV1 } from '../../contracts/index.js';
import { Bus } from '../../platform/bus/index.js';
import { Settings } from '../../platform/config/index.js';
import { isTransientDatabaseError } from '../../platform/errors/index.js';
import { toldAs } from './candle-merger.service.js';
import { CandleStore } from './candle.store.js';
import { Listening } from './listening.service.js';

const LOOK_EVERY_MS = 250;

/** Closes candles whose end the event-time watermark has passed, also when their market is quiet. */
@Injectable()
export class CandleCloser implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('CandleCloser');
  private readonly startedMs = Date.now();
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;

  constructor(
    private readonly bus: Bus,
    private readonly candles: CandleStore,
    private readonly settings: Settings,
    private readonly listening: Listening,
  ) {}

  onApplicationBootstrap(): void {
    void this.bus.whenReady().then(() => {
      this.timer = setInterval(() => (this.looking ??= this.look()), LOOK_EVERY_MS).unref();
    });
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.looking;
  }

  private async look(): Promise<void> {
    try {
      await this.bus.transaction(async (tx) => {
        const closed = await this.candles.closePassed(tx, {
          latenessMs: this.settings.CANDLE_LATENESS_MS,
          sinceMs: this.startedMs,
          except: this.listening.unsettled(),
        });
        if (closed.length > 0) await this.bus.append(tx, CandlesClosedV1, { candles: closed.map(toldAs) });
      });
    } catch (error) {
      if (!isTransientDatabaseError(error))
        this.logger.error(`Candles could not be closed: ${(error as Error).message}`);
    } finally {
      this.looking = undefined;
    }
  }
}
