import { describe, expect, it } from 'vitest';
import type { AnomalySetting } from '../../platform/config/index.js';
import { watchedOf } from './watched.js';

const BTC = { source: 'binance', symbol: 'BTCUSDT' };
const entry = (changed: Partial<AnomalySetting>): AnomalySetting => ({
  symbols: '*',
  detector: 'zscore',
  enabled: true,
  ...changed,
});
const names = (key: typeof BTC, ...settings: AnomalySetting[]): string[] =>
  watchedOf(key, settings).map(({ signal, options }) => `${signal} ${options.detector}`);
const priceOf = (key: typeof BTC, ...settings: AnomalySetting[]) =>
  watchedOf(key, settings).find(({ signal }) => signal === 'price')?.options;

describe('what is watched', () => {
  it('is every signal a series has, by its z-score', () => {
    expect(names(BTC)).toEqual(['price zscore', 'volume zscore', 'volatility zscore', 'trend zscore']);
    expect(names({ source: 'fear-greed', symbol: 'FNG' })).toEqual([
      'price zscore',
      'volatility zscore',
      'trend zscore',
    ]);
    expect(names({ source: 'custom', symbol: 'orders.open' })).toEqual(['value zscore']);
  });

  it('may be off, or have detectors side by side', () => {
    expect(names(BTC, entry({ enabled: false }))).toEqual([]);
    expect(names(BTC, entry({ enabled: false, signals: ['volume', 'volatility', 'trend'] }))).toEqual(['price zscore']);
    const both = entry({ detector: 'iqr', signals: ['price'] });
    expect(names(BTC, both, entry({ detector: 'prediction-interval', signals: ['trend'] }))).toEqual([
      'price zscore',
      'price iqr',
      'volume zscore',
      'volatility zscore',
      'trend zscore',
    ]);
  });

  it('is told by entries for its symbol, source and signal only', () => {
    for (const other of [{ symbols: ['ETHUSDT'] }, { source: 'kraken' }, { signals: ['volume' as const] }])
      expect(priceOf(BTC, entry({ ...other, threshold: 9 }))).toMatchObject({ threshold: 5.5 });
    expect(priceOf(BTC, entry({ symbols: ['BTCUSDT'], source: 'binance', threshold: 9 }))).toMatchObject({
      threshold: 9,
      window: 1000,
      minMove: 0.005,
    });
  });

  it('is what the later entries say, over the earlier ones', () => {
    const options = priceOf(
      BTC,
      entry({ threshold: 9, window: 100, minMove: 0.01 }),
      entry({ symbols: ['BTCUSDT'], threshold: 4, warmUp: 200 }),
    );
    expect(options).toMatchObject({ threshold: 4, window: 100, warmUp: 100, minMove: 0.01, refractory: 180 });
    expect(names(BTC, entry({ enabled: false }), entry({ symbols: ['BTCUSDT'] }))).toHaveLength(4);
  });
});
