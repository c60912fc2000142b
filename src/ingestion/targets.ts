import type { VenueId } from '../contracts/index.js';
import type { Settings } from '../platform/config/index.js';

/** Where a venue's feed connects and what it asks for. */
export type Target = Readonly<{
  wsUrl: string;
  /** Absent where nothing is asked over REST. */
  restUrl?: string;
  asked: readonly string[];
  key?: string | undefined;
  mostSymbols?: number;
}>;

/** The settings of each venue; the simulator runs inside and has none. */
export const TARGETS: Readonly<Record<Exclude<VenueId, 'simulator'>, (settings: Settings) => Target>> = {
  binance: (s) => ({ wsUrl: s.BINANCE_WS_URL, restUrl: s.BINANCE_REST_URL, asked: s.BINANCE_SYMBOLS }),
  coinbase: (s) => ({ wsUrl: s.COINBASE_WS_URL, restUrl: s.COINBASE_REST_URL, asked: s.COINBASE_SYMBOLS }),
  'coinbase-advanced': (s) => ({
    wsUrl: s.COINBASE_ADVANCED_WS_URL,
    restUrl: s.COINBASE_REST_URL,
    asked: s.COINBASE_SYMBOLS,
  }),
  kraken: (s) => ({ wsUrl: s.KRAKEN_WS_URL, restUrl: s.KRAKEN_REST_URL, asked: s.KRAKEN_SYMBOLS }),
  finnhub: (s) => ({
    wsUrl: s.FINNHUB_WS_URL,
    asked: s.FINNHUB_SYMBOLS,
    key: s.FINNHUB_TOKEN,
    mostSymbols: s.FINNHUB_MAX_SYMBOLS,
  }),
};
