import { Controller, Get, Header, HttpException, type OnModuleDestroy, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { HealthCheck, HealthCheckService, HealthIndicatorService } from '@nestjs/terminus';
import type { FastifyReply } from 'fastify';
import { Database } from '../database/index.js';
import { EventLoop } from './event-loop.service.js';
import { type HealthPart, HealthParts } from './health.service.js';

/** Kubernetes probes and a page for people; nothing here is hard-coded, every part is asked. */
@ApiTags('observability')
@Controller()
export class HealthController implements OnModuleDestroy {
  private stopping = false;

  constructor(
    private readonly terminus: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly parts: HealthParts,
    database: Database,
    eventLoop: EventLoop,
  ) {
    parts.register({ name: 'event-loop', gatesReadiness: false, check: () => eventLoop.report() });
    parts.register({
      name: 'database',
      gatesReadiness: true,
      check: async () => {
        const startedMs = performance.now();
        try {
          await database.ping();
          return { up: true, details: { answeredInMs: Math.round(performance.now() - startedMs) } };
        } catch (error) {
          return { up: false, details: { error: (error as Error).message } };
        }
      },
    });
  }

  @Get(['health/live', 'healthz'])
  @Header('cache-control', 'no-store')
  @HealthCheck()
  @ApiOperation({ summary: 'Liveness: the event loop turns' })
  live(@Res({ passthrough: true }) reply: FastifyReply) {
    return this.ask(reply, (part) => part.name === 'event-loop');
  }

  @Get(['health/ready', 'readyz'])
  @Header('cache-control', 'no-store')
  @HealthCheck()
  @ApiOperation({ summary: 'Readiness: migrations done, database answers, consumers run, feeds connected or retrying' })
  ready(@Res({ passthrough: true }) reply: FastifyReply) {
    return this.ask(reply, (part) => part.gatesReadiness);
  }

  @Get('health')
  @Header('cache-control', 'no-store')
  @HealthCheck()
  @ApiOperation({ summary: 'Every part with its figures' })
  health(@Res({ passthrough: true }) reply: FastifyReply) {
    return this.ask(reply, () => true);
  }

  onModuleDestroy(): void {
    this.stopping = true;
  }

  private async ask(reply: FastifyReply, wanted: (part: HealthPart) => boolean): Promise<unknown> {
    const asked = this.parts.all().filter(wanted);
    try {
      return await this.terminus.check([
        ...asked.map((part) => async () => {
          const report = await part.check();
          const session = this.indicators.check(part.name);
          return report.up ? session.up(report.details) : session.down(report.details);
        }),
        ...(this.stopping ? [() => this.indicators.check('process').down({ error: 'shutting down' })] : []),
      ]);
    } catch (error) {
      if (!(error instanceof HttpException)) throw error;
      void reply.status(error.getStatus()); // terminus' own answer, not a problem: probes and people read the parts
      return error.getResponse();
    }
  }
}
