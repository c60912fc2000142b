import { connect, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { AppError } from '../errors/index.js';
import { type BodyGate, serveRawBodies } from './raw-body.js';

class Open {}
const sockets: Socket[] = [];
let instance: FastifyInstance;
let heard: Buffer[];

async function start(withinMs?: number): Promise<number> {
  heard = [];
  instance = fastify({ forceCloseConnections: true });
  const gate: BodyGate = {
    admit: ({ headers }) => {
      if (headers.refuse !== undefined) throw new AppError('http.unauthorized', 'refused by its headers');
      return { hear: (chunk) => void heard.push(Buffer.from(chunk)) };
    },
  };
  serveRawBodies(instance, () => gate, withinMs);
  instance.setErrorHandler((error, _request, reply) =>
    reply.status((error as { status?: number; statusCode?: number }).status ?? 500).send({ error: String(error) }),
  );
  const config = { rawBody: { limitBytes: 4 * 1024 * 1024, gate: Open } };
  instance.post('/raw', { config }, async ({ body }) => ({ bytes: (body as Buffer).length }));
  await instance.listen({ port: 0, host: '127.0.0.1' });
  return (instance.server.address() as AddressInfo).port;
}

/** Sends the head of a request, and of the body only what is given; the status, once it is answered. */
function begin(
  port: number,
  bytes: number,
  { more = '', body = '' } = {},
): { socket: Socket; status: Promise<number> } {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined);
  socket.write(
    `POST /raw HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${bytes}\r\n${more}\r\n`,
  );
  socket.write(body);
  const status = new Promise<number>((resolve) => {
    socket.once('data', (data) => resolve(Number(data.toString().split(' ')[1])));
    socket.once('close', () => resolve(0));
  });
  return { socket, status };
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await instance.close();
});

describe('a raw body', () => {
  it('is heard as it comes, in pieces, and handed over whole', async () => {
    const port = await start();
    const body = Buffer.alloc(3 * 1024 * 1024, 'abc');
    const answer = await fetch(`http://127.0.0.1:${port}/raw`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });
    expect(await answer.json()).toEqual({ bytes: body.length });
    expect(Buffer.concat(heard).equals(body)).toBe(true);
    expect(Math.max(...heard.map(({ length }) => length))).toBeLessThanOrEqual(64 * 1024);
  });

  it('is refused by its headers before any of it came', async () => {
    const port = await start();
    expect(await begin(port, 4_000_000, { more: 'refuse: me\r\n' }).status).toBe(401);
    expect(heard).toEqual([]);
  });

  it('has to wait when eight large ones are under way, a small one has not', async () => {
    const port = await start();
    const large = Array.from({ length: 8 }, () => begin(port, 1_000_000, { body: '{' }));
    while (heard.length < 8) await new Promise((resolve) => setImmediate(resolve));
    expect(await begin(port, 1_000_000).status).toBe(503);
    expect(await begin(port, 2, { body: '{}' }).status).toBe(200);
    large[0]!.socket.destroy();
    while ((await begin(port, 300_000, { body: 'x'.repeat(300_000) }).status) !== 200);
  });

  it('that is not sent in time is answered, and its connection ended', async () => {
    const port = await start(50);
    const { status, socket } = begin(port, 1000, { body: '{' });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    expect(await status).toBe(408);
    await closed;
    expect(await begin(port, 1000, { more: 'refuse: me\r\n' }).status).toBe(401);
  });
});
