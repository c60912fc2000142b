import { fromUnits, times, toUnits } from '../decimal8.js';
import type { TapeTrade } from '../tape.js';

const SECOND_US = 1_000_000;
const MINUTE_US = 60 * SECOND_US;
const HOUR_US = 60 * MINUTE_US;

/** Widths of the intervals this venue's face knows; the real one also has 3d, 1w and 1M. */
export const klineWidthsUs: Readonly<Record<string, number>> = {
  '1s': SECOND_US,
  '1m': MINUTE_US,
  '3m': 3 * MINUTE_US,
  '5m': 5 * MINUTE_US,
  '15m': 15 * MINUTE_US,
  '30m': 30 * MINUTE_US,
  '1h': HOUR_US,
  '2h': 2 * HOUR_US,
  '4h': 4 * HOUR_US,
  '6h': 6 * HOUR_US,
  '8h': 8 * HOUR_US,
  '12h': 12 * HOUR_US,
  '1d': 24 * HOUR_US,
};

/** `[openTime, open, high, low, close, volume, closeTime, quoteVolume, trades, takerBuyBase, takerBuyQuote, "0"]` */
export type KlineRow = readonly [
  number,
  string,
  string,
  string,
  string,
  string,
  number,
  string,
  number,
  string,
  string,
  string,
];

/**
 * Candles of trades that come in the order of their ids, which is how the venue orders them. Sums are exact. A window
 * without trades is a flat row at the last close, as the venue has it; before the first trade there is none.
 */
export class Klines {
  private readonly rows: KlineRow[] = [];
  private openUs: number;
  private close: bigint | undefined;
  private open = 0n;
  private high = 0n;
  private low = 0n;
  private volume = 0n;
  private quote = 0n;
  private takerBase = 0n;
  private takerQuote = 0n;
  private trades = 0;

  /** `before`: the last trade ahead of fromUs, absent when there was none. fromUs must be a multiple of widthUs. */
  constructor(
    private readonly widthUs: number,
    fromUs: number,
    private readonly microseconds: boolean,
    before?: TapeTrade,
  ) {
    this.openUs = fromUs;
    if (before) this.close = toUnits(before.price);
  }

  add(trade: TapeTrade): void {
    // a venue's clock may step back: such a trade belongs to the window that is open
    if (trade.tradedAtUs >= this.openUs + this.widthUs) this.closeUpTo(trade.tradedAtUs);
    const price = toUnits(trade.price);
    const size = toUnits(trade.size);
    const quote = times(price, size);
    if (this.trades === 0) this.open = this.high = this.low = price;
    if (price > this.high) this.high = price;
    if (price < this.low) this.low = price;
    this.close = price;
    this.volume += size;
    this.quote += quote;
    if (!trade.buyerIsMaker) {
      this.takerBase += size;
      this.takerQuote += quote;
    }
    this.trades++;
  }

  /** The rows up to and with the window that holds lastUs; it may still be open. */
  finish(lastUs: number): readonly KlineRow[] {
    this.closeUpTo(lastUs);
    this.push();
    return this.rows;
  }

  private closeUpTo(timeUs: number): void {
    while (timeUs >= this.openUs + this.widthUs) {
      this.push();
      this.openUs += this.widthUs;
    }
  }

  private push(): void {
    if (this.close !== undefined) this.rows.push(this.row(this.close));
    this.volume = this.quote = this.takerBase = this.takerQuote = 0n;
    this.trades = 0;
  }

  private row(close: bigint): KlineRow {
    const flat = this.trades === 0;
    const closeUs = this.openUs + this.widthUs;
    return [
      this.microseconds ? this.openUs : this.openUs / 1000,
      fromUnits(flat ? close : this.open),
      fromUnits(flat ? close : this.high),
      fromUnits(flat ? close : this.low),
      fromUnits(close),
      fromUnits(this.volume),
      (this.microseconds ? closeUs : closeUs / 1000) - 1,
      fromUnits(this.quote),
      this.trades,
      fromUnits(this.takerBase),
      fromUnits(this.takerQuote),
      '0',
    ];
  }
}
