import { Module } from '@nestjs/common';
import { makeGaugeProvider } from '@willsoto/nestjs-prometheus';
import { CandleCloser } from './candles/candle-closer.service.js';
import { CandleMerger } from './candles/candle-merger.service.js';
import { CandleStore } from './candles/candle.store.js';
import { CandlesController } from './candles/candles.controller.js';
import { DayVolumes } from './candles/day-volumes.service.js';
import { GapStore } from './candles/gap.store.js';
import { Listening } from './candles/listening.service.js';
import { SeriesFinder } from './candles/series-finder.service.js';

@Module({
  controllers: [CandlesController],
  providers: [
    CandleCloser,
    CandleMerger,
    CandleStore,
    Listening,
    DayVolumes,
    GapStore,
    SeriesFinder,
    makeGaugeProvider({
      name: 'crypto_volume_24h',
      help: 'Volume of the last 24 hours, in base currency',
      labelNames: ['source', 'symbol'],
    }),
  ],
})
export class AggregationModule {}
