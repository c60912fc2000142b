import { type DynamicModule, Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { LoggerModule } from 'nestjs-pino';
import type { Logger } from 'pino';
import { register } from 'prom-client';
import { EventLoop } from './event-loop.service.js';
import { HealthController } from './health.controller.js';
import { HealthParts } from './health.service.js';
import { loggerParams } from './logger.js';
import { MetricsController } from './metrics.controller.js';

/** Logs, metrics and probes for every module. */
@Module({})
export class ObservabilityModule {
  static for(logger: Logger): DynamicModule {
    return {
      module: ObservabilityModule,
      global: true,
      imports: [
        LoggerModule.forRoot(loggerParams(logger)),
        PrometheusModule.register({
          controller: MetricsController,
          // they belong to the process: a second application in it, as tests have, must not register them again
          defaultMetrics: { enabled: register.getSingleMetric('process_cpu_user_seconds_total') === undefined },
        }),
        TerminusModule.forRoot({ logger: false }),
      ],
      controllers: [HealthController],
      providers: [EventLoop, HealthParts],
      exports: [HealthParts],
    };
  }
}
