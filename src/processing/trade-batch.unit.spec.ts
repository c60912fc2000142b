import { describe, expect, it } from 'vitest';
import type { Trade } from '../contracts/index.js';
import { appendTrade, emptyColumns, RecordedBatch } from './trade-batch.js';

const trade = (tradeId: string, symbol = 'BTCUSDT', side?: Trade['side']): Trade => ({
  source: 'binance',
  exchange: 'Binance',
  symbol,
  venueSymbol: symbol.toLowerCase(),
  tradeId,
  price: `${tradeId}.5`,
  size: `0.${tradeId}`,
  tradedAtUs: Number(tradeId) * 1000,
  receivedAtUs: Number(tradeId) * 1000 + 5,
  ...(side === undefined ? {} : { side }),
});

describe('a batch of recorded trades', () => {
  it('tells each series once, with columns of one length in order of arrival', () => {
    const batch = new RecordedBatch();
    for (const [series, one] of [
      [1, trade('7', 'BTCUSDT', 'buy')],
      [2, trade('3', 'ETHUSDT', 'sell')],
      [1, trade('5')],
    ] as const)
      batch.add(series, one);
    expect(batch.series).toEqual([
      {
        source: 'binance',
        exchange: 'Binance',
        symbol: 'BTCUSDT',
        venueSymbol: 'btcusdt',
        tradeIds: ['7', '5'],
        prices: ['7.5', '5.5'],
        sizes: ['0.7', '0.5'],
        sides: 'b-',
        tradedAtUs: [7000, 5000],
        firstReceivedAtUs: 5005,
      },
      expect.objectContaining({ symbol: 'ETHUSDT', tradeIds: ['3'], sides: 's' }),
    ]);
  });

  it('keeps series apart by their id, even where the symbol is the same', () => {
    const batch = new RecordedBatch();
    batch.add(1, trade('7'));
    batch.add(2, trade('7'));
    expect(batch.series.map(({ tradeIds }) => tradeIds)).toEqual([['7'], ['7']]);
  });

  it('is empty before the first trade', () => expect(new RecordedBatch().series).toEqual([]));
});

describe('columns of trades', () => {
  it('hold one entry a trade in each, with the id of its series', () => {
    const columns = emptyColumns();
    appendTrade(columns, 4, trade('1', 'BTCUSDT', 'sell'));
    appendTrade(columns, 9, trade('2', 'ETHUSDT', 'buy'));
    expect(columns).toEqual({
      seriesIds: [4, 9],
      tradeIds: ['1', '2'],
      prices: ['1.5', '2.5'],
      sizes: ['0.1', '0.2'],
      sides: 'sb',
      tradedAtUs: [1000, 2000],
      receivedAtUs: [1005, 2005],
    });
  });

  it('start empty each time', () => {
    appendTrade(emptyColumns(), 1, trade('1'));
    expect(emptyColumns().tradeIds).toEqual([]);
  });
});
