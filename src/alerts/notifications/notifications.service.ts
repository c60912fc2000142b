import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { nowUs } from '../../platform/observability/index.js';
import { ChannelStore } from '../channels/channel.store.js';
import { NoticeBatch } from './notice-batch.js';
import { NoticeStore } from './notice.store.js';
import type { Notice } from '../messages/notice.js';
import { NotificationMetrics } from './notification-metrics.service.js';
import { NotificationSettingsStore } from '../channels/notification-settings.store.js';

export type { Notice } from '../messages/notice.js';

/** A notice, and the channels that its rule names. */
export type Addressed = Readonly<{ notice: Notice; channels: readonly string[] }>;

/** What is to be told, decided and queued in the transaction of what happened; `Delivery` carries it out. */
@Injectable()
export class Notifications {
  constructor(
    private readonly store: NoticeStore,
    private readonly channels: ChannelStore,
    private readonly settings: NotificationSettingsStore,
    private readonly metrics: NotificationMetrics,
  ) {}

  /**
   * Queues one notification a channel, with as many statements for a thousand notices as for one. Repeats of a firing are
   * held for the cooldown, and told then if it still fires. A resolve goes to the channels that its firing went to, or was
   * to go to, whatever `channels` are by now, and that there still are.
   */
  async enqueue(tx: EntityManager, all: readonly Addressed[]): Promise<void> {
    if (all.length === 0) return;
    const settings = await this.settings.read(tx);
    const { addressed, gone } = await this.known(tx, all, settings.defaultChannels);
    const limited = addressed.flatMap(({ notice: { ruleId, source, symbol }, channels }) =>
      ruleId === null ? [] : channels.map((channel) => ({ channel, ruleId, source, symbol })),
    );
    const rules = [...new Set(limited.map(({ ruleId }) => ruleId))];
    const now = nowUs();
    const firings = await this.store.firings(tx, [...new Set(all.map(({ notice }) => notice.alertId))]);
    const told = await this.store.told(tx, limited);
    const stopped = await this.store.stoppedUntilUs(tx, rules, now);
    const recent = await this.store.recent(tx, rules, now - settings.runawayWithinMs * 1000);
    const batch = new NoticeBatch({ nowUs: now, settings, firings, told, stopped, recent, gone }, randomUUID);
    for (const { notice, channels } of addressed) batch.add(notice, channels);
    await this.store.insert(tx, batch.queued);
    await this.store.end(tx, batch.ended);
    await this.store.tell(tx, batch.told);
    await this.store.stop(tx, batch.stopped);
    this.count(batch);
  }

  /** Lets a stopped rule notify again. False when it was not stopped. */
  resume(tx: EntityManager, ruleId: string): Promise<boolean> {
    return this.store.resume(tx, ruleId);
  }

  /** With the channels that there are, a resolve with none; and which are gone of those named, or told of the firings. */
  private async known(
    tx: EntityManager,
    all: readonly Addressed[],
    defaults: readonly string[],
  ): Promise<{ addressed: readonly Addressed[]; gone: ReadonlySet<string> }> {
    const named = all.map(({ notice, channels }) => {
      const names = channels.length > 0 ? channels : defaults;
      return { notice, channels: notice.kind === 'resolved' ? [] : [...new Set(names)] };
    });
    const resolved = all.flatMap(({ notice }) => (notice.kind === 'resolved' ? notice.alertId : []));
    const told = await this.store.channelsOf(tx, resolved);
    const gone = new Set(
      await this.channels.missing([...new Set([...named.flatMap(({ channels }) => channels), ...told])], tx),
    );
    const addressed = named.map(({ notice, channels }) => {
      const there = channels.filter((name) => !gone.has(name));
      this.metrics.suppressed('no-channel', channels.length - there.length);
      return { notice, channels: there };
    });
    return { addressed, gone };
  }

  private count({ queued, ended, stopped, unheard }: NoticeBatch): void {
    this.metrics.suppressed('no-channel', unheard);
    for (const { reason } of queued) if (reason) this.metrics.held(reason);
    this.metrics.suppressed('held', ended.filter(({ state }) => state === 'suppressed').length);
    stopped.forEach(() => this.metrics.stoppedRule());
  }
}
