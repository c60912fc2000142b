import type { FeedId, Trade } from '../../contracts/index.js';

/** What one text frame of a venue means to us. */
export type Parsed =
  | Readonly<{ kind: 'trades'; trades: readonly Trade[] }>
  /** An acknowledgement, a heartbeat, or something else that only shows that the venue lives. */
  | Readonly<{ kind: 'alive' }>
  /** The venue will close the connection soon: open the next one now. */
  | Readonly<{ kind: 'shutdown' }>
  /** The venue refused something we sent; in its own words. */
  | Readonly<{ kind: 'refused'; message: string }>
  | Readonly<{ kind: 'unknown' }>;

/** How missing trades are fetched by id. */
export type TradeHistory = Readonly<{
  /** Trades with an id of at least `fromId`, oldest first, at most `pageTrades`. */
  request(
    restUrl: string,
    venueSymbol: string,
    fromId: bigint,
  ): Readonly<{ url: string; headers: Record<string, string> }>;
  /** Body of a good answer to trades. Throws FrameError when it is none. */
  parse(body: string, venueSymbol: string, receivedAtUs: number): Trade[];
  pageTrades: number;
  /** Cost of one request, and how much of it may be spent in a minute. */
  weight: number;
  weightPerMinute: number;
}>;

/** A venue as plain data and pure functions; feed.service.ts owns the sockets. */
export type Connector = Readonly<{
  /** The `source` of its trades. */
  id: FeedId;
  exchange: string;
  /** Where to connect for these symbols (the venue's spelling), and the frames to send then, paced by `sendEveryMs`. */
  connection(wsUrl: string, venueSymbols: readonly string[]): Readonly<{ url: string; frames: readonly string[] }>;
  /** One text frame. Throws FrameError when it is malformed. */
  parse(raw: string, receivedAtUs: number): Parsed;
  symbolsPerConnection: number;
  sendEveryMs: number;
  /** How long the venue lets a connection live, less a margin: then the next one is opened before this one is closed. */
  rotateAfterMs: number;
  /** Most connection attempts within five minutes. */
  attemptsPer5Min: number;
  /** Trade ids of a symbol are consecutive, so that a missing one is a hole. */
  contiguousIds: boolean;
  history?: TradeHistory;
}>;

/** A frame that cannot be read; `raw` is what came. */
export class FrameError extends Error {
  constructor(
    readonly code: 'decode.not-json' | 'parse.bad-trade',
    message: string,
    readonly raw: string,
  ) {
    super(message);
    this.name = 'FrameError';
  }
}

/** Venues give epoch milliseconds or microseconds: any time after 1973 tells which by its magnitude. */
export const microsecondsOf = (time: number): number => (time < 100_000_000_000_000 ? time * 1000 : time);
