import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Bus } from '../../platform/bus/index.js';
import { AppError } from '../../platform/errors/index.js';
import { nowUs } from '../../platform/observability/index.js';
import type { Alert } from '../episodes/alert.js';
import { AlertStore } from '../episodes/alert.store.js';
import { Episodes } from '../episodes/episodes.service.js';
import { HistoryStore } from '../episodes/history.store.js';
import { isInForce, matchesAll, type Matcher, type Silence, silenceOf } from './silence.js';
import { type NewSilence, SilenceStore } from './silence.store.js';

const MOST_UNENDED = 1000;
const LOOK_EVERY_MS = 1000;
/** Everything is looked at again every so many looks: a silence that came or went while an alert fired may have missed it. */
const FULL_LOOK_EVERY = 10;
const PAGE = 1000;
const PREVIEWED = 100;

/**
 * Lays silences over alerts and takes them off again. Which one an alert is under is kept beside it; it changes when a
 * silence is made or deleted and when labels change, in that transaction, and when one begins or ends, within a second.
 */
@Injectable()
export class Silences implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('Silences');
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;
  /** Silences that were in force at the last look. */
  private lastInForce: string | undefined;
  private looksLeft = 0;

  constructor(
    private readonly bus: Bus,
    private readonly store: SilenceStore,
    private readonly alerts: AlertStore,
    private readonly history: HistoryStore,
    private readonly episodes: Episodes,
  ) {}

  onApplicationBootstrap(): void {
    void this.bus.whenReady().then(() => {
      this.timer = setInterval(() => {
        this.looking ??= this.look().finally(() => (this.looking = undefined));
      }, LOOK_EVERY_MS).unref();
    });
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.looking;
  }

  async create(silence: NewSilence): Promise<Silence> {
    return this.bus.transaction(async (tx) => {
      if ((await this.store.unended(tx)).length >= MOST_UNENDED)
        throw new AppError('silences.too-many', `there are ${MOST_UNENDED} that have not ended`);
      const made = await this.store.insert(tx, silence);
      await this.overlay(tx, await this.store.unended(tx));
      return made;
    });
  }

  async remove(id: string): Promise<void> {
    await this.bus.transaction(async (tx) => {
      const others = (await this.store.unended(tx)).filter((silence) => silence.id !== id);
      await this.overlay(tx, others);
      if (!(await this.store.remove(tx, id))) throw unknown(id);
    });
  }

  async one(id: string): Promise<Silence> {
    const silence = /^\d{1,18}$/.test(id) ? await this.store.one(id) : undefined;
    if (!silence) throw unknown(id);
    return silence;
  }

  /** Lays alerts whose labels changed, and are open, under the silences that match them now. */
  async rematch(tx: EntityManager, alerts: readonly Alert[]): Promise<void> {
    if (alerts.length > 0) await this.overlay(tx, await this.store.unended(tx), alerts);
  }

  /** Alerts that are open and that such matchers would match: how many, and the first of them. */
  async preview(matchers: readonly Matcher[]): Promise<{ matches: number; alerts: Alert[] }> {
    return this.bus.transaction(async (tx) => {
      let matches = 0;
      const first: Alert[] = [];
      for await (const alert of this.open(tx)) {
        if (!matchesAll(matchers, { ...alert, alertId: alert.id })) continue;
        matches++;
        if (first.length < PREVIEWED) first.push(alert);
      }
      return { matches, alerts: first };
    });
  }

  /** Mostly nothing is done while the silences in force stay the same: what fires is laid under them at once. */
  async look(): Promise<void> {
    try {
      const silences = await this.store.unended();
      const inForce = silences
        .filter((silence) => isInForce(silence, nowUs()))
        .map(({ id }) => id)
        .join();
      if (inForce === this.lastInForce && this.looksLeft-- > 0) return;
      await this.bus.transaction(async (tx) => this.overlay(tx, await this.store.unended(tx)));
      this.lastInForce = inForce;
      this.looksLeft = FULL_LOOK_EVERY;
    } catch (error) {
      this.logger.warn(`Silences were not looked at: ${(error as Error).message}`);
    }
  }

  private async overlay(
    tx: EntityManager,
    silences: readonly Silence[],
    alerts: Iterable<Alert> | AsyncIterable<Alert> = this.open(tx),
  ): Promise<void> {
    const atUs = nowUs();
    const changes: { id: string; silencedBy: string | null }[] = [];
    const untold: Alert[] = [];
    for await (const alert of alerts) {
      const silencedBy = silenceOf(silences, { ...alert, alertId: alert.id }, atUs)?.id ?? null;
      if (silencedBy !== alert.silencedBy) changes.push({ id: alert.id, silencedBy });
      if (silencedBy === null && !alert.notified) untold.push(alert);
    }
    const changed = await this.alerts.overlay(tx, changes);
    await this.history.add(
      tx,
      changed.map(({ id, silencedBy }) => ({
        alertId: id,
        kind: silencedBy === null ? 'unsilenced' : 'silenced',
        atUs,
        value: null,
        note: silencedBy === null ? null : `silence ${silencedBy}`,
      })),
    );
    await this.episodes.notifyLate(tx, untold);
  }

  private async *open(tx: EntityManager): AsyncGenerator<Alert> {
    let after = '0';
    for (;;) {
      const alerts = await this.alerts.open(tx, after, PAGE);
      yield* alerts;
      if (alerts.length < PAGE) return;
      after = alerts.at(-1)!.id;
    }
  }
}

const unknown = (id: string): AppError => new AppError('silences.unknown', `there is no silence ${id.slice(0, 60)}`);
