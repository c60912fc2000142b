import { hostname } from 'node:os';
import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Gauge, Histogram } from 'prom-client';
import { FileReceivedV1 } from '../../contracts/index.js';
import { Bus, Hears } from '../../platform/bus/index.js';
import { Settings } from '../../platform/config/index.js';
import { errorCode, isTransientDatabaseError } from '../../platform/errors/index.js';
import { HealthParts } from '../../platform/observability/index.js';
import { type ClaimedFile, FileStore } from '../file.store.js';
import { LEASE_MS, ReadingLost, ReadingRun } from './reading-run.service.js';

const LOOK_EVERY_MS = 1000;
const RENEW_EVERY_MS = 10_000;
/** Claims without a single chunk: whoever tried did not live to tell why. */
const MOST_ATTEMPTS = 5;
const RETRY_MS = 5000;
const STOP_WITHIN_MS = 4000;
const HOST = `${hostname()}:`;
const HOLDER = `${HOST}${process.pid}`;

/** Reads what was uploaded, a few files at a time; a file that another process reads is left to it. */
@Injectable()
export class FileReader implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('Uploads');
  private readonly reading = new Map<string, { claimed: ClaimedFile; work: Promise<void> }>();
  private timers: NodeJS.Timeout[] = [];
  private looking: Promise<void> | undefined;
  private lookAgain = false;
  private isStarted = false;
  private stopped = false;
  private unfinished = { waiting: 0, reading: 0 };

  constructor(
    health: HealthParts,
    private readonly bus: Bus,
    private readonly store: FileStore,
    private readonly run: ReadingRun,
    private readonly settings: Settings,
    @InjectMetric('upload_files_waiting') private readonly waiting: Gauge,
    @InjectMetric('upload_reading_seconds') private readonly seconds: Histogram<'status'>,
  ) {
    health.register({
      name: 'uploads',
      gatesReadiness: false,
      check: () => ({ up: true, details: { reading: this.reading.size, waiting: this.unfinished.waiting } }),
    });
  }

  onApplicationBootstrap(): void {
    void this.bus.whenReady().then(() => this.start());
  }

  /** Every reading ends after its chunk, and is left to whoever starts next. */
  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    for (const timer of this.timers) clearInterval(timer);
    const late = new Promise<void>((resolve) => setTimeout(resolve, STOP_WITHIN_MS).unref());
    await this.looking;
    await Promise.race([Promise.all([...this.reading.values()].map(({ work }) => work)), late]);
  }

  @Hears(FileReceivedV1, 'uploads.look-for-files')
  look(): void {
    if (!this.isStarted || this.stopped) return;
    this.lookAgain = true;
    this.looking ??= this.claimAll().finally(() => {
      this.looking = undefined;
      if (this.lookAgain) this.look();
    });
  }

  private async start(): Promise<void> {
    await this.releaseLeases().catch(() => undefined); // they run out by themselves
    if (this.stopped) return;
    this.isStarted = true;
    this.timers = [
      setInterval(() => this.look(), LOOK_EVERY_MS).unref(),
      setInterval(() => void this.renew(), RENEW_EVERY_MS).unref(),
    ];
    this.look();
  }

  /** Of processes of this host that are no more, one that had the pid of this one among them. */
  private async releaseLeases(): Promise<void> {
    const gone = (await this.store.holders()).filter((holder) => holder === HOLDER || isGone(holder));
    if (gone.length > 0) await this.store.releaseLeases(gone);
  }

  private async claimAll(): Promise<void> {
    try {
      while (this.lookAgain && !this.stopped) {
        this.lookAgain = false;
        while (this.reading.size < this.settings.UPLOAD_READERS && !this.stopped) {
          const claimed = await this.store.claim(LEASE_MS, HOLDER);
          if (!claimed) break;
          this.begin(claimed);
        }
      }
      this.unfinished = await this.store.unfinished();
      this.waiting.set(this.unfinished.waiting);
    } catch (error) {
      this.lookAgain = false; // the next look is a second away
      if (!isTransientDatabaseError(error)) this.logger.error(`Files were not looked for: ${(error as Error).message}`);
    }
  }

  private begin(claimed: ClaimedFile): void {
    const { id } = claimed.file;
    const work = this.read(claimed).finally(() => {
      this.reading.delete(id);
      this.look();
    });
    this.reading.set(id, { claimed, work });
  }

  private async read(claimed: ClaimedFile): Promise<void> {
    const { file, token, attempts } = claimed;
    const stopTimer = this.seconds.startTimer();
    try {
      const finished =
        attempts > MOST_ATTEMPTS
          ? await this.run.giveUp(claimed, `reading it ended ${MOST_ATTEMPTS} times without a result`)
          : await this.run.read(claimed, () => !this.stopped);
      if (!finished) return await this.store.release(file.id, token, 0, false);
      stopTimer({ status: finished.status });
      const { events, trades, bad } = finished.counts;
      const why = finished.error === null ? '' : `: ${finished.error}`;
      this.logger.log(
        `File ${file.id} is ${finished.status}, ${events} events, ${trades} trades, ${bad} bad lines${why}`,
      );
    } catch (error) {
      if (error instanceof ReadingLost) return this.logger.log(`File ${file.id} is read elsewhere, or was deleted`);
      this.logger.error(`File ${file.id} could not be read: ${(error as Error).message}`, (error as Error).stack);
      await this.store.release(file.id, token, RETRY_MS, true).catch(() => undefined); // else the lease runs out
    }
  }

  private async renew(): Promise<void> {
    for (const { claimed } of this.reading.values())
      await this.store.renew(claimed.file.id, claimed.token, LEASE_MS).catch(() => undefined);
  }
}

/** Whether it can be told from here that a process no longer runs. */
function isGone(holder: string): boolean {
  if (!holder.startsWith(HOST)) return false;
  try {
    process.kill(Number(holder.slice(HOST.length)), 0);
    return false;
  } catch (error) {
    return errorCode(error) === 'ESRCH';
  }
}
