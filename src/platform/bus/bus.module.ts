import { Global, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { EventEmitterModule } from '@nestjs/event-emitter';
import { makeCounterProvider, makeGaugeProvider, makeHistogramProvider } from '@willsoto/nestjs-prometheus';
import { Bus } from './bus.service.js';
import { DeadLetterListStore } from './dead-letters/dead-letter-list.store.js';
import { DeadLetterStore } from './dead-letters/dead-letter.store.js';
import { DeadLettersController } from './dead-letters/dead-letters.controller.js';
import { DeadLetters } from './dead-letters/dead-letters.service.js';
import { LETTER_METRICS } from './dead-letters/letter-metrics.js';
import { LetterRetention } from './dead-letters/letter-retention.service.js';
import { LetterRetentionStore } from './dead-letters/letter-retention.store.js';
import { ReplayJobStore } from './dead-letters/replay-job.store.js';
import { ReplayJobsController } from './dead-letters/replay-jobs.controller.js';
import { ReplayJobs } from './dead-letters/replay-jobs.service.js';
import { Replays } from './dead-letters/replays.service.js';
import { EventStore } from './event.store.js';
import { OutboxLag } from './outbox-lag.service.js';
import { HandlerRegistry } from './registry.service.js';
import { Relay } from './relay.service.js';
import { Transactions } from './transactions.service.js';
import { WakeUp } from './wake-up.service.js';

@Global()
@Module({
  imports: [EventEmitterModule.forRoot({ wildcard: false, maxListeners: 50 }), DiscoveryModule],
  controllers: [ReplayJobsController, DeadLettersController],
  providers: [
    Bus,
    DeadLetterListStore,
    DeadLetters,
    DeadLetterStore,
    EventStore,
    HandlerRegistry,
    LetterRetention,
    LetterRetentionStore,
    OutboxLag,
    Relay,
    ReplayJobs,
    ReplayJobStore,
    Replays,
    Transactions,
    WakeUp,
    makeCounterProvider({
      name: 'bus_deliveries_total',
      help: 'Deliveries of durable events by what became of them',
      labelNames: ['consumer', 'outcome'],
    }),
    makeHistogramProvider({
      name: 'processing_duration_seconds',
      help: 'Time a consumer took for one batch, its transaction included',
      labelNames: ['consumer'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
    }),
    makeGaugeProvider({
      name: 'bus_queue_depth',
      help: 'Weight waiting or in flight in a bounded queue',
      labelNames: ['queue'],
    }),
    makeCounterProvider({
      name: 'bus_queue_dropped_total',
      help: 'Weight dropped because a bounded queue was full',
      labelNames: ['queue'],
    }),
    makeCounterProvider({
      name: 'bus_hearer_failures_total',
      help: 'Volatile handlers that threw',
      labelNames: ['hearer'],
    }),
    makeGaugeProvider({
      name: 'bus_outbox_waiting',
      help: 'Durable events not yet delivered to a consumer',
      labelNames: ['consumer'],
    }),
    makeGaugeProvider({
      name: 'bus_outbox_lag_seconds',
      help: 'Age of the oldest undelivered event of a consumer',
      labelNames: ['consumer'],
    }),
    ...LETTER_METRICS,
  ],
  exports: [Bus, DeadLetters],
})
export class BusModule {}
