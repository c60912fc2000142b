import { describe, expect, it } from 'vitest';
import { filterFor, filterKey, matches, NOTHING, subscribed, unsubscribed } from './filter.js';

const trade = (symbol: string, source = 'binance') => ({ type: 'trade', source, symbol });

describe('filter', () => {
  it('lets every symbol through when none is named', () => {
    expect(matches(filterFor(['trade'], []), trade('BTCUSDT'))).toBe(true);
  });

  it('keeps to the named symbols, types, source and interval', () => {
    const filter = filterFor(['trade', 'candle'], ['BTCUSDT'], { source: 'binance', window: '1m' });
    expect(matches(filter, trade('BTCUSDT'))).toBe(true);
    expect(matches(filter, trade('ETHUSDT'))).toBe(false);
    expect(matches(filter, trade('BTCUSDT', 'simulator'))).toBe(false);
    expect(matches(filter, { type: 'candle', source: 'binance', symbol: 'BTCUSDT', window: '5m' })).toBe(false);
    expect(matches(filter, { type: 'candle', source: 'binance', symbol: 'BTCUSDT', window: '1m' })).toBe(true);
    expect(matches(filter, { type: 'feed', source: 'binance' })).toBe(false);
  });

  it('does not hide the state of feeds behind a list of symbols', () => {
    expect(matches(filterFor(['feed'], ['BTCUSDT']), { type: 'feed', source: 'binance' })).toBe(true);
  });

  it('takes single symbols out of all of them, and back in', () => {
    const all = subscribed(NOTHING, ['trade'], []);
    const without = unsubscribed(all, ['trade'], ['BTCUSDT']);
    expect(matches(without, trade('BTCUSDT'))).toBe(false);
    expect(matches(without, trade('ETHUSDT'))).toBe(true);
    expect(matches(subscribed(without, ['trade'], ['BTCUSDT']), trade('BTCUSDT'))).toBe(true);
  });

  it('subscribes per type', () => {
    const filter = subscribed(subscribed(NOTHING, ['trade'], ['BTCUSDT']), ['candle'], ['ETHUSDT']);
    expect(matches(filter, trade('BTCUSDT'))).toBe(true);
    expect(matches(filter, trade('ETHUSDT'))).toBe(false);
    expect(matches(filter, { type: 'candle', source: 'binance', symbol: 'ETHUSDT', window: '1m' })).toBe(true);
  });

  it('is nothing again when all of it is taken back', () => {
    const filter = subscribed(NOTHING, ['trade', 'candle'], ['BTCUSDT', 'ETHUSDT']);
    const less = unsubscribed(filter, ['trade'], []);
    expect([...less.symbolsOf.keys()]).toEqual(['candle']);
    expect(unsubscribed(less, ['candle'], ['ETHUSDT', 'BTCUSDT']).symbolsOf.size).toBe(0);
  });

  it('has one key for what is the same, and different keys for what is not', () => {
    expect(filterKey(filterFor(['trade', 'candle'], ['A', 'B']))).toBe(
      filterKey(filterFor(['candle', 'trade'], ['B', 'A'])),
    );
    const keys = [
      filterFor(['trade'], []),
      filterFor(['trade'], ['A']),
      filterFor(['candle'], ['A']),
      filterFor(['trade'], ['A'], { source: 'binance' }),
      filterFor(['candle'], ['A'], { window: '1m' }),
      unsubscribed(filterFor(['trade'], []), ['trade'], ['A']),
    ].map(filterKey);
    expect(new Set(keys).size).toBe(keys.length);
  });
});
