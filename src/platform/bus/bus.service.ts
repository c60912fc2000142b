import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { EventEmitter2 } from '@nestjs/event-emitter';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter, Gauge } from 'prom-client';
import type { EntityManager } from 'typeorm';
import type { DurableEvent, VolatileEvent } from '../../contracts/index.js';
import { Settings } from '../config/index.js';
import { Database } from '../database/index.js';
import { currentTrace, HealthParts } from '../observability/index.js';
import { EventStore } from './event.store.js';
import type { Heard } from './handler.decorator.js';
import { HearingQueue } from './hearing-queue.js';
import { type Hearer, HandlerRegistry } from './registry.service.js';
import { OutboxLag } from './outbox-lag.service.js';
import { LEASE_MS, Relay } from './relay.service.js';
import { Transactions } from './transactions.service.js';

const PARTITIONS_AHEAD_HOURS = 6;
const MAINTAIN_EVERY_MS = 10 * 60_000;
const DRAIN_WITHIN_MS = 5000;
const SAY_DROPS_EVERY_MS = 5000;

/** A durable event and what it says. */
export type Happening = Readonly<{ event: DurableEvent<unknown>; data: unknown }>;
export const happening = <Data>(event: DurableEvent<Data>, data: Data): Happening => ({ event, data });

/** The only way modules speak to each other (design, section 3). */
@Injectable()
export class Bus implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('Bus');
  private readonly queues: HearingQueue<unknown>[] = [];
  private announceReady!: () => void;
  private readonly ready = new Promise<void>((resolve) => (this.announceReady = resolve));
  private isReady = false;
  private maintenance: NodeJS.Timeout | undefined;

  constructor(
    health: HealthParts,
    lag: OutboxLag,
    private readonly emitter: EventEmitter2,
    private readonly registry: HandlerRegistry,
    private readonly relay: Relay,
    private readonly store: EventStore,
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly settings: Settings,
    @InjectMetric('bus_queue_depth') private readonly depth: Gauge<'queue'>,
    @InjectMetric('bus_queue_dropped_total') private readonly dropped: Counter<'queue'>,
    @InjectMetric('bus_hearer_failures_total') private readonly hearerFailures: Counter<'hearer'>,
  ) {
    health.register({
      name: 'bus',
      gatesReadiness: true,
      check: () => ({ up: this.isReady, details: { consumers: this.registry.consumers.length, lag: lag.latest } }),
    });
  }

  /** Resolves when durable events can be appended: database ready, consumers registered. */
  whenReady(): Promise<void> {
    return this.ready;
  }

  /** Tells a volatile event to whoever hears it in this process. Never throws, never waits. */
  emit<Data>(event: VolatileEvent<Data>, data: Data): void {
    this.emitter.emit(event.name, data, { name: event.name } satisfies Heard);
  }

  /**
   * Appends a durable event in the caller's transaction: it exists exactly if that commits. `tx` must come from
   * `bus.transaction` or be the one a consumer was given.
   */
  async append<Data>(tx: EntityManager, event: DurableEvent<Data>, data: Data): Promise<void> {
    await this.appendAll(tx, [happening(event, data)]);
  }

  /** As append, in the order given, with one statement for all. */
  async appendAll(tx: EntityManager, happenings: readonly Happening[]): Promise<void> {
    if (happenings.length === 0) return;
    const names = [...new Set(happenings.map(({ event }) => event.name))];
    const local = new Map(names.map((name) => [name, this.relay.localConsumers(name)]));
    const trace = currentTrace();
    const events = happenings.map(({ event: { name }, data }) => ({ name, data, json: JSON.stringify(data) }));
    const rows = await this.store.append(
      tx,
      events,
      trace,
      [...local.values()].flat(),
      LEASE_MS,
      names.some((name) => this.relay.isForeign(name)),
    );
    for (const [index, { name, data, json }] of events.entries()) {
      const { id, at } = rows[index]!;
      this.transactions.afterCommit(tx, () => {
        this.relay.offer(local.get(name)!, {
          eventId: id,
          eventAt: at,
          name,
          data,
          trace,
          attempts: 1,
          weightBytes: json.length,
        });
        this.emitter.emit(name, data, { name, eventId: id } satisfies Heard);
      });
    }
  }

  /** Tells a volatile event once the transaction of `tx` has committed, and never if it does not. */
  emitAfterCommit<Data>(tx: EntityManager, event: VolatileEvent<Data>, data: Data): void {
    this.transactions.afterCommit(tx, () => this.emit(event, data));
  }

  /** Runs `act` once the transaction of `tx` has committed, and never if it does not. */
  afterCommit(tx: EntityManager, act: () => void): void {
    this.transactions.afterCommit(tx, act);
  }

  /** Runs `act` once the transaction of `tx` is over: for what was changed in memory ahead of it. */
  afterEnd(tx: EntityManager, act: (isCommitted: boolean) => void): void {
    this.transactions.afterEnd(tx, act);
  }

  /** Whether this process leaves the deliveries of a consumer to another one, or to a later moment of its own. */
  standBy(consumer: string, isStandingBy: boolean): void {
    this.relay.standBy(consumer, isStandingBy);
  }

  /** Resolves once a consumer of this process has handled what was told until now. */
  idle(consumer: string): Promise<void> {
    return this.relay.idle(consumer);
  }

  /** Whether a consumer of this process has taken all there is for it. */
  isCaughtUp(consumer: string): boolean {
    return this.relay.isCaughtUp(consumer);
  }

  /** One transaction whose appended events reach their consumers after the commit. */
  transaction<T>(work: (tx: EntityManager) => Promise<T>): Promise<T> {
    return this.transactions.run(work);
  }

  /** Part of a transaction: when it fails, it alone is undone, with the events that it appended. */
  savepoint<T>(tx: EntityManager, work: () => Promise<T>): Promise<T> {
    return this.transactions.savepoint(tx, work);
  }

  /** Durable events after a position, oldest first: what a client that resumes has missed, as far as it is kept. */
  eventsAfter(eventId: string, events: readonly DurableEvent<unknown>[], limit: number) {
    return this.store.after(
      eventId,
      events.map((event) => event.name),
      limit,
    );
  }

  /** How many deliveries of these events wait, for whoever consumes them, wherever it runs; `most` at most. */
  undelivered(events: readonly DurableEvent<unknown>[], most: number): Promise<number> {
    return this.store.undelivered(
      events.map((event) => event.name),
      most,
    );
  }

  /** What waits for each consumer now, in whichever process it runs, and for how long. */
  lag() {
    return this.store.lag();
  }

  onApplicationBootstrap(): void {
    for (const hearer of this.registry.hearers) this.subscribe(hearer);
    void this.database.whenReady().then(() => this.start());
  }

  /** Lets everything received so far reach the database and its consumers, within bounds. */
  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.maintenance);
    const settled = Promise.all(this.queues.map((queue) => queue.idle())).then(() => this.relay.stop());
    const late = new Promise<'late'>((resolve) => setTimeout(() => resolve('late'), DRAIN_WITHIN_MS).unref());
    if ((await Promise.race([settled, late])) === 'late') {
      this.logger.warn(
        'Shutdown did not wait for everything in memory; undelivered events are in the outbox, unrecorded trades will be fetched again',
      );
    }
  }

  private async start(): Promise<void> {
    for (;;) {
      try {
        await this.maintain();
        await this.relay.start();
        break;
      } catch (error) {
        this.logger.warn(`Bus could not start, trying again: ${(error as Error).message}`);
        await new Promise((resolve) => setTimeout(resolve, 1000).unref());
      }
    }
    this.maintenance = setInterval(() => {
      this.maintain().catch((error: Error) =>
        this.logger.warn(`Event partitions were not maintained: ${error.message}`),
      );
    }, MAINTAIN_EVERY_MS).unref();
    this.isReady = true;
    this.announceReady();
  }

  private async maintain(): Promise<void> {
    await this.store.createPartitions(PARTITIONS_AHEAD_HOURS);
    await this.store.trim(this.settings.EVENTS_RETENTION);
  }

  private subscribe(hearer: Hearer): void {
    if (!hearer.queue) {
      this.emitter.on(hearer.event.name, (data: unknown, heard: Heard) => {
        try {
          hearer.run(data, heard);
        } catch (error) {
          this.hearerFailed(hearer.name, error);
        }
      });
      return;
    }
    let unsaid = 0;
    let saidAt = 0;
    const bound = hearer.queue.bound(this.settings);
    const queue = new HearingQueue<unknown>(
      { ...hearer.queue, bound },
      (batch) => hearer.run(batch, { name: hearer.event.name }) as Promise<void>,
      {
        depth: (weight) => this.depth.set({ queue: hearer.name }, weight),
        failed: (error) => this.hearerFailed(hearer.name, error),
        dropped: (data, weight) => {
          this.dropped.inc({ queue: hearer.name }, weight);
          unsaid += weight;
          if (hearer.queue?.dropped) this.emit(hearer.queue.dropped, data);
          if (Date.now() - saidAt < SAY_DROPS_EVERY_MS) return;
          this.logger.warn(
            `${hearer.name} cannot keep up: its queue of ${bound} is full, dropped ${unsaid} since the last such line`,
          );
          unsaid = 0;
          saidAt = Date.now();
        },
      },
    );
    this.queues.push(queue);
    this.emitter.on(hearer.event.name, (data: unknown) => queue.offer(data));
  }

  private hearerFailed(name: string, error: unknown): void {
    this.hearerFailures.inc({ hearer: name });
    this.logger.error(`${name} failed: ${(error as Error).message}`, (error as Error).stack);
  }
}
