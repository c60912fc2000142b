import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError, errorCode, type ErrorCode, isTransientDatabaseError } from '../errors/index.js';
import { problemOf } from './problem.js';

const CODE_OF_STATUS: Record<number, ErrorCode> = {
  400: 'http.bad-request',
  401: 'http.unauthorized',
  404: 'http.not-found',
  408: 'http.too-slow',
  413: 'http.payload-too-large',
  414: 'http.uri-too-long',
  415: 'http.unsupported-media-type',
  503: 'database.unavailable',
};

/** Seconds after which it may be otherwise. */
const RETRY_AFTER: Partial<Record<ErrorCode, number>> = {
  'http.busy': 1,
  'database.unavailable': 1,
  'uploads.busy': 5,
  'webhooks.not-set-up': 300,
};

/** Turns whatever was thrown into a problem answer, and logs it once: 5xx as an error, the rest, and what was too much at once, not at all. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('Http');

  catch(thrown: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const error = translate(thrown);
    if (error.status >= 500 && error.code !== 'http.busy')
      this.logger.error({ err: loggable(thrown), code: error.code, url: request.url }, error.detail);
    answer(error, request, reply);
  }
}

/** Answers what the router itself refuses, before there is a route: a malformed URL, a parameter that is too long. */
export function answerFrameworkError(error: Error, request: FastifyRequest, reply: FastifyReply): void {
  answer(translate(error), request, reply);
}

function answer(error: AppError, request: FastifyRequest, reply: FastifyReply): void {
  const retryAfter = RETRY_AFTER[error.code];
  if (retryAfter !== undefined) void reply.header('retry-after', String(retryAfter));
  void reply
    .status(error.status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .send(problemOf(error, request.url.split('?')[0]!, request.id));
}

function translate(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  if (isTransientDatabaseError(thrown))
    return new AppError('database.unavailable', 'try again in a moment', { cause: thrown });
  const status = thrown instanceof HttpException ? thrown.getStatus() : statusOf(thrown);
  const code = CODE_OF_STATUS[status] ?? (status < 500 ? 'http.bad-request' : 'http.internal');
  const detail =
    code === 'http.internal' ? 'the log has the reason under this correlation id' : (thrown as Error).message;
  return new AppError(code, detail, { cause: thrown });
}

/** Fastify's own errors (malformed URL, body too large) carry a statusCode. */
function statusOf(thrown: unknown): number {
  const { statusCode } = (thrown ?? {}) as { statusCode?: unknown };
  return typeof statusCode === 'number' ? statusCode : 500;
}

/** A database error carries what was to be written, secrets of channels too: of it only what failed is logged. */
function loggable(thrown: unknown): unknown {
  if (!(thrown instanceof Error) || !('driverError' in thrown)) return thrown;
  const { name, message, stack } = thrown;
  return { name, message, stack, code: errorCode(thrown) };
}
