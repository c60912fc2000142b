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
import { Settings } from '../platform/config/index.js';
import { AppError } from '../platform/errors/index.js';
import { ApiProblems, NoQuery, RawBody } from '../platform/http/index.js';
import { nowUs } from '../platform/observability/index.js';
import { Deliveries, type Outcome, type Received } from './deliveries.service.js';
import { GITHUB, readPayload } from './payload.js';
import { type Distrust, distrustOfGithub, distrustOfStandard } from './signature.service.js';
import { ReceiptAnswer } from './webhooks.dto.js';

/** GitHub sends nothing larger. */
const MOST_BYTES = 25 * 1024 * 1024;
const MOST_HEADER = 1000;
/** What proves who sent it is not kept. */
const UNKEPT = /signature|authorization|cookie|token|secret|api-?key/;

type Headers = Readonly<Record<string, string | string[] | undefined>>;
type Request = Readonly<{ headers: Headers; body: unknown }>;
type Answer = Readonly<{ status(code: number): Answer }>;

const SIGNATURE = { name: 'X-Hub-Signature-256', example: 'sha256=757107ea0eb2509f…', required: true };

@ApiTags('webhooks')
@Controller('webhook')
export class ReceiptController {
  /** Secrets by hook. */
  private readonly hooks: ReadonlyMap<string, readonly string[]>;

  constructor(
    settings: Settings,
    private readonly deliveries: Deliveries,
    @InjectMetric('webhook_deliveries_total') private readonly total: Counter<'source' | 'result'>,
    @InjectMetric('webhook_answer_seconds') private readonly seconds: Histogram<'source'>,
  ) {
    const pairs = settings.WEBHOOKS.map((one) => [one.slice(0, one.indexOf(':')), one.slice(one.indexOf(':') + 1)]);
    const byName = Map.groupBy(pairs, ([name]) => name!);
    this.hooks = new Map([...byName].map(([name, those]) => [name, those.map(([, secret]) => secret!)]));
    this.githubSecrets = settings.GITHUB_WEBHOOK_SECRET;
  }

  private readonly githubSecrets: readonly string[];

  @Post('github')
  @HttpCode(202)
  @RawBody(MOST_BYTES)
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
    'webhooks.untrusted',
    'webhooks.bad-delivery',
    'webhooks.not-set-up',
    'http.payload-too-large',
    'http.unsupported-media-type',
    'database.unavailable',
  )
  async github(
    @Req() request: Request,
    @Query() _query: NoQuery,
    @Res({ passthrough: true }) answer: Answer,
  ): Promise<ReceiptAnswer> {
    const headers = singular(request.headers);
    if (this.githubSecrets.length === 0)
      throw new AppError('webhooks.not-set-up', 'set GITHUB_WEBHOOK_SECRET to the secret of the hook');
    const body = bytesOf(request.body);
    this.trust(GITHUB, distrustOfGithub(body, headers, this.githubSecrets));
    const type = this.named(GITHUB, headers, 'x-github-event');
    const deliveryId = this.named(GITHUB, headers, 'x-github-delivery');
    const hookId = headers['x-github-hook-id'] ?? '';
    return this.receive({ source: GITHUB, type, deliveryId, hookId }, headers, body, answer);
  }

  @Post(':name')
  @HttpCode(202)
  @RawBody(MOST_BYTES)
  @ApiOperation({
    summary: 'A delivery of a hook that signs by Standard Webhooks 1.0.0',
    description: 'Hooks and their secrets stand in WEBHOOKS. 200: it was received before.',
  })
  @ApiHeader({ name: 'webhook-id', example: 'msg_p5jXN8AQM9LWM0D4loKWxJek', required: true })
  @ApiHeader({ name: 'webhook-timestamp', example: '1614265330', required: true })
  @ApiHeader({ name: 'webhook-signature', example: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', required: true })
  @ApiBody({ schema: { type: 'object' } })
  @ApiAcceptedResponse({ type: ReceiptAnswer })
  @ApiOkResponse({ type: ReceiptAnswer, description: 'It was received before' })
  @ApiProblems(
    'webhooks.untrusted',
    'webhooks.bad-delivery',
    'webhooks.unknown-hook',
    'http.payload-too-large',
    'http.unsupported-media-type',
    'database.unavailable',
  )
  async standard(
    @Param('name') name: string,
    @Req() request: Request,
    @Query() _query: NoQuery,
    @Res({ passthrough: true }) answer: Answer,
  ): Promise<ReceiptAnswer> {
    const secrets = this.hooks.get(name);
    if (!secrets) throw new AppError('webhooks.unknown-hook', `${name.slice(0, 60)} does not stand in WEBHOOKS`);
    const headers = singular(request.headers);
    const body = bytesOf(request.body);
    this.trust(name, distrustOfStandard(body, headers, secrets, Date.now()));
    const deliveryId = this.named(name, headers, 'webhook-id');
    return this.receive({ source: name, type: undefined, deliveryId, hookId: '' }, headers, body, answer);
  }

  private async receive(
    ids: Readonly<{ source: string; type: string | undefined; deliveryId: string; hookId: string }>,
    headers: Readonly<Record<string, string>>,
    body: Buffer,
    answer: Answer,
  ): Promise<ReceiptAnswer> {
    const stop = this.seconds.startTimer({ source: ids.source });
    const contentType = headers['content-type'] ?? 'application/json';
    const event = readPayload(ids.source, ids.type ?? 'unknown', contentType, body.toString(), nowUs());
    const type = ids.type ?? ('fault' in event ? 'unknown' : event.type);
    const received: Received = { ...ids, type, headers: kept(headers), contentType, body, event };
    const outcome = await this.deliveries.receive(received);
    this.total.inc({ source: ids.source, result: resultOf(outcome) });
    if (outcome.isRepeat) answer.status(200);
    stop();
    const { id, status, isRepeat, possibleReplay } = outcome;
    return { id, status, repeated: isRepeat, possibleReplay };
  }

  private trust(source: string, distrust: Distrust | undefined): void {
    if (!distrust) return;
    this.total.inc({ source, result: `untrusted-${distrust.reason}` });
    throw new AppError('webhooks.untrusted', distrust.detail);
  }

  private named(source: string, headers: Readonly<Record<string, string>>, name: string): string {
    const value = headers[name];
    if (value !== undefined && /^[\w.:/-]{1,100}$/.test(value)) return value;
    this.total.inc({ source, result: 'malformed' });
    throw new AppError(
      'webhooks.bad-delivery',
      `${name} must be there, of 1 to 100 letters, digits and any of . _ : / -`,
    );
  }
}

const resultOf = ({ isRepeat, status }: Outcome): string =>
  isRepeat ? 'repeated' : status === 'failed' ? 'unreadable' : 'received';

/** Without a body Fastify parses nothing. */
const bytesOf = (body: unknown): Buffer => (Buffer.isBuffer(body) ? body : Buffer.alloc(0));

/** Node joins what stands twice, but for a few. */
const singular = (headers: Headers): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]),
  );

function kept(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => !UNKEPT.test(name))
      .map(([name, value]) => [name, value.slice(0, MOST_HEADER).replaceAll('\0', '').toWellFormed()]),
  );
}
