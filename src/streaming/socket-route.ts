import { INTERVAL_NAMES, type IntervalName, SYMBOL } from '../contracts/index.js';
import { type Filter, filterFor, SOURCE } from './filter.js';

/** Where a WebSocket leads: `/ws` takes subscriptions, the others come with theirs. */
export type SocketRoute =
  | Readonly<{ kind: 'hub' }>
  | Readonly<{ kind: 'fixed'; filter: Filter }>
  | Readonly<{ kind: 'unknown' }>
  | Readonly<{ kind: 'fault'; field: string; message: string }>;

const PATHS = /^\/ws(?:\/(price|ohlcv)\/([^/]+))?\/?$/;
const DEFAULT_WINDOW: IntervalName = '1m';

/** `target` is path and query as they stand in the request line. */
export function socketRoute(target: string): SocketRoute {
  const [path = '', query = ''] = target.split('?', 2);
  const match = PATHS.exec(path);
  if (!match) return { kind: 'unknown' };
  if (match[1] === undefined) return { kind: 'hub' };
  const symbol = decoded(match[2]!);
  if (!SYMBOL.test(symbol)) return fault('symbol', 'must be canonical, such as BTCUSDT');
  const parameters = new URLSearchParams(query);
  const source = parameters.get('source') ?? undefined;
  if (source !== undefined && !SOURCE.test(source)) {
    return fault('source', 'must be the id of a feed such as simulator or binance');
  }
  const only = source === undefined ? {} : { source };
  if (match[1] === 'price') return { kind: 'fixed', filter: filterFor(['trade'], [symbol], only) };
  const window = parameters.get('window') ?? DEFAULT_WINDOW;
  if (!(INTERVAL_NAMES as string[]).includes(window)) {
    return fault('window', `must be one of ${INTERVAL_NAMES.join(', ')}`);
  }
  return { kind: 'fixed', filter: filterFor(['candle', 'candle-closed'], [symbol], { ...only, window }) };
}

export const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.');

const fault = (field: string, message: string): SocketRoute => ({ kind: 'fault', field, message });

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return '';
  }
}
