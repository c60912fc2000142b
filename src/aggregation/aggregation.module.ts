import { Module } from '@nestjs/common';
import { makeGaugeProvider } from '@willsoto/nestjs-prometheus';
import { Anomalies } from './anomalies/anomalies.service.js';
import { CandleCloser } from './candles/candle-closer.service.js';
import { CandleMerger } from './candles/candle-merger.service.js';
import { CandleStore } from './candles/candle.store.js';
import { CandlesController } from './candles/candles.controller.js';
import { GapStore } from './candles/gap.store.js';
import { Listening } from './candles/listening.service.js';
import { SeriesFinder } from './candles/series-finder.service.js';
import { DayVolumes } from './windows/day-volumes.service.js';
import { WindowStore } from './windows/window.store.js';
import { WindowsController } from './windows/windows.controller.js';
import { Windows } from './windows/windows.service.js';

@Module({
  controllers: [CandlesController, WindowsController],
  providers: [
    Anomalies,
    CandleCloser,
    CandleMerger,
    CandleStore,
    Listening,
    DayVolumes,
    GapStore,
    SeriesFinder,
    Windows,
    WindowStore,
    makeGaugeProvider({
      name: 'crypto_volume_24h',
      help: 'Volume of the last 24 hours, in base currency',
      labelNames: ['source', 'symbol'],
    }),
  ],
})
export class AggregationModule {}
