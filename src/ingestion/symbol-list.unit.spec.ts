import { describe, expect, it } from 'vitest';
import { CONNECTORS } from './connectors/registry.js';
import { listSymbols } from './symbol-list.js';

const { kraken, coinbase } = CONNECTORS;
const products = [
  { venueSymbol: 'BTC/USD', aliases: ['XBT/USD', 'XBTUSD', 'BTCUSD'], isTrading: true },
  { venueSymbol: 'DOGE/USD', aliases: ['XDG/USD', 'XDGUSD'], isTrading: true },
  { venueSymbol: 'LUNA/USD', aliases: [], isTrading: false },
];

describe('the symbols of a feed', () => {
  it('are spelled as the venue does, by its own list where it came', () => {
    expect(listSymbols(kraken, ['XBT/USD', 'XDGUSD'], products)).toEqual([
      { venueSymbol: 'BTC/USD', symbol: 'BTCUSD' },
      { venueSymbol: 'DOGE/USD', symbol: 'DOGEUSD' },
    ]);
  });

  it('are spelled by rule while the list is away', () => {
    expect(listSymbols(kraken, ['XBT/USD', 'ETH/EUR'], undefined)).toEqual([
      { venueSymbol: 'BTC/USD', symbol: 'BTCUSD' },
      { venueSymbol: 'ETH/EUR', symbol: 'ETHEUR' },
    ]);
  });

  it('are named when the venue does not know them or does not trade them, and the rest runs', () => {
    const listed = listSymbols(kraken, ['BTC/USD', 'NOPE/USD', 'LUNA/USD'], products);
    expect(listed.map(({ venueSymbol, problem }) => [venueSymbol, problem])).toEqual([
      ['BTC/USD', undefined],
      ['NOPE/USD', "not on the venue's list of symbols"],
      ['LUNA/USD', 'listed by the venue, but not traded now'],
    ]);
  });

  it('stay one series each: a second name for one is left out', () => {
    expect(listSymbols(kraken, ['XBT/USD', 'BTC/USD'], undefined)[1]!.problem).toContain('XBT/USD');
    expect(listSymbols(coinbase, ['BTC-USD', 'BTC-EUR'], undefined).every(({ problem }) => !problem)).toBe(true);
  });
});
