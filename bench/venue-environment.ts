import type { FaceId } from '../src/ingestion/simulator/faces/face.js';

/** Settings that make an application read one simulated venue: all of its symbols, at a host and port. */
export function venueEnvironment(face: FaceId, symbols: readonly string[], address: string): Record<string, string> {
  const [market, socket] = {
    binance: ['BINANCE', 'BINANCE'],
    coinbase: ['COINBASE', 'COINBASE'],
    'coinbase-advanced': ['COINBASE', 'COINBASE_ADVANCED'],
    kraken: ['KRAKEN', 'KRAKEN'],
    finnhub: ['FINNHUB', 'FINNHUB'],
  }[face];
  const rest = face === 'finnhub' ? { FINNHUB_TOKEN: 'the-key' } : { [`${market}_REST_URL`]: `http://${address}` };
  return {
    FEEDS: face,
    [`${market}_SYMBOLS`]: symbols.join(','),
    [`${socket}_WS_URL`]: `ws://${address}${face === 'kraken' ? '/v2' : ''}`,
    ...rest,
  };
}
