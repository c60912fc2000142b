import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import type { Answer } from '../channels/answer.js';
import type { StoredChannel } from '../channels/channel.js';
import { ChannelSender, mostItems, paceMs } from '../channels/channel-sender.service.js';
import { ChannelStore } from '../channels/channel.store.js';
import { isTransientDatabaseError } from '../../platform/errors/index.js';
import { Database } from '../../platform/database/index.js';
import { nowUs } from '../../platform/observability/index.js';
import { type Attempted, type Claimed, DeliveryStore, type Setback } from './delivery.store.js';
import type { Message } from '../messages/notice.js';
import { NotificationLetters } from './notification-letters.service.js';
import { NotificationMetrics } from './notification-metrics.service.js';
import type { NotificationSettings } from '../channels/notification-settings.js';
import { NotificationSettingsStore } from '../channels/notification-settings.store.js';
import { retryWaitMs } from './retry.js';

const LOOK_EVERY_MS = 250;
const MEASURE_EVERY_MS = 5000;
const TRIM_EVERY_MS = 60_000;
/** At most 50,000 a minute: a backlog is worked off over several. */
const TRIM_BITE = 1000;
const MOST_TRIM_BITES = 50;
const TRIM_TOLD_EVERY_MS = 3_600_000;
/** Longer than any attempt may take. */
const LEASE_MS = 60_000;
/** Channels that are served at the same time: so many may stall before another one waits for them. */
const MOST_AT_ONCE = 16;
/** A receiver in trouble is asked again so often at least: what waits for it is no load. */
const MOST_PAUSE_MS = 60_000;
/** A channel that is broken is tried more rarely, by so many times. */
const BROKEN_TIMES = 10;
const BROKEN_MOST_MS = 3_600_000;
const PROBE_EVERY_MS = 1000;
/** From here on failures are taken for the channel's, whatever their messages. */
const FAILURES_OF_CHANNEL = 3;
const DRAIN_WITHIN_MS = 4000;
const KEEP_TRYING_MS = 10_000;

/** Carries queued notifications out: every channel on its own, so that none waits for another. */
@Injectable()
export class Delivery implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('Notifications');
  private readonly busy = new Map<string, Promise<void>>();
  private timers: NodeJS.Timeout[] = [];
  private looking = false;
  private stopped = false;

  constructor(
    private readonly database: Database,
    private readonly channels: ChannelStore,
    private readonly store: DeliveryStore,
    private readonly sender: ChannelSender,
    private readonly settings: NotificationSettingsStore,
    private readonly letters: NotificationLetters,
    private readonly metrics: NotificationMetrics,
  ) {}

  onApplicationBootstrap(): void {
    void this.database.whenReady().then(() => this.start());
  }

  /** What is under way may end; the rest is sent by whoever starts next. */
  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    for (const timer of this.timers) clearInterval(timer);
    const late = new Promise<void>((resolve) => setTimeout(resolve, DRAIN_WITHIN_MS).unref());
    await Promise.race([Promise.all(this.busy.values()), late]);
  }

  private async start(): Promise<void> {
    await this.attempt('leases were not released', () => this.store.releaseLeases());
    if (this.stopped) return;
    const every = (ms: number, what: string, act: () => Promise<void>): NodeJS.Timeout =>
      setInterval(() => void this.attempt(what, act), ms).unref();
    this.timers = [
      every(LOOK_EVERY_MS, 'due notifications were not looked for', () => this.look()),
      every(PROBE_EVERY_MS, 'broken channels were not tried', async () =>
        this.store.probe((await this.settings.read()).resolveExpiresMs),
      ),
      every(MEASURE_EVERY_MS, 'notifications were not counted', async () =>
        this.metrics.measure(await this.store.standing()),
      ),
      every(TRIM_EVERY_MS, 'old notifications were not removed', () => this.trim()),
      every(TRIM_TOLD_EVERY_MS, 'what limits repeats no more was not removed', () => this.store.trimTold()),
    ];
  }

  private async trim(): Promise<void> {
    const { keepDays } = await this.settings.read();
    for (let bites = 0; bites < MOST_TRIM_BITES && !this.stopped; bites++)
      if ((await this.store.trim(keepDays, TRIM_BITE)) < TRIM_BITE) return;
  }

  private async look(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    try {
      for (const name of await this.store.dueChannels()) {
        if (this.stopped || this.busy.size >= MOST_AT_ONCE) return;
        if (this.busy.has(name)) continue;
        const work = this.attempt(`channel ${name} was not served`, () => this.serve(name));
        this.busy.set(name, work);
        void work.then(() => this.busy.delete(name));
      }
    } finally {
      this.looking = false;
    }
  }

  /** Message by message, until nothing of the channel is due. */
  private async serve(name: string): Promise<void> {
    while (!this.stopped) {
      const channel = await this.channels.one(name);
      if (!channel) return;
      const claimed = await this.store.claim(name, mostItems(channel), LEASE_MS);
      const [first, ...more] = claimed;
      if (!first) return;
      await this.deliver(channel, [first, ...more]);
      if (paceMs(channel) > 0) await new Promise((resolve) => setTimeout(resolve, paceMs(channel)).unref());
    }
  }

  private async deliver(channel: StoredChannel, claimed: [Claimed, ...Claimed[]]): Promise<void> {
    const settings = await this.settings.read();
    const [first, ...more] = claimed;
    const message: Message = { id: first.batch, items: [first.item, ...more.map(({ item }) => item)] };
    const startedMs = performance.now();
    const answer = await this.sender.send(channel, message, settings.publicUrl ?? undefined);
    const { result, reason, status, error } = answer;
    const attempted = { messageId: message.id, reason, status, error, durationMs: performance.now() - startedMs };
    if (result === 'sent') {
      await this.keep(() =>
        this.store.sent(channel.name, claimed, attempted, (tx) => this.letters.sent(tx, channel.name, claimed)),
      );
      for (const { createdAtUs } of claimed) this.metrics.delivered(channel.type, (nowUs() - createdAtUs) / 1e6);
      this.metrics.attempted(channel.type, answer, 'sent', claimed.length);
      return;
    }
    await this.failed(channel, claimed, answer, attempted, settings);
  }

  private async failed(
    channel: StoredChannel,
    claimed: readonly Claimed[],
    answer: Answer,
    attempted: Attempted,
    settings: NotificationSettings,
  ): Promise<void> {
    const pauseMs = pauseOf(channel, answer, settings);
    const isSplit = answer.result === 'rejected' && claimed.length > 1;
    const setbacks = claimed.map((one) => setbackOf(one, answer, pauseMs, isSplit, settings));
    const dead = setbacks.filter(({ isDead }) => isDead).length;
    const why = answer.error ?? answer.reason;
    await this.keep(() => this.channels.pause(channel.name, channel.version, pauseMs, dead > 0 ? why : undefined));
    const given = claimed.filter((_one, at) => setbacks[at]!.isDead);
    await this.keep(() =>
      this.store.setBack(setbacks, attempted, (tx) => this.letters.died(tx, channel.name, given, answer)),
    );
    this.metrics.attempted(channel.type, answer, 'dead', dead);
    this.metrics.attempted(channel.type, answer, 'retry', claimed.length - dead);
    this.logger.warn(
      `Channel ${channel.name}: ${claimed.length} notification(s) did not go out${dead > 0 ? `, ${dead} given up` : ''}: ${why}`,
    );
  }

  /** What a receiver answered must not be forgotten because the database is away for a moment: it would be sent again. */
  private async keep(act: () => Promise<void>): Promise<void> {
    for (let waitMs = 200; ; waitMs *= 2) {
      try {
        return await act();
      } catch (error) {
        if (!isTransientDatabaseError(error) || waitMs > KEEP_TRYING_MS || this.stopped) throw error;
        await new Promise((resolve) => setTimeout(resolve, waitMs).unref());
      }
    }
  }

  private async attempt(what: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!this.stopped) this.logger.warn(`${what}: ${(error as Error).message}`);
    }
  }
}

/** How long the whole channel rests; 0 when only this message does. */
function pauseOf(channel: StoredChannel, answer: Answer, { retryFirstMs, retryMostMs }: NotificationSettings): number {
  const failures = channel.failures + 1;
  const asked = answer.pauseMs ?? 0;
  if (answer.result === 'broken')
    return Math.max(
      asked,
      retryWaitMs(failures, { firstMs: retryFirstMs * BROKEN_TIMES, mostMs: BROKEN_MOST_MS }, Math.random),
    );
  if (answer.result === 'rejected' || !(answer.isOfChannel || failures >= FAILURES_OF_CHANNEL)) return asked;
  const pace = { firstMs: retryFirstMs, mostMs: Math.min(retryMostMs, MOST_PAUSE_MS) };
  return Math.max(asked, retryWaitMs(failures, pace, Math.random));
}

/** What nobody will ever take dies at once, in a group only once it is alone; what did not get through, when it is too old. */
function setbackOf(
  { item, attempts, createdAtUs }: Claimed,
  { result }: Answer,
  pauseMs: number,
  isSplit: boolean,
  { retryFirstMs, retryMostMs, firingExpiresMs, resolveExpiresMs }: NotificationSettings,
): Setback {
  const ageMs = (nowUs() - createdAtUs) / 1000;
  const isExpired = ageMs > (item.kind === 'resolved' ? resolveExpiresMs : firingExpiresMs);
  const pace = { firstMs: retryFirstMs, mostMs: retryMostMs };
  return {
    id: item.notificationId,
    attempts,
    waitMs: Math.max(pauseMs, result === 'retry' ? retryWaitMs(attempts, pace, Math.random) : 0),
    isDead: (result !== 'retry' && !isSplit) || isExpired,
    revives: result !== 'rejected',
    isSplit,
  };
}
