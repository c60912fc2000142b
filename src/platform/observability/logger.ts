import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Params } from 'nestjs-pino';
import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';
import type { Settings } from '../config/index.js';

/** Of a request's headers these are logged: whatever else a client or a proxy puts there may be a signature or a credential. */
const LOGGED_HEADERS = [
  'host',
  'origin',
  'user-agent',
  'accept',
  'accept-encoding',
  'connection',
  'content-type',
  'content-length',
  'transfer-encoding',
  'x-correlation-id',
  'x-github-event',
  'x-github-delivery',
  'webhook-id',
  'last-event-id',
  'traceparent',
];
/** Asked every few seconds, or open for hours: they would drown the log. */
const NOT_LOGGED = /^\/(health|healthz|readyz|metrics|stream|dashboard|docs)/;
const CORRELATION_ID = /^[\w.:-]{1,128}$/;

/** Nest tells every module and route at start: worth a line only when one looks for it. */
const FRAMEWORK = new Set(['InstanceLoader', 'NestFactory', 'NestApplication', 'RouterExplorer', 'RoutesResolver']);

/** JSON lines, or readable ones on a terminal. */
export function createLogger(settings: Settings): Logger {
  const options: pino.LoggerOptions = {
    level: settings.LOG_LEVEL,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    hooks: {
      logMethod(args, method, level) {
        const context = (args[0] as unknown as { context?: string } | undefined)?.context;
        if (level === pino.levels.values.info && context !== undefined && FRAMEWORK.has(context)) this.debug(...args);
        else method.apply(this, args);
      },
    },
  };
  if (!process.stdout.isTTY) return pino(options);
  return pino(
    options,
    pretty({ ignore: 'context,req,res,responseTime', messageFormat: '{if context}[{context}] {end}{msg}', sync: true }),
  );
}

/** A request's own `X-Correlation-ID`, or a new one. */
export function correlationIdOf(request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers['x-correlation-id'];
  return typeof given === 'string' && CORRELATION_ID.test(given) ? given : randomUUID();
}

/** Of a request as pino-http tells it. */
function withoutCredentials<T extends { headers: Record<string, unknown> }>(request: T): T {
  const told = LOGGED_HEADERS.filter((name) => request.headers[name] !== undefined);
  return { ...request, headers: Object.fromEntries(told.map((name) => [name, request.headers[name]])) };
}

export function loggerParams(logger: Logger): Params {
  return {
    // Nest's own default route matches nothing under Fastify (nestjs-pino 5.2).
    forRoutes: ['{*splat}'],
    pinoHttp: {
      logger,
      serializers: { req: withoutCredentials },
      autoLogging: { ignore: (request) => NOT_LOGGED.test(request.url ?? '') },
      customProps: (request) => ({ correlation_id: request.id }),
      customLogLevel: () => 'debug', // what fails is logged once, by the problem filter
    },
  };
}
