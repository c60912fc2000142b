import { INTERVAL_NAMES, type IntervalName, INTERVALS, isPolled, type RecordedSeries } from '../../contracts/index.js';
import { MINUTE_US, windowStart } from '../candles/candle.js';
import type { Summary } from './summary.js';

/** Of a market the price and the size of each trade; of a custom series its values. */
export type Measure = 'price' | 'volume' | 'value';

/**
 * How far a quantile may be off. A price moves by a few percent a day: 0.01 % takes some hundred bins. Sizes spread over
 * many decades, and nobody asks for their fourth digit. Stored bins are read with the figure they were counted with: to
 * change one takes a migration.
 */
export const RELATIVE_ERROR: Readonly<Record<Measure, number>> = { price: 0.0001, volume: 0.01, value: 0.001 };

/** What new numbers amount to within one window of one series. Parts of several windows may share a summary: none changes. */
export type RollupPart = Readonly<{
  source: string;
  symbol: string;
  measure: Measure;
  interval: IntervalName;
  openTimeUs: number;
  summary: Summary;
}>;

export type MakeSummary = (measure: Measure) => Summary;

/**
 * Sums up new trades of a series. Size 0 is a price, not a trade: it is left out, but of a polled source, which has nothing
 * else; that has prices and no volumes.
 */
export function addTrades(minutes: MinuteSummaries, series: RecordedSeries): void {
  const { source, symbol } = series;
  const isObserved = isPolled(source);
  const prices = minutes.of(source, symbol, 'price');
  const volumes = minutes.of(source, symbol, 'volume');
  for (let i = 0; i < series.tradeIds.length; i++) {
    const size = series.sizes[i]!;
    if (size === '0' && !isObserved) continue;
    const atUs = series.tradedAtUs[i]!;
    prices.at(atUs).add(Number(series.prices[i]));
    if (size !== '0') volumes.at(atUs).add(Number(size));
  }
}

/** Numbers summed up by the minute, series by series. */
export class MinuteSummaries {
  private readonly lines = new Map<string, Line>();

  constructor(private readonly empty: MakeSummary) {}

  of(source: string, symbol: string, measure: Measure): Line {
    const key = `${source} ${symbol} ${measure}`;
    let line = this.lines.get(key);
    if (!line) this.lines.set(key, (line = new Line(source, symbol, measure, this.empty)));
    return line;
  }

  /** Minutes and, summed up from the next shorter one, every longer interval. */
  parts(): RollupPart[] {
    return [...this.lines.values()].flatMap((line) => line.parts());
  }
}

class Line {
  private readonly minutes = new Map<number, Summary>();
  private minute: Summary | undefined;
  private minuteUs = 0;

  constructor(
    private readonly source: string,
    private readonly symbol: string,
    private readonly measure: Measure,
    private readonly empty: MakeSummary,
  ) {}

  /** The summary of the minute of an instant. Most come in order: the last minute is asked first. */
  at(us: number): Summary {
    if (this.minute && us >= this.minuteUs && us < this.minuteUs + MINUTE_US) return this.minute;
    this.minuteUs = windowStart(us, MINUTE_US);
    this.minute = this.minutes.get(this.minuteUs);
    if (!this.minute) this.minutes.set(this.minuteUs, (this.minute = this.empty(this.measure)));
    return this.minute;
  }

  parts(): RollupPart[] {
    const { source, symbol, measure } = this;
    const parts: RollupPart[] = [];
    let finer = this.minutes;
    for (const interval of INTERVAL_NAMES) {
      finer = this.coarser(finer, INTERVALS[interval] * 1000);
      for (const [openTimeUs, summary] of finer) parts.push({ source, symbol, measure, interval, openTimeUs, summary });
    }
    return parts;
  }

  private coarser(finer: ReadonlyMap<number, Summary>, intervalUs: number): Map<number, Summary> {
    const windows = Map.groupBy(finer, ([openTimeUs]) => windowStart(openTimeUs, intervalUs));
    return new Map([...windows].map(([openTimeUs, those]) => [openTimeUs, this.merged(those.map(([, one]) => one))]));
  }

  private merged(summaries: readonly Summary[]): Summary {
    if (summaries.length === 1) return summaries[0]!;
    const whole = this.empty(this.measure);
    for (const one of summaries) whole.merge(one);
    return whole;
  }
}
