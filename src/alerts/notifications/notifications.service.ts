import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { nowUs } from '../../platform/observability/index.js';
import { heldUntilUs, isRunaway } from './hold.js';
import { type Firing, NoticeStore, type SeriesOfRule } from './notice.store.js';
import type { Notice } from './notice.js';
import { NotificationMetrics } from './notification-metrics.service.js';
import type { NotificationSettings } from './notification-settings.js';
import { NotificationSettingsStore } from './notification-settings.store.js';

export type { Notice } from './notice.js';

/** What is to be told, decided and queued in the transaction of what happened; `Delivery` carries it out. */
@Injectable()
export class Notifications {
  constructor(
    private readonly store: NoticeStore,
    private readonly settings: NotificationSettingsStore,
    private readonly metrics: NotificationMetrics,
  ) {}

  /**
   * Queues one notification a channel. Repeats of a firing are held for the cooldown, and told then if it still fires.
   * A resolve goes to the channels that its firing went to, or was to go to, whatever `channels` are by now.
   */
  async enqueue(tx: EntityManager, notice: Notice, channels: readonly string[]): Promise<void> {
    if (notice.kind === 'resolved') await this.resolved(tx, notice);
    else await this.fired(tx, notice, channels);
  }

  /** A person let a stopped rule notify again, or edited it. False when it was not stopped. */
  resume(tx: EntityManager, ruleId: string): Promise<boolean> {
    return this.store.resume(tx, ruleId);
  }

  private async fired(tx: EntityManager, notice: Notice, channels: readonly string[]): Promise<void> {
    const settings = await this.settings.read(tx);
    const named = [...new Set(channels.length > 0 ? channels : settings.defaultChannels)];
    if (named.length === 0) return;
    const known = await this.store.known(tx, named);
    if (known.length < named.length) this.metrics.suppressed('no-channel', named.length - known.length);
    if (known.length === 0) return;
    const earlier = await this.store.firings(tx, notice.alertId);
    const { ruleId } = notice;
    const now = nowUs();
    const series = ruleId === null ? undefined : { ruleId, source: notice.source, symbol: notice.symbol };
    const stoppedUntilUs = series && (await this.store.stoppedUntilUs(tx, series.ruleId, now));
    const guard = { now, settings, stoppedUntilUs, tripped: undefined as number | undefined };
    for (const channel of known) {
      const thread = earlier.find((one) => one.channel === channel)?.thread;
      await this.firedOn(tx, channel, notice, series, thread, guard);
    }
  }

  private async firedOn(
    tx: EntityManager,
    channel: string,
    notice: Notice,
    series: SeriesOfRule | undefined,
    thread: string | undefined,
    guard: {
      now: number;
      settings: NotificationSettings;
      stoppedUntilUs: number | undefined;
      tripped: number | undefined;
    },
  ): Promise<void> {
    const { now, settings, stoppedUntilUs } = guard;
    const id = randomUUID();
    const row = { id, thread: thread ?? id, channel };
    const { last, held } = series ? await this.store.lastTold(tx, channel, series) : { last: undefined, held: 0 };
    const untilUs = heldUntilUs(notice, last, stoppedUntilUs, now);
    if (untilUs !== undefined) {
      const reason = untilUs === stoppedUntilUs ? 'runaway' : 'cooldown';
      this.metrics.held(reason);
      await this.store.insert(tx, notice, { ...row, state: 'held', dueUs: untilUs, held: 0, reason, payload: notice });
      return;
    }
    if (series) {
      await this.store.tell(tx, channel, notice, now);
      if (stoppedUntilUs === undefined) guard.tripped ??= await this.tripped(tx, series.ruleId, now, settings);
    }
    const payload = { ...notice, ...(guard.tripped ? { stoppedUntilUs: guard.tripped } : {}) };
    const dueUs = now + settings.groupWaitMs * 1000;
    await this.store.insert(tx, notice, { ...row, state: 'pending', dueUs, held, payload });
  }

  /** This firing is one too many: it says that those after it wait. Until when, or 0 when it is not. */
  private async tripped(
    tx: EntityManager,
    ruleId: string,
    now: number,
    { runawayMost, runawayWithinMs, runawayHoldMs }: NotificationSettings,
  ): Promise<number> {
    const told = await this.store.toldOf(tx, ruleId, now - runawayWithinMs * 1000);
    if (!isRunaway(told, runawayMost)) return 0;
    const untilUs = now + runawayHoldMs * 1000;
    await this.store.stop(tx, { ruleId, stoppedAtUs: now, untilUs, notices: told.notices + 1 });
    this.metrics.stoppedRule();
    return untilUs;
  }

  private async resolved(tx: EntityManager, notice: Notice): Promise<void> {
    const firings = await this.store.firings(tx, notice.alertId);
    if (firings.length === 0) return;
    const { groupWaitMs } = await this.settings.read(tx);
    for (const [channel, those] of Map.groupBy(firings, (one) => one.channel))
      await this.resolvedOn(tx, channel, those, notice, nowUs() + groupWaitMs * 1000);
  }

  private async resolvedOn(
    tx: EntityManager,
    channel: string,
    firings: readonly Firing[],
    notice: Notice,
    dueUs: number,
  ): Promise<void> {
    const waiting = firings.filter(({ state }) => state === 'held');
    const undelivered = firings.filter(({ state }) => state === 'pending' || state === 'dead');
    if (waiting.length > 0) {
      await this.store.end(
        tx,
        waiting.map(({ id }) => id),
        'suppressed',
      );
      this.metrics.suppressed('held', waiting.length);
      const { ruleId, source, symbol } = notice;
      if (ruleId !== null) await this.store.countHeld(tx, channel, { ruleId, source, symbol }, waiting.length);
    }
    if (undelivered.length > 0)
      await this.store.end(
        tx,
        undelivered.map(({ id }) => id),
        'superseded',
      );
    const isTold = firings.some(({ state }) => state === 'sent' || state === 'sending');
    if (!isTold && undelivered.length === 0) return;
    const [{ thread }] = firings as [Firing];
    await this.store.insert(tx, notice, {
      id: randomUUID(),
      thread,
      channel,
      state: 'pending',
      dueUs,
      held: undelivered.reduce((sum, { held }) => sum + held, 0),
      payload: { ...notice, ...(!isTold && { isMerged: true }) },
    });
  }
}
