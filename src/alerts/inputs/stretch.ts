import type { FoldName, Minutes } from './minutes.js';
import { Moments } from './spread-tree.js';

/**
 * One figure over a stretch of minutes, both ends included, as it slides along. What is over of it is folded once a minute,
 * however many trades come. Quiet minutes after the newest count as nothing traded.
 */
export class Stretch {
  private from = NaN;
  private to = NaN;
  private over = NaN;

  constructor(
    private readonly minutes: Minutes,
    private readonly name: FoldName,
  ) {}

  fold(from: number, to: number): number {
    const { minutes, name } = this;
    const { last } = minutes;
    const closedTo = Math.min(to, last - 1);
    if (from !== this.from || closedTo !== this.to) {
      this.over = minutes.fold(name, from, closedTo);
      this.from = from;
      this.to = closedTo;
    }
    return from <= last && last <= to ? minutes.join(name, this.over, minutes.newest(name)) : this.over;
  }
}

/** The same for the spread of closes or volumes, of a stretch that is over; a quiet minute holds the close. */
export class SpreadStretch {
  private from = NaN;
  private last = NaN;
  private newest = NaN;
  private deviation = NaN;

  constructor(
    private readonly minutes: Minutes,
    private readonly of: 'close' | 'volume',
  ) {}

  fold(from: number, to: number): number {
    const { minutes, of } = this;
    const { last } = minutes;
    const newest = last <= to ? minutes.newest(of) : NaN;
    const isSame = from === this.from && last === this.last && Object.is(newest, this.newest);
    if (!isSame) {
      this.deviation = this.deviationOf(from, to);
      this.from = from;
      this.last = last;
      this.newest = newest;
    }
    return this.deviation;
  }

  private deviationOf(from: number, to: number): number {
    const { minutes, of } = this;
    const { last } = minutes;
    const moments = new Moments();
    const closedTo = Math.min(to, last - 1);
    if (from <= closedTo) {
      const tree = minutes.spread(of);
      const [low, high] = [minutes.place(from), minutes.place(closedTo)];
      if (low <= high) {
        tree.fold(low, high, moments);
      } else {
        tree.fold(low, minutes.capacity - 1, moments);
        tree.fold(0, high, moments);
      }
    }
    if (from <= last && last <= to) moments.add(1, minutes.newest(of), 0);
    const quiet = quietMinutes(minutes, from, to);
    moments.add(quiet, of === 'close' ? minutes.newest(of) : 0, 0);
    return moments.deviation;
  }
}

/** How many minutes of a stretch are later than the newest. */
export const quietMinutes = ({ last }: Minutes, from: number, to: number): number =>
  Math.max(0, to - Math.max(last, from - 1));
