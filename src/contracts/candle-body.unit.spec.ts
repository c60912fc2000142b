import { expect, it } from 'vitest';
import type { CandleData } from './aggregation.events.js';
import { candleBody } from './candle-body.js';

const candle: CandleData = {
  source: 'binance',
  symbol: 'BTCUSDT',
  interval: '1m',
  openTimeUs: 0,
  closeTimeUs: 60_000_000,
  open: '2',
  high: '3',
  low: '2',
  close: '3',
  volume: '3',
  quoteVolume: '8',
  trades: 2,
  takerBuyVolume: '0',
  takerBuyQuoteVolume: '0',
  closed: true,
  revision: 0,
  incomplete: false,
};

it('tells the average price by volume', () => expect(candleBody(candle).vwap).toBe('2.66666667'));

it('tells none for a candle without volume, as those of polled values are', () => {
  const observed = { ...candle, source: 'fear-greed', volume: '0', quoteVolume: '0', trades: 0 };
  expect(candleBody(observed)).toMatchObject({ close: '3', volume: '0', trades: 0, vwap: null });
});
