import { applyDecorators } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AppError } from '../errors/index.js';

type RawConfig = Readonly<{ rawBodyLimitBytes?: number }>;

/** The route is handed its JSON or form body as the bytes that came, up to a limit of its own: a Buffer as `request.body`. */
export const RawBody = (limitBytes: number): MethodDecorator =>
  applyDecorators(RouteConfig({ rawBodyLimitBytes: limitBytes } satisfies RawConfig));

const SENT_WITHIN_MS = 30_000;

/** Makes `@RawBody` work; every other route gets JSON parsed as before, and no forms. */
export function serveRawBodies(instance: FastifyInstance): void {
  const limitOf = (config: unknown): number | undefined => (config as RawConfig | undefined)?.rawBodyLimitBytes;
  const isRaw = (request: FastifyRequest): boolean => limitOf(request.routeOptions.config) !== undefined;

  instance.addHook('onRoute', (route) => {
    const limit = limitOf(route.config);
    if (limit !== undefined) route.bodyLimit = limit;
  });
  instance.addHook('onRequest', (request, _reply, done) => {
    if (isRaw(request)) {
      const timer = setTimeout(() => request.raw.destroy(), SENT_WITHIN_MS).unref();
      request.raw.once('end', () => clearTimeout(timer)).once('close', () => clearTimeout(timer));
    }
    done();
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
