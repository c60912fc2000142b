import { Module } from '@nestjs/common';
import { makeGaugeProvider } from '@willsoto/nestjs-prometheus';
import { CandleCloser } from './candle-closer.service.js';
import { CandleMerger } from './candle-merger.service.js';
import { CandleStore } from './candle.store.js';
import { CandlesController } from './candles.controller.js';
import { DayVolumes } from './day-volumes.service.js';
import { GapStore } from './gap.store.js';
import { Listening } from './listening.service.js';

@Module({
  controllers: [CandlesController],
  providers: [
    CandleCloser,
    CandleMerger,
    CandleStore,
    Listening,
    DayVolumes,
    GapStore,
    makeGaugeProvider({
      name: 'crypto_volume_24h',
      help: 'Volume of the last 24 hours, in base currency',
      labelNames: ['source', 'symbol'],
    }),
  ],
})
export class AggregationModule {}
