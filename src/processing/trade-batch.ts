import type { RecordedSeries, Trade } from '../contracts/index.js';

type Columns = { tradeIds: string[]; prices: string[]; sizes: string[]; sides: string; tradedAtUs: number[] };

/** Trades of one series as columns of one length. */
export type TradeRecord = Readonly<{
  tradeIds: readonly string[];
  /** Exact canonical decimals. */
  prices: readonly string[];
  sizes: readonly string[];
  /** One character a trade: `b`, `s` or `-`. */
  sides: string;
  tradedAtUs: readonly number[];
  receivedAtUs: readonly number[];
}>;

/** Trades of several series as columns, each row with its series' id: the shape in which they are inserted. */
export type TradeColumns = Columns & { seriesIds: number[]; receivedAtUs: number[] };

export const emptyColumns = (): TradeColumns => ({ ...noColumns(), seriesIds: [], receivedAtUs: [] });

export function appendTrade(columns: TradeColumns, seriesId: number, trade: Trade): void {
  append(columns, trade);
  columns.seriesIds.push(seriesId);
  columns.receivedAtUs.push(trade.receivedAtUs);
}

/** Trades grouped by series, as the event tells them. */
export class RecordedBatch {
  private readonly bySeries = new Map<number, RecordedSeries & Columns & { firstReceivedAtUs: number }>();

  add(seriesId: number, trade: Trade): void {
    let series = this.bySeries.get(seriesId);
    if (!series) {
      const { source, exchange, symbol, venueSymbol, receivedAtUs: firstReceivedAtUs } = trade;
      series = { source, exchange, symbol, venueSymbol, ...noColumns(), firstReceivedAtUs };
      this.bySeries.set(seriesId, series);
    }
    append(series, trade);
    if (trade.receivedAtUs < series.firstReceivedAtUs) series.firstReceivedAtUs = trade.receivedAtUs;
  }

  get series(): RecordedSeries[] {
    return [...this.bySeries.values()];
  }
}

const noColumns = (): Columns => ({ tradeIds: [], prices: [], sizes: [], sides: '', tradedAtUs: [] });

function append(columns: Columns, trade: Trade): void {
  columns.tradeIds.push(trade.tradeId);
  columns.prices.push(trade.price);
  columns.sizes.push(trade.size);
  columns.sides += trade.side === 'buy' ? 'b' : trade.side === 'sell' ? 's' : '-';
  columns.tradedAtUs.push(trade.tradedAtUs);
}
