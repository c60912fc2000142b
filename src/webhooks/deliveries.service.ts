import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { DeliveryReceivedV1, EventsRecordedV1, type EventsRecordedV1Data } from '../contracts/index.js';
import { Bus, Consumes, DeadLetters, type ReplayedLetter } from '../platform/bus/index.js';
import { AppError } from '../platform/errors/index.js';
import { type DeliveryStatus, DeliveryStore, type NewDelivery } from './delivery.store.js';
import type { Normalised } from './normalised.js';
import { readPayload } from './payload.js';

/** A delivery whose event was told so long ago and is still not recorded is told again when its sender repeats it. */
const PATIENCE_MS = 60_000;
const LETTER_KIND = 'webhook';

/** What became of a delivery, or of the first one of its ids. */
export type Outcome = Readonly<{ id: string; status: DeliveryStatus; isRepeat: boolean; possibleReplay: boolean }>;

/** Keeps signed deliveries, each once, and tells what they say. */
@Injectable()
export class Deliveries {
  constructor(
    private readonly bus: Bus,
    private readonly store: DeliveryStore,
    private readonly deadLetters: DeadLetters,
  ) {
    deadLetters.onReplay(LETTER_KIND, (letter, tx) => this.replay(letter, tx));
  }

  /** Stores and tells in one transaction. A repeat is stored once, and told again only where the first came to nothing. */
  async receive(delivery: NewDelivery): Promise<Outcome> {
    return this.bus.transaction(async (tx) => {
      const added = await this.store.add(tx, delivery);
      if (!added) return this.repeat(tx, delivery);
      const { event } = delivery;
      if ('fault' in event) await this.keepUnread(tx, added.id, delivery, event.fault);
      else await this.tell(tx, added.id, delivery.source, event);
      return {
        id: added.id,
        status: 'fault' in event ? 'failed' : 'received',
        isRepeat: false,
        possibleReplay: added.replayOf !== null,
      };
    });
  }

  @Consumes(EventsRecordedV1, 'webhooks.note-recorded')
  async onEventsRecorded({ deliveryIds }: EventsRecordedV1Data, tx: EntityManager): Promise<void> {
    await this.store.markProcessed(tx, deliveryIds);
  }

  private async repeat(tx: EntityManager, delivery: NewDelivery): Promise<Outcome> {
    const first = await this.store.repeat(tx, delivery, PATIENCE_MS);
    if (!first) throw new Error(`Delivery ${delivery.deliveryId} vanished while it was repeated`);
    if (first.event && first.status === 'received' && first.isLate) {
      await this.store.retell(tx, first.id);
      await this.tell(tx, first.id, delivery.source, first.event);
    }
    if (first.status === 'failed' && !('fault' in delivery.event)) {
      await this.store.replace(tx, first.id, delivery);
      await this.tell(tx, first.id, delivery.source, delivery.event);
      await this.deadLetters.closed(tx, LETTER_KIND, delivery.source, [first.id]);
      return { id: first.id, status: 'received', isRepeat: true, possibleReplay: false };
    }
    return { id: first.id, status: first.status, isRepeat: true, possibleReplay: false };
  }

  /** Reads a payload that could not be read: as it came, or as a person mended it. */
  private async replay({ source, payload, isEdited }: ReplayedLetter, tx: EntityManager): Promise<void> {
    const stored = source.position === undefined ? undefined : await this.store.find(source.position, tx);
    if (!stored) throw new AppError('webhooks.unknown-delivery', 'the delivery is no longer kept');
    const { id, type, contentType, body, receivedAtUs } = stored;
    const event = isEdited
      ? readPayload(stored.source, type, 'application/json', payload.toString(), receivedAtUs)
      : readPayload(stored.source, type, contentType, body.toString(), receivedAtUs);
    if ('fault' in event) throw new AppError('parse.bad-payload', event.fault);
    await this.store.mend(tx, id, event);
    await this.tell(tx, id, stored.source, event);
  }

  private tell(tx: EntityManager, id: string, source: string, event: Normalised): Promise<void> {
    return this.bus.append(tx, DeliveryReceivedV1, { deliveryId: id, source, ...event });
  }

  private async keepUnread(
    tx: EntityManager,
    id: string,
    { source, body, contentType }: NewDelivery,
    fault: string,
  ): Promise<void> {
    // each was signed
    await this.deadLetters.keepAll(tx, [
      {
        stage: 'parse',
        code: 'parse.bad-payload',
        message: fault,
        source: { kind: LETTER_KIND, id: source, position: id },
        attempts: 1,
        payload: body,
        contentType,
      },
    ]);
  }
}
