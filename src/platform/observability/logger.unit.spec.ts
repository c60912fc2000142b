import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import pino from 'pino';
import { type Options, pinoHttp } from 'pino-http';
import { expect, it } from 'vitest';
import { loggerParams } from './logger.js';

it('a request is logged without signatures and credentials, whatever their names', async () => {
  const line = Promise.withResolvers<string>();
  const logger = pino({ level: 'debug' }, { write: line.resolve });
  const log = pinoHttp(loggerParams(logger).pinoHttp as Options);
  const server = createServer((request, response) => {
    log(request, response);
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const names = ['authorization', 'cookie', 'x-api-key', 'x-hub-signature-256', 'x-hub-signature', 'webhook-signature'];
  const headers = Object.fromEntries([...names, 'cf-access-jwt-assertion', 'x-password'].map((name) => [name, 'hush']));
  get({ port, path: '/webhook/github?a=1', headers: { ...headers, 'x-github-event': 'ping' } });
  const told = await line.promise;
  server.close();
  expect(told).not.toContain('hush');
  expect(JSON.parse(told).req).toMatchObject({
    method: 'GET',
    url: '/webhook/github?a=1',
    headers: { host: `localhost:${port}`, 'x-github-event': 'ping' },
  });
});
