import type { IncomingMessage } from 'node:http';
import { applyDecorators, type Type } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../errors/index.js';

/** Hears a raw body as it comes, so that nobody has to go through all of it at its end. */
export type BodyEar = Readonly<{ hear(chunk: Buffer): void }>;

/** Asked when the headers are there and the body is not yet: throws where they alone tell that it need not come. */
export type BodyGate = Readonly<{
  admit(request: IncomingMessage, parameters: Readonly<Record<string, string>>): BodyEar;
}>;

type RawConfig = Readonly<{ limitBytes: number; gate: Type<BodyGate> }>;

/** The route is handed its JSON or form body as the bytes that came, up to a limit of its own: a Buffer as `request.body`. */
export const RawBody = (limitBytes: number, gate: Type<BodyGate>): MethodDecorator =>
  applyDecorators(RouteConfig({ rawBody: { limitBytes, gate } satisfies RawConfig }));

const SENT_WITHIN_MS = 30_000;
/** Bodies are held in memory until they are answered: so many may be at a time, those of more than LARGE_BYTES and the others. */
const LARGE_BYTES = 256 * 1024;
const MOST_LARGE = 8;
const MOST_SMALL = 256;

/** Makes `@RawBody` work; every other route gets JSON parsed as before, and no forms. */
export function serveRawBodies(
  instance: FastifyInstance,
  gateOf: (gate: Type<BodyGate>) => BodyGate,
  sentWithinMs = SENT_WITHIN_MS,
): void {
  const rawOf = (config: unknown): RawConfig | undefined => (config as { rawBody?: RawConfig } | undefined)?.rawBody;
  const isRaw = (request: FastifyRequest): boolean => rawOf(request.routeOptions.config) !== undefined;
  const ears = new WeakMap<FastifyRequest, BodyEar>();
  const underWay = { large: 0, small: 0 };

  instance.addHook('onRoute', (route) => {
    const raw = rawOf(route.config);
    if (raw) route.bodyLimit = raw.limitBytes;
  });

  instance.addHook('onRequest', (request, reply, done) => {
    const raw = rawOf(request.routeOptions.config);
    if (!raw) return done();
    endInTime(request, reply, sentWithinMs);
    try {
      ears.set(request, gateOf(raw.gate).admit(request.raw, request.params as Record<string, string>));
    } catch (error) {
      return done(error as Error);
    }
    const size = Number(request.headers['content-length'] ?? Infinity) > LARGE_BYTES ? 'large' : 'small';
    if (underWay[size] >= (size === 'large' ? MOST_LARGE : MOST_SMALL))
      return done(new AppError('http.busy', `${underWay[size]} ${size} bodies are under way already`));
    underWay[size]++;
    reply.raw.once('close', () => underWay[size]--);
    done();
  });

  instance.addHook('preParsing', (request, _reply, payload, done) => {
    const ear = ears.get(request);
    const limit = rawOf(request.routeOptions.config)?.limitBytes ?? 0;
    let heard = 0;
    const hear = (chunk: Buffer): void => {
      heard += chunk.length;
      if (heard <= limit) ear!.hear(chunk);
      else payload.off('data', hear);
    };
    // whoever reads the body begins to in this turn as well, so that both get all of it
    if (ear) payload.on('data', hear);
    done(null, payload);
  });

  const parseJson = instance.getDefaultJsonParser('error', 'error');
  instance.removeContentTypeParser('application/json');
  instance.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    if (isRaw(request)) done(null, body);
    else void parseJson(request, body.toString(), done);
  });
  instance.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'buffer' },
    (request, body: Buffer, done) => {
      if (isRaw(request)) done(null, body);
      else done(new AppError('http.unsupported-media-type', 'This route takes no forms of this kind'));
    },
  );
}

/** A body that was not sent in time is answered while somebody reads it; a refused one is only cut off. */
function endInTime({ raw: request }: FastifyRequest, reply: FastifyReply, withinMs: number): void {
  const timer = setTimeout(() => {
    if (reply.sent || request.listenerCount('error') === 0) {
      request.destroy();
      return;
    }
    reply.raw.once('finish', () => request.destroy());
    request.emit('error', new AppError('http.too-slow', `it must be sent within ${withinMs / 1000} s`));
  }, withinMs).unref();
  request.once('end', () => clearTimeout(timer)).once('close', () => clearTimeout(timer));
}
