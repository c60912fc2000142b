import { once } from 'node:events';
import { context, trace } from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { type SocketListener, VenueSocket } from './venue-socket.service.js';

const sdk = new NodeSDK({ autoDetectResources: false, spanProcessors: [], metricReaders: [], logRecordProcessors: [] });
let server: WebSocketServer;
let url: string;

beforeAll(async () => {
  sdk.start();
  server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  url = `ws://127.0.0.1:${(server.address() as { port: number }).port}`;
});

afterAll(async () => {
  server.close();
  await sdk.shutdown();
});

const nothing = (): void => undefined;
const deaf: SocketListener = { opened: nothing, subscribed: nothing, frame: nothing, closed: nothing };
const open = (at: string, frames: readonly string[], listener: Partial<SocketListener>): VenueSocket =>
  new VenueSocket({ url: at, frames, sendEveryMs: 0 }, { ...deaf, ...listener });

describe('the socket of a venue', () => {
  it('hears frames outside of the trace in which it was opened', async () => {
    server.once('connection', (client) => client.send('a frame'));
    const traced = await new Promise<[boolean, boolean]>((resolve) => {
      trace.getTracer('spec').startActiveSpan('opening', (span) => {
        const whileOpening = trace.getSpan(context.active()) !== undefined;
        const socket = open(url, [], {
          frame: () => {
            resolve([whileOpening, trace.getSpan(context.active()) !== undefined]);
            socket.close('done');
          },
        });
        span.end();
      });
    });
    expect(traced).toEqual([true, false]);
  });

  it('sends its frames once open, and says once why and after how long it closed', async () => {
    server.once('connection', (client) =>
      client.once('message', (data: Buffer) => client.close(1008, `had ${data.toString()}`)),
    );
    const closed = await new Promise<{ reason: string; livedMs: number }>((resolve) => {
      open(url, ['SUBSCRIBE'], { closed: (reason, livedMs) => resolve({ reason, livedMs }) });
    });
    expect(closed.reason).toBe('closed with 1008 (had SUBSCRIBE)');
  });

  it('says that nobody answered', async () => {
    const reason = await new Promise<string>((resolve) => {
      open('ws://127.0.0.1:1', [], { closed: resolve });
    });
    expect(reason).toContain('ECONNREFUSED');
  });
});
