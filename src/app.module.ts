import { type DynamicModule, Module } from '@nestjs/common';
import type { Logger } from 'pino';
import { AggregationModule } from './aggregation/index.js';
import { AlertsModule } from './alerts/index.js';
import { DashboardModule } from './dashboard/index.js';
import { IngestionModule } from './ingestion/index.js';
import { BusModule } from './platform/bus/index.js';
import { ConfigModule, type ModuleName, type Settings } from './platform/config/index.js';
import { type Connection, DatabaseModule } from './platform/database/index.js';
import { ObservabilityModule } from './platform/observability/index.js';
import { OutboundModule } from './platform/outbound/index.js';
import { ProcessingModule } from './processing/index.js';
import { StreamingModule } from './streaming/index.js';
import { UploadsModule } from './uploads/index.js';
import { WebhooksModule } from './webhooks/index.js';

const MODULES: Record<ModuleName, new () => object> = {
  ingestion: IngestionModule,
  processing: ProcessingModule,
  aggregation: AggregationModule,
  alerts: AlertsModule,
  uploads: UploadsModule,
  webhooks: WebhooksModule,
  streaming: StreamingModule,
  dashboard: DashboardModule,
};

/** The only file that knows every module; `MODULES` picks which of them this process runs. */
@Module({})
export class AppModule {
  static for(settings: Settings, logger: Logger, embedded?: Connection): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigModule.for(settings),
        ObservabilityModule.for(logger),
        DatabaseModule.for(embedded),
        BusModule,
        OutboundModule,
        ...settings.MODULES.map((name) => MODULES[name]),
      ],
    };
  }
}
