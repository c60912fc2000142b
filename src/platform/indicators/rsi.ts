import { wilder } from './averages.js';
import type { Series } from './indicator.js';

/** TA-Lib calls less than this nothing, in the unit of the price. */
const NOTHING = 1e-14;

/** Wilder's relative strength index, 0 to 100. Where nothing moves it is 0, as TA-Lib has it, and not the neutral 50. */
export class Rsi implements Series {
  private before: number | undefined;
  private readonly gains: Series;
  private readonly losses: Series;

  constructor(length: number) {
    this.gains = wilder(length);
    this.losses = wilder(length);
  }

  next(close: number): number | undefined {
    const { before } = this;
    this.before = close;
    if (before === undefined) return undefined;
    const change = close - before;
    return strength(this.gains.next(Math.max(change, 0)), this.losses.next(Math.max(-change, 0)));
  }

  peek(close: number): number | undefined {
    if (this.before === undefined) return undefined;
    const change = close - this.before;
    return strength(this.gains.peek(Math.max(change, 0)), this.losses.peek(Math.max(-change, 0)));
  }
}

function strength(gain: number | undefined, loss: number | undefined): number | undefined {
  if (gain === undefined || loss === undefined) return undefined;
  return gain + loss < NOTHING ? 0 : 100 * (gain / (gain + loss));
}
