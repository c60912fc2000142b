import type { IncomingMessage, Server } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type BeforeApplicationShutdown, Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { Settings } from '../platform/config/index.js';
import { AppError, badParameter } from '../platform/errors/index.js';
import { problemOf, sameOrigin } from '../platform/http/index.js';
import { correlationIdOf } from '../platform/observability/index.js';
import { Audiences } from './audiences.js';
import { type Filter, listedSymbols, MAX_SYMBOLS, NOTHING, subscribed, unsubscribed } from './filter.js';
import { STREAM_LIMITS, type StreamLimits } from './limits.js';
import type { Publication } from './published.js';
import { isLoopback, socketRoute } from './socket-route.js';
import { type CutReason, StreamClients } from './stream-clients.service.js';
import { MAX_MESSAGE_BYTES, parseSubscription, type Subscription, tooManySymbols } from './subscription.js';

/** Frames above this end the connection; smaller ones that are still too large get an error. */
const MAX_FRAME_BYTES = 4 * MAX_MESSAGE_BYTES;
/** A batch above this goes out as several arrays. */
const MAX_ARRAY_CHARACTERS = 256 * 1024;
const CHECKS_PER_PING = 4;

const CLOSE: Readonly<Record<CutReason, { code: number; text: string }>> = {
  'too-slow': { code: 1008, text: 'too slow' },
  'no-pong': { code: 1008, text: 'no pong' },
  shutdown: { code: 1001, text: 'shutdown' },
};

type WsClient = {
  readonly socket: WebSocket;
  /** Absent where the path says it all and messages are not taken. */
  subscription?: Filter;
  pingedMs: number;
  pongedMs: number;
};

/** WebSockets on the HTTP server's own port: `/ws`, `/ws/price/{symbol}`, `/ws/ohlcv/{symbol}`. */
@Injectable()
export class WebSocketGateway implements OnModuleInit, BeforeApplicationShutdown {
  private readonly server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_FRAME_BYTES,
  });
  private readonly clients = new Set<WsClient>();
  /** Told to go, not gone yet. */
  private readonly leaving = new Set<WebSocket>();
  private readonly audiences = new Audiences<WsClient>(
    (group) => group.ws(),
    (clients, texts, counts) => this.deliver(clients, texts, counts),
  );
  private flushDue: NodeJS.Timeout | undefined;
  private flushedMs = 0;
  private oldestReceivedUs = Infinity;
  private tradesSent = false;
  private checks: NodeJS.Timeout | undefined;

  constructor(
    private readonly host: HttpAdapterHost,
    private readonly live: StreamClients,
    private readonly settings: Settings,
    @Inject(STREAM_LIMITS) private readonly limits: StreamLimits,
  ) {}

  onModuleInit(): void {
    const server = this.host.httpAdapter.getHttpServer() as Server;
    // Other upgrades (Java's HTTP client offers h2c with every request) stay plain requests where Node (24.9) can do that.
    Object.assign(server, {
      shouldUpgradeCallback: ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === 'websocket',
    });
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on('error', () => socket.destroy());
      try {
        this.accept(request, socket, head);
      } catch (error) {
        refuse(request, socket, error as Error);
      }
    });
    this.checks = setInterval(() => this.check(), this.limits.pingEveryMs / CHECKS_PER_PING).unref();
  }

  get isEmpty(): boolean {
    return this.clients.size === 0;
  }

  offer(publication: Publication): void {
    this.audiences.offer(publication.groups);
    if (publication.receivedUs !== undefined) {
      this.oldestReceivedUs = Math.min(this.oldestReceivedUs, publication.receivedUs);
    }
    const waitMs = Math.max(0, this.flushedMs + this.limits.batchMs - performance.now());
    this.flushDue ??= setTimeout(() => this.flush(), waitMs);
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.checks);
    clearTimeout(this.flushDue);
    this.flush();
    this.live.takeNoMore();
    for (const socket of this.leaving) socket.terminate();
    await Promise.all([...this.clients].map((client) => this.cut(client, 'shutdown')));
  }

  private accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { headers, url = '/' } = request;
    const route = socketRoute(url);
    if (route.kind === 'unknown') {
      throw new AppError('http.not-found', 'WebSockets are at /ws, /ws/price/{symbol} and /ws/ohlcv/{symbol}');
    }
    if (route.kind === 'fault') throw badParameter(route.field, route.message);
    if (headers.upgrade?.toLowerCase() !== 'websocket') {
      throw new AppError('stream.bad-request', 'only WebSocket upgrades are taken');
    }
    if (isLoopback(this.settings.HOST) && !sameOrigin(headers.origin, headers.host)) {
      throw new AppError('stream.foreign-origin', `a page of ${headers.origin} may not open a WebSocket here`);
    }
    this.live.assertRoom();
    this.server.handleUpgrade(request, socket, head, (opened) => {
      this.open(opened, route.kind === 'fixed' ? route.filter : undefined);
    });
  }

  private open(socket: WebSocket, fixed: Filter | undefined): void {
    const now = performance.now();
    const client: WsClient = { socket, pingedMs: now, pongedMs: now, ...(fixed ? {} : { subscription: NOTHING }) };
    this.clients.add(client);
    this.live.opened('ws');
    socket.on('close', () => this.remove(client));
    socket.on('error', () => undefined); // a close always follows
    socket.on('pong', () => (client.pongedMs = performance.now()));
    socket.on('message', (data, isBinary) => this.onMessage(client, data, isBinary));
    if (fixed) this.audiences.join(client, fixed);
  }

  private onMessage(client: WsClient, data: RawData, isBinary: boolean): void {
    if (!this.clients.has(client)) return;
    const wish = client.subscription ? wishOf(data, isBinary) : 'this path takes no messages; use /ws to subscribe';
    const fault = typeof wish === 'string' ? wish : this.subscribe(client, wish);
    if (fault !== undefined)
      this.write(client, JSON.stringify({ type: 'error', code: 'stream.bad-request', message: fault }));
    else if (typeof wish !== 'string') this.write(client, JSON.stringify({ type: 'ack', ...wish }));
  }

  /** Returns in words why not, if not. */
  private subscribe(client: WsClient, { action, symbols, types }: Subscription): string | undefined {
    const filter = (action === 'subscribe' ? subscribed : unsubscribed)(client.subscription!, types, symbols);
    if (listedSymbols(filter) > MAX_SYMBOLS) return tooManySymbols(listedSymbols(filter));
    client.subscription = filter;
    if (filter.symbolsOf.size > 0) this.audiences.join(client, filter);
    else this.audiences.leave(client);
    return undefined;
  }

  private flush(): void {
    this.flushDue = undefined;
    this.flushedMs = performance.now();
    this.audiences.flush();
    if (this.tradesSent) this.live.published('ws', this.oldestReceivedUs);
    this.oldestReceivedUs = Infinity;
    this.tradesSent = false;
  }

  private deliver(clients: ReadonlySet<WsClient>, texts: readonly string[], counts: ReadonlyMap<string, number>): void {
    const messages = arrays(texts);
    this.live.sent('ws', counts, clients.size);
    if (counts.has('trade')) this.tradesSent = true;
    for (const client of clients) for (const message of messages) this.write(client, message);
  }

  private write(client: WsClient, message: string | Buffer): void {
    if (!this.clients.has(client)) return;
    if (client.socket.bufferedAmount > this.limits.bufferedBytes) void this.cut(client, 'too-slow');
    else client.socket.send(message, { binary: false });
  }

  private check(): void {
    const now = performance.now();
    for (const client of this.clients) {
      if (now - client.pongedMs >= this.limits.pongWithinMs) {
        void this.cut(client, 'no-pong');
      } else if (now - client.pingedMs >= this.limits.pingEveryMs) {
        client.pingedMs = now;
        client.socket.ping();
      }
    }
  }

  private async cut(client: WsClient, reason: CutReason): Promise<void> {
    this.remove(client);
    this.live.cut('ws', reason);
    const { socket } = client;
    this.leaving.add(socket);
    const graceMs = reason === 'shutdown' ? this.limits.shutdownMs : this.limits.goodbyeMs;
    const impatience = setTimeout(() => socket.terminate(), graceMs);
    const closed = new Promise<void>((resolve) => socket.once('close', resolve));
    socket.close(CLOSE[reason].code, CLOSE[reason].text);
    await closed;
    clearTimeout(impatience);
    this.leaving.delete(socket);
  }

  private remove(client: WsClient): void {
    if (!this.clients.delete(client)) return;
    this.audiences.leave(client);
    this.live.closed('ws');
  }
}

/** Answers an upgrade with a problem, as any other request would be. */
function refuse(request: IncomingMessage, socket: Duplex, thrown: Error): void {
  const error = thrown instanceof AppError ? thrown : new AppError('http.internal', thrown.message, { cause: thrown });
  const correlationId = correlationIdOf(request);
  const problem = problemOf(error, request.url?.split('?')[0] ?? '/', correlationId);
  const body = Buffer.from(JSON.stringify(problem));
  const head = [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
    'content-type: application/problem+json; charset=utf-8',
    `content-length: ${body.length}`,
    `x-correlation-id: ${correlationId}`,
    ...(error.status === 503 ? ['retry-after: 5'] : []),
    'connection: close',
  ];
  socket.end(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]));
}

function wishOf(data: RawData, isBinary: boolean): Subscription | string {
  if (isBinary) return 'messages are text frames';
  const frame = data as Buffer; // ws gives text as one Buffer
  if (frame.length > MAX_MESSAGE_BYTES)
    return `the message has ${frame.length} bytes, ${MAX_MESSAGE_BYTES} are allowed`;
  return parseSubscription(frame.toString());
}

/** JSON arrays of the joined objects, encoded once for all who get them. */
function arrays(texts: readonly string[]): Buffer[] {
  const messages: Buffer[] = [];
  let part: string[] = [];
  let characters = 0;
  const close = (): void => {
    if (part.length > 0) messages.push(Buffer.from(`[${part.join(',')}]`));
    part = [];
    characters = 0;
  };
  for (const text of texts) {
    if (characters + text.length > MAX_ARRAY_CHARACTERS) close();
    part.push(text);
    characters += text.length;
  }
  close();
  return messages;
}
