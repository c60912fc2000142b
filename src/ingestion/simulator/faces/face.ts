import type { Tape, TapeFrame } from '../tape.js';

export const FACE_IDS = ['binance', 'coinbase', 'coinbase-advanced', 'kraken', 'finnhub'] as const;
export type FaceId = (typeof FACE_IDS)[number];

/**
 * One venue's protocol, as pure functions and plain data; venue.server.ts owns the sockets, the clock and the faults.
 * `Talk` is what the face remembers of one connection (what it subscribed to, how it wants its frames): plain data that
 * `open` makes and only the face's own functions change.
 */
export type Face<Talk = unknown> = Readonly<{
  id: FaceId;
  /** The venue's own limits; what a test gives replaces them one by one. */
  limits: VenueLimits;
  /**
   * How long trades are gathered before they are told (Coinbase Advanced: 250). Absent: told as they come, those of the
   * same moment (10 ms) together.
   */
  gatherMs?: number;
  /** A symbol of the tape in the venue's spelling (`BTCUSDT` → `BTC-USD`); undefined when the venue has none for it. */
  spelling(tapeSymbol: string): string | undefined;
  /** Reads the URL of a handshake. */
  open(url: URL, scene: Scene): Opened<Talk> | Refused;
  /** Reads a text frame of the client. */
  hear(talk: Talk, text: string, scene: Scene): Reply;
  /**
   * Trades that happened, oldest first, of any streams of the connection → the frames that tell them, in the order of
   * sending: one a trade, or several in one, as the venue does it. A trade that a fault strikes comes alone. Hot: no
   * more than a text template a trade.
   */
  tell(talk: Talk, spoken: readonly Spoken[], nowUs: number): readonly Text[];
  /** The one trade in a frame whose time is in another unit or precision, exact as long as it is a whole millisecond. */
  tellInWrongUnit(talk: Talk, spoken: Spoken, nowUs: number): Text;
  /** An update of size 0 at the price of that trade: a price and no trade. Absent where the venue sends none. */
  tellPriceOnly?(talk: Talk, spoken: Spoken, nowUs: number): Text;
  /** Texts that come by themselves. */
  beats?: readonly Beat<Talk>[];
  /** An error of the venue's own form that answers nothing. */
  error(talk: Talk, nowUs: number): Text;
  /** The venue says that it is about to close the connection. Absent where it closes without a word. */
  shutdown?(talk: Talk, nowUs: number): Text;
  /**
   * Closes a connection for what it left undone (no subscription within 5 s). `ageMs`: since it opened. `quietMs`: since
   * something was sent to it. Asked every few milliseconds.
   */
  expires?(talk: Talk, ageMs: number, quietMs: number): Closing | undefined;
  /** Absent: the venue has no public history, each request is answered with 404. */
  rest?: Rest;
}>;

/**
 * A text frame. One that carries the connection's own count of frames (`sequence_num`) is a function of it and is made at
 * the moment of sending: the count starts at 0 and rises by 1 with each such frame, also with those that a fault lets get
 * lost.
 */
export type Text = string | ((sequence: number) => string);

/** A trade (or a recorded frame, Binance's only) about to be told. */
export type Spoken = Readonly<{
  /** The stream of the tape, `btcusdt@trade`. */
  stream: string;
  /** As the subscription gave it: the venue's spelling. */
  symbol: string;
  frame: TapeFrame;
}>;

/** What a face may know when it answers. All of one answer is of one moment, so that snapshot and stream join. */
export type Scene = Readonly<{
  tape: Tape;
  nowUs: number;
  limits: VenueLimits;
  /** The key that the venue accepts; absent: any. */
  key?: string;
  /** All symbols served, in the venue's spelling. */
  symbols: readonly string[];
  /**
   * The tape's symbol of a spelling (`BTC-USD` → `BTCUSDT`); undefined when there is none, or when a fault refuses it this
   * time: answer in the venue's words for an unknown symbol. To be asked once for each symbol a subscription names.
   */
  find(symbol: string): string | undefined;
}>;

/** From the next moment on the connection is told what happens on this stream of the tape. */
export type Subscription = Readonly<{
  /** `btcusdt@trade`. A stream nobody knows stays silent; one that is subscribed to already goes on. */
  stream: string;
  symbol: string;
}>;

export type Reply = Readonly<{
  /** Sent at once, in this order and ahead of any trade of the new subscriptions: snapshots, acks, errors. */
  texts?: readonly Text[];
  subscribe?: readonly Subscription[];
  /** Streams of the tape. */
  unsubscribe?: readonly string[];
  close?: Closing;
}>;

export type Opened<Talk> = Reply &
  Readonly<{
    talk: Talk;
    /** The venue allows one connection of this key: when a second one opens, both are dropped. */
    exclusiveKey?: string;
  }>;

/** The handshake's HTTP answer, such as 404. */
export type Refused = Readonly<{ status: number }>;

export type Closing = Readonly<{ code: number; reason: string }>;

export type Beat<Talk = unknown> = Readonly<{
  everyMs: number;
  /** Only when nothing else was sent for so long. */
  whenQuiet?: true;
  /** None: not for this connection. */
  texts(talk: Talk, scene: Scene): readonly Text[];
}>;

/** Infinity switches a limit off. */
export type VenueLimits = Readonly<{
  /** REST request weight within a minute of the clock. */
  weightPerMinute: number;
  /** The same as a bucket that holds weightBurst and is refilled steadily. */
  weightPerSecond: number;
  weightBurst: number;
  /** Handshakes of any five minutes; one more is refused with 429. */
  attemptsPer5Min: number;
  /** Pings, pongs and text frames of one connection; one more closes it with 1008. */
  messagesPerSecond: number;
  /** Streams or symbols; it is the face that counts and refuses them. */
  streamsPerConnection: number;
  /** A connection is closed at this age. */
  connectionLifeMs: number;
  /** Pings of the venue. */
  pingEveryMs: number;
  /** A connection whose last answered ping is older is cut. */
  pongWithinMs: number;
  /** A connection that has more bytes waiting is sent nothing until they are gone; nothing is lost by it. */
  bufferedBytes: number;
}>;

/** What a venue limits that says nothing of limits; a face spreads it and puts its own over it. */
export const noLimits: VenueLimits = {
  weightPerMinute: Infinity,
  weightPerSecond: Infinity,
  weightBurst: Infinity,
  attemptsPer5Min: Infinity,
  messagesPerSecond: Infinity,
  streamsPerConnection: Infinity,
  connectionLifeMs: Infinity,
  pingEveryMs: Infinity,
  pongWithinMs: Infinity,
  bufferedBytes: 1024 * 1024,
};

/** A venue's public HTTP interface, GET only. */
export type Rest = Readonly<{
  /** Weight of a request; 0 for a path that there is not. */
  weigh(path: string): number;
  /** May yield during long work, so that others get their turn. */
  answer(request: RestRequest): RestAnswer | Generator<void, RestAnswer>;
  /**
   * What the venue says when it refuses: 429 (also for its own limits, which `limits` counts), 418, 5xx. Kraken tells its
   * limits by 200 and an error list. To 429 and 418 the server adds Retry-After.
   */
  refuse(status: number, limits: VenueLimits): RestAnswer;
  /** The header that tells the weight used in this minute, where there is one. */
  usedWeightHeader?: string;
}>;

export type RestRequest = Readonly<{
  tape: Tape;
  nowUs: number;
  symbols: readonly string[];
  /** The tape's symbol of a spelling; no fault refuses here. */
  find(symbol: string): string | undefined;
  path: string;
  query: URLSearchParams;
  /** By name in lower case. */
  headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}>;

export type RestAnswer = Readonly<{
  status: number;
  /** Told as JSON; a string is the body as it stands (numbers beyond floats). */
  body: unknown;
  headers?: Readonly<Record<string, string>>;
}>;
