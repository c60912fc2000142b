import { SYMBOL } from '../contracts/index.js';
import { MAX_SYMBOLS } from './filter.js';
import { STREAM_TYPES, type StreamType } from './published.js';

/** What a client asks on `/ws`. No symbols: all; no types: all, filled in here. */
export type Subscription = Readonly<{
  action: 'subscribe' | 'unsubscribe';
  symbols: readonly string[];
  types: readonly StreamType[];
}>;

export const MAX_MESSAGE_BYTES = 16 * 1024;

/** One frame of a client: its wish, or in words what is wrong with it. */
export function parseSubscription(frame: string): Subscription | string {
  let message: unknown;
  try {
    message = JSON.parse(frame);
  } catch {
    return 'the message is not JSON';
  }
  if (typeof message !== 'object' || message === null || Array.isArray(message)) {
    return 'the message is not an object such as {"action":"subscribe","symbols":["BTCUSDT"],"types":["trade"]}';
  }
  const { action, symbols, types, ...unknown } = message as Record<string, unknown>;
  const [stranger] = Object.keys(unknown);
  if (stranger !== undefined)
    return `${stranger.slice(0, 40)} is not a key of this message: it takes action, symbols and types`;
  if (action !== 'subscribe' && action !== 'unsubscribe') return 'action must be subscribe or unsubscribe';
  const wantedTypes = strings(types);
  if (!wantedTypes?.every(isStreamType)) return `types must be a list out of ${STREAM_TYPES.join(', ')}`;
  const wantedSymbols = strings(symbols);
  if (!wantedSymbols?.every((symbol) => SYMBOL.test(symbol)))
    return 'symbols must be a list of canonical symbols such as ["BTCUSDT"]';
  if (wantedSymbols.length > MAX_SYMBOLS) return tooManySymbols(wantedSymbols.length);
  return {
    action,
    symbols: [...new Set(wantedSymbols)],
    types: wantedTypes.length === 0 ? STREAM_TYPES : [...new Set(wantedTypes)],
  };
}

export const tooManySymbols = (count: number): string =>
  `${count} symbols are too many: list at most ${MAX_SYMBOLS}, or none for all`;

const isStreamType = (type: string): type is StreamType => (STREAM_TYPES as readonly string[]).includes(type);

/** Absent counts as empty; `undefined` when it is no list of strings. */
function strings(value: unknown): string[] | undefined {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
}
