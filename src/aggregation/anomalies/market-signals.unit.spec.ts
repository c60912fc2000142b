import { describe, expect, it } from 'vitest';
import type { CandleData } from '../../contracts/index.js';
import { marketSamples, type MarketState, pointSamples } from './market-signals.js';

const MINUTE_US = 60_000_000;
const START_US = Date.UTC(2026, 7, 9, 21) * 1000;

function candle(minute: number, close: string, changed: Partial<CandleData> = {}): CandleData {
  const openTimeUs = START_US + minute * MINUTE_US;
  return {
    source: 'binance',
    symbol: 'BTCUSDT',
    interval: '1m',
    openTimeUs,
    closeTimeUs: openTimeUs + MINUTE_US,
    open: close,
    high: close,
    low: close,
    close,
    volume: '1',
    quoteVolume: '100',
    trades: 1,
    takerBuyVolume: '1',
    takerBuyQuoteVolume: '100',
    closed: true,
    revision: 0,
    incomplete: false,
    ...changed,
  };
}

const after = (minute: number, close: number | null = 100): MarketState => ({
  atUs: START_US + minute * MINUTE_US,
  close,
});

const told = ({ samples }: ReturnType<typeof marketSamples>): [string, number, number][] =>
  samples.map(({ signal, value, atUs }) => [signal, value, (atUs - START_US) / MINUTE_US]);

describe('the signals of a market', () => {
  it('are the return since the minute before, the volume, the volatility and the trend, at the end of the minute', () => {
    const taken = marketSamples(candle(1, '101', { high: '102', low: '100' }), after(0));
    expect(told(taken)).toEqual([
      ['price', Math.log(1.01), 2],
      ['volume', Math.log(101), 2],
      ['volatility', Math.log(1.02) / (2 * Math.sqrt(Math.LN2)), 2],
      ['trend', Math.log(1.01), 2],
    ]);
    expect(taken.skipped).toEqual([]);
    expect(taken.after).toEqual({ atUs: START_US + MINUTE_US, close: 101 });
  });

  it('have no price for the first candle', () => {
    const taken = marketSamples(candle(0, '100'), null);
    expect(taken.samples.map(({ signal }) => signal)).toEqual(['volume', 'volatility']);
    expect(taken.skipped).toEqual(['no-reference']);
  });

  it('take a minute without a trade for a volume of 0, and for no sample of the price', () => {
    const taken = marketSamples(candle(3, '101'), after(0));
    expect(told(taken).filter(([signal]) => signal === 'volume')).toEqual([
      ['volume', 0, 2],
      ['volume', 0, 3],
      ['volume', Math.log(101), 4],
    ]);
    expect(told(taken).filter(([signal]) => signal === 'price')).toEqual([['price', Math.log(1.01), 4]]);
  });

  it('take a longer silence for a closed market', () => {
    const taken = marketSamples(candle(17, '200'), after(0));
    expect(told(taken).map(([signal]) => signal)).toEqual(['volume', 'volatility']);
    expect(taken.skipped).toEqual(['no-reference']);
  });

  it('are none where a hole touches the candle, and the return after it is unknown', () => {
    const holed = marketSamples(candle(1, '150', { incomplete: true }), after(0));
    expect(holed).toEqual({ samples: [], skipped: ['incomplete'], after: after(1, null) });
    const next = marketSamples(candle(3, '150'), holed.after);
    expect(told(next).map(([signal]) => signal)).toEqual(['volume', 'volatility']);
  });

  it('are none for a candle that is repeated or late', () => {
    for (const minute of [4, 5])
      expect(marketSamples(candle(minute, '150'), after(5))).toEqual({
        samples: [],
        skipped: ['late'],
        after: after(5),
      });
  });

  it('of a polled source have no volume, and returns between values however far apart', () => {
    const polled = { source: 'poll', volume: '0', quoteVolume: '0', trades: 0 };
    const taken = marketSamples(candle(60, '101', polled), after(0));
    expect(told(taken)).toEqual([
      ['price', Math.log(1.01), 61],
      ['volatility', 0, 61],
      ['trend', Math.log(1.01), 61],
    ]);
  });

  it('never hold what is not finite', () => {
    const taken = marketSamples(candle(1, '0', { high: '0', low: '0' }), after(0));
    expect(told(taken).map(([signal]) => signal)).toEqual(['volume']);
    expect(taken.skipped).toEqual(['not-finite', 'not-finite', 'not-finite']);
  });
});

describe('the signal of a custom series', () => {
  it('is its value, later than the one before', () => {
    expect(pointSamples({ value: '-12.5', atUs: 7 }, { atUs: 6 })).toEqual({
      samples: [{ signal: 'value', value: -12.5, atUs: 7 }],
      skipped: [],
      after: { atUs: 7 },
    });
    for (const atUs of [5, 6])
      expect(pointSamples({ value: '1', atUs }, { atUs: 6 })).toEqual({
        samples: [],
        skipped: ['late'],
        after: { atUs: 6 },
      });
  });
});
