import { parseStream, type Instrument, type Tape, type TapeFrame, type TapeTrade } from './tape.js';

/** A recording is held in memory; above this it is refused. */
const MOST_BYTES = 2 * 1024 ** 3;

/**
 * Reads a recorded session line by line: `<receive time, ns since epoch> <frame>`, frames being the venue's combined ones,
 * `{"stream":"ethusdt@trade","data":{…}}`. Lines of another form (a REST snapshot, say) are counted as unknown and are not
 * part of the session. Receive times never step back here: a line that is stamped earlier than the one before it counts
 * as received with it. Source of the form: /shared/data/README.md, market/binance-spot.
 */
export class RecordingReader {
  private readonly frames: RecordedFrame[] = [];
  private readonly streams = new Map<string, number[]>();
  private readonly symbols = new Map<string, TapeTrade[]>();
  private unknown = 0;
  private bytes = 0;
  private lastUs = 0;

  constructor(private readonly mostBytes = MOST_BYTES) {}

  /** Throws RangeError once the lines together are more than the limit. */
  add(line: string): void {
    this.bytes += line.length;
    if (this.bytes > this.mostBytes)
      throw new RangeError(`the recording is larger than ${this.mostBytes} bytes; replay it in parts`);
    if (line.trim() === '') return;
    const [, stampNs, raw, stream] = /^(\d{16,19}) (\{"stream":"([^"]+)","data":\{.*\}\})\s*$/.exec(line) ?? [];
    const trade = raw && stream?.endsWith('@trade') ? readTrade(raw) : undefined;
    if (!stampNs || !raw || !stream || (stream.endsWith('@trade') && !trade)) {
      this.unknown++;
      return;
    }
    this.lastUs = Math.max(this.lastUs, Number(stampNs.slice(0, 16)));
    if (trade) listOf(this.symbols, trade.symbol).push(trade);
    listOf(this.streams, stream).push(this.frames.length);
    this.frames.push({ atUs: this.lastUs, raw, ...(trade && { trade }) });
  }

  /** Throws RangeError when there was no frame at all. */
  finish(): Recording {
    if (this.frames.length === 0) throw new RangeError(`no recorded frame among ${this.unknown} lines`);
    return new Recording(this.frames, this.streams, this.symbols, this.unknown);
  }
}

type RecordedFrame = Readonly<{ atUs: number; raw: string; trade?: TapeTrade }>;
type RecordedTrade = TapeTrade & Readonly<{ symbol: string }>;

/** A session that was recorded, and the tape that plays it. */
export class Recording {
  private readonly histories: ReadonlyMap<string, History>;

  constructor(
    private readonly frames: readonly RecordedFrame[],
    private readonly streams: ReadonlyMap<string, readonly number[]>,
    symbols: ReadonlyMap<string, readonly TapeTrade[]>,
    /** Lines that were not understood. */
    readonly unknown: number,
  ) {
    this.histories = new Map([...symbols].map(([symbol]) => [symbol, new History(symbol, frames)]));
  }

  /** Trade frames as they came, repeated ones too. */
  get trades(): number {
    let trades = 0;
    for (const { trade } of this.frames) if (trade) trades++;
    return trades;
  }

  /**
   * Plays the session `repeat` times over, one after the other; the second time says the same ids again. Tape time is the
   * receive clock. REST history shows what was received, from the first time it was.
   */
  tape(repeat = 1): Tape {
    const { frames, streams, histories } = this;
    const fromUs = frames[0]!.atUs;
    const lengthUs = frames.at(-1)!.atUs - fromUs + 1;
    const history = (symbol: string): History => {
      const found = histories.get(symbol);
      if (!found) throw new RangeError(`no recorded trades of ${symbol}`);
      return found;
    };
    const atUs = (index: number): number =>
      frames[index % frames.length]!.atUs + Math.floor(index / frames.length) * lengthUs;
    const indexOf = (list: readonly number[], cursor: number): number =>
      Math.floor(cursor / list.length) * frames.length + list[cursor % list.length]!;

    return {
      instruments: [...histories.values()].map(({ instrument }) => instrument),
      session: {
        frames: frames.length * repeat,
        trades: this.trades * repeat,
        fromUs,
        toUs: atUs(frames.length * repeat - 1),
      },
      tradesFrom: (symbol, fromId, limit, nowUs) => history(symbol).tradesFrom(fromId, limit, nowUs),
      lastId: (symbol, nowUs) => history(symbol).lastId(nowUs),
      firstIdSince: (symbol, tradedFromUs) => history(symbol).firstIdSince(tradedFromUs),
      cursorAt: (stream, nowUs) => {
        const list = recordedAs(streams, stream);
        return list && firstIndex(list.length * repeat, (cursor) => atUs(indexOf(list, cursor)) > nowUs) - 1;
      },
      framesAfter: (stream, after, limit, nowUs) => {
        const list = recordedAs(streams, stream) ?? [];
        const asRecorded = streams.has(stream);
        const found: TapeFrame[] = [];
        for (let cursor = after + 1; cursor < list.length * repeat && found.length < limit; cursor++) {
          const order = indexOf(list, cursor);
          if (atUs(order) > nowUs) break;
          const { raw, trade } = frames[order % frames.length]!;
          found.push({ cursor, order, atUs: atUs(order), ...(asRecorded && { raw }), ...(trade && { trade }) });
        }
        return found;
      },
    };
  }
}

/** The trades of one symbol by id, each known from the time it was first received. */
class History {
  readonly instrument: Instrument;
  private readonly trades: readonly TapeTrade[];
  /** By place in `trades`: when it was received, and the latest trade time so far. */
  private readonly knownUs: readonly number[];
  private readonly reachedUs: readonly number[];
  /** By order of receipt: when, and the highest id by then. */
  private readonly receivedUs: number[] = [];
  private readonly highestId: number[] = [];

  constructor(symbol: string, frames: readonly RecordedFrame[]) {
    const first = new Map<number, { trade: TapeTrade; atUs: number }>();
    for (const { trade, atUs } of frames) {
      if (!trade || (trade as RecordedTrade).symbol !== symbol || first.has(trade.id)) continue;
      first.set(trade.id, { trade, atUs });
      this.receivedUs.push(atUs);
      this.highestId.push(Math.max(trade.id, this.highestId.at(-1) ?? 0));
    }
    const byId = [...first.values()].sort((a, b) => a.trade.id - b.trade.id);
    this.trades = byId.map(({ trade }) => trade);
    this.knownUs = byId.map(({ atUs }) => atUs);
    let reached = 0;
    this.reachedUs = this.trades.map(({ tradedAtUs }) => (reached = Math.max(reached, tradedAtUs)));
    this.instrument = instrumentOf(symbol, this.trades);
  }

  tradesFrom(fromId: number, limit: number, nowUs: number): TapeTrade[] {
    const last = this.lastId(nowUs);
    const found: TapeTrade[] = [];
    if (last === undefined) return found;
    let i = firstIndex(this.trades.length, (at) => this.trades[at]!.id >= fromId);
    for (; i < this.trades.length && this.trades[i]!.id <= last && found.length < limit; i++) {
      if (this.knownUs[i]! <= nowUs) found.push(this.trades[i]!);
    }
    return found;
  }

  lastId(nowUs: number): number | undefined {
    return this.highestId[firstIndex(this.receivedUs.length, (at) => this.receivedUs[at]! > nowUs) - 1];
  }

  firstIdSince(tradedFromUs: number): number | undefined {
    return this.trades[firstIndex(this.trades.length, (at) => this.reachedUs[at]! >= tradedFromUs)]?.id;
  }
}

/** Undefined when the frame is no whole trade. `T` is milliseconds, or microseconds if it was recorded so. */
function readTrade(raw: string): RecordedTrade | undefined {
  let data: Record<string, unknown>;
  try {
    data = JSON.parse(raw).data;
  } catch {
    return undefined;
  }
  const { t, s, p, q, T, m } = data;
  if (!Number.isSafeInteger(t) || typeof T !== 'number' || typeof m !== 'boolean') return undefined;
  if (typeof s !== 'string' || typeof p !== 'string' || typeof q !== 'string') return undefined;
  const tradedAtUs = T >= 1e14 ? T : T * 1000;
  return { symbol: s, id: t as number, price: p, size: q, tradedAtUs, buyerIsMaker: m };
}

/** Frames of the stream; an aggTrade stream that was not recorded is told out of the trades. */
function recordedAs(streams: ReadonlyMap<string, readonly number[]>, stream: string): readonly number[] | undefined {
  const name = parseStream(stream);
  if (!name) return undefined;
  return (
    streams.get(stream) ??
    (name.channel === 'aggTrade' ? streams.get(stream.replace('@aggTrade', '@trade')) : undefined)
  );
}

const QUOTES = ['FDUSD', 'USDT', 'USDC', 'TUSD', 'BUSD', 'USD', 'EUR', 'TRY', 'BTC', 'ETH', 'BNB'];

/** A recording holds no exchangeInfo: assets from the name, steps from the finest price and size seen. */
function instrumentOf(symbol: string, trades: readonly TapeTrade[]): Instrument {
  const quoteAsset = QUOTES.find((quote) => symbol.endsWith(quote) && symbol !== quote) ?? '';
  return {
    symbol,
    baseAsset: symbol.slice(0, symbol.length - quoteAsset.length),
    quoteAsset,
    tickSize: finestStep(trades.map(({ price }) => price)),
    stepSize: finestStep(trades.map(({ size }) => size)),
  };
}

function finestStep(decimals: readonly string[]): string {
  let places = 0;
  for (const text of decimals) {
    const digits = text.replace(/0+$/, '');
    if (text.includes('.')) places = Math.max(places, digits.length - digits.indexOf('.') - 1);
  }
  return places === 0 ? '1.00000000' : `0.${'1'.padStart(places, '0').padEnd(8, '0')}`;
}

/** The first index of 0 … count for which it holds, given that it holds for all behind; count if for none. */
function firstIndex(count: number, holds: (index: number) => boolean): number {
  let from = 0;
  let to = count;
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    if (holds(middle)) to = middle;
    else from = middle + 1;
  }
  return from;
}

function listOf<V>(lists: Map<string, V[]>, key: string): V[] {
  const found = lists.get(key);
  if (found) return found;
  const made: V[] = [];
  lists.set(key, made);
  return made;
}
