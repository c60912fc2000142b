import { Injectable, Logger } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter } from 'prom-client';
import type { EntityManager } from 'typeorm';
import { Settings } from '../../config/index.js';
import { AppError, isTransientDatabaseError } from '../../errors/index.js';
import { Gate } from '../../http/index.js';
import { inSpan } from '../../observability/index.js';
import { EventStore } from '../event.store.js';
import { Relay } from '../relay.service.js';
import { Transactions } from '../transactions.service.js';
import type { LetterState, ReplayedLetter, Replayer } from './dead-letter.js';
import { DeadLetterStore, type HeldLetter, type Replayability } from './dead-letter.store.js';
import { DeadLetters } from './dead-letters.service.js';

/** Longer than any replayer may take. */
const LEASE_MS = 60_000;
/** Each holds a connection of the pool, which is there for more than replays. */
const AT_ONCE = 3;
const MOST_WAITING = 200;
const WAIT_MS = 10_000;
/** A discarded letter may be thought better of. */
const BY_HAND: readonly LetterState[] = ['dead', 'discarded'];

class HoldLost extends Error {}

/** Does again what dead letters stand for, each in a transaction, a few at a time. */
@Injectable()
export class Replays {
  private readonly logger = new Logger('Replays');
  private readonly gate: Gate;

  constructor(
    private readonly deadLetters: DeadLetters,
    private readonly store: DeadLetterStore,
    private readonly events: EventStore,
    private readonly relay: Relay,
    private readonly transactions: Transactions,
    @InjectMetric('dead_letter_replays_total') private readonly replays: Counter<'kind' | 'outcome'>,
    { DATABASE_POOL }: Settings,
  ) {
    this.gate = new Gate('replays', Math.max(1, Math.min(AT_ONCE, DATABASE_POOL >> 2)), MOST_WAITING, WAIT_MS);
    deadLetters.onReplay('delivery', (letter, tx) => this.redeliver(letter, tx));
  }

  /**
   * Replays one letter, with another payload if one is given; what came of it is the letter's state. Throws the problem
   * where it cannot be tried at all.
   */
  async replay(id: string, edited?: Buffer): Promise<void> {
    const letter = await this.store.replayability(id);
    if (!letter) throw unknownLetter(id);
    this.check(letter, edited !== undefined);
    await this.gate.run(async () => {
      const held = await this.store.hold(id, BY_HAND, LEASE_MS, edited);
      if (!held) throw notDead('being replayed');
      await this.run(held, true);
    });
  }

  /** As replay, of a letter that a job has marked; one that cannot be tried fails at once. */
  async replayPending(id: string): Promise<void> {
    await this.gate.run(async () => {
      const held = await this.store.hold(id, ['pending'], LEASE_MS);
      if (held) await this.run(held);
    });
  }

  private check({ state, sourceKind, isCut }: Replayability, isEdited: boolean): void {
    if (!BY_HAND.includes(state)) throw notDead(state);
    if (!this.deadLetters.replayingOf(sourceKind)) throw noReplayer(sourceKind);
    if (isCut && !isEdited) throw cut();
  }

  /** When the database, not the letter, is at fault, a person may try again; a job has to come to its end. */
  private async run(held: HeldLetter, isByHand = false): Promise<void> {
    const { kind } = held.source;
    const startedMs = performance.now();
    try {
      const replaying = this.deadLetters.replayingOf(kind);
      if (!replaying) throw noReplayer(kind);
      if (held.isCut) throw cut();
      await replaying.prepare?.(held);
      const attributes = { 'tapeline.letter': held.id, 'tapeline.kind': kind };
      const outcome = await inSpan('bus.replay-letter', undefined, attributes, () =>
        this.transactions.run((tx) => this.attempt(replaying.replayer, held, tx)),
      );
      if (outcome === 'replayed') this.replays.inc({ kind, outcome });
    } catch (error) {
      if (error instanceof HoldLost) return;
      if (isTransientDatabaseError(error) && isByHand) {
        await this.store.letGo(held);
        throw error;
      }
      const message = error instanceof Error ? error.message : String(error);
      await this.store.failedAgain(held, message, performance.now() - startedMs);
      this.replays.inc({ kind, outcome: 'failed' });
      this.logger.warn(`The replay of dead letter ${held.id} failed: ${message.slice(0, 500)}`);
      if (isTransientDatabaseError(error)) throw error;
    }
  }

  private async attempt(
    replayer: Replayer<EntityManager>,
    held: HeldLetter,
    tx: EntityManager,
  ): Promise<'replayed' | 'under-way'> {
    const isUnderWay = (await replayer(held, tx)) === 'under-way';
    const isHeld = isUnderWay ? await this.store.underWay(tx, held) : await this.store.replayed(tx, held);
    if (!isHeld) throw new HoldLost();
    return isUnderWay ? 'under-way' : 'replayed';
  }

  /** The consumer takes the kept event again, by the bus: in whichever process it runs. */
  private async redeliver({ id, source, payload }: ReplayedLetter, tx: EntityManager): Promise<'under-way'> {
    const name = eventNameOf(payload);
    const consumer = source.id;
    if (!(await this.events.redeliver(tx, { letterId: id, consumer, name }, this.relay.isForeign(name))))
      throw new Error(`there is no consumer ${consumer} of ${name} any more`);
    this.transactions.afterCommit(tx, () => this.relay.look());
    return 'under-way';
  }
}

/** Throws where the payload is no event. */
function eventNameOf(payload: Buffer): string {
  let event: unknown;
  try {
    event = JSON.parse(payload.toString());
  } catch (error) {
    throw new Error(`the payload is not JSON: ${(error as Error).message}`, { cause: error });
  }
  const { name, data } = (event ?? {}) as { name?: unknown; data?: unknown };
  if (typeof name !== 'string' || typeof data !== 'object' || data === null)
    throw new Error('the payload must be an object with the name of the event and its data');
  return name;
}

export const unknownLetter = (id: string): AppError =>
  new AppError('letters.unknown', `there is no dead letter ${id.slice(0, 60)}`);
export const notDead = (state: string): AppError => new AppError('letters.not-dead', `it is ${state}`);
const noReplayer = (kind: string): AppError =>
  new AppError('letters.no-replayer', `nothing in this process replays letters of kind ${kind}`);
const cut = (): AppError =>
  new AppError('letters.cut', 'only the start of the payload was kept: replay it with a payload of yours');
