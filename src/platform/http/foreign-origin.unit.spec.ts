import fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { refuseForeignPages, sameOrigin } from './foreign-origin.js';

describe('an origin', () => {
  it('tells pages of another origin from those of this host', () => {
    expect(sameOrigin(undefined, 'localhost:8080')).toBe(true);
    expect(sameOrigin('http://localhost:8080', 'localhost:8080')).toBe(true);
    expect(sameOrigin('http://localhost:9999', 'localhost:8080')).toBe(false);
    expect(sameOrigin('https://evil.example', 'localhost:8080')).toBe(false);
    expect(sameOrigin('null', 'localhost:8080')).toBe(false);
  });

  it.each([
    ['POST', { origin: 'https://evil.example' }, 403],
    ['DELETE', { origin: 'null' }, 403],
    ['PUT', { origin: 'http://localhost:81' }, 403],
    ['GET', { origin: 'https://evil.example' }, 200],
    ['POST', { origin: 'http://localhost:80' }, 200],
    ['POST', {}, 200],
    ['POST', { origin: 'https://tapeline.example', 'x-forwarded-host': 'tapeline.example' }, 200],
    ['POST', { origin: 'https://evil.example', 'x-forwarded-host': 'tapeline.example' }, 403],
  ] as const)('may %s with %o: %i', async (method, headers, status) => {
    const instance = fastify();
    refuseForeignPages(instance);
    instance.setErrorHandler((error, _request, reply) =>
      reply.status((error as { status?: number }).status ?? 500).send(),
    );
    instance.all('/', async () => 'done');
    const { statusCode } = await instance.inject({ method, url: '/', headers: { host: 'localhost', ...headers } });
    expect(statusCode).toBe(status);
  });
});
