import { createServer, type IncomingMessage, STATUS_CODES } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import type { Connection } from './connection.js';
import { Delivery } from './delivery.js';
import type { Face, Opened, Reply, Scene, VenueLimits } from './faces/face.js';
import { type FaultOf, faultAmong, type Faults } from './faults.js';
import type { Tape } from './tape.js';
import { restOf, targetOf } from './venue-rest.server.js';

export type VenueOptions = Readonly<{
  face: Face;
  tape: Tape;
  /** Tape time. */
  nowUs: () => number;
  faults: Faults;
  /** 0 = any free one. */
  port?: number;
  /** In place of the venue's own. */
  limits?: Partial<VenueLimits>;
  /** The key the venue accepts, where it wants one; any unless given. */
  key?: string;
  /** A stream that says something was subscribed to. Its place on the tape was taken before this is called. */
  onSubscribed?: () => void;
}>;

export type VenueCounts = Readonly<{
  /** Handshakes that were begun, refused ones too. */
  attempts: number;
  connections: number;
  /** Text frames, answers and beats among them. */
  framesSent: number;
  tradesSent: number;
  requests: number;
}>;

export interface Venue {
  readonly port: number;
  /** Base of the streams, `ws://127.0.0.1:9443`; the venue's paths stand below it. */
  readonly url: string;
  /** Base of REST. */
  readonly restUrl: string;
  /** What it serves, in the venue's spelling. */
  readonly symbols: readonly string[];
  readonly counts: VenueCounts;
  /**
   * Sends what has happened since the last call, and looks after pings, beats and ages; to be called every few
   * milliseconds. listeners: connections with a stream that says something. behind: those that could not take all of it.
   * unsettled: those that still have something to come even if the clock stood still.
   */
  pump(): { listeners: number; behind: number; unsettled: number };
  /** Tells every client that the venue is about to go, where it has words for that. */
  announceShutdown(): void;
  /** Cuts all connections and frees the port. */
  close(): Promise<void>;
}

const FIVE_MINUTES_MS = 300_000;

/** A tape behind a venue's protocol on one port of 127.0.0.1, with the venue's limits and whatever goes wrong there. */
export async function startVenue(options: VenueOptions): Promise<Venue> {
  const { face, tape, nowUs, faults, key } = options;
  const limits = { ...face.limits, ...options.limits };
  const counts = { attempts: 0, connections: 0, framesSent: 0, tradesSent: 0, requests: 0 };
  const connections = new Set<Connection>();
  const tapeSymbols = new Map<string, string>();
  for (const { symbol } of tape.instruments) {
    const spelling = face.spelling(symbol);
    if (spelling !== undefined) tapeSymbols.set(spelling, symbol);
  }
  const symbols = [...tapeSymbols.keys()];
  const find = (symbol: string): string | undefined => tapeSymbols.get(symbol);
  const refusedOnce = new Set<string>();
  let attemptsMs: number[] = [];

  const delivery = new Delivery({ face, tape, faults, limits, counts, end });
  const respond = restOf({
    rest: face.rest,
    limits,
    faults,
    market: () => ({ tape, nowUs: nowUs(), symbols, find }),
  });
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: 64 * 1024,
    autoPong: false,
  });
  /** Handshakes that wait. */
  const waiting = new Map<NodeJS.Timeout, Duplex>();
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
    symbols,
    counts,
    pump() {
      const pumped = { listeners: 0, behind: 0, unsettled: 0 };
      const atUs = nowUs();
      for (const connection of connections) {
        if (!isAlive(connection)) continue;
        const took = delivery.deliver(connection, atUs);
        beat(connection);
        if (connection.streams.size === 0 || connection.isMute || !connections.has(connection)) continue;
        pumped.listeners++;
        if (!took) pumped.behind++;
        if (!took || connection.held.length > 0 || connection.socket.bufferedAmount > 0) pumped.unsettled++;
      }
      return pumped;
    },
    announceShutdown() {
      if (!face.shutdown) return;
      for (const connection of connections)
        if (!connection.isMute) delivery.send(connection, face.shutdown(connection.talk, nowUs()));
    },
    async close() {
      for (const [timer, socket] of waiting) {
        clearTimeout(timer);
        socket.destroy();
      }
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };

  // ---- handshakes

  function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    counts.attempts++;
    socket.on('error', () => undefined);
    if (!withinAttempts()) return refuse(socket, 429);
    const strikes = faults.strikeNext('handshake');
    const refused = faultAmong(strikes, 'refusedHandshake');
    if (refused) return refuse(socket, refused.status);
    const accept = (): void => handshake(request, socket, head, faultAmong(strikes, 'closeAtOpen'));
    const slow = faultAmong(strikes, 'slowHandshake');
    if (!slow) return accept();
    const timer = setTimeout(() => {
      waiting.delete(timer);
      accept();
    }, slow.byMs);
    waiting.set(timer, socket);
  }

  function withinAttempts(): boolean {
    if (limits.attemptsPer5Min === Infinity) return true;
    const nowMs = performance.now();
    attemptsMs = attemptsMs.filter((at) => at > nowMs - FIVE_MINUTES_MS);
    attemptsMs.push(nowMs);
    return attemptsMs.length <= limits.attemptsPer5Min;
  }

  function handshake(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    closed: FaultOf<'closeAtOpen'> | undefined,
  ): void {
    const at = scene();
    const opened = face.open(targetOf(request), at);
    if ('status' in opened) return refuse(socket, opened.status);
    sockets.handleUpgrade(request, socket, head, (accepted) => {
      const connection = join(accepted, opened);
      if (closed) return end(connection, closed.code, '');
      if (isExclusive(connection)) obey(connection, opened, at);
    });
  }

  /** False when another one has the same key: then both are dropped. */
  function isExclusive(connection: Connection): boolean {
    const { exclusiveKey } = connection;
    const same = [...connections].filter((each) => exclusiveKey !== undefined && each.exclusiveKey === exclusiveKey);
    if (same.length <= 1) return true;
    for (const each of same) end(each, 1006, '');
    return false;
  }

  // ---- connections

  function join(socket: WebSocket, { talk, exclusiveKey }: Opened<unknown>): Connection {
    const nowMs = Date.now();
    const connection: Connection = {
      socket,
      talk,
      exclusiveKey,
      streams: new Map(),
      held: [],
      gaps: new Map(),
      sequence: 0,
      silentUntilMs: 0,
      isMute: false,
      openedMs: nowMs,
      endsMs: nowMs + limits.connectionLifeMs,
      spokeMs: nowMs,
      toldMs: nowMs,
      beatMs: (face.beats ?? []).map(() => nowMs),
      pingedMs: nowMs,
      pongedMs: nowMs,
      heardMs: [],
    };
    connections.add(connection);
    counts.connections++;
    const heard = (act: () => void): void => {
      if (connections.has(connection) && !connection.isMute && withinRate(connection)) act();
    };
    socket.on('message', (data) =>
      heard(() => {
        const at = scene();
        obey(connection, face.hear(talk, textOf(data), at), at);
      }),
    );
    socket.on('ping', (data) => heard(() => socket.pong(data)));
    socket.on('pong', (data) =>
      heard(() => {
        // an unsolicited pong does not keep the connection alive
        if (data.toString() === String(connection.pingedMs)) connection.pongedMs = Date.now();
      }),
    );
    socket.on('error', () => undefined);
    socket.on('close', () => connections.delete(connection));
    return connection;
  }

  function withinRate(connection: Connection): boolean {
    const nowMs = performance.now();
    connection.heardMs = connection.heardMs.filter((at) => at > nowMs - 1000);
    connection.heardMs.push(nowMs);
    if (connection.heardMs.length <= limits.messagesPerSecond) return true;
    end(connection, 1008, 'Too many requests');
    return false;
  }

  function scene(): Scene {
    return { tape, nowUs: nowUs(), limits, symbols, find: findUnlessRefused, ...(key !== undefined && { key }) };
  }

  function findUnlessRefused(symbol: string): string | undefined {
    const found = find(symbol);
    if (found === undefined || refusedOnce.delete(symbol)) return found;
    if (!faultAmong(faults.strikeNext('symbol'), 'refusedSymbol')) return found;
    refusedOnce.add(symbol);
    return undefined;
  }

  /** Does what the face said at that moment. */
  function obey(connection: Connection, reply: Reply, { nowUs: atUs }: Scene): void {
    const { texts = [], subscribe = [], unsubscribe = [], close } = reply;
    const { streams } = connection;
    for (const text of texts) delivery.send(connection, text);
    for (const stream of unsubscribe) streams.delete(stream);
    if (unsubscribe.length > 0) connection.held = connection.held.filter(({ stream }) => streams.has(stream));
    for (const { stream, symbol } of subscribe) {
      if (streams.has(stream)) continue;
      const cursor = tape.cursorAt(stream, atUs);
      if (cursor !== undefined) streams.set(stream, { stream, symbol, cursor });
    }
    if (close) end(connection, close.code, close.reason);
    else if (subscribe.length > 0 && streams.size > 0) options.onSubscribed?.();
  }

  /** Pings when it is time; false when the connection is no more. */
  function isAlive(connection: Connection): boolean {
    const nowMs = Date.now();
    const { socket, talk, openedMs, spokeMs } = connection;
    const expired = face.expires?.(talk, nowMs - openedMs, nowMs - spokeMs);
    if (expired) end(connection, expired.code, expired.reason);
    else if (nowMs >= connection.endsMs) end(connection, 1001, 'Too old');
    else if (connection.isMute) return true;
    else if (nowMs - connection.pongedMs >= limits.pongWithinMs) end(connection, 1006, '');
    else if (nowMs - connection.pingedMs >= limits.pingEveryMs) {
      connection.pingedMs = nowMs;
      socket.ping(String(nowMs));
    }
    return connections.has(connection);
  }

  function beat(connection: Connection): void {
    const nowMs = Date.now();
    if (!face.beats || !connections.has(connection) || delivery.isHeldUp(connection, nowMs)) return;
    face.beats.forEach((each, i) => {
      const sinceMs = each.whenQuiet ? Math.max(connection.spokeMs, connection.beatMs[i]!) : connection.beatMs[i]!;
      if (nowMs - sinceMs < each.everyMs) return;
      connection.beatMs[i] = nowMs;
      for (const text of each.texts(connection.talk, scene())) delivery.send(connection, text);
    });
  }

  function end(connection: Connection, code: number, reason: string): void {
    connections.delete(connection);
    if (code === 1006) connection.socket.terminate();
    else connection.socket.close(code, reason);
  }
}

function refuse(socket: Duplex, status: number): void {
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function textOf(data: RawData): string {
  return (Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer)).toString();
}
