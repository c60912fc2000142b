import { describe, expect, it } from 'vitest';
import { indicator, INDICATOR_DEFAULTS, IndicatorNameError } from './index.js';

describe('the name of an indicator', () => {
  it.each([
    ['sma', 'sma:20'],
    ['rsi', 'rsi:14'],
    ['macd', 'macd:12:26:9'],
    ['macd:5', 'macd:5:26:9'],
    ['bollinger', 'bollinger:20:2'],
    ['bollinger:50', 'bollinger:50:2'],
    ['bollinger:20:2.50', 'bollinger:20:2.5'],
    ['stochastic:5', 'stochastic:5:3:3'],
    ['vwap', 'vwap:session'],
    ['vwap:session', 'vwap:session'],
    ['vwap:20', 'vwap:20'],
    ['obv', 'obv'],
    ['sma:500', 'sma:500'],
    ['atr:1', 'atr:1'],
  ])('%s is %s', (text, name) => expect(indicator(text).name).toBe(name));

  it('read again is itself, at defaults and at every bound', () => {
    for (const name of [...INDICATOR_DEFAULTS, 'macd:2:500:500', 'bollinger:500:0.1', 'bollinger:2:10', 'vwap:500'])
      expect(indicator(name).name).toBe(name);
  });

  it('has defaults for all but a rolling vwap', () => {
    expect(INDICATOR_DEFAULTS).toEqual([
      'sma:20',
      'ema:20',
      'wma:20',
      'rsi:14',
      'macd:12:26:9',
      'bollinger:20:2',
      'atr:14',
      'stochastic:14:3:3',
      'obv',
      'vwap:session',
      'twap:20',
    ]);
  });

  it.each([
    ['sma:0', 'sma:<length 2..500>'],
    ['sma:1', 'sma:<length 2..500>'],
    ['sma:501', 'sma:<length 2..500>'],
    ['sma:-5', 'sma:<length 2..500>'],
    ['sma:2.5', 'sma:<length 2..500>'],
    ['sma:1e2', 'sma:<length 2..500>'],
    ['sma:', 'sma:<length 2..500>'],
    ['sma:20:', 'sma:<length 2..500>'],
    ['sma: 20', 'sma:<length 2..500>'],
    ['obv:3', 'obv'],
    ['vwap:day', 'vwap:session; vwap:<length 1..500>'],
    ['vwap:0', 'vwap:session; vwap:<length 1..500>'],
    ['vwap:session:1', 'vwap:session; vwap:<length 1..500>'],
    ['bollinger:20:0', 'bollinger:<length 2..500>:<multiplier 0.1..10>'],
    ['bollinger:20:10.5', 'bollinger:<length 2..500>:<multiplier 0.1..10>'],
    ['macd:26:12:9', 'macd:<fast 2..500>:<slow 2..500>:<signal 2..500>, fast below slow'],
    ['macd:12:12:9', 'macd:<fast 2..500>:<slow 2..500>:<signal 2..500>, fast below slow'],
    ['stochastic:14:3:3:3', 'stochastic:<length 1..500>:<slowing 1..500>:<smoothing 1..500>'],
  ])('%s is refused with what %s takes', (text, expected) => {
    expect(() => indicator(text)).toThrow(IndicatorNameError);
    expect(() => indicator(text)).toThrow(expect.objectContaining({ expected }));
  });

  it.each(['', 'SMA:20', 'supertrend', 'constructor', '__proto__', ':20', 'x'.repeat(10_000)])(
    'that nobody knows is refused with all there are: %.20s',
    (text) => {
      let refused: unknown;
      try {
        indicator(text);
      } catch (error) {
        refused = error;
      }
      expect(refused).toBeInstanceOf(IndicatorNameError);
      const { expected, message } = refused as IndicatorNameError;
      for (const name of INDICATOR_DEFAULTS) expect(expected).toContain(name.split(':')[0]);
      expect(expected.split('; ')).toHaveLength(12);
      expect(message.length).toBeLessThan(700);
    },
  );
});

describe('a settled value', () => {
  it.each([
    ['sma:20', 20, 20],
    ['ema:20', 20, 20 + 300],
    ['rsi:14', 15, 15 + 404],
    ['atr:1', 2, 2],
    ['macd:12:26:9', 34, 34 + 389 + 135],
    ['bollinger:20:2', 20, 20],
    ['stochastic:14:3:3', 18, 18],
    ['vwap:30', 30, 30],
    ['vwap:session', 1, 1],
    ['obv', 1, 1],
    ['twap:20', 20, 20],
  ])('of %s comes after %i bars, and takes %i', (name, warmUp, settle) =>
    expect(indicator(name)).toMatchObject({ warmUp, settle }),
  );
});
