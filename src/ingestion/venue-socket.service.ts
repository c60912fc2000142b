import { WebSocket } from 'ws';
import { nowUs, outsideOfTraces } from '../platform/observability/index.js';

const PING_EVERY_MS = 15_000;
const LOOK_EVERY_MS = 1000;
const SOCKET_OPTIONS = {
  handshakeTimeout: 10_000,
  /** A venue that does not answer our close is not waited for any longer. */
  closeTimeout: 2000,
  perMessageDeflate: false,
  /** The largest that a venue sends is the snapshot of a hundred symbols, about 2 MB. */
  maxPayload: 8 * 1024 * 1024,
};

export type SocketListener = Readonly<{
  opened(): void;
  /** Every frame to send has been sent. */
  subscribed(): void;
  frame(raw: string, receivedAtUs: number): void;
  /** Once, whatever the cause; `livedMs` is 0 when it never opened. */
  closed(reason: string, livedMs: number): void;
}>;

export type SocketOptions = Readonly<{
  url: string;
  /** Sent once open, `sendEveryMs` apart. */
  frames: readonly string[];
  sendEveryMs: number;
  /** A connection without any frame for so long is dead; absent where the venue may be silent. */
  silentAfterMs?: number | undefined;
}>;

/** One connection to a venue, watched by two clocks: pings that are answered, and the frames the venue promises. */
export class VenueSocket {
  private readonly socket: WebSocket;
  private readonly watch: NodeJS.Timeout;
  /** Times of the monotonic clock: a wall clock that is set back must not make a dead connection look fresh. */
  private openedMs: number | undefined;
  private heardMs = 0;
  private pingSentMs = 0;
  private pongDue = false;
  private ended = false;
  private readonly unsent: { frame: string; done(): void }[] = [];
  private sending: NodeJS.Timeout | undefined;

  constructor(
    private readonly options: SocketOptions,
    private readonly listener: SocketListener,
  ) {
    this.socket = outsideOfTraces(() => new WebSocket(options.url, SOCKET_OPTIONS));
    this.socket.on('open', () => {
      this.openedMs = this.heardMs = this.pingSentMs = performance.now();
      listener.opened();
      if (options.frames.length === 0) listener.subscribed();
      else this.send(options.frames, () => listener.subscribed());
    });
    this.socket.on('message', (data: Buffer, isBinary: boolean) => {
      this.heardMs = performance.now();
      if (!isBinary && !this.ended) listener.frame(data.toString(), nowUs());
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

  get isOpen(): boolean {
    return this.openedMs !== undefined && !this.ended;
  }

  /** Sends frames one after the other, at the pace the venue allows. */
  send(frames: readonly string[], done: () => void = () => undefined): void {
    this.unsent.push(...frames.map((frame, i) => ({ frame, done: i + 1 === frames.length ? done : () => undefined })));
    this.sending ??= setTimeout(() => this.sendNext(), 0);
  }

  /** Closes for good; the listener hears it. */
  close(reason: string): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.close(1000);
    this.end(reason);
  }

  private sendNext(): void {
    this.sending = undefined;
    const next = this.unsent.shift();
    if (!next || this.socket.readyState !== WebSocket.OPEN) return;
    this.socket.send(next.frame);
    next.done();
    if (this.unsent.length > 0) this.sending = setTimeout(() => this.sendNext(), this.options.sendEveryMs).unref();
  }

  private look(): void {
    if (this.openedMs === undefined) return;
    const now = performance.now();
    const { silentAfterMs = Infinity } = this.options;
    if (now - this.heardMs > silentAfterMs)
      this.end(`connected but silent for ${Math.round((now - this.heardMs) / 1000)} s`);
    else if (now - this.pingSentMs < PING_EVERY_MS) return;
    else if (this.pongDue) this.end('no answer to a ping');
    else this.ping(now);
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
    clearTimeout(this.sending);
    const livedMs = this.openedMs === undefined ? 0 : performance.now() - this.openedMs;
    if (this.socket.readyState !== WebSocket.CLOSING) this.socket.terminate();
    this.listener.closed(reason, livedMs);
  }
}
