import { comparePositive, decimalText, exact, quotientText, subtract } from '../../contracts/index.js';
import type { Totals } from './window.store.js';

export const DAY_US = 86_400_000_000;
const PERCENT_DECIMALS = 4;

/** The rolling day against the one before; percentages are rounded half up to four decimals. */
export type DayChange = Readonly<{
  price: string;
  openPrice: string;
  priceChange: string;
  priceChangePercent: number;
  high: string;
  low: string;
  volume: string;
  quoteVolume: string;
  previousVolume: string;
  /** Null when the day before had no volume, or is not wholly known. */
  volumeChangePercent: number | null;
  trades: number;
  incomplete: boolean;
}>;

/** `standing` is the price that stood when the day began, where the first price of the day is not what it opened with. */
export function dayChange(day: Totals, before: Totals | undefined, standing?: string): DayChange {
  const openPrice = standing ?? day.open;
  const prices = [day.high, day.low, openPrice].sort(comparePositive);
  const previousVolume = before?.volume ?? '0';
  const isComparable = previousVolume !== '0' && before?.incomplete === false;
  return {
    price: day.close,
    openPrice,
    priceChange: difference(day.close, openPrice),
    priceChangePercent: changePercent(day.close, openPrice),
    high: prices.at(-1)!,
    low: prices[0]!,
    volume: day.volume,
    quoteVolume: day.quoteVolume,
    previousVolume,
    volumeChangePercent: isComparable ? changePercent(day.volume, previousVolume) : null,
    trades: day.trades,
    incomplete: day.incomplete,
  };
}

/** By how many percent `to` is above `from`, rounded half up to four decimals; decimals as text, `from` not zero. */
export function changePercent(to: string, from: string): number {
  const { units, scale } = exact(difference(to, from));
  return Number(quotientText({ units: units * 100n, scale }, exact(from), PERCENT_DECIMALS));
}

/** a - b, exact text. */
export const difference = (a: string, b: string): string => decimalText(subtract(exact(a), exact(b)));
