import { Module } from '@nestjs/common';
import { makeCounterProvider, makeGaugeProvider } from '@willsoto/nestjs-prometheus';
import { CoverageHandler } from './coverage.handler.js';
import { CoverageStore } from './coverage.store.js';
import { FeedsController } from './feeds.controller.js';
import { Feeds } from './feeds.service.js';

@Module({
  controllers: [FeedsController],
  providers: [
    CoverageHandler,
    CoverageStore,
    Feeds,
    makeCounterProvider({
      name: 'ingestor_fetch_total',
      help: 'Frames received, by what they were',
      labelNames: ['source', 'outcome'],
    }),
    makeCounterProvider({
      name: 'ingestor_publish_total',
      help: 'Trades handed to processing, fetched ones included',
      labelNames: ['source'],
    }),
    makeGaugeProvider({ name: 'feed_connected', help: '1 while the feed is connected', labelNames: ['source'] }),
    makeGaugeProvider({ name: 'feed_age_seconds', help: 'Since the last frame of the feed', labelNames: ['source'] }),
    makeGaugeProvider({
      name: 'feed_gaps_open',
      help: 'Holes in the recorded trades that are being filled',
      labelNames: ['source'],
    }),
    makeCounterProvider({ name: 'feed_reconnects_total', help: 'Connections lost', labelNames: ['source'] }),
  ],
})
export class IngestionModule {}
