import { type AnomalyKind, INTERVAL_NAMES, INTERVALS, type IntervalName, isPolled } from '../../contracts/index.js';
import type { Bar } from '../../platform/indicators/index.js';
import { inputKey, type InputRef } from '../conditions/index.js';
import { IntervalBars } from './interval-bars.js';
import { MINUTE_US, type MinuteBar, minuteOf, Minutes } from './minutes.js';
import { LastTold, type Told, ToldAnomalies } from './told.js';
import { EVERY_TOPIC, type Topic, TOPICS } from './topics.js';
import { DAY_READ, dayReader, isOfDay, isWhole, minutesRead, type Reader, windowReader } from './windows.js';

export type MarketTrade = Readonly<{ tradedAtUs: number; price: number; size: number }>;

/**
 * Closed candles that exist, the last so many before trades go on; where there are fewer, those are all there ever were.
 * Nothing is asked for that is known already.
 */
export type Warmth = Readonly<{
  minutes: number;
  bars: Readonly<Partial<Record<Exclude<IntervalName, '1m'>, number>>>;
}>;

/**
 * What conditions read of one market: a function of its candles, of the trades since and of the time, and not of who asked
 * or when. Time goes forward with trades and with `advance`; nothing closes for good before the trade that comes after it,
 * so a trade that comes after time passed it by is taken all the same.
 */
export class Market {
  private readonly isPolled: boolean;
  private minutes = new Minutes(4);
  private readonly intervals = new Map<IntervalName, IntervalBars>();
  private wanted: readonly InputRef[] = [];
  private readers = new Map<InputRef, () => number>();
  private byKey = new Map<string, () => number>();
  private minutesNeeded = 1;
  /** Closed minutes that were asked for and did not come yet. */
  private minutesAsked = 0;
  /** Candles were given, so nothing begins with the first trade. */
  private hasHistory = false;
  /** End of the newest minute that it was warmed with. */
  private warmedUntilUs = -Infinity;
  private nowUs = -Infinity;
  private nowMinute = NaN;
  private price = NaN;
  private size = NaN;
  private heardUs = NaN;
  private tradedUs: number | undefined;
  private readonly anomalies = new ToldAnomalies();
  private readonly sentiment = new LastTold();
  private customs = new Map<string, LastTold>();
  /** Counts changes, and tells which was the last of each topic. */
  private changes = 0;
  private readonly changedAt: Record<Topic, number> = {
    price: 0,
    trade: 0,
    minute: 0,
    feed: 0,
    anomaly: 0,
    custom: 0,
    sentiment: 0,
  };

  constructor(readonly key: Readonly<{ source: string; symbol: string }>) {
    this.isPolled = isPolled(key.source);
  }

  /** Of the last trade, observed prices of size 0 included; undefined before the first. */
  get lastTradedAtUs(): number | undefined {
    return this.tradedUs;
  }

  /**
   * What is read from now on; whatever else was is dropped. Answers what `warm` must be called with: what is new and looks
   * back has no data before. Throws IndicatorNameError.
   */
  want(inputs: readonly InputRef[]): Warmth {
    this.wanted = [...new Map(inputs.map((input) => [inputKey(input), input])).values()];
    const { '1m': minuteBars = 0, ...bars } = this.runIndicators();
    this.minutesNeeded = Math.max(1, ...this.wanted.map(minutesOf));
    const customs = this.wanted.filter((input) => input.kind === 'custom');
    this.customs = new Map(customs.map(({ name }) => [name, this.customs.get(name) ?? new LastTold()]));
    const anomalies = this.wanted.filter((input) => input.kind === 'anomaly');
    this.anomalies.want(anomalies, this.nowUs);
    this.remake([]);
    const { first, last, beginsSeries } = this.minutes;
    const isEnough = beginsSeries || last - first + 1 >= this.minutesNeeded;
    this.minutesAsked = Math.max(isEnough ? 0 : this.minutesNeeded, minuteBars);
    return { minutes: this.minutesAsked, bars };
  }

  /**
   * Closed candles, oldest first, ending where trades go on; empty where there never were any. Before the first trade, or
   * after `want` asked for more: what trades told already stands.
   */
  warm(interval: IntervalName, bars: readonly MinuteBar[] | readonly Bar[]): void {
    if (bars.length > 0) this.hasHistory = true;
    if (interval === '1m') this.warmMinutes(bars);
    this.intervals.get(interval)?.warm(bars, this.closedUntilUs);
    this.changed(...EVERY_TOPIC);
  }

  /** In order of (tradedAt, tradeId); false for one that is older than the last, or than what it was warmed with. */
  take({ tradedAtUs, price, size }: MarketTrade): boolean {
    if (tradedAtUs < this.warmedUntilUs || (this.tradedUs !== undefined && tradedAtUs < this.tradedUs)) return false;
    if (this.tradedUs === undefined && !this.hasHistory) this.beginSeries();
    this.tradedUs = tradedAtUs;
    if (price !== this.price) this.changed('price');
    this.price = price;
    if (!(this.heardUs >= tradedAtUs)) this.hear(tradedAtUs);
    if (size > 0 || this.isPolled) this.addToMinutes(minuteOf(tradedAtUs), price, size);
    this.advance(tradedAtUs);
    return true;
  }

  /** Time passes: windows move, and a quiet minute holds the price. Going back is none. */
  advance(toUs: number): void {
    if (toUs <= this.nowUs) return;
    this.nowUs = toUs;
    this.changed('feed');
    if (this.anomalies.advance(toUs)) this.changed('anomaly');
    const minute = minuteOf(toUs);
    if (minute === this.nowMinute) return;
    this.nowMinute = minute;
    this.changed('minute');
  }

  /** Trades of a stretch are missing: nothing that looks at it has data. Once they are found, begin anew from candles. */
  miss(fromUs: number, toUs: number): void {
    if (toUs < fromUs) return;
    this.minutes.touch(minuteOf(toUs));
    this.changed(...EVERY_TOPIC);
  }

  tell(anomaly: AnomalyKind, atUs: number): void {
    this.anomalies.tell(anomaly, atUs, this.nowUs);
    this.changed('anomaly');
  }

  /** A point of a custom series; false for one that is older than the last, and for one that nobody wants. */
  tellCustom(name: string, value: number, atUs: number): boolean {
    if (!this.customs.get(name)?.tell(value, atUs)) return false;
    this.changed('custom');
    return true;
  }

  /** The last point that history has; older ones may still be told. */
  readCustom(name: string, { value, atUs }: Told): void {
    this.customs.get(name)?.read(value, atUs);
    this.changed('custom');
  }

  /** Before a point is told: the later one that was read, if any, which is to be read again after it. */
  makeRoomForCustom(name: string, atUs: number): Told | undefined {
    return this.customs.get(name)?.giveWay(atUs);
  }

  tellSentiment(value: number, atUs: number): void {
    if (this.sentiment.tell(value, atUs)) this.changed('sentiment');
  }

  /** When something was last heard of the feed; a trade is heard at the instant it was traded. */
  hear(feedHeardAtUs: number): void {
    this.heardUs = feedHeardAtUs;
    this.changed('feed');
  }

  /** NaN where there is no data, and where it is not wanted. */
  value(input: InputRef): number {
    const read = this.readers.get(input) ?? this.byKey.get(inputKey(input));
    const value = read === undefined ? NaN : read();
    return Number.isFinite(value) ? value : NaN;
  }

  /** To ask later what changed since now. */
  get mark(): number {
    return this.changes;
  }

  /** Bits of TOPICS; an input whose topics (`topicsOf`) are not among them has the value that it had then. */
  changedSince(mark: number): number {
    if (mark === this.changes) return 0;
    let bits = 0;
    for (const topic of EVERY_TOPIC) if (this.changedAt[topic] > mark) bits |= TOPICS[topic];
    return bits;
  }

  private addToMinutes(minute: number, price: number, size: number): void {
    const { minutes } = this;
    if (minute !== minutes.last) {
      const untilUs = minute * MINUTE_US;
      for (const one of this.intervals.values()) one.closeUntil(untilUs);
      if (Number.isNaN(minutes.last)) minutes.beginsSeries = !this.hasHistory;
    }
    // a minute that time passed by becomes another
    if (minute < this.nowMinute) this.changed('minute');
    minutes.take(minute, price, size, size > 0);
    this.size = size > 0 ? size : this.size;
    this.changed('trade');
  }

  /** Nobody gave candles before the first trade: there were none. */
  private beginSeries(): void {
    for (const one of this.intervals.values()) one.warm([], this.closedUntilUs);
  }

  private warmMinutes(bars: readonly MinuteBar[]): void {
    const first = bars[0] && minuteOf(bars[0].openTimeUs);
    const isEarlier = first !== undefined && !(first >= this.minutes.first);
    this.remake(bars);
    if (isEarlier) this.minutes.beginsSeries = bars.length < this.minutesAsked && this.minutes.first === first;
    this.minutesAsked = 0;
    const last = bars.at(-1);
    if (!last || this.tradedUs !== undefined) return;
    this.warmedUntilUs = last.openTimeUs + MINUTE_US;
    this.price = last.close;
    this.advance(this.warmedUntilUs);
  }

  /** Up to where closed candles reach: those that it was warmed with, or the minute before the newest trade's. */
  private get closedUntilUs(): number {
    const { last } = this.minutes;
    return Number.isNaN(last) ? Infinity : Math.max(this.warmedUntilUs, last * MINUTE_US);
  }

  /** The minutes in the room that is needed now, and everything that reads them. */
  private remake(before: readonly MinuteBar[]): void {
    let capacity = 4;
    while (capacity < this.minutesNeeded + 2) capacity *= 2;
    this.minutes = this.minutes.with(capacity, before);
    for (const one of this.intervals.values()) one.read(this.minutes);
    this.readers = new Map(this.wanted.map((input) => [input, this.reader(input)]));
    this.byKey = new Map(this.wanted.map((input) => [inputKey(input), this.readers.get(input)!]));
    this.changed(...EVERY_TOPIC);
  }

  /** Answers how many bars of each interval those indicators need that are new. */
  private runIndicators(): Partial<Record<IntervalName, number>> {
    const bars: Partial<Record<IntervalName, number>> = {};
    for (const interval of INTERVAL_NAMES) {
      const specs = this.wanted.flatMap((one) =>
        one.kind === 'indicator' && one.interval === interval ? [one.spec] : [],
      );
      const running = this.intervals.get(interval) ?? new IntervalBars(interval, this.minutes);
      const count = running.run(new Set(specs));
      if (count > 0) bars[interval] = count;
      if (specs.length > 0) this.intervals.set(interval, running);
      else this.intervals.delete(interval);
    }
    return bars;
  }

  private reader(input: InputRef): () => number {
    switch (input.kind) {
      case 'indicator': {
        const { spec, interval, output } = input;
        return () => this.intervals.get(interval)!.value(spec, output);
      }
      case 'window':
        return this.ofNow(windowReader(this.minutes, input));
      case 'custom': {
        const last = this.customs.get(input.name)!;
        return () => last.value;
      }
      case 'anomaly':
        return () => this.anomalies.value(input, this.nowUs);
      case 'variable':
        return this.variable(input.name);
    }
  }

  private variable(name: Extract<InputRef, { kind: 'variable' }>['name']): () => number {
    if (isOfDay(name)) return this.ofNow(dayReader(this.minutes, name, this.isPolled));
    switch (name) {
      case 'price':
        return () => this.price;
      case 'size':
        return () => this.size;
      case 'volume':
        return () => this.ofOpenMinute('volume');
      case 'quote_volume':
        return () => this.ofOpenMinute('quoteVolume');
      case 'trades':
        return () => this.ofOpenMinute('trades');
      case 'sentiment':
        return () => this.sentiment.value;
      case 'feed_age_s':
        return () => Math.max(0, this.nowUs - this.heardUs) / 1_000_000;
    }
  }

  private ofNow(read: Reader): () => number {
    return () => read(this.nowMinute, this.price);
  }

  private ofOpenMinute(figure: 'volume' | 'quoteVolume' | 'trades'): number {
    const { minutes, nowMinute } = this;
    if (!isWhole(minutes, nowMinute)) return NaN;
    return minutes.last === nowMinute ? minutes.newest(figure) : 0;
  }

  private changed(...topics: readonly Topic[]): void {
    this.changes++;
    for (const topic of topics) this.changedAt[topic] = this.changes;
  }
}

/** Minutes kept back from now that an input reads. */
function minutesOf(input: InputRef): number {
  if (input.kind === 'window') return minutesRead(input);
  if (input.kind === 'indicator') return INTERVALS[input.interval] / INTERVALS['1m'] + 1;
  return input.kind === 'variable' && isOfDay(input.name) ? DAY_READ : 1;
}
