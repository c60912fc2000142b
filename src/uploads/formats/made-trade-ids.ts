/**
 * Ids for the trades of files that number none: the microsecond, and the place among the trades of that microsecond and
 * symbol in the file. The same file read again gives the same ids. JSON, and bounded: it is kept with every checkpoint.
 */
export type MadeIds = {
  /** How many trades the last microseconds had, by `symbol microsecond`, oldest first. */
  places: Record<string, number>;
  size: number;
  /** By symbol, between which microseconds those lie that are no longer in `places`. */
  forgotten: Record<string, [fromUs: number, toUs: number]>;
  symbols: number;
};

const IDS_A_MICROSECOND = 1000n;
const MOST_PLACES = 512;
const MOST_SYMBOLS = 1000;

export const noMadeIds = (): MadeIds => ({ places: {}, size: 0, forgotten: {}, symbols: 0 });

/**
 * The id of the next trade; undefined where it may be one that was given already: its microsecond was passed so long ago
 * that nobody knows how many trades it had.
 */
export function makeId(made: MadeIds, symbol: string, atUs: number): string | undefined {
  const key = `${symbol} ${atUs}`;
  const place = made.places[key] ?? 0;
  if (place === 0) {
    const [fromUs, toUs] = made.forgotten[symbol] ?? [Infinity, -Infinity];
    if (atUs >= fromUs && atUs <= toUs) return undefined;
    if (made.size >= MOST_PLACES && !forgetHalf(made)) return undefined;
    made.size++;
  }
  made.places[key] = place + 1;
  return (BigInt(atUs) * IDS_A_MICROSECOND + BigInt(place)).toString();
}

/** In bulk, for looking for the oldest takes as long as forgetting many. False when there are too many symbols. */
function forgetHalf(made: MadeIds): boolean {
  const entries = Object.entries(made.places);
  const passed = entries.slice(0, MOST_PLACES / 2).map(([key]) => key.split(' ') as [symbol: string, atUs: string]);
  const fresh = new Set(passed.map(([symbol]) => symbol).filter((symbol) => made.forgotten[symbol] === undefined));
  if (made.symbols + fresh.size > MOST_SYMBOLS) return false;
  for (const [symbol, at] of passed) {
    const [fromUs, toUs] = made.forgotten[symbol] ?? [Infinity, -Infinity];
    made.forgotten[symbol] = [Math.min(fromUs, Number(at)), Math.max(toUs, Number(at))];
  }
  made.symbols += fresh.size;
  made.places = Object.fromEntries(entries.slice(MOST_PLACES / 2));
  made.size -= passed.length;
  return true;
}
