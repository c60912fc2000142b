import { Logger } from '@nestjs/common';
import type { FeedState } from '../contracts/index.js';
import { Attempts } from './attempts.js';
import { Backoff } from './backoff.js';
import type { Connector, Parsed } from './connectors/connector.js';
import { VenueSocket } from './venue-socket.service.js';

/** How long both sockets of a rotation deliver. */
const OVERLAP_MS = 5000;
/** Sockets that opened together shall not all be rotated together. */
const ROTATION_SPREAD = 0.1;

export type ConnectionListener = Readonly<{
  changed(): void;
  /** A socket is up and has asked for its symbols: what was missed until now can be fetched. */
  subscribed(): void;
  /** The connection was lost; what is traded until it is up again is not heard. */
  lost(): void;
  /** A frame of any socket; what it means decides what the connection does next. */
  frame(raw: string, receivedAtUs: number): Parsed | undefined;
  /** The venue's own count of frames jumped: some were lost on the way. */
  skipped(): void;
}>;

export type ConnectionOptions = Readonly<{
  connector: Connector;
  wsUrl: string;
  venueSymbols: readonly string[];
  key?: string | undefined;
  /** Shared by all connections to the venue. */
  attempts: Attempts;
}>;

/** One set of symbols of a venue, kept connected: a socket, and on rotation its successor beside it. */
export class Connection {
  private readonly logger: Logger;
  private readonly backoff = new Backoff();
  private socket: VenueSocket | undefined;
  private successor: VenueSocket | undefined;
  private retry: NodeJS.Timeout | undefined;
  private rotation: NodeJS.Timeout | undefined;
  private stopped = false;

  state: FeedState = 'connecting';
  sinceUs = Date.now() * 1000;
  reason = 'starting';
  lastError: string | undefined;
  reconnects = 0;

  constructor(
    private readonly options: ConnectionOptions,
    private readonly listener: ConnectionListener,
  ) {
    this.logger = new Logger(`Feed ${options.connector.id}`);
  }

  get venueSymbols(): readonly string[] {
    return this.options.venueSymbols;
  }

  start(): void {
    this.connect('starting', 0);
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.retry);
    clearTimeout(this.rotation);
    this.successor?.close('stopped');
    this.socket?.close('stopped');
    this.change('stopped', 'the process stops');
  }

  /** Asks for symbols of this connection once more, which the venue has refused. */
  askAgain(venueSymbols: readonly string[]): void {
    const { connector, wsUrl, key } = this.options;
    this.socket?.send(connector.connection(wsUrl, venueSymbols, key).frames);
  }

  /** Gives the socket up, because it is open and does not deliver. */
  replace(reason: string): void {
    this.socket?.close(reason);
  }

  private connect(reason: string, waitMs: number): void {
    this.retry = setTimeout(() => {
      // what was waited for is over only now: other connections may have used the venue's attempts up meanwhile
      const turnMs = this.options.attempts.reserve(Date.now());
      if (turnMs > 1000) this.change('waiting', `the venue's limit of attempts leaves none for ${seconds(turnMs)}`);
      this.retry = setTimeout(() => {
        this.change('connecting', reason);
        this.socket = this.open();
      }, turnMs);
    }, waitMs);
  }

  private open(): VenueSocket {
    const { connector, wsUrl, venueSymbols, key } = this.options;
    const { url, frames } = connector.connection(wsUrl, venueSymbols, key);
    let sequence: number | undefined;
    const socket: VenueSocket = new VenueSocket(
      { url, frames, sendEveryMs: connector.sendEveryMs, silentAfterMs: connector.silentAfterMs },
      {
        opened: () => this.onOpened(socket),
        subscribed: () => this.listener.subscribed(),
        frame: (raw, receivedAtUs) => {
          const parsed = this.listener.frame(raw, receivedAtUs);
          if (parsed?.kind === 'shutdown' && socket === this.socket) this.rotate('the venue announced its shutdown');
          if (parsed?.sequence === undefined) return;
          if (sequence !== undefined && parsed.sequence > sequence + 1) this.listener.skipped();
          sequence = parsed.sequence;
        },
        closed: (why, livedMs) => this.onClosed(socket, why, livedMs),
      },
    );
    return socket;
  }

  private onOpened(socket: VenueSocket): void {
    const old = this.socket;
    if (socket === this.successor) {
      this.successor = undefined;
      this.socket = socket;
      setTimeout(() => old?.close('rotated'), OVERLAP_MS).unref();
    }
    this.change('connected', 'the venue accepted the connection');
    this.planRotation();
  }

  private onClosed(socket: VenueSocket, why: string, livedMs: number): void {
    if (socket === this.successor) this.successor = undefined;
    if (this.stopped) return;
    if (socket === this.socket) this.onLost(why, livedMs);
    else if (livedMs === 0 && this.socket?.isOpen) {
      this.lastError = `the next connection failed: ${why}`;
      this.rotation = setTimeout(() => this.rotate(why), this.backoff.waitMs(0)).unref();
    }
  }

  private onLost(why: string, livedMs: number): void {
    clearTimeout(this.rotation);
    this.socket = undefined;
    if (this.successor) {
      // its successor is on its way already
      this.socket = this.successor;
      this.successor = undefined;
      this.listener.lost();
      return this.change('connecting', why);
    }
    this.lastError = why;
    this.reconnects++;
    const waitMs = this.backoff.waitMs(livedMs);
    this.change('waiting', `${why}; next try in ${seconds(waitMs)}`);
    this.listener.lost();
    this.connect(why, waitMs);
  }

  private planRotation(): void {
    clearTimeout(this.rotation);
    const { rotateAfterMs } = this.options.connector;
    if (rotateAfterMs === undefined) return;
    const afterMs = rotateAfterMs * (1 - ROTATION_SPREAD * Math.random());
    this.rotation = setTimeout(() => this.rotate('the venue limits how long a connection lives'), afterMs).unref();
  }

  /** Opens the next socket before the old one is closed; what both deliver falls to the identity of a trade. */
  private rotate(reason: string): void {
    if (this.stopped || this.successor) return;
    clearTimeout(this.rotation);
    this.logger.log(`Rotating the connection: ${reason}`);
    if (this.options.connector.isExclusive) return this.socket?.close(reason);
    const turnMs = this.options.attempts.reserve(Date.now());
    this.rotation = setTimeout(() => {
      if (!this.stopped && !this.successor && this.socket?.isOpen) this.successor = this.open();
    }, turnMs).unref();
  }

  private change(state: FeedState, reason: string): void {
    if (state !== this.state) this.sinceUs = Date.now() * 1000;
    const isNews = state !== this.state || reason !== this.reason;
    this.state = state;
    this.reason = reason;
    if (!isNews) return;
    if (state === 'waiting') this.logger.warn(reason);
    else this.logger.log(`${state}: ${reason}`);
    this.listener.changed();
  }
}

const seconds = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1000)} s`);
