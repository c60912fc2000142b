import { describe, expect, it } from 'vitest';
import { filterFor } from './filter.js';
import { socketRoute } from './socket-route.js';

describe('socket route', () => {
  it('knows the three paths', () => {
    expect(socketRoute('/ws')).toEqual({ kind: 'hub' });
    expect(socketRoute('/ws/?x=1')).toEqual({ kind: 'hub' });
    expect(socketRoute('/ws/price/BTCUSDT')).toEqual({ kind: 'fixed', filter: filterFor(['trade'], ['BTCUSDT']) });
    expect(socketRoute('/ws/ohlcv/BTCUSDT?window=5m&source=binance')).toEqual({
      kind: 'fixed',
      filter: filterFor(['candle', 'candle-closed'], ['BTCUSDT'], { source: 'binance', window: '5m' }),
    });
  });

  it('takes minutes when no window is given', () => {
    expect(socketRoute('/ws/ohlcv/BTCUSDT')).toMatchObject({ filter: { window: '1m' } });
  });

  it.each([
    ['/ws/ohlcv/BTCUSDT?window=7m', 'window'],
    ['/ws/price/btc-usdt', 'symbol'],
    ['/ws/price/%E0%A4%A', 'symbol'],
    ['/ws/price/BTCUSDT?source=No%20such', 'source'],
  ])('names the fault of %s', (target, field) => {
    expect(socketRoute(target)).toMatchObject({ kind: 'fault', field });
  });

  it.each(['/', '/wss', '/ws/trades/BTCUSDT', '/ws/price', '/ws/price/A/B', '/stream'])(
    'does not know %s',
    (target) => {
      expect(socketRoute(target)).toEqual({ kind: 'unknown' });
    },
  );
});
