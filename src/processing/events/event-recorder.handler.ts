import { Injectable } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter } from 'prom-client';
import type { EntityManager } from 'typeorm';
import { DeliveryReceivedV1, type DeliveryReceivedV1Data, EventsRecordedV1 } from '../../contracts/index.js';
import { Bus, ConsumesBatch } from '../../platform/bus/index.js';
import { EventRecordStore } from './event-record.store.js';

/** Records what deliveries of webhooks told, each once. */
@Injectable()
export class EventRecorder {
  constructor(
    private readonly bus: Bus,
    private readonly store: EventRecordStore,
    @InjectMetric('webhook_events_total') private readonly total: Counter<'result'>,
  ) {}

  @ConsumesBatch(DeliveryReceivedV1, 'processing.record-events', { batch: 64 })
  async onDeliveriesReceived(deliveries: readonly DeliveryReceivedV1Data[], tx: EntityManager): Promise<void> {
    const recorded = await this.store.record(tx, deliveries);
    // also of those recorded before: whoever told them again has not heard of it
    const deliveryIds = [...new Set(deliveries.map(({ deliveryId }) => deliveryId))];
    await this.bus.append(tx, EventsRecordedV1, { deliveryIds });
    this.bus.afterCommit(tx, () => {
      this.total.inc({ result: 'recorded' }, recorded);
      this.total.inc({ result: 'repeated' }, deliveries.length - recorded);
    });
  }
}
