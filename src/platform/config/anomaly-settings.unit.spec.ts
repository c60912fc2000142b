import { describe, expect, it } from 'vitest';
import { readAnomalies } from './anomaly-settings.js';
import { describeSettings, readSettings } from './settings.js';

const faultsOf = (...entries: unknown[]): string[] => readAnomalies(JSON.stringify(entries)).faults;

describe('the settings of anomalies', () => {
  it('are entries of the z-score unless they say otherwise, and on unless they say off', () => {
    const settings = readSettings({
      ANOMALIES: JSON.stringify([
        { symbols: '*', threshold: 7 },
        { symbols: ['BTCUSDT', 'orders.open'], source: 'binance', signals: ['price'], detector: 'iqr', enabled: false },
      ]),
    });
    expect(settings.ANOMALIES).toEqual([
      { symbols: '*', threshold: 7, detector: 'zscore', enabled: true },
      { symbols: ['BTCUSDT', 'orders.open'], source: 'binance', signals: ['price'], detector: 'iqr', enabled: false },
    ]);
    expect(JSON.parse(describeSettings(settings).ANOMALIES!)).toEqual(settings.ANOMALIES);
    expect(describeSettings(readSettings({})).ANOMALIES).toBe('');
  });

  it('name every fault by its place, with what would be right', () => {
    const everything = {
      symbols: [],
      source: 'Binance',
      signals: ['pries'],
      detector: 'mad',
      enabled: 'yes',
      threshold: 0,
      window: 29,
      warmUp: 1.5,
      refractory: -1,
      minMove: null,
      treshold: 3,
    };
    expect(faultsOf({ symbols: '*' }, everything, {})).toEqual([
      'ANOMALIES[1].treshold: is none of symbols, source, signals, detector, enabled, threshold, window, warmUp, refractory, minMove',
      'ANOMALIES[1].symbols: must be "*" or a list of 1 to 1000 symbols such as ["BTCUSDT"]',
      'ANOMALIES[1].source: must be the id of a feed such as binance, or custom',
      'ANOMALIES[1].signals: must be a list out of price, volume, volatility, trend, value',
      'ANOMALIES[1].detector: must be one of zscore, iqr, prediction-interval',
      'ANOMALIES[1].enabled: must be true or false',
      'ANOMALIES[1].threshold: must be a number above 0, up to 1000',
      'ANOMALIES[1].window: must be 30 to 10000 samples',
      'ANOMALIES[1].warmUp: must be 10 to 10000 samples',
      'ANOMALIES[1].refractory: must be 0 to 100000 samples',
      'ANOMALIES[1].minMove: must be a number from 0 up',
      'ANOMALIES[2].symbols: must be "*" or a list of 1 to 1000 symbols such as ["BTCUSDT"]',
    ]);
  });

  it('are a list, and a bounded one', () => {
    for (const text of ['{}', '[1]', '[null]', 'price', '[[]]'])
      expect(readAnomalies(text).faults).toEqual(['ANOMALIES: must be a JSON list of objects']);
    expect(faultsOf(...Array.from({ length: 1001 }, () => ({ symbols: '*' })))).toEqual([
      'ANOMALIES: 1001 entries, at most 1000',
    ]);
    expect(() => readSettings({ ANOMALIES: '[{"symbols":"BTC"}]' })).toThrow('ANOMALIES[0].symbols: must be');
  });
});
