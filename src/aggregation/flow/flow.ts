import {
  decimalText,
  exact,
  INTERVAL_NAMES,
  type IntervalName,
  INTERVALS,
  quotientText,
  subtract,
} from '../../contracts/index.js';

const IMBALANCE_DECIMALS = 8;
/** A day by the minute. */
export const MOST_POINTS = 1440;

/** What takers bought and sold, exact decimals as text; null where the venue does not tell the taker's side. */
export type Pressure = Readonly<{
  takerBuyVolume: string | null;
  takerSellVolume: string | null;
  takerBuyQuoteVolume: string | null;
  takerSellQuoteVolume: string | null;
  /** (buy - sell) / (buy + sell) of the volume, rounded half up to 8 decimals; null without volume too. */
  imbalance: number | null;
}>;

/** The totals of a candle or of a window; every trade is bought or sold by its taker. */
export type TakerTotals = Readonly<{
  volume: string;
  quoteVolume: string;
  takerBuyVolume: string;
  takerBuyQuoteVolume: string;
}>;

export function pressure(totals: TakerTotals): Pressure {
  const sell = subtract(exact(totals.volume), exact(totals.takerBuyVolume));
  const sellQuote = subtract(exact(totals.quoteVolume), exact(totals.takerBuyQuoteVolume));
  const net = subtract(exact(totals.takerBuyVolume), sell);
  return {
    takerBuyVolume: totals.takerBuyVolume,
    takerSellVolume: decimalText(sell),
    takerBuyQuoteVolume: totals.takerBuyQuoteVolume,
    takerSellQuoteVolume: decimalText(sellQuote),
    imbalance: totals.volume === '0' ? null : Number(quotientText(net, exact(totals.volume), IMBALANCE_DECIMALS)),
  };
}

/** Of a venue that does not tell the taker's side. */
export const NO_SIDES: Pressure = {
  takerBuyVolume: null,
  takerSellVolume: null,
  takerBuyQuoteVolume: null,
  takerSellQuoteVolume: null,
  imbalance: null,
};

/** Intervals that a span can be shown in: no longer than it, and of at most 1,440 points. */
export const pointsOf = (spanMs: number): IntervalName[] =>
  INTERVAL_NAMES.filter((name) => INTERVALS[name] <= spanMs && spanMs / INTERVALS[name] <= MOST_POINTS);
