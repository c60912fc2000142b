import {
  add,
  addends,
  comparePositive,
  DecimalSum,
  type Exact,
  isPolled,
  type RecordedSeries,
} from '../../contracts/index.js';

export const MINUTE_US = 60_000_000;

/**
 * What a set of trades within one window amounts to. Merging is associative, commutative and exact, because open and
 * close remember the place of their trade in order of (tradedAt, tradeId): any order and any split gives one result.
 */
export type Candle = Readonly<{
  /** Start of the window, epoch microseconds UTC. */
  openTimeUs: number;
  open: string;
  openAtUs: number;
  openId: string;
  high: string;
  low: string;
  close: string;
  closeAtUs: number;
  closeId: string;
  volume: Exact;
  quoteVolume: Exact;
  trades: number;
  takerBuyVolume: Exact;
  takerBuyQuoteVolume: Exact;
}>;

/**
 * The minute candles of new trades, in no order. Size 0 is a price, not a trade: it is left out. A polled source has
 * nothing else, so there it makes the prices of a candle without volume and without trades.
 */
export function minuteCandles(series: RecordedSeries): Candle[] {
  const drafts = new Map<number, Draft>();
  const observed = isPolled(series.source);
  for (let i = 0; i < series.tradeIds.length; i++) {
    if (series.sizes[i] === '0' && !observed) continue;
    const openTimeUs = windowStart(series.tradedAtUs[i]!, MINUTE_US);
    let draft = drafts.get(openTimeUs);
    if (!draft) drafts.set(openTimeUs, (draft = new Draft(openTimeUs)));
    draft.add(series, i);
  }
  return [...drafts.values()].map((draft) => draft.candle());
}

/** Minute candles of one series to the candles of a longer interval. */
export function rollUp(candles: readonly Candle[], intervalUs: number): Candle[] {
  const windows = new Map<number, Candle>();
  for (const candle of candles) {
    const openTimeUs = windowStart(candle.openTimeUs, intervalUs);
    const known = windows.get(openTimeUs);
    windows.set(openTimeUs, known ? mergeCandles(known, candle) : { ...candle, openTimeUs });
  }
  return [...windows.values()];
}

/** Two disjoint sets of trades of one window; the window is that of `a`. */
export function mergeCandles(a: Candle, b: Candle): Candle {
  const first = isBefore(b.openAtUs, b.openId, a.openAtUs, a.openId) ? b : a;
  const last = isBefore(a.closeAtUs, a.closeId, b.closeAtUs, b.closeId) ? b : a;
  return {
    openTimeUs: a.openTimeUs,
    open: first.open,
    openAtUs: first.openAtUs,
    openId: first.openId,
    high: comparePositive(a.high, b.high) >= 0 ? a.high : b.high,
    low: comparePositive(a.low, b.low) <= 0 ? a.low : b.low,
    close: last.close,
    closeAtUs: last.closeAtUs,
    closeId: last.closeId,
    volume: add(a.volume, b.volume),
    quoteVolume: add(a.quoteVolume, b.quoteVolume),
    trades: a.trades + b.trades,
    takerBuyVolume: add(a.takerBuyVolume, b.takerBuyVolume),
    takerBuyQuoteVolume: add(a.takerBuyQuoteVolume, b.takerBuyQuoteVolume),
  };
}

/** Start of the UTC-aligned window an instant falls into. */
export const windowStart = (us: number, intervalUs: number): number => us - (us % intervalUs);

/** Order of (tradedAt, tradeId); ids are decimal text, so the longer is the larger. */
export function isBefore(atUs: number, id: string, thanUs: number, thanId: string): boolean {
  if (atUs !== thanUs) return atUs < thanUs;
  return id.length !== thanId.length ? id.length < thanId.length : id < thanId;
}

/** A candle in the making. */
class Draft {
  private first: { price: string; atUs: number; id: string } | undefined;
  private last: { price: string; atUs: number; id: string } | undefined;
  private high = '';
  private low = '';
  private trades = 0;
  private readonly volume = new DecimalSum();
  private readonly quoteVolume = new DecimalSum(2);
  private readonly takerBuyVolume = new DecimalSum();
  private readonly takerBuyQuoteVolume = new DecimalSum(2);

  constructor(private readonly openTimeUs: number) {}

  add(series: RecordedSeries, i: number): void {
    const [price, size, atUs, id] = [series.prices[i]!, series.sizes[i]!, series.tradedAtUs[i]!, series.tradeIds[i]!];
    if (!this.first || isBefore(atUs, id, this.first.atUs, this.first.id)) this.first = { price, atUs, id };
    if (!this.last || isBefore(this.last.atUs, this.last.id, atUs, id)) this.last = { price, atUs, id };
    if (this.high === '' || comparePositive(price, this.high) > 0) this.high = price;
    if (this.low === '' || comparePositive(price, this.low) < 0) this.low = price;
    if (size === '0') return;
    this.trades++;
    const added = addends(size, price);
    this.volume.add(added.size);
    this.quoteVolume.add(added.product);
    if (series.sides[i] !== 'b') return;
    this.takerBuyVolume.add(added.size);
    this.takerBuyQuoteVolume.add(added.product);
  }

  candle(): Candle {
    return {
      openTimeUs: this.openTimeUs,
      open: this.first!.price,
      openAtUs: this.first!.atUs,
      openId: this.first!.id,
      high: this.high,
      low: this.low,
      close: this.last!.price,
      closeAtUs: this.last!.atUs,
      closeId: this.last!.id,
      volume: this.volume.value,
      quoteVolume: this.quoteVolume.value,
      trades: this.trades,
      takerBuyVolume: this.takerBuyVolume.value,
      takerBuyQuoteVolume: this.takerBuyQuoteVolume.value,
    };
  }
}
