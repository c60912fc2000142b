import { Logger } from '@nestjs/common';
import { type FeedState, type Trade } from '../contracts/index.js';
import { Backoff } from './backoff.js';
import { type Connector, FrameError } from './connectors/connector.js';
import { VenueSocket } from './venue-socket.service.js';

const FLUSH_EVERY_MS = 10;
const FLUSH_TRADES = 2000;
/** How long both sockets of a rotation deliver. */
const OVERLAP_MS = 5000;

/** What a feed tells whoever runs it. */
export type FeedListener = Readonly<{
  trades(trades: readonly Trade[]): void;
  changed(state: FeedState, reason: string): void;
  /** A connection is up: time to fetch what was missed. */
  connected(): void;
  badFrame(error: FrameError): void;
  unknownFrame(raw: string): void;
}>;

export type SymbolActivity = { lastTradedAtUs: number; lastReceivedAtUs: number; trades: number };

/** One connector at work on one set of symbols: a socket, its successor on rotation, and the trades of the last moment. */
export class Feed {
  private readonly logger: Logger;
  private readonly backoff: Backoff;
  private socket: VenueSocket | undefined;
  private retry: NodeJS.Timeout | undefined;
  private rotation: NodeJS.Timeout | undefined;
  private pending: Trade[] = [];
  private flushDue: NodeJS.Timeout | undefined;
  private stopped = false;

  readonly activity = new Map<string, SymbolActivity>();
  state: FeedState = 'connecting';
  sinceUs = Date.now() * 1000;
  reason = 'starting';
  lastError: string | undefined;
  lastFrameAtUs: number | undefined;
  reconnects = 0;
  frames = 0;
  nextTryMs: number | undefined;

  constructor(
    readonly connector: Connector,
    readonly wsUrl: string,
    readonly venueSymbols: readonly string[],
    private readonly listener: FeedListener,
  ) {
    this.logger = new Logger(`Feed ${connector.id}`);
    this.backoff = new Backoff(connector.attemptsPer5Min);
  }

  start(): void {
    this.connect('starting');
  }

  /** Hands over what was received and closes. */
  stop(): void {
    this.stopped = true;
    clearTimeout(this.retry);
    clearTimeout(this.rotation);
    this.socket?.close('stopped');
    this.flush();
    this.change('stopped', 'the process stops');
  }

  private connect(reason: string): void {
    if (this.stopped) return;
    this.change('connecting', reason);
    this.socket = this.open();
  }

  private open(): VenueSocket {
    this.backoff.attempted(Date.now());
    const { url, frames } = this.connector.connection(this.wsUrl, this.venueSymbols);
    const socket: VenueSocket = new VenueSocket(url, frames, this.connector.sendEveryMs, {
      opened: () => {
        if (this.socket !== socket) return;
        this.change('connected', 'the venue accepted the connection');
        this.planRotation(this.connector.rotateAfterMs);
        this.listener.connected();
      },
      frame: (raw, receivedAtUs) => this.onFrame(raw, receivedAtUs),
      closed: (why, livedMs) => {
        if (this.socket === socket) this.onClosed(why, livedMs);
      },
    });
    return socket;
  }

  private onFrame(raw: string, receivedAtUs: number): void {
    this.frames++;
    this.lastFrameAtUs = receivedAtUs;
    try {
      const parsed = this.connector.parse(raw, receivedAtUs);
      if (parsed.kind === 'trades') this.take(parsed.trades);
      else if (parsed.kind === 'shutdown') this.rotate('the venue announced its shutdown');
      else if (parsed.kind === 'refused') this.refused(parsed.message);
      else if (parsed.kind === 'unknown') this.listener.unknownFrame(raw);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.listener.badFrame(error);
    }
  }

  private take(trades: readonly Trade[]): void {
    for (const trade of trades) {
      this.pending.push(trade);
      const known = this.activity.get(trade.venueSymbol);
      if (known) {
        known.lastTradedAtUs = Math.max(known.lastTradedAtUs, trade.tradedAtUs);
        known.lastReceivedAtUs = trade.receivedAtUs;
        known.trades++;
      } else if (this.venueSymbols.includes(trade.venueSymbol)) {
        this.activity.set(trade.venueSymbol, {
          lastTradedAtUs: trade.tradedAtUs,
          lastReceivedAtUs: trade.receivedAtUs,
          trades: 1,
        });
      }
    }
    if (this.pending.length >= FLUSH_TRADES) this.flush();
    else this.flushDue ??= setTimeout(() => this.flush(), FLUSH_EVERY_MS);
  }

  private flush(): void {
    clearTimeout(this.flushDue);
    this.flushDue = undefined;
    if (this.pending.length === 0) return;
    const trades = this.pending;
    this.pending = [];
    this.listener.trades(trades);
  }

  private onClosed(why: string, livedMs: number): void {
    if (this.stopped) return;
    clearTimeout(this.rotation);
    this.lastError = why;
    this.reconnects++;
    const waitMs = this.backoff.waitMs(livedMs, Date.now());
    this.nextTryMs = Date.now() + waitMs;
    this.change('waiting', `${why}; next try in ${Math.round(waitMs)} ms`);
    this.retry = setTimeout(() => this.connect(why), waitMs);
  }

  private planRotation(afterMs: number): void {
    clearTimeout(this.rotation);
    this.rotation = setTimeout(() => this.rotate('the venue limits how long a connection lives'), afterMs).unref();
  }

  /** Opens the next socket before the old one is closed; what both deliver falls to the identity of a trade. */
  private rotate(reason: string): void {
    const old = this.socket;
    this.logger.log(`Rotating the connection: ${reason}`);
    this.socket = this.open();
    setTimeout(() => old?.close('rotated'), OVERLAP_MS).unref();
  }

  private refused(message: string): void {
    this.lastError = message;
    this.logger.warn(`The venue refused: ${message}`);
  }

  private change(state: FeedState, reason: string): void {
    if (state !== this.state) this.sinceUs = Date.now() * 1000;
    this.state = state;
    this.reason = reason;
    if (state === 'waiting') this.logger.warn(reason);
    else this.logger.log(`${state}: ${reason}`);
    this.listener.changed(state, reason);
  }
}
