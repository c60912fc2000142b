import { INTERVALS, type IntervalName } from '../../contracts/index.js';
import {
  type Bar,
  indicator,
  type Indicator,
  type IndicatorSpec,
  type IndicatorValue,
} from '../../platform/indicators/index.js';
import { type FoldName, MINUTE_US, type Minutes, minuteOf } from './minutes.js';
import { Stretch } from './stretch.js';

/**
 * The indicators over one interval. Closed bars are fed to them once, when the first trade of a later bar comes; the open
 * one is put together from its minutes and peeked at, so nothing depends on who asks, or when. A bar without a trade does
 * not exist, as everywhere.
 */
export class IntervalBars {
  private readonly stepUs: number;
  private readonly running = new Map<string, RunningIndicator>();
  private figures: Figures;
  /** The newest bar and its start, as of a revision of the minutes; undefined when a hole touches it. */
  private open: Bar | undefined;
  private openUs = NaN;
  private composedAt = NaN;

  constructor(
    private readonly interval: IntervalName,
    private minutes: Minutes,
  ) {
    this.stepUs = INTERVALS[interval] * 1000;
    this.figures = figuresOf(minutes);
  }

  /** Runs these and no others; answers how many bars those that are new must be warmed with. */
  run(names: ReadonlySet<string>): number {
    for (const name of this.running.keys()) if (!names.has(name)) this.running.delete(name);
    for (const name of names)
      if (!this.running.has(name)) this.running.set(name, new RunningIndicator(indicator(name), this.interval));
    let bars = 0;
    for (const one of this.running.values()) if (one.isCold) bars = Math.max(bars, warmthOf(one.spec, this.interval));
    return bars;
  }

  /** The minutes were put together anew. */
  read(minutes: Minutes): void {
    this.minutes = minutes;
    this.figures = figuresOf(minutes);
    this.composedAt = NaN;
  }

  /** Feeds those that are new the bars that end by `untilUs`; none mean that there was nothing before. */
  warm(bars: readonly Bar[], untilUs: number): void {
    const cold = [...this.running.values()].filter(({ isCold }) => isCold);
    for (const one of cold) one.begin();
    for (const bar of bars) {
      if (bar.openTimeUs + this.stepUs > untilUs) break;
      const isTouched = 'incomplete' in bar && bar.incomplete === true;
      for (const one of cold) one.feed(bar, isTouched);
    }
  }

  /** Feeds the bars that end by then and were not fed yet: put together from minutes. */
  closeUntil(us: number): void {
    const { first, last } = this.minutes;
    if (Number.isNaN(first)) return;
    const lastUs = Math.min(this.startOf(last), us - this.stepUs);
    for (const one of this.running.values()) {
      if (one.isCold) continue;
      const firstUs = Math.max(one.untilUs, this.startOf(first));
      for (let startUs = firstUs; startUs <= lastUs; startUs += this.stepUs) {
        const bar = this.bar(startUs);
        if (bar) one.feed(bar, this.isTouched(startUs));
      }
    }
  }

  /** The indicator of that name at the newest bar. */
  value(name: string, output: string): number {
    const one = this.running.get(name);
    if (!one || one.isCold) return NaN;
    this.compose();
    const value = one.at(this.openUs, this.minutes.revision, this.open);
    if (value === undefined) return NaN;
    return typeof value === 'number' ? value : (value[output] ?? NaN);
  }

  /** The newest bar, once a trade and however many indicators look at it. */
  private compose(): void {
    const { revision, last } = this.minutes;
    if (revision === this.composedAt) return;
    this.composedAt = revision;
    this.openUs = this.startOf(last);
    this.open = this.isTouched(this.openUs) ? undefined : this.bar(this.openUs);
  }

  startOf(minute: number): number {
    const us = minute * MINUTE_US;
    return us - (us % this.stepUs);
  }

  /** Its first minutes are not known, or a hole touches it. */
  private isTouched(startUs: number): boolean {
    const { first, touched, beginsSeries } = this.minutes;
    const minute = minuteOf(startUs);
    return touched >= minute || (first > minute && !beginsSeries);
  }

  private bar(startUs: number): Bar | undefined {
    const { first, last } = this.minutes;
    const from = Math.max(minuteOf(startUs), first);
    const to = Math.min(minuteOf(startUs + this.stepUs) - 1, last);
    const open = this.figures.open.fold(from, to);
    if (Number.isNaN(open)) return undefined;
    return {
      openTimeUs: startUs,
      open,
      high: this.figures.high.fold(from, to),
      low: this.figures.low.fold(from, to),
      close: this.minutes.closeOf(to),
      volume: this.figures.volume.fold(from, to),
      quoteVolume: this.figures.quoteVolume.fold(from, to),
    };
  }
}

type Figures = Readonly<Record<'open' | 'high' | 'low' | 'volume' | 'quoteVolume', Stretch>>;

const figuresOf = (minutes: Minutes): Figures => {
  const stretch = (name: FoldName): Stretch => new Stretch(minutes, name);
  return {
    open: stretch('open'),
    high: stretch('high'),
    low: stretch('low'),
    volume: stretch('volume'),
    quoteVolume: stretch('quoteVolume'),
  };
};

/** One indicator and how far it was fed. */
class RunningIndicator {
  /** End of the newest bar it was fed. */
  untilUs = -Infinity;
  private indicator: Indicator | undefined;
  private value: IndicatorValue | undefined;
  /** Start of the newest bar that a hole touches, and how many came after it. */
  private touchedUs = -Infinity;
  private sinceTouched = 0;
  private peekedAt = NaN;
  private peeked: IndicatorValue | undefined;

  constructor(
    readonly spec: IndicatorSpec,
    private readonly interval: IntervalName,
  ) {}

  get isCold(): boolean {
    return !this.indicator;
  }

  begin(): void {
    this.indicator = this.spec.create(this.interval);
  }

  feed(bar: Bar, isTouched: boolean): void {
    this.value = this.indicator!.next(bar);
    this.untilUs = bar.openTimeUs + INTERVALS[this.interval] * 1000;
    this.sinceTouched++;
    if (!isTouched) return;
    this.touchedUs = bar.openTimeUs;
    this.sinceTouched = 0;
  }

  /** At the bar that opened at `startUs`, fed or still open. */
  at(startUs: number, revision: number, open: Bar | undefined): IndicatorValue | undefined {
    if (startUs < this.untilUs || Number.isNaN(startUs)) return this.known(this.value, this.untilUs - 1, 0);
    if (this.peekedAt !== revision) {
      this.peeked = open && this.known(this.indicator!.peek(open), startUs, 1);
      this.peekedAt = revision;
    }
    return this.peeked;
  }

  /** Undefined while a bar that it looks at is touched by a hole. */
  private known(value: IndicatorValue | undefined, atUs: number, more: 0 | 1): IndicatorValue | undefined {
    const { spec, touchedUs } = this;
    if (touchedUs === -Infinity) return value;
    if (this.sinceTouched + more < spec.warmUp) return undefined;
    return spec.anchored && touchedUs >= spec.anchored(atUs, this.interval) ? undefined : value;
  }
}

/** The end of a year of 366 days, of a month of 31, and of a day at once: no bar has more bars before it in its session. */
const LONGEST_SESSION_END_US = Date.UTC(2025, 0) * 1000;

/** Closed bars that make a value independent of what was before them. */
function warmthOf({ settle, anchored }: IndicatorSpec, interval: IntervalName): number {
  if (!anchored) return settle;
  const stepUs = INTERVALS[interval] * 1000;
  const lastUs = LONGEST_SESSION_END_US - stepUs;
  return Math.max(settle, (lastUs - anchored(lastUs, interval)) / stepUs + 1);
}
