import { Module } from '@nestjs/common';
import { CandleCloser } from './candle-closer.service.js';
import { CandleMerger } from './candle-merger.service.js';
import { CandleStore } from './candle.store.js';
import { CandlesController } from './candles.controller.js';
import { GapStore } from './gap.store.js';

@Module({
  controllers: [CandlesController],
  providers: [CandleCloser, CandleMerger, CandleStore, GapStore],
})
export class AggregationModule {}
