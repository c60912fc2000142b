import type { Trade, VenueId } from '../../contracts/index.js';

/** What one text frame of a venue means to us. */
export type Parsed = (
  | Readonly<{
      kind: 'trades';
      /** Ascending by id within a symbol. */
      trades: readonly Trade[];
      /** Rows of the frame that cannot be read; the others count all the same. */
      badRows?: readonly FrameError[];
    }>
  /** An acknowledgement, a heartbeat, or something else that only shows that the venue lives. */
  | Readonly<{
      kind: 'alive';
      /** Where the venue says how far its symbols have come: a trade with that id exists, delivered or not. */
      lastIds?: readonly Readonly<{ venueSymbol: string; tradeId: string }>[];
    }>
  /** The venue will close the connection soon: open the next one now. */
  | Readonly<{ kind: 'shutdown' }>
  /** The venue refused something we sent, in its own words; with the symbol where it names one. */
  | Readonly<{ kind: 'refused'; message: string; venueSymbol?: string }>
  | Readonly<{ kind: 'unknown' }>
) &
  /** The connection's own count of frames, where the venue sends one: it rises by 1, so a jump means lost frames. */
  Readonly<{ sequence?: number }>;

export type HttpRequest = Readonly<{ url: string; headers: Record<string, string> }>;

/** How missing trades are fetched over REST. */
export type TradeHistory = Readonly<{
  /** `id`: from a trade id on. `time`: from an instant on, because the venue cannot be asked by id. */
  by: 'id' | 'time';
  /**
   * Asks for the trades with an id of at least `from`, or traded at or after `from` (epoch microseconds), the oldest
   * `pageTrades` of them (rows below `from` may be among them); without `from` for the newest.
   */
  request(restUrl: string, venueSymbol: string, from?: bigint): HttpRequest;
  /** Body of a good answer to trades, oldest first. Throws FrameError when it is none. */
  parse(body: string, venueSymbol: string, receivedAtUs: number): Trade[];
  pageTrades: number;
  /** Cost of one request, and how much of it may be spent in a minute. */
  weight: number;
  weightPerMinute: number;
}>;

/** A symbol of the venue's own list. */
export type Product = Readonly<{
  /** As it stands in frames and subscriptions. */
  venueSymbol: string;
  /** Other spellings that people use for it: `XBT/USD`, `XBTUSD`. */
  aliases: readonly string[];
  /** Trades can happen; false for one that is delisted or halted. */
  isTrading: boolean;
}>;

/** The venue's list of what it trades. */
export type ProductList = Readonly<{
  request(restUrl: string): HttpRequest;
  /** Throws FrameError when the body is no such list. */
  parse(body: string): Product[];
  /** Cost of the request, out of the weight a minute that `history` names. */
  weight: number;
}>;

/** A venue as plain data and pure functions; connection.service.ts owns the sockets. */
export type Connector = Readonly<{
  /** The `source` of its trades. */
  id: VenueId;
  exchange: string;
  /**
   * Where to connect for these symbols (the venue's spelling), and the frames to send then, paced by `sendEveryMs`.
   * `key` is the venue's key, where it wants one; the URL may hold it and is never logged.
   */
  connection(
    wsUrl: string,
    venueSymbols: readonly string[],
    key?: string,
  ): Readonly<{ url: string; frames: readonly string[] }>;
  /** One text frame. `receivedAtUs` rises with every frame of a feed. Throws FrameError when it is malformed. */
  parse(raw: string, receivedAtUs: number): Parsed;
  /** What a person wrote, in the spelling of the venue's frames (`XBT/USD` → `BTC/USD`): the fallback where `products` cannot be had. */
  spelling(asked: string): string;
  /** The canonical name of a symbol in the venue's spelling: upper case, no separator (`BTC-USD` → `BTCUSD`). */
  canonical(venueSymbol: string): string;
  products?: ProductList;
  symbolsPerConnection: number;
  sendEveryMs: number;
  /**
   * The venue sends some frame (a heartbeat at the least) so often that a connection without one for so long is dead.
   * Absent where it promises none: then it needs `history`, which tells a silent connection from a quiet market.
   */
  silentAfterMs?: number;
  /** How long the venue lets a connection live, less a margin: then the next one is opened before this one is closed. */
  rotateAfterMs?: number;
  /** The venue allows one connection at a time: the next one is opened after this one is closed. */
  isExclusive?: true;
  /** Most connection attempts within five minutes. */
  attemptsPer5Min: number;
  /** Trade ids of a symbol are consecutive, so that a missing one is a hole. Else they are made here, from `receivedAtUs`. */
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

/** Parses a text frame or body that must be a JSON object or list. Throws FrameError `decode.not-json`. */
export function parseJson(raw: string, reviver?: Parameters<typeof JSON.parse>[1]): object {
  let value: unknown;
  try {
    value = JSON.parse(raw, reviver);
  } catch (error) {
    throw new FrameError('decode.not-json', (error as Error).message, raw);
  }
  if (typeof value !== 'object' || value === null)
    throw new FrameError('decode.not-json', 'the frame is no object', raw);
  return value;
}

/** Asks a venue's REST for a path; the base URL that a person gave may end in a slash. */
export const requestTo = (restUrl: string, path: string, headers: Record<string, string> = {}): HttpRequest => ({
  url: restUrl.replace(/\/$/, '') + path,
  headers,
});

/** Venues give epoch milliseconds or microseconds: any time after 1973 tells which by its magnitude. */
export const microsecondsOf = (time: number): number => (time < 100_000_000_000_000 ? time * 1000 : time);
