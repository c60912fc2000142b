import { timingSafeEqual } from 'node:crypto';
import { Controller, Get, Headers, Res } from '@nestjs/common';
import { ApiExcludeEndpoint, ApiTags } from '@nestjs/swagger';
import { PrometheusController } from '@willsoto/nestjs-prometheus';
import type { FastifyReply } from 'fastify';
import { Settings } from '../config/index.js';
import { AppError } from '../errors/index.js';

/** `GET /metrics` in the Prometheus text format, behind `METRICS_TOKEN` when one is set. */
@ApiTags('observability')
@Controller()
export class MetricsController extends PrometheusController {
  constructor(private readonly settings: Settings) {
    super();
  }

  @Get()
  @ApiExcludeEndpoint()
  override async index(
    @Res({ passthrough: true }) reply: FastifyReply,
    @Headers('authorization') authorization?: string,
  ): Promise<string> {
    const token = this.settings.METRICS_TOKEN;
    const [scheme = '', given = ''] = (authorization ?? '').split(/ +/, 2);
    if (token !== undefined && !(scheme.toLowerCase() === 'bearer' && sameText(given, token))) {
      void reply.header('www-authenticate', 'Bearer realm="metrics"');
      throw new AppError('http.unauthorized', 'metrics want Authorization: Bearer <METRICS_TOKEN>');
    }
    return super.index(reply) as Promise<string>;
  }
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
