import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate as breathe } from 'node:timers/promises';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import { answerRest, requestWeight, type RestAnswer } from './binance-rest.js';
import { before, broken, type Connection, type Held, negative, type Spoken, textFor } from './binance-connection.js';
import { controlError, controlResult, readControl, shutdownFrame } from './binance-wire.js';
import type { Fault, Faults } from './faults.js';
import type { Tape, TapeFrame } from './tape.js';

/** The venue's own limits are the defaults. Source: web-socket-streams.md and rest-api.md, see reference/market.md 3.1. */
export type VenueLimits = Readonly<{
  /** REST request weight; Infinity switches it off. */
  weightPerMinute: number;
  /** Pings, pongs and control frames of one connection; one more closes it with 1008. */
  messagesPerSecond: number;
  streamsPerConnection: number;
  /** A connection is closed at this age. */
  connectionLifeMs: number;
  pingEveryMs: number;
  /** A connection whose last answered ping is older is cut. */
  pongWithinMs: number;
  /** A connection that has more bytes waiting is sent nothing until they are gone; nothing is lost by it. */
  bufferedBytes: number;
}>;

export const venueLimits: VenueLimits = {
  weightPerMinute: 6000,
  messagesPerSecond: 5,
  streamsPerConnection: 1024,
  connectionLifeMs: 24 * 60 * 60 * 1000,
  pingEveryMs: 20_000,
  pongWithinMs: 60_000,
  bufferedBytes: 1024 * 1024,
};

export type FaceOptions = Readonly<{
  tape: Tape;
  /** Tape time. */
  nowUs: () => number;
  faults: Faults;
  /** 0 = any free one. */
  port?: number;
  limits?: Partial<VenueLimits>;
  /** A stream that says something was subscribed to. Its place on the tape was taken before this is called. */
  onSubscribed?: () => void;
}>;

export type FaceCounts = Readonly<{
  connections: number;
  framesSent: number;
  tradesSent: number;
  requests: number;
}>;

export interface BinanceFace {
  readonly port: number;
  /** Base of the streams, `ws://127.0.0.1:9443`; `/ws` and `/stream` stand below it. */
  readonly url: string;
  /** Base of REST; `/api/v3` stands below it. */
  readonly restUrl: string;
  readonly counts: FaceCounts;
  /**
   * Sends what has happened since the last call, and looks after pings and ages; to be called every few milliseconds.
   * listeners: connections with a stream that says something. behind: those that could not take all of it.
   * unsettled: those that still have something to come even if the clock stood still.
   */
  pump(): { listeners: number; behind: number; unsettled: number };
  /** Tells every client that the venue is about to go. */
  announceShutdown(): void;
  /** Cuts all connections and frees the port. */
  close(): Promise<void>;
}

/**
 * Binance's spot protocol on one port of 127.0.0.1: streams `@trade` and `@aggTrade` (one trade each here) and whatever a
 * recording has, control frames, public REST. A name nobody knows is acknowledged and silent, as the venue does it.
 * No klines, tickers or books as streams of a market.
 */
export async function startBinanceFace(options: FaceOptions): Promise<BinanceFace> {
  const { tape, nowUs, faults } = options;
  const limits = { ...venueLimits, ...options.limits };
  const counts = { connections: 0, framesSent: 0, tradesSent: 0, requests: 0 };
  const connections = new Set<Connection>();
  const weights = { minute: 0, used: 0 };
  let tradesSaid = 0;
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 64 * 1024 });
  const server = createServer({ maxHeaderSize: 64 * 1024 }, (request, response) => {
    counts.requests++;
    respond(request, response).catch(() => response.destroy());
  });
  server.on('upgrade', upgrade);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;

  return {
    port,
    url: `ws://127.0.0.1:${port}`,
    restUrl: `http://127.0.0.1:${port}`,
    counts,
    pump() {
      const pumped = { listeners: 0, behind: 0, unsettled: 0 };
      const at = nowUs();
      for (const connection of connections) {
        if (!live(connection)) continue;
        const took = deliver(connection, at);
        if (connection.cursors.size === 0 || !connections.has(connection)) continue;
        pumped.listeners++;
        if (!took) pumped.behind++;
        if (!took || connection.held.length > 0 || connection.socket.bufferedAmount > 0) pumped.unsettled++;
      }
      return pumped;
    },
    announceShutdown() {
      for (const { socket, combined, microseconds } of connections)
        socket.send(shutdownFrame(nowUs(), combined, microseconds));
    },
    async close() {
      for (const { socket } of connections) socket.terminate();
      sockets.close();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };

  // ---- REST

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = targetOf(request);
    const used = weigh(requestWeight(pathname));
    const headers = { 'content-type': 'application/json;charset=UTF-8', 'x-mbx-used-weight-1m': String(used) };
    const answer = ({ status, body }: RestAnswer, more: Record<string, string> = {}): void => {
      response.writeHead(status, { ...headers, ...more }).end(JSON.stringify(body));
    };
    if (request.method !== 'GET') return answer({ status: 405, body: {} }, { allow: 'GET' });
    if (used > limits.weightPerMinute) {
      const msg = `Too much request weight used; current limit is ${limits.weightPerMinute} request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.`;
      const waitS = Math.ceil(60 - (Date.now() % 60_000) / 1000);
      return answer({ status: 429, body: { code: -1003, msg } }, { 'retry-after': String(waitS) });
    }
    const microseconds = /^microsecond$/i.test(String(request.headers['x-mbx-time-unit'] ?? ''));
    const steps = answerRest(tape, nowUs(), pathname, searchParams, microseconds);
    for (;;) {
      const step = steps.next();
      if (step.done) return answer(step.value);
      await breathe();
      if (response.destroyed) return;
    }
  }

  function weigh(weight: number): number {
    const minute = Math.floor(Date.now() / 60_000);
    if (minute !== weights.minute) Object.assign(weights, { minute, used: 0 });
    return (weights.used += weight);
  }

  // ---- connections

  function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { pathname, searchParams } = targetOf(request);
    const combined = pathname === '/stream';
    const raw = /^\/ws(?:\/(.*))?$/.exec(pathname.replaceAll('%40', '@'));
    const streams = (combined ? (searchParams.get('streams') ?? '') : (raw?.[1] ?? '')).split('/').filter(Boolean);
    if (!combined && !raw) return refuse(socket, '404 Not Found');
    if (streams.length > limits.streamsPerConnection) return refuse(socket, '400 Bad Request');
    const microseconds = /^microsecond$/i.test(searchParams.get('timeUnit') ?? '');
    sockets.handleUpgrade(request, socket, head, (opened) => open(opened, combined, microseconds, streams));
  }

  function open(socket: WebSocket, combined: boolean, microseconds: boolean, streams: readonly string[]): void {
    const nowMs = Date.now();
    const connection: Connection = {
      socket,
      combined,
      microseconds,
      streams: new Set(),
      cursors: new Map(),
      held: [],
      gaps: new Map(),
      silentUntilMs: 0,
      openedMs: nowMs,
      pingedMs: nowMs,
      pongedMs: nowMs,
      heardMs: [],
    };
    connections.add(connection);
    counts.connections++;
    const heard = (act: () => void): void => {
      if (withinRate(connection)) act();
    };
    socket.on('message', (data) => heard(() => control(connection, textOf(data))));
    socket.on('ping', () => heard(() => undefined));
    socket.on('pong', (data) =>
      heard(() => {
        // an unsolicited pong does not keep the connection alive
        if (data.toString() === String(connection.pingedMs)) connection.pongedMs = Date.now();
      }),
    );
    socket.on('error', () => undefined);
    socket.on('close', () => connections.delete(connection));
    subscribe(connection, streams);
  }

  function withinRate(connection: Connection): boolean {
    const nowMs = performance.now();
    connection.heardMs = connection.heardMs.filter((at) => at > nowMs - 1000);
    connection.heardMs.push(nowMs);
    if (connection.heardMs.length <= limits.messagesPerSecond) return true;
    cut(connection, () => connection.socket.close(1008, 'Too many requests'));
    return false;
  }

  function control(connection: Connection, text: string): void {
    const request = readControl(text);
    const { socket, streams } = connection;
    switch (request.method) {
      case 'refused':
        return socket.send(request.answer);
      case 'SUBSCRIBE':
        if (new Set([...streams, ...request.streams]).size > limits.streamsPerConnection)
          return socket.send(controlError(2, 'Invalid request: too many parameters'));
        socket.send(controlResult(null, request.id));
        return subscribe(connection, request.streams);
      case 'UNSUBSCRIBE':
        for (const stream of request.streams) {
          streams.delete(stream);
          connection.cursors.delete(stream);
        }
        connection.held = connection.held.filter(({ stream }) => streams.has(stream));
        return socket.send(controlResult(null, request.id));
      case 'LIST_SUBSCRIPTIONS':
        return socket.send(controlResult([...streams], request.id));
      case 'GET_PROPERTY':
        return socket.send(controlResult(connection.combined, request.id));
      case 'SET_PROPERTY':
        connection.combined = request.combined;
        return socket.send(controlResult(null, request.id));
    }
  }

  function subscribe(connection: Connection, streams: readonly string[]): void {
    const at = nowUs();
    for (const stream of streams) {
      if (connection.streams.has(stream)) continue;
      connection.streams.add(stream);
      const cursor = tape.cursorAt(stream, at);
      if (cursor !== undefined) connection.cursors.set(stream, cursor);
    }
    if (connection.cursors.size > 0) options.onSubscribed?.();
  }

  /** Pings when it is time; false when the connection is no more. */
  function live(connection: Connection): boolean {
    const nowMs = Date.now();
    const { socket } = connection;
    if (nowMs - connection.openedMs >= limits.connectionLifeMs) cut(connection, () => socket.close(1001, 'Too old'));
    else if (nowMs - connection.pongedMs >= limits.pongWithinMs) cut(connection, () => socket.terminate());
    else if (nowMs - connection.pingedMs >= limits.pingEveryMs) {
      connection.pingedMs = nowMs;
      socket.ping(String(nowMs));
    }
    return connections.has(connection);
  }

  function cut(connection: Connection, how: () => void): void {
    connections.delete(connection);
    how();
  }

  // ---- delivery

  /** True when the connection has all that was to be said by now. */
  function deliver(connection: Connection, at: number): boolean {
    const { socket } = connection;
    if (socket.bufferedAmount > limits.bufferedBytes || Date.now() < connection.silentUntilMs) return false;
    const { frames, more } = due(connection, at);
    for (const { stream, frame } of frames) {
      connection.cursors.set(stream, frame.cursor);
      if (!say(connection, stream, frame, at)) return false;
    }
    release(connection, at);
    return !more;
  }

  /** What the connection's streams have to say, in the order it happened; at most A_STREAM_AT_ONCE of each. */
  function due(connection: Connection, at: number): { frames: Spoken[]; more: boolean } {
    let spoken: Spoken[] = [];
    let horizon: TapeFrame | undefined;
    for (const [stream, cursor] of connection.cursors) {
      const frames = tape.framesAfter(stream, cursor, A_STREAM_AT_ONCE, at);
      const last = frames.at(-1);
      if (last && frames.length === A_STREAM_AT_ONCE && (!horizon || before(last, horizon) < 0)) horizon = last;
      for (const frame of frames) spoken.push({ stream, frame });
    }
    if (connection.cursors.size > 1) spoken.sort((a, b) => before(a.frame, b.frame));
    const until = horizon;
    if (until) spoken = spoken.filter(({ frame }) => before(frame, until) <= 0);
    return { frames: spoken, more: until !== undefined };
  }

  /** Sends one frame with whatever goes wrong with it; false when nothing more can be sent now. */
  function say(connection: Connection, stream: string, frame: TapeFrame, at: number): boolean {
    const strikes = frame.trade ? struck(connection, stream, frame) : NOTHING;
    if (strikes.length === 0) {
      send(connection, stream, frame, at);
      return true;
    }
    const by = <K extends Fault['kind']>(kind: K): Extract<Fault, { kind: K }> | undefined =>
      strikes.find((fault): fault is Extract<Fault, { kind: K }> => fault.kind === kind);

    if (by('disconnect')) {
      cut(connection, () => connection.socket.terminate());
      return false;
    }
    const gap = by('gap');
    if (gap) connection.gaps.set(stream, gap.trades - 1);
    if (by('badFrame')) sendText(connection, broken(textFor(connection, stream, frame, at)));
    if (by('negative')) sendText(connection, textFor(connection, stream, negative(frame), at));
    if (!gap && !by('drop')) {
      const late = by('reorder');
      for (let copies = by('repeat') ? 2 : 1; copies > 0; copies--) {
        if (late) connection.held.push({ stream, frame, dueUs: frame.atUs + late.lateUs });
        else send(connection, stream, frame, at);
      }
    }
    const stall = by('stall');
    if (stall) connection.silentUntilMs = Date.now() + stall.forMs;
    return !stall;
  }

  function struck(connection: Connection, stream: string, frame: TapeFrame): readonly Fault[] {
    const gap = connection.gaps.get(stream) ?? 0;
    if (gap > 0) {
      connection.gaps.set(stream, gap - 1);
      return DROPPED;
    }
    // a recording's places are fixed; in a market they are counted as they come
    return faults.strike(stream, frame.order, tape.session ? frame.order : tradesSaid++);
  }

  /** Held frames whose time has come; at the end of a session nothing is held back. */
  function release(connection: Connection, at: number): void {
    if (connection.held.length === 0) return;
    const over = tape.session !== undefined && at >= tape.session.toUs;
    const [now, later]: [Held[], Held[]] = [[], []];
    for (const held of connection.held) (over || held.dueUs <= at ? now : later).push(held);
    connection.held = later;
    now.sort((a, b) => a.dueUs - b.dueUs);
    for (const { stream, frame } of now) send(connection, stream, frame, at);
  }

  function send(connection: Connection, stream: string, frame: TapeFrame, at: number): void {
    sendText(connection, textFor(connection, stream, frame, at));
    if (frame.trade) counts.tradesSent++;
  }

  function sendText({ socket }: Connection, text: string): void {
    socket.send(text);
    counts.framesSent++;
  }
}

const A_STREAM_AT_ONCE = 500;
const NOTHING: readonly Fault[] = [];
const DROPPED: readonly Fault[] = [{ kind: 'drop' }];

/** A target that is no URL leads nowhere. */
function targetOf(request: IncomingMessage): URL {
  const target = request.url ?? '/';
  return new URL(URL.canParse(target, 'http://venue') ? target : '/', 'http://venue');
}

function refuse(socket: Duplex, status: string): void {
  socket.on('error', () => undefined);
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function textOf(data: RawData): string {
  return (Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer)).toString();
}
