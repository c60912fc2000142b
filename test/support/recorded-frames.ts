import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type RawData, WebSocketServer } from 'ws';

const MARKET = join(import.meta.dirname, '../../../shared/data/market');

/** Whether the recordings of Coinbase and Finnhub are at hand. */
export const RECORDED_VENUES: boolean =
  existsSync(join(MARKET, 'coinbase-exchange')) && existsSync(join(MARKET, 'finnhub'));

/** Every frame that was received in the Coinbase session, of whatever type; its lines are `time: frame`. */
export const coinbaseFrames = (): string[] =>
  linesOf('coinbase-exchange/COINBASE.ws.28.0').flatMap((line) => /^\d+\.\d+: (.+)$/.exec(line)?.[1] ?? []);

/** Finnhub's frames, one a line. */
export const finnhubFrames = (): string[] =>
  ['finnhub/spy_issue42_2020-04-24.jsonl', 'finnhub/tsla_aapl_2022-12-29.jsonl'].flatMap(linesOf);

export type FrameServer = Readonly<{
  wsUrl: string;
  restUrl: string;
  /** What the client connected to and sent, in order. */
  paths: readonly string[];
  heard: readonly string[];
  close(): Promise<void>;
}>;

/**
 * A venue that sends `frames` as they are, once, to the first client that has sent `subscriptions` frames, and is silent
 * from then on. Over REST it knows nothing: 404.
 */
export async function serveFrames(frames: readonly string[], subscriptions: number): Promise<FrameServer> {
  const [paths, heard]: string[][] = [[], []];
  const http = createServer((_request, response) => response.writeHead(404).end('{"message":"NotFound"}'));
  const sockets = new WebSocketServer({ server: http });
  sockets.on('connection', (socket, request) => {
    paths!.push(request.url!);
    socket.on('message', (data: RawData) => {
      heard!.push((data as Buffer).toString());
      if (heard!.length === subscriptions) for (const frame of frames) socket.send(frame);
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const host = `127.0.0.1:${(http.address() as AddressInfo).port}`;
  return {
    wsUrl: `ws://${host}`,
    restUrl: `http://${host}`,
    paths: paths!,
    heard: heard!,
    async close() {
      for (const socket of sockets.clients) socket.terminate();
      const closed = once(http, 'close');
      http.close();
      http.closeAllConnections();
      await closed;
    },
  };
}

const linesOf = (file: string): string[] =>
  readFileSync(join(MARKET, file), 'utf8')
    .split('\n')
    .filter((line) => line !== '');
