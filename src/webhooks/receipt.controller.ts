import type { IncomingMessage } from 'node:http';
import { Controller, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBody,
  ApiConsumes,
  ApiHeader,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter, Histogram } from 'prom-client';
import { ApiProblems, NoQuery, RawBody } from '../platform/http/index.js';
import { nowUs } from '../platform/observability/index.js';
import { Deliveries, type Outcome } from './deliveries.service.js';
import { readPayload } from './payload.js';
import { ReceiptGate } from './receipt-gate.service.js';
import { ReceiptAnswer } from './webhooks.dto.js';

/** GitHub sends nothing larger. */
const MOST_BYTES = 25 * 1024 * 1024;
const MOST_HEADER = 1000;
/** What else a proxy puts there may be a credential. */
const KEPT = new Set([
  'content-type',
  'content-length',
  'user-agent',
  'webhook-id',
  'webhook-timestamp',
  'x-correlation-id',
  'traceparent',
]);
const isKept = (name: string): boolean => KEPT.has(name) || name.startsWith('x-github-');

type Request = Readonly<{ raw: IncomingMessage; body: unknown }>;
type Answer = Readonly<{ status(code: number): Answer }>;

const SIGNATURE = { name: 'X-Hub-Signature-256', example: 'sha256=757107ea0eb2509f…', required: true };

@ApiTags('webhooks')
@Controller('webhook')
export class ReceiptController {
  constructor(
    private readonly gate: ReceiptGate,
    private readonly deliveries: Deliveries,
    @InjectMetric('webhook_deliveries_total') private readonly total: Counter<'source' | 'result'>,
    @InjectMetric('webhook_answer_seconds') private readonly seconds: Histogram<'source'>,
  ) {}

  @Post('github')
  @HttpCode(202)
  @RawBody(MOST_BYTES, ReceiptGate)
  @ApiOperation({
    summary: 'A delivery of a GitHub hook',
    description:
      'Verified over the raw bytes before anything else, then stored once by hook and delivery id. 200: it was received before.',
  })
  @ApiHeader(SIGNATURE)
  @ApiHeader({ name: 'X-GitHub-Event', example: 'push', required: true })
  @ApiHeader({ name: 'X-GitHub-Delivery', example: '72d3162e-cc78-11e3-81ab-4c9367dc0958', required: true })
  @ApiHeader({ name: 'X-GitHub-Hook-ID', example: '292430182', required: false })
  @ApiConsumes('application/json', 'application/x-www-form-urlencoded')
  @ApiBody({ schema: { type: 'object' } })
  @ApiAcceptedResponse({ type: ReceiptAnswer })
  @ApiOkResponse({ type: ReceiptAnswer, description: 'It was received before' })
  @ApiProblems(
    'request.bad-parameter',
    'webhooks.untrusted',
    'webhooks.bad-delivery',
    'webhooks.not-set-up',
    'http.foreign-origin',
    'http.too-slow',
    'http.busy',
    'http.payload-too-large',
    'http.unsupported-media-type',
    'database.unavailable',
  )
  async github(
    @Req() request: Request,
    @Query() _query: NoQuery,
    @Res({ passthrough: true }) answer: Answer,
  ): Promise<ReceiptAnswer> {
    return this.receive(request, answer);
  }

  @Post(':name')
  @HttpCode(202)
  @RawBody(MOST_BYTES, ReceiptGate)
  @ApiOperation({
    summary: 'A delivery of a hook that signs by Standard Webhooks 1.0.0',
    description: 'Hooks and their secrets stand in WEBHOOKS. 200: it was received before.',
  })
  @ApiHeader({ name: 'webhook-id', example: 'msg_p5jXN8AQM9LWM0D4loKWxJek', required: true })
  @ApiHeader({ name: 'webhook-timestamp', example: '1614265330', required: true })
  @ApiHeader({ name: 'webhook-signature', example: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', required: true })
  @ApiConsumes('application/json', 'application/x-www-form-urlencoded')
  @ApiBody({ schema: { type: 'object' } })
  @ApiAcceptedResponse({ type: ReceiptAnswer })
  @ApiOkResponse({ type: ReceiptAnswer, description: 'It was received before' })
  @ApiProblems(
    'request.bad-parameter',
    'webhooks.untrusted',
    'webhooks.bad-delivery',
    'webhooks.unknown-hook',
    'http.foreign-origin',
    'http.too-slow',
    'http.busy',
    'http.payload-too-large',
    'http.unsupported-media-type',
    'database.unavailable',
  )
  async standard(
    @Param('name') _name: string,
    @Req() request: Request,
    @Query() _query: NoQuery,
    @Res({ passthrough: true }) answer: Answer,
  ): Promise<ReceiptAnswer> {
    return this.receive(request, answer);
  }

  private async receive(request: Request, answer: Answer): Promise<ReceiptAnswer> {
    const body = bytesOf(request.body);
    const { headers, ...trusted } = this.gate.trusted(request.raw, body.length);
    const { source } = trusted;
    const stop = this.seconds.startTimer({ source });
    const contentType = headers['content-type'] ?? 'application/json';
    const event = readPayload(source, trusted.type ?? 'unknown', contentType, body.toString(), nowUs());
    const type = trusted.type ?? ('fault' in event ? 'unknown' : event.type);
    const outcome = await this.deliveries.receive({
      ...trusted,
      type,
      headers: kept(headers),
      contentType,
      body,
      event,
    });
    this.total.inc({ source, result: resultOf(outcome) });
    if (outcome.isRepeat) answer.status(200);
    stop();
    const { id, status, isRepeat, possibleReplay } = outcome;
    return { id, status, repeated: isRepeat, possibleReplay };
  }
}

const resultOf = ({ isRepeat, status }: Outcome): string =>
  isRepeat ? 'repeated' : status === 'failed' ? 'unreadable' : 'received';

/** Without a body Fastify parses nothing. */
const bytesOf = (body: unknown): Buffer => (Buffer.isBuffer(body) ? body : Buffer.alloc(0));

function kept(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => isKept(name))
      .map(([name, value]) => [name, value.slice(0, MOST_HEADER).replaceAll('\0', '').toWellFormed()]),
  );
}
