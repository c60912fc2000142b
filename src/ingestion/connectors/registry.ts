import type { VenueId } from '../../contracts/index.js';
import { binance } from './binance.js';
import { coinbase } from './coinbase.js';
import { coinbaseAdvanced } from './coinbase-advanced.js';
import type { Connector } from './connector.js';
import { finnhub } from './finnhub.js';
import { kraken } from './kraken.js';

/** Every connector; a venue without one does not compile. */
export const CONNECTORS: Readonly<Record<VenueId, Connector>> = {
  simulator: binance('simulator', 'Simulator'),
  binance: binance('binance', 'Binance'),
  coinbase,
  'coinbase-advanced': coinbaseAdvanced,
  kraken,
  finnhub,
};
