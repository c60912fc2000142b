import type { FeedId } from '../../contracts/index.js';
import { binance } from './binance.js';
import type { Connector } from './connector.js';

/** Every connector; a feed id without one does not compile. */
export const CONNECTORS: Readonly<Record<FeedId, Connector>> = {
  simulator: binance('simulator', 'Simulator'),
  binance: binance('binance', 'Binance'),
};
