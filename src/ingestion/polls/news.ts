import type { Observation } from './poll.js';

/** Values with a time of their own that are remembered, the latest first seen. */
const REMEMBERED = 2000;
/** A value without a time of its own is told anew after so long, although it stands. */
const TOLD_ANEW_US = 3_600_000_000;

export type Entry = Readonly<{ value: string; atUs: number }>;

/** Tells what of a source's answers is new, so that a value that stands does not fill the table. */
export class News {
  /** By time: the value it was told with, and the one it was last seen with. */
  private readonly known = new Map<number, { value: string; seen: string }>();
  private standing: Entry | undefined;

  /**
   * The new values, oldest first, and how many were changed by the source under a time already told: the first one
   * stands. A value without a time is new when it changed, or an hour after it was told.
   */
  of(observations: readonly Observation[], answeredAtUs: number): { entries: Entry[]; revised: number } {
    const entries: Entry[] = [];
    let revised = 0;
    for (const { value, observedAtUs } of observations) {
      if (observedAtUs === undefined) {
        if (value === this.standing?.value && answeredAtUs - this.standing.atUs < TOLD_ANEW_US) continue;
        entries.push((this.standing = { value, atUs: answeredAtUs }));
        continue;
      }
      const known = this.known.get(observedAtUs);
      if (!known) {
        this.remember(observedAtUs, value);
        entries.push({ value, atUs: observedAtUs });
      } else if (known.seen !== value) {
        known.seen = value;
        if (value !== known.value) revised++;
      }
    }
    return { entries: entries.sort((a, b) => a.atUs - b.atUs), revised };
  }

  private remember(atUs: number, value: string): void {
    this.known.set(atUs, { value, seen: value });
    if (this.known.size > REMEMBERED) this.known.delete(this.known.keys().next().value!);
  }
}
