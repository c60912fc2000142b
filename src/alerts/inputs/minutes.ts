import { INTERVALS } from '../../contracts/index.js';
import type { Bar } from '../../platform/indicators/index.js';
import { ExactSum } from './exact-sum.js';
import { FIRST, FoldTree, GREATEST, LEAST, SUM, type Join } from './fold-tree.js';
import { SpreadTree } from './spread-tree.js';

export const MINUTE_US = INTERVALS['1m'] * 1000;
/** Minutes are counted from the epoch. */
export const minuteOf = (us: number): number => Math.floor(us / MINUTE_US);

/** One closed minute. A minute without a trade has none. */
export type MinuteBar = Bar &
  Readonly<{
    /** Absent, `trades_24h` has no data while the minute is part of the day. */
    trades?: number;
    /** A hole in the trades touches it. */
    incomplete?: boolean;
  }>;

type Column = 'open' | 'high' | 'low' | 'close' | 'volume' | 'quoteVolume' | 'trades';
const COLUMNS: readonly Column[] = ['open', 'high', 'low', 'close', 'volume', 'quoteVolume', 'trades'];

const FOLDS = {
  open: ['open', FIRST],
  high: ['high', GREATEST],
  low: ['low', LEAST],
  closes: ['close', SUM],
  volume: ['volume', SUM],
  quoteVolume: ['quoteVolume', SUM],
  trades: ['trades', SUM],
  mostVolume: ['volume', GREATEST],
  leastVolume: ['volume', LEAST],
} as const satisfies Record<string, readonly [Column, Join]>;
export type FoldName = keyof typeof FOLDS;

/**
 * The last minutes of a series, the open one included. A quiet minute holds the close before it, and has neither open nor
 * high nor low. Only the newest minute with a trade is ever written: trades come in order.
 */
export class Minutes {
  /** The oldest that is known and the newest with a trade; NaN before the first. */
  first = NaN;
  last = NaN;
  /** The newest that a hole in the trades touches. */
  touched = -Infinity;
  /** Nothing was before the first. */
  beginsSeries = false;
  /** Changes with every trade, and with what is told beside them. */
  revision = 0;
  private readonly columns: Readonly<Record<Column, Float64Array>>;
  private readonly trees = new Map<FoldName, FoldTree>();
  private readonly spreads = new Map<'close' | 'volume', SpreadTree>();
  private readonly volume = new ExactSum();
  private readonly quoteVolume = new ExactSum();

  /** A power of two. */
  constructor(readonly capacity: number) {
    const column = (): Float64Array => new Float64Array(capacity);
    this.columns = {
      open: column(),
      high: column(),
      low: column(),
      close: column(),
      volume: column(),
      quoteVolume: column(),
      trades: column(),
    };
  }

  /** A trade of the newest minute or of a later one; `counts` is false for an observed price, which is no trade. */
  take(minute: number, price: number, size: number, counts: boolean): void {
    if (minute !== this.last) this.begin(minute);
    this.revision++;
    const { open, high, low, close, volume, quoteVolume, trades } = this.columns;
    const at = this.place(minute);
    if (Number.isNaN(open[at])) open[at] = price;
    if (price > high[at]!) high[at] = price;
    if (price < low[at]!) low[at] = price;
    close[at] = price;
    if (!counts) return;
    volume[at] = this.volume.add(size);
    quoteVolume[at] = this.quoteVolume.add(price * size);
    trades[at]!++;
  }

  /** A closed minute after the newest. */
  append(bar: MinuteBar): void {
    const minute = minuteOf(bar.openTimeUs);
    this.begin(minute);
    const at = this.place(minute);
    for (const name of COLUMNS) this.columns[name][at] = bar[name] ?? NaN;
    if (bar.incomplete) this.touch(minute);
  }

  /** A hole in the trades touches this minute. */
  touch(minute: number): void {
    this.revision++;
    this.touched = Math.max(this.touched, minute);
  }

  /** The same with another capacity, and with what was before the first. */
  with(capacity: number, before: readonly MinuteBar[]): Minutes {
    const all = new Minutes(capacity);
    all.revision = this.revision + 1;
    all.beginsSeries = this.beginsSeries;
    for (const bar of before) if (!(minuteOf(bar.openTimeUs) >= this.first)) all.append(bar);
    if (!Number.isNaN(this.first)) all.copy(this);
    all.touch(this.touched);
    return all;
  }

  /** Price that stands at the end of a minute which is not before the first. */
  closeOf(minute: number): number {
    return this.columns.close[this.place(Math.min(minute, this.last))]!;
  }

  volumeOf(minute: number): number {
    return minute > this.last ? 0 : this.columns.volume[this.place(minute)]!;
  }

  hasTrade(minute: number): boolean {
    return minute <= this.last && !Number.isNaN(this.columns.open[this.place(minute)]);
  }

  /** The newest minute in one of its figures. */
  newest(name: FoldName | 'close'): number {
    const column = name === 'close' ? name : FOLDS[name][0];
    return this.columns[column][this.place(this.last)]!;
  }

  /** Minutes that are over, both included; empty where there are none. */
  fold(name: FoldName, from: number, to: number): number {
    const [column, by] = FOLDS[name];
    if (to < from) return by.empty;
    let tree = this.trees.get(name);
    if (!tree) this.trees.set(name, (tree = new FoldTree(this.columns[column], by)));
    const [low, high] = [this.place(from), this.place(to)];
    if (low <= high) return tree.fold(low, high);
    return by.join(tree.fold(low, this.capacity - 1), tree.fold(0, high));
  }

  join(name: FoldName, before: number, after: number): number {
    return FOLDS[name][1].join(before, after);
  }

  /** The tree that tells how widely minutes that are over differ, and the places of a stretch in it. */
  spread(of: 'close' | 'volume'): SpreadTree {
    let tree = this.spreads.get(of);
    if (!tree) this.spreads.set(of, (tree = new SpreadTree(this.columns[of])));
    return tree;
  }

  place(minute: number): number {
    return minute & (this.capacity - 1);
  }

  private begin(minute: number): void {
    const { last, capacity } = this;
    if (Number.isNaN(last)) {
      this.first = minute;
    } else {
      this.refresh(last);
      const held = this.closeOf(last);
      for (let quiet = Math.max(last + 1, minute - capacity + 1); quiet < minute; quiet++) {
        this.clear(quiet, held);
        this.refresh(quiet);
      }
      const oldest = minute - capacity + 1;
      if (oldest > this.first) {
        this.first = oldest;
        this.beginsSeries = false;
      }
    }
    this.clear(minute, NaN);
    this.last = minute;
    this.volume.clear();
    this.quoteVolume.clear();
  }

  private clear(minute: number, close: number): void {
    const at = this.place(minute);
    const { columns } = this;
    columns.open[at] = NaN;
    columns.high[at] = -Infinity;
    columns.low[at] = Infinity;
    columns.close[at] = close;
    columns.volume[at] = 0;
    columns.quoteVolume[at] = 0;
    columns.trades[at] = 0;
  }

  private refresh(minute: number): void {
    const at = this.place(minute);
    for (const tree of this.trees.values()) tree.refresh(at);
    for (const tree of this.spreads.values()) tree.refresh(at);
  }

  private copy(other: Minutes): void {
    const from = Math.max(other.first, other.last - this.capacity + 1);
    this.begin(from);
    for (let minute = from; minute <= other.last; minute++)
      for (const name of COLUMNS) this.columns[name][this.place(minute)] = other.columns[name][other.place(minute)]!;
    this.last = other.last;
    const oldest = Math.max(this.first, this.last - this.capacity + 1);
    if (oldest > Math.min(this.first, other.first)) this.beginsSeries = false;
    this.first = oldest;
    this.volume.set(other.volume);
    this.quoteVolume.set(other.quoteVolume);
  }
}
