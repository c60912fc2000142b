import { Module } from '@nestjs/common';
import { makeCounterProvider, makeGaugeProvider, makeHistogramProvider } from '@willsoto/nestjs-prometheus';
import { LastPrices } from './last-prices.service.js';
import { MarketController } from './market.controller.js';
import { Recorder } from './recorder.service.js';
import { SeriesStore } from './series.store.js';
import { TradeStore } from './trade.store.js';

@Module({
  controllers: [MarketController],
  providers: [
    LastPrices,
    Recorder,
    SeriesStore,
    TradeStore,
    makeGaugeProvider({
      name: 'crypto_price_current',
      help: 'Price of the last trade',
      labelNames: ['source', 'symbol'],
    }),
    makeCounterProvider({ name: 'crypto_trades_total', help: 'Trades recorded', labelNames: ['source', 'symbol'] }),
    makeCounterProvider({
      name: 'trades_repeated_total',
      help: 'Trades received again after they were recorded',
      labelNames: ['source'],
    }),
    makeHistogramProvider({
      name: 'trade_latency_seconds',
      help: 'Oldest trade of a series in a batch, by stage',
      labelNames: ['stage'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30],
    }),
  ],
})
export class ProcessingModule {}
