import { Module } from '@nestjs/common';
import { makeCounterProvider, makeGaugeProvider, makeHistogramProvider } from '@willsoto/nestjs-prometheus';
import { EventRecordStore } from './events/event-record.store.js';
import { EventRecorder } from './events/event-recorder.handler.js';
import { EventsController } from './events/events.controller.js';
import { ExpiredTrades } from './expired-trades.service.js';
import { FileTradeRecorder } from './file-trades.handler.js';
import { LastPrices } from './last-prices.service.js';
import { LogDayStore } from './logs/log-day.store.js';
import { LogEventStore } from './logs/log-event.store.js';
import { LogRecorder } from './logs/log-recorder.handler.js';
import { LogRetention } from './logs/log-retention.service.js';
import { LogsController } from './logs/logs.controller.js';
import { MarketController } from './market.controller.js';
import { Packer } from './packing/packer.service.js';
import { TradeBlockStore } from './packing/trade-block.store.js';
import { Recorder } from './recorder.service.js';
import { SeriesStore } from './series.store.js';
import { TradeDayStore } from './trade-day.store.js';
import { TradeHistory } from './trade-history.service.js';
import { TradeLedger } from './trade-ledger.service.js';
import { TradeReplays } from './trade-replays.service.js';
import { TradeStore } from './trade.store.js';

@Module({
  controllers: [MarketController, LogsController, EventsController],
  providers: [
    EventRecorder,
    EventRecordStore,
    ExpiredTrades,
    FileTradeRecorder,
    LastPrices,
    LogDayStore,
    LogEventStore,
    LogRecorder,
    LogRetention,
    Packer,
    Recorder,
    SeriesStore,
    TradeBlockStore,
    TradeDayStore,
    TradeHistory,
    TradeLedger,
    TradeReplays,
    TradeStore,
    makeCounterProvider({
      name: 'log_events_total',
      help: 'Log events stored, those without a level as none',
      labelNames: ['level', 'format'],
    }),
    makeCounterProvider({
      name: 'log_rows_total',
      help: 'Log events of files: stored, repeated, or refused and kept as dead letters',
      labelNames: ['result'],
    }),
    makeCounterProvider({
      name: 'webhook_events_total',
      help: 'Events of webhooks: recorded, or told again',
      labelNames: ['result'],
    }),
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
    makeCounterProvider({
      name: 'trades_expired_total',
      help: 'Trades received of days that were dropped before',
      labelNames: ['source'],
    }),
    makeCounterProvider({ name: 'trades_packed_total', help: 'Trades packed into blocks' }),
    makeCounterProvider({
      name: 'trade_packing_put_off_total',
      help: 'Work on old trades that was left to a later pass: something was in the way, or it failed',
      labelNames: ['reason'],
    }),
    makeCounterProvider({ name: 'trade_days_dropped_total', help: 'Days of trades dropped' }),
    makeGaugeProvider({ name: 'trade_days_to_pack', help: 'Days due for packing that have trades left to pack' }),
    makeGaugeProvider({ name: 'trade_blocks_bytes', help: 'Disk that packed trades take, with their indexes' }),
    makeHistogramProvider({
      name: 'trade_packing_pass_seconds',
      help: 'How long a pass over old trades took, with its rests',
      buckets: [0.01, 0.1, 1, 10, 60, 300, 1800],
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
