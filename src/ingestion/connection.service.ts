import { Logger } from '@nestjs/common';
import type { FeedState } from '../contracts/index.js';
import { Attempts } from './attempts.js';
import { Backoff } from './backoff.js';
import type { Connector, Parsed } from './connectors/connector.js';
import { type Fault, faultNow } from './feed-status.js';
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
  /** The next one while it is being opened, and the one before while it still delivers. */
  private successor: VenueSocket | undefined;
  private retiring: VenueSocket | undefined;
  private retry: NodeJS.Timeout | undefined;
  private rotation: NodeJS.Timeout | undefined;
  private overlap: NodeJS.Timeout | undefined;
  private isRotating = false;
  private stopped = false;

  state: FeedState = 'connecting';
  sinceUs = Date.now() * 1000;
  reason = 'starting';
  lastError: Fault | undefined;
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
    for (const timer of [this.retry, this.rotation, this.overlap]) clearTimeout(timer);
    for (const socket of [this.retiring, this.successor, this.socket]) socket?.close('stopped');
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
      const turnMs = this.options.attempts.reserve(performance.now());
      if (turnMs > 1000)
        this.change(this.state, `its turn to connect comes in ${seconds(turnMs)}: the venue limits attempts`);
      this.retry = setTimeout(() => {
        this.change('connecting', reason);
        try {
          this.socket = this.open();
        } catch (error) {
          this.onLost(whyNotOpened(error as Error), 0);
        }
      }, turnMs);
    }, waitMs);
  }

  /** Throws when the address cannot be used. */
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
    if (socket === this.successor) this.handOver();
    this.isRotating = false;
    this.change('connected', 'the venue accepted the connection');
    this.planRotation();
  }

  private handOver(): void {
    this.retiring?.close('rotated');
    [this.retiring, this.socket, this.successor] = [this.socket, this.successor, undefined];
    this.overlap = setTimeout(() => this.retiring?.close('rotated'), OVERLAP_MS).unref();
  }

  private onClosed(socket: VenueSocket, why: string, livedMs: number): void {
    if (this.stopped) return;
    if (socket === this.retiring) this.endOverlap();
    else if (socket === this.successor) {
      this.successor = undefined;
      this.onNextFailed(why, livedMs);
    } else if (socket !== this.socket) return;
    else if (this.retiring) {
      // what the venue accepted it has not kept: the one before still delivers
      this.socket = this.retiring;
      this.endOverlap();
      this.onNextFailed(why, livedMs);
    } else this.onLost(why, livedMs);
  }

  private endOverlap(): void {
    clearTimeout(this.overlap);
    this.retiring = undefined;
  }

  private onNextFailed(why: string, livedMs: number): void {
    this.lastError = faultNow(`the next connection failed: ${why}`);
    clearTimeout(this.rotation);
    this.isRotating = true;
    if (!this.successor) this.openNext(this.backoff.waitMs(livedMs));
  }

  private onLost(why: string, livedMs: number): void {
    clearTimeout(this.rotation);
    this.isRotating = false;
    [this.socket, this.successor] = [this.successor, undefined];
    if (this.socket) {
      // its successor is on its way already
      this.listener.lost();
      return this.change('connecting', why);
    }
    this.lastError = faultNow(why);
    if (livedMs > 0) this.reconnects++;
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
    if (this.stopped || this.isRotating) return;
    this.logger.log(`Rotating the connection: ${reason}`);
    if (this.options.connector.isExclusive) return this.socket?.close(reason);
    this.isRotating = true;
    this.openNext(0);
  }

  private openNext(waitMs: number): void {
    clearTimeout(this.rotation);
    this.rotation = setTimeout(() => {
      const turnMs = this.options.attempts.reserve(performance.now());
      this.rotation = setTimeout(() => {
        try {
          this.successor = this.open();
        } catch (error) {
          this.onNextFailed(whyNotOpened(error as Error), 0);
        }
      }, turnMs).unref();
    }, waitMs).unref();
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
/** The words may repeat the address, whose query may hold the venue's key. */
const whyNotOpened = ({ message }: Error): string => `no connection can be opened: ${message.replace(/\?.*/s, '?…')}`;
