/** One trade as a venue of Binance's kind tells it. */
export type TapeTrade = Readonly<{
  /** Contiguous per symbol. */
  id: number;
  /** Exact decimals as text, eight places like the venue's: "2683.80000000". */
  price: string;
  size: string;
  tradedAtUs: number;
  /** The resting order was the buyer's, so the taker sold. */
  buyerIsMaker: boolean;
}>;

export type Instrument = Readonly<{
  symbol: string;
  baseAsset: string;
  quoteAsset: string;
  /** Smallest steps of price and size, exact decimals as text. */
  tickSize: string;
  stepSize: string;
}>;

/** One message of one stream. It has a trade, or a text that was recorded, or both. */
export type TapeFrame = Readonly<{
  /** Place within its stream; hand it back to read on from there. */
  cursor: number;
  /** Place among all frames of a recording; within a simulated market the trade's id. */
  order: number;
  /** Tape time at which it is said. */
  atUs: number;
  trade?: TapeTrade;
  /** The whole frame as it was recorded: `{"stream":…,"data":…}`. */
  raw?: string;
}>;

/**
 * What the protocol server serves. Tape time is epoch microseconds: the wall clock for a market, the receive clock of the
 * recording for a replay. Nothing that lies after the `nowUs` given is ever shown.
 */
export interface Tape {
  readonly instruments: readonly Instrument[];
  /** Frames of the whole session, and the tape time of the last one. Absent: it never ends. */
  readonly session?: Readonly<{ frames: number; trades: number; fromUs: number; toUs: number }>;
  /** Trades with id >= fromId that had happened by nowUs, oldest first, at most limit. */
  tradesFrom(symbol: string, fromId: number, limit: number, nowUs: number): TapeTrade[];
  /** The newest id known at nowUs; undefined when there was no trade yet. */
  lastId(symbol: string, nowUs: number): number | undefined;
  /** The first id that was traded at or after tradedFromUs, known or not yet; undefined when there is none. */
  firstIdSince(symbol: string, tradedFromUs: number): number | undefined;
  /** Where a subscription that starts at nowUs begins; undefined when nothing is ever said on that stream. */
  cursorAt(stream: string, nowUs: number): number | undefined;
  /** Frames of one stream behind `after` that were said by nowUs, oldest first, at most limit. */
  framesAfter(stream: string, after: number, limit: number, nowUs: number): TapeFrame[];
}

/** `btcusdt@trade` → `{ symbol: 'BTCUSDT', channel: 'trade' }`. The venue knows lower case only; other names are silent. */
export function parseStream(stream: string): { symbol: string; channel: string } | undefined {
  const at = stream.indexOf('@');
  if (at < 1 || stream.slice(0, at) !== stream.slice(0, at).toLowerCase()) return undefined;
  return { symbol: stream.slice(0, at).toUpperCase(), channel: stream.slice(at + 1) };
}
