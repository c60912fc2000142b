import { parseStream, type Tape, type TapeFrame, type TapeTrade } from './tape.js';

/** A run of `trades` trades begins at each id that is a multiple of `everyTrades`. */
export type Bunches = Readonly<{ everyTrades: number; trades: number }>;

/**
 * The same market in bursts, as a venue serves a large order: the trades of a run all happen at the time of its last one,
 * to the microsecond. Of a market only, whose cursors are trade ids. Throws RangeError when the runs overlap.
 */
export function bunched(tape: Tape, { everyTrades, trades: length }: Bunches): Tape {
  if (!(length > 0 && length <= everyTrades))
    throw new RangeError(`bunches of ${length} trades every ${everyTrades} trades overlap`);
  const firstOf = (id: number): number => id - (id % everyTrades);
  const isInRun = (id: number): boolean => id >= 0 && id % everyTrades < length;
  const lastOf = (id: number): number => firstOf(id) + length - 1;
  /** The newest id that is known when `id` is the newest of the tape below: none of a run that is not over. */
  const known = (id: number): number => (isInRun(id) && id < lastOf(id) ? firstOf(id) - 1 : id);

  const trades = (symbol: string, fromId: number, limit: number, nowUs: number): TapeTrade[] => {
    const newest = known(tape.lastId(symbol, nowUs) ?? -1);
    const found = tape.tradesFrom(symbol, fromId, Math.min(limit, newest - fromId + 1), nowUs);
    let end = -1;
    let endUs = 0;
    return found.map((trade) => {
      if (!isInRun(trade.id)) return trade;
      if (lastOf(trade.id) !== end) {
        end = lastOf(trade.id);
        endUs = tape.tradesFrom(symbol, end, 1, nowUs)[0]!.tradedAtUs;
      }
      return { ...trade, tradedAtUs: endUs };
    });
  };

  return {
    instruments: tape.instruments,
    tradesFrom: trades,
    lastId: (symbol, nowUs) => {
      const id = known(tape.lastId(symbol, nowUs) ?? -1);
      return id < 0 ? undefined : id;
    },
    firstIdSince: (symbol, tradedFromUs) => {
      const id = tape.firstIdSince(symbol, tradedFromUs);
      return id !== undefined && isInRun(id) ? firstOf(id) : id;
    },
    cursorAt: (stream, nowUs) => {
      const cursor = tape.cursorAt(stream, nowUs);
      return cursor === undefined ? undefined : known(cursor);
    },
    framesAfter: (stream, after, limit, nowUs) => {
      if (tape.cursorAt(stream, nowUs) === undefined) return [];
      return trades(parseStream(stream)!.symbol, after + 1, limit, nowUs).map((trade): TapeFrame => ({
        cursor: trade.id,
        order: trade.id,
        atUs: trade.tradedAtUs,
        trade,
      }));
    },
  };
}

/** The same trades at whole milliseconds, so that a frame or an answer in milliseconds loses nothing. */
export function wholeMilliseconds(tape: Tape): Tape {
  const cut = (trade: TapeTrade): TapeTrade => ({ ...trade, tradedAtUs: trade.tradedAtUs - (trade.tradedAtUs % 1000) });
  return {
    ...tape,
    tradesFrom: (...asked) => tape.tradesFrom(...asked).map(cut),
    firstIdSince: (symbol, tradedFromUs) => tape.firstIdSince(symbol, Math.ceil(tradedFromUs / 1000) * 1000),
    framesAfter: (...asked) =>
      tape
        .framesAfter(...asked)
        .map((frame): TapeFrame => (frame.trade ? { ...frame, trade: cut(frame.trade) } : frame)),
  };
}
