import { Injectable } from '@nestjs/common';
import { DeadLetters, type ReplayedLetter } from '../../platform/bus/index.js';
import { type Answer } from '../channels/answer.js';
import { type Claimed, DeliveryStore } from './delivery.store.js';
import { NotificationStore } from './notification.store.js';

const KIND = 'notification';
type Transaction = Parameters<DeadLetters['keepAll']>[0];

/** Notifications that were given up, among the dead letters: there is one list of all that waits for a person. */
@Injectable()
export class NotificationLetters {
  constructor(
    private readonly deadLetters: DeadLetters,
    private readonly deliveries: DeliveryStore,
    private readonly notifications: NotificationStore,
  ) {
    deadLetters.onReplay(KIND, (letter, tx) => this.replay(letter, tx));
  }

  async died(tx: Transaction, channel: string, dead: readonly Claimed[], { reason, error }: Answer): Promise<void> {
    await this.deadLetters.keepOrReturn(
      tx,
      dead.map(({ item, attempts }) => ({
        stage: 'deliver',
        code: 'deliver.failed',
        message: error === undefined ? reason : `${reason}: ${error}`,
        source: { kind: KIND, id: channel, position: item.notificationId },
        attempts,
        payload: JSON.stringify(item),
        contentType: 'application/json',
      })),
    );
  }

  /** They went out after all: by a replay, or because their channel works again. */
  async sent(tx: Transaction, channel: string, claimed: readonly Claimed[]): Promise<void> {
    await this.deadLetters.closed(
      tx,
      KIND,
      channel,
      claimed.map(({ item }) => item.notificationId),
    );
  }

  private async replay({ source, isEdited }: ReplayedLetter, tx: Transaction): Promise<void | 'under-way'> {
    if (isEdited) throw new Error('a notification goes out as it was told: replay it unedited');
    const one = await this.notifications.one(source.position ?? '');
    if (!one) throw new Error('the notification is no longer kept');
    if (['sent', 'superseded', 'suppressed'].includes(one.state)) return;
    if (one.state === 'dead' && (await this.deliveries.replayIn(tx, { id: one.id })) === 0)
      throw new Error(`there is no channel ${source.id} any more`);
    return 'under-way';
  }
}
