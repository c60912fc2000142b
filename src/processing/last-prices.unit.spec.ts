import { expect, it } from 'vitest';
import type { RecordedSeries } from '../contracts/index.js';
import { LastPrices } from './last-prices.service.js';

const HOUR_US = 3_600_000_000;
const recorded = (tradeId: string, tradedAtUs: number, firstReceivedAtUs: number): RecordedSeries => ({
  source: 'binance',
  exchange: 'Binance',
  symbol: 'BTCUSDT',
  venueSymbol: 'BTCUSDT',
  tradeIds: [tradeId],
  prices: [tradeId],
  sizes: ['1'],
  sides: 'b',
  tradedAtUs: [tradedAtUs],
  firstReceivedAtUs,
});

it('leaves it to a query which trade is the last one while only old ones came, and never goes back', () => {
  const prices = new LastPrices({ set: () => undefined } as never);
  const last = (): string | undefined => prices.get('binance', 'BTCUSDT')?.tradeId;
  prices.onTradesRecorded({ series: [recorded('5', HOUR_US, 3 * HOUR_US)] });
  expect(last()).toBeUndefined();
  prices.onTradesRecorded({ series: [recorded('7', 3 * HOUR_US, 3 * HOUR_US + 1)] });
  expect(last()).toBe('7');
  prices.onTradesRecorded({ series: [recorded('6', 2 * HOUR_US, 4 * HOUR_US)] });
  expect(last()).toBe('7');
  prices.onTradesRecorded({ series: [recorded('8', 4 * HOUR_US, 6 * HOUR_US)] });
  expect(last()).toBe('8');
});
