import { Module } from '@nestjs/common';
import { makeCounterProvider, makeGaugeProvider } from '@willsoto/nestjs-prometheus';
import { AnomaliesController } from './anomalies/anomalies.controller.js';
import { Anomalies } from './anomalies/anomalies.service.js';
import { AnomalyFinder } from './anomalies/anomaly-finder.handler.js';
import { AnomalyStore } from './anomalies/anomaly.store.js';
import { DetectorStateStore } from './anomalies/detector-state.store.js';
import { CandleCloser } from './candles/candle-closer.service.js';
import { CandleMerger } from './candles/candle-merger.service.js';
import { CandleStore } from './candles/candle.store.js';
import { CandlesController } from './candles/candles.controller.js';
import { GapStore } from './candles/gap.store.js';
import { Listening } from './candles/listening.service.js';
import { SeriesFinder } from './candles/series-finder.service.js';
import { CloseStore } from './correlation/close.store.js';
import { CorrelationController } from './correlation/correlation.controller.js';
import { Correlations } from './correlation/correlations.service.js';
import { CustomController } from './custom/custom.controller.js';
import { CustomPointStore } from './custom/custom-point.store.js';
import { CustomPoints } from './custom/custom-points.service.js';
import { CustomRetention } from './custom/custom-retention.service.js';
import { LogLineCounter } from './custom/log-line-counter.handler.js';
import { FlowController } from './flow/flow.controller.js';
import { FlowStore } from './flow/flow.store.js';
import { BarStore } from './indicators/bar.store.js';
import { IndicatorsController } from './indicators/indicators.controller.js';
import { Indicators } from './indicators/indicators.service.js';
import { MetricsController } from './metrics/metrics.controller.js';
import { RollupMerger } from './rollups/rollup-merger.service.js';
import { RollupStore } from './rollups/rollup.store.js';
import { RollupsController } from './rollups/rollups.controller.js';
import { Rollups } from './rollups/rollups.service.js';
import { Summaries } from './rollups/summaries.service.js';
import { DayVolumes } from './windows/day-volumes.service.js';
import { WindowStore } from './windows/window.store.js';
import { WindowsController } from './windows/windows.controller.js';
import { Windows } from './windows/windows.service.js';

@Module({
  controllers: [
    AnomaliesController,
    CandlesController,
    WindowsController,
    IndicatorsController,
    MetricsController,
    CorrelationController,
    FlowController,
    CustomController,
    RollupsController,
  ],
  providers: [
    Anomalies,
    AnomalyFinder,
    AnomalyStore,
    DetectorStateStore,
    BarStore,
    Indicators,
    CandleCloser,
    CandleMerger,
    CandleStore,
    CloseStore,
    Correlations,
    FlowStore,
    CustomPoints,
    CustomPointStore,
    CustomRetention,
    Listening,
    LogLineCounter,
    DayVolumes,
    GapStore,
    RollupMerger,
    Rollups,
    RollupStore,
    SeriesFinder,
    Summaries,
    Windows,
    WindowStore,
    makeCounterProvider({ name: 'rollups_merged_total', help: 'Windows of rollups that new numbers were merged into' }),
    makeCounterProvider({
      name: 'custom_points_total',
      help: 'Points sent of custom series: accepted, repeated, or refused with their batch',
      labelNames: ['result'],
    }),
    makeCounterProvider({
      name: 'anomalies_total',
      help: 'Anomalies that were found and told',
      labelNames: ['kind', 'severity'],
    }),
    makeCounterProvider({
      name: 'anomaly_samples_total',
      help: 'Samples that detectors scored, or why they were not',
      labelNames: ['result'],
    }),
    makeGaugeProvider({
      name: 'crypto_volume_24h',
      help: 'Volume of the last 24 hours, in base currency',
      labelNames: ['source', 'symbol'],
    }),
  ],
})
export class AggregationModule {}
