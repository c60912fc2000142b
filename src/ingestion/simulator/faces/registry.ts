import { binance } from './binance.js';
import { coinbaseAdvanced } from './coinbase-advanced.js';
import { coinbase } from './coinbase.js';
import type { Face, FaceId } from './face.js';
import { finnhub } from './finnhub.js';
import { kraken } from './kraken.js';

/** Every face; an id without one does not compile. */
export const FACES: Readonly<Record<FaceId, Face>> = {
  binance,
  coinbase,
  'coinbase-advanced': coinbaseAdvanced,
  kraken,
  finnhub,
};
