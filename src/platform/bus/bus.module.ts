import { Global, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { EventEmitterModule } from '@nestjs/event-emitter';
import { makeCounterProvider, makeGaugeProvider, makeHistogramProvider } from '@willsoto/nestjs-prometheus';
import { Bus } from './bus.service.js';
import { DeadLetterStore } from './dead-letter.store.js';
import { DeadLetters } from './dead-letters.service.js';
import { EventStore } from './event.store.js';
import { OutboxLag } from './outbox-lag.service.js';
import { HandlerRegistry } from './registry.service.js';
import { Relay } from './relay.service.js';
import { Transactions } from './transactions.service.js';
import { WakeUp } from './wake-up.service.js';

@Global()
@Module({
  imports: [EventEmitterModule.forRoot({ wildcard: false, maxListeners: 50 }), DiscoveryModule],
  providers: [
    Bus,
    DeadLetters,
    DeadLetterStore,
    EventStore,
    HandlerRegistry,
    OutboxLag,
    Relay,
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
    makeCounterProvider({
      name: 'dead_letters_total',
      help: 'Dead letters kept or, past the limit per minute, only counted',
      labelNames: ['stage', 'code', 'kept'],
    }),
  ],
  exports: [Bus, DeadLetters],
})
export class BusModule {}
