import { Injectable, Logger } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter, Histogram } from 'prom-client';
import type { EntityManager } from 'typeorm';
import { Settings } from '../config/index.js';
import { AppError, isTransientDatabaseError, PermanentError } from '../errors/index.js';
import { inSpan, nowUs } from '../observability/index.js';
import { errorText, type Try } from './dead-letters/dead-letter.js';
import { DeadLetterStore } from './dead-letters/dead-letter.store.js';
import { DeadLetters } from './dead-letters/dead-letters.service.js';
import { type Delivery, EventStore } from './event.store.js';
import { Lane } from './lane.js';
import { type Consumer, HandlerRegistry } from './registry.service.js';
import { Transactions } from './transactions.service.js';
import { WakeUp } from './wake-up.service.js';

/**
 * How long a claim holds without an answer. A handler at work is safe beyond it, as its transaction locks the row. What
 * waits for it to run out: events of a commit whose answer was lost with the connection.
 */
export const LEASE_MS = 10_000;
const POLL_MS = 500;
const CENSUS_MS = 5000;
const CLAIM_LIMIT = 64;
const LANE_BOUND_BYTES = 32 * 1024 * 1024;
export const MAX_ATTEMPTS = 10;
const BACKOFF_BASE_MS = 200;
const BACKOFF_CAP_MS = 60_000;
/** An event is replayed whole or not at all. */
const MOST_LETTER_BYTES = 8 * 1024 * 1024;

class LeaseLost extends Error {}

/** Brings durable events to the consumers of this process: from memory after a commit, else out of the database. */
@Injectable()
export class Relay {
  private readonly logger = new Logger('Relay');
  private readonly lanes = new Map<string, { consumer: Consumer; lane: Lane }>();
  private poll: NodeJS.Timeout | undefined;
  private census: NodeJS.Timeout | undefined;
  private foreign = new Set<string>();
  /** Consumers that take nothing for now. */
  private readonly standingBy = new Set<string>();
  private stopping = false;

  constructor(
    private readonly registry: HandlerRegistry,
    private readonly store: EventStore,
    private readonly deadLetters: DeadLetters,
    private readonly letters: DeadLetterStore,
    private readonly transactions: Transactions,
    private readonly settings: Settings,
    private readonly wakeUp: WakeUp,
    @InjectMetric('bus_deliveries_total') private readonly outcomes: Counter<'consumer' | 'outcome'>,
    @InjectMetric('processing_duration_seconds') private readonly duration: Histogram<'consumer'>,
    @InjectMetric('dead_letter_replays_total') private readonly replays: Counter<'kind' | 'outcome'>,
  ) {}

  /** Registers the consumers and starts to deliver; call once the database is ready. */
  async start(): Promise<void> {
    const consumers = this.registry.consumers;
    const retired = await this.store.register(
      consumers.map((one) => ({ name: one.name, event: one.event.name })),
      this.settings.MODULES,
    );
    if (retired.length > 0) this.logger.warn(`Consumers no longer in the code were retired: ${retired.join(', ')}`);
    await this.store.releaseLeases(consumers.map((one) => one.name));
    for (const consumer of consumers) {
      const lane = new Lane(
        { batch: consumer.batch, lingerMs: consumer.lingerMs, boundBytes: LANE_BOUND_BYTES },
        (batch) => this.deliver(consumer, batch),
        () => this.claim(consumer),
      );
      this.lanes.set(consumer.name, { consumer, lane });
    }
    this.foreign = new Set(await this.store.foreignEvents(consumers.map((one) => one.name)));
    this.look();
    this.poll = setInterval(() => this.look(), POLL_MS).unref();
    this.census = setInterval(() => void this.count(), CENSUS_MS).unref();
    void this.wakeUp.listen(() => this.look());
  }

  /** Whether a consumer in another process waits for this event. */
  isForeign(eventName: string): boolean {
    return this.foreign.has(eventName);
  }

  /** Names of the consumers of an event whose deliveries may be born claimed by this process. */
  localConsumers(eventName: string): string[] {
    if (this.stopping) return [];
    return [...this.lanes.values()]
      .filter(({ consumer }) => consumer.event.name === eventName && !this.standingBy.has(consumer.name))
      .filter(({ lane }) => lane.takesNew())
      .map(({ consumer }) => consumer.name);
  }

  /** A consumer that stands by keeps what it holds, and takes nothing more: its deliveries wait for whoever claims them. */
  standBy(name: string, isStandingBy: boolean): void {
    if (isStandingBy) this.standingBy.add(name);
    else if (this.standingBy.delete(name)) this.lanes.get(name)?.lane.catchUp();
  }

  isCaughtUp(name: string): boolean {
    return this.lanes.get(name)?.lane.isCaughtUp ?? false;
  }

  /** Resolves once a consumer has handled what was there for it. */
  async idle(name: string): Promise<void> {
    await this.lanes.get(name)?.lane.idle();
  }

  /** Hands a committed event to the consumers it was claimed for; the others of this process find it in the database. */
  offer(consumers: readonly string[], delivery: Delivery): void {
    for (const { consumer, lane } of this.lanes.values()) {
      if (consumers.includes(consumer.name)) lane.offer(delivery);
      else if (consumer.event.name === delivery.name) lane.left();
    }
  }

  /** Finds what a crash, a back-off or another process left in the database. */
  look(): void {
    for (const { lane } of this.lanes.values()) lane.look();
  }

  /** Finishes what is in memory; what remains in the database waits for the next start. */
  async stop(): Promise<void> {
    clearInterval(this.poll);
    clearInterval(this.census);
    this.stopping = true;
    await Promise.all([...this.lanes.values()].map(({ lane }) => lane.idle()));
  }

  private async count(): Promise<void> {
    try {
      this.foreign = new Set(await this.store.foreignEvents([...this.lanes.keys()]));
    } catch {
      // the database is away: the next census tells
    }
  }

  private claim(consumer: Consumer): Promise<Delivery[]> {
    if (this.stopping || this.standingBy.has(consumer.name)) return Promise.resolve([]);
    return this.store.claim(consumer.name, CLAIM_LIMIT, LEASE_MS);
  }

  /** Never throws: every delivery ends settled, postponed, dead, or left to whoever claims it next. */
  private async deliver(consumer: Consumer, batch: Delivery[]): Promise<void> {
    const worn = batch.filter((delivery) => delivery.attempts > MAX_ATTEMPTS);
    for (const delivery of worn)
      await this.bury(
        consumer,
        delivery,
        new AppError('process.crashed', 'attempts used up without an answer'),
        tryOf('attempts used up without an answer'),
      );
    const alive = worn.length === 0 ? batch : batch.filter((delivery) => delivery.attempts <= MAX_ATTEMPTS);
    if (alive.length === 0) return;

    for (let waitMs = 100; ; waitMs = Math.min(waitMs * 2, 2000)) {
      const startedMs = performance.now();
      try {
        await this.handle(consumer, alive);
        this.outcomes.inc({ consumer: consumer.name, outcome: 'done' }, alive.length);
        return;
      } catch (error) {
        if (isTransientDatabaseError(error)) {
          if (this.stopping) return;
          await new Promise((resolve) => setTimeout(resolve, waitMs));
        } else if (alive.length > 1) {
          for (const delivery of alive) await this.deliver(consumer, [delivery]);
          return;
        } else {
          await this.fail(consumer, alive[0]!, error, performance.now() - startedMs);
          return;
        }
      }
    }
  }

  private async handle(consumer: Consumer, batch: Delivery[]): Promise<void> {
    const stopTimer = this.duration.startTimer({ consumer: consumer.name });
    const attributes = { 'tapeline.events': batch.length, 'tapeline.event': consumer.event.name };
    await inSpan(consumer.name, batch[0]!.trace, attributes, () =>
      this.transactions.run(async (tx: EntityManager) => {
        const held = await this.store.settle(tx, consumer.name, batch);
        if (held < batch.length) throw new LeaseLost();
        await consumer.run(consumer.batch === 1 ? batch[0]!.data : batch.map((delivery) => delivery.data), tx);
        const letters = batch.flatMap((delivery) => letterOf(delivery) ?? []);
        if (letters.length === 0) return;
        await this.letters.reported(tx, letters);
        this.transactions.afterCommit(tx, () =>
          this.replays.inc({ kind: 'delivery', outcome: 'replayed' }, letters.length),
        );
      }),
    );
    stopTimer();
  }

  private async fail(consumer: Consumer, delivery: Delivery, error: unknown, durationMs: number): Promise<void> {
    if (error instanceof LeaseLost) {
      this.outcomes.inc({ consumer: consumer.name, outcome: 'taken-over' });
      return;
    }
    const failed = tryOf(messageOf(error), durationMs);
    if (error instanceof PermanentError || delivery.attempts >= MAX_ATTEMPTS || letterOf(delivery))
      return this.bury(consumer, delivery, error, failed);
    this.outcomes.inc({ consumer: consumer.name, outcome: 'retried' });
    const waitMs = Math.random() * Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** delivery.attempts);
    this.logger.warn(
      `${consumer.name} failed on event ${delivery.eventId}, attempt ${delivery.attempts}: ${messageOf(error)}`,
    );
    await this.store.postpone(consumer.name, delivery, waitMs, failed).catch(() => undefined); // else the lease runs out
  }

  /** Settles the delivery and keeps the whole event as a dead letter, in one transaction; a replayed one is that letter again. */
  private async bury(consumer: Consumer, delivery: Delivery, error: unknown, failed: Try): Promise<void> {
    const code = error instanceof AppError ? error.code : 'process.failed';
    const letterId = letterOf(delivery);
    try {
      await this.transactions.run(async (tx) => {
        const before = await this.store.giveUp(tx, consumer.name, delivery);
        if (!before) return;
        if (letterId !== undefined) return this.letters.reported(tx, [letterId], failed);
        const letter = {
          stage: 'process',
          code,
          message: messageOf(error),
          source: { kind: 'delivery', id: consumer.name, position: delivery.eventId },
          attempts: delivery.attempts,
          tries: [...before, failed],
          payload: JSON.stringify({ name: delivery.name, data: delivery.data, trace: delivery.trace }),
          contentType: 'application/json',
          mostPayloadBytes: MOST_LETTER_BYTES,
        } as const;
        await this.deadLetters.keepAll(tx, [letter]);
      });
      if (letterId !== undefined) this.replays.inc({ kind: 'delivery', outcome: 'failed' });
      this.outcomes.inc({ consumer: consumer.name, outcome: 'dead' });
      const what = letterId === undefined ? `event ${delivery.eventId}` : `the replay of dead letter ${letterId}`;
      this.logger.error(`${consumer.name} gave up on ${what} (${code}): ${messageOf(error)}`);
    } catch (keeping) {
      this.logger.error(`Could not keep the dead letter of event ${delivery.eventId}: ${messageOf(keeping)}`);
    }
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const tryOf = (error: string, durationMs?: number): Try => ({
  atUs: nowUs(),
  error: errorText(error),
  ...(durationMs === undefined ? {} : { durationMs: Math.round(durationMs) }),
});

/** The dead letter that a delivery replays, if any. */
const letterOf = ({ eventId }: Delivery): string | undefined =>
  eventId.startsWith('-') ? eventId.slice(1) : undefined;
