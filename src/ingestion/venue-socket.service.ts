import { WebSocket } from 'ws';
import { nowUs, outsideOfTraces } from '../platform/observability/index.js';
import { Silence } from './silence.js';

const HANDSHAKE_MS = 10_000;
const PING_EVERY_MS = 15_000;
const LOOK_EVERY_MS = 1000;
const MAX_FRAME_BYTES = 1024 * 1024;

export type SocketListener = Readonly<{
  opened(): void;
  frame(raw: string, receivedAtUs: number): void;
  /** Once, whatever the cause; `livedMs` is 0 when it never opened. */
  closed(reason: string, livedMs: number): void;
}>;

/** One connection to a venue, watched by two clocks: pings that are answered, and data at its own usual pace. */
export class VenueSocket {
  private readonly socket: WebSocket;
  private readonly watch: NodeJS.Timeout;
  private openedMs = 0;
  private silence = new Silence(Date.now());
  private pingSentMs = 0;
  private pongDue = false;
  private ended = false;

  constructor(
    url: string,
    frames: readonly string[],
    sendEveryMs: number,
    private readonly listener: SocketListener,
  ) {
    this.socket = outsideOfTraces(
      () =>
        new WebSocket(url, { handshakeTimeout: HANDSHAKE_MS, perMessageDeflate: false, maxPayload: MAX_FRAME_BYTES }),
    );
    this.socket.on('open', () => {
      this.openedMs = Date.now();
      this.silence = new Silence(this.openedMs);
      frames.forEach((frame, index) => setTimeout(() => this.send(frame), index * sendEveryMs).unref());
      listener.opened();
    });
    this.socket.on('message', (data: Buffer, isBinary: boolean) => {
      this.silence.heard(Date.now());
      if (!isBinary) listener.frame(data.toString(), nowUs());
    });
    this.socket.on('pong', () => (this.pongDue = false));
    this.socket.on('error', (error) => this.end(error.message));
    this.socket.on('unexpected-response', (_request, response) =>
      this.end(`the venue answered ${response.statusCode} to the handshake`),
    );
    this.socket.on('close', (code, reason) =>
      this.end(`closed with ${code}${reason.length > 0 ? ` (${reason.toString()})` : ''}`),
    );
    this.watch = setInterval(() => this.look(), LOOK_EVERY_MS).unref();
  }

  /** Closes for good; the listener hears it. */
  close(reason: string): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.close(1000);
    this.end(reason);
  }

  private send(frame: string): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(frame);
  }

  private look(): void {
    if (this.openedMs === 0) return;
    const now = Date.now();
    const overdueMs = this.silence.overdueMs(now);
    if (overdueMs > 0) this.end('connected but silent far beyond its usual pace');
    else if (this.pongDue && now - this.pingSentMs > PING_EVERY_MS) this.end('no answer to a ping');
    else if (!this.pongDue && now - this.pingSentMs > PING_EVERY_MS) this.ping(now);
  }

  private ping(now: number): void {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    this.pingSentMs = now;
    this.pongDue = true;
    this.socket.ping();
  }

  private end(reason: string): void {
    if (this.ended) return;
    this.ended = true;
    clearInterval(this.watch);
    const livedMs = this.openedMs === 0 ? 0 : Date.now() - this.openedMs;
    if (this.socket.readyState !== WebSocket.CLOSING) this.socket.terminate();
    this.listener.closed(reason, livedMs);
  }
}
