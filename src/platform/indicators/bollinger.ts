import type { Bar, Indicator } from './indicator.js';
import { RollingSpread, type Spread } from './rolling.js';

export type BollingerValue = Readonly<{ upper: number; middle: number; lower: number }>;

/** Bands at a multiple of the population standard deviation around the simple average of the closes. */
export class Bollinger implements Indicator {
  private readonly spread: RollingSpread;

  constructor(
    length: number,
    private readonly multiplier: number,
  ) {
    this.spread = new RollingSpread(length);
  }

  next({ close }: Bar): BollingerValue | undefined {
    return this.bands(this.spread.next(close));
  }

  peek({ close }: Bar): BollingerValue | undefined {
    return this.bands(this.spread.peek(close));
  }

  private bands(spread: Spread | undefined): BollingerValue | undefined {
    if (!spread) return undefined;
    const { mean, deviation } = spread;
    const width = this.multiplier * deviation;
    return { upper: mean + width, middle: mean, lower: mean - width };
  }
}
