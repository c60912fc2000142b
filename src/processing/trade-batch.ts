import type { RecordedSeries, Trade } from '../contracts/index.js';

type Columns = { tradeIds: string[]; prices: string[]; sizes: string[]; sides: string; tradedAtUs: number[]; receivedAtUs: number[] };

/** Trades of several series as columns, each row with its series' id: the shape in which they are inserted. */
export type TradeColumns = Columns & { seriesIds: number[] };

export const emptyColumns = (): TradeColumns => ({ seriesIds: [], tradeIds: [], prices: [], sizes: [], sides: '', tradedAtUs: [], receivedAtUs: [] });

export function appendTrade(columns: TradeColumns, seriesId: number, trade: Trade): void {
  columns.seriesIds.push(seriesId);
  append(columns, trade);
}

/** Trades grouped by series, as the event tells them. */
export class RecordedBatch {
  private readonly bySeries = new Map<number, RecordedSeries & Columns>();

  add(seriesId: number, trade: Trade): void {
    let series = this.bySeries.get(seriesId);
    if (!series) {
      const { source, exchange, symbol, venueSymbol } = trade;
      series = { source, exchange, symbol, venueSymbol, tradeIds: [], prices: [], sizes: [], sides: '', tradedAtUs: [], receivedAtUs: [] };
      this.bySeries.set(seriesId, series);
    }
    append(series, trade);
  }

  get series(): RecordedSeries[] {
    return [...this.bySeries.values()];
  }
}

function append(columns: Columns, trade: Trade): void {
  columns.tradeIds.push(trade.tradeId);
  columns.prices.push(trade.price);
  columns.sizes.push(trade.size);
  columns.sides += trade.side === 'buy' ? 'b' : trade.side === 'sell' ? 's' : '-';
  columns.tradedAtUs.push(trade.tradedAtUs);
  columns.receivedAtUs.push(trade.receivedAtUs);
}
