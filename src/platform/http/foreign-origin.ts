import type { FastifyInstance } from 'fastify';
import { AppError } from '../errors/index.js';

/** Whether a page of `origin` is of the host the request names. */
export function sameOrigin(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
}

const READING = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses whatever writes when a page of another origin asks: browsers send forms, and what has no body, without asking first.
 * A proxy that changes the host tells the one it was asked for in X-Forwarded-Host, which no page can set unasked.
 */
export function refuseForeignPages(instance: FastifyInstance): void {
  instance.addHook('onRequest', (request, reply, done) => {
    const { origin, host, 'x-forwarded-host': forwarded } = request.headers;
    const asked = typeof forwarded === 'string' ? forwarded : undefined;
    if (READING.has(request.method) || sameOrigin(origin, host) || sameOrigin(origin, asked)) return done();
    void reply.header('connection', 'close'); // what it sends is not waited for
    done(new AppError('http.foreign-origin', `a page of ${origin!.slice(0, 200)} may not change anything here`));
  });
}
