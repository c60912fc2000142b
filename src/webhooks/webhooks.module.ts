import { Module } from '@nestjs/common';
import { makeCounterProvider, makeHistogramProvider } from '@willsoto/nestjs-prometheus';
import { DeliveriesController } from './deliveries.controller.js';
import { Deliveries } from './deliveries.service.js';
import { DeliveryRetention } from './delivery-retention.service.js';
import { DeliveryStore } from './delivery.store.js';
import { ReceiptGate } from './receipt-gate.service.js';
import { ReceiptController } from './receipt.controller.js';

@Module({
  controllers: [ReceiptController, DeliveriesController],
  providers: [
    ReceiptGate,
    Deliveries,
    DeliveryRetention,
    DeliveryStore,
    makeCounterProvider({
      name: 'webhook_deliveries_total',
      help: 'Deliveries of webhooks, by what became of them',
      labelNames: ['source', 'result'],
    }),
    makeHistogramProvider({
      name: 'webhook_answer_seconds',
      help: 'From a verified delivery to its answer',
      labelNames: ['source'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    }),
  ],
})
export class WebhooksModule {}
