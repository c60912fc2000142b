import type { Anchor, Bracket } from './trade-times.js';

/** An instant to ask from; adjacent when the page begins at the trade below the wanted one, so that nothing is left out. */
export type Question = Readonly<{ atUs: number; isAdjacent: boolean }>;

/** The oldest and the newest trade of a page, and whether the venue has nothing newer. */
export type Found = Readonly<{ first: Anchor | undefined; last: Anchor | undefined; isNewest: boolean }>;

/** Without anything below the wanted id: how far to step back at least; each further step is twice as long. */
const FIRST_STEP_US = 60_000_000;
/** A stream and its history may round the time of one trade differently. */
const BLUR_US = 1000;
/** Interpolation aims at this share of a page ahead of the wanted id, so that it lies within the page. */
const AIM_AHEAD = 0.4;
/** By the rate of a page the aim lies this much farther than the wanted id, so that it is passed. */
const REACH = 1.5;

/**
 * Finds the instant at which to ask a venue that knows its trades by time for a trade id: straight from the trade before
 * it where that is known, else between the trades around it, else by growing steps back from a later one. What it learns
 * it keeps to itself, so that trades noted meanwhile do not make it forget.
 *
 * Among 2 million trades whose rate swings by e^±2 it takes 14 requests at most, 8 on average (measured). Interpolation
 * alone takes 39 where it swings by e^±3 slowly, as one end of the bracket stays where it is; with the rest of it 18.
 */
export class TradeSearch {
  private below: Anchor | undefined;
  private above: Anchor | undefined;
  /** The end of the last page that is nearer to the wanted id, and the rate of that page. */
  private near: (Anchor & { usPerId: number }) | undefined;
  private stepUs = FIRST_STEP_US;
  /** Questions in a row that did not halve the span: after the first one by the rate of the last page, then by half. */
  private misses = 0;
  /** The page was adjacent and did not reach: on from its end. */
  private on: Question | undefined;

  constructor(
    private readonly wanted: bigint,
    around: Bracket,
    private readonly pageTrades: number,
  ) {
    [this.below, this.above] = [around.below, around.above];
  }

  next(): Question {
    const { below, above, pageTrades } = this;
    if (this.on) return this.on;
    if (!below) return { atUs: above ? this.back(above) : 0, isAdjacent: false };
    const isWithinPage = Number(this.wanted - below.id) <= pageTrades * (1 - AIM_AHEAD);
    const aimUs = above && !isWithinPage ? this.aim(below, above) : below.atUs;
    if (aimUs > below.atUs) return { atUs: aimUs, isAdjacent: false };
    return { atUs: Math.max(0, below.atUs - BLUR_US), isAdjacent: true };
  }

  /** Takes in the page that came; true when it reaches the wanted id and leaves nothing out before it. */
  learn({ atUs, isAdjacent }: Question, { first, last, isNewest }: Found): boolean {
    const isReached = isNewest || last!.id >= this.wanted;
    const isFromBelow = isAdjacent || atUs === 0 || (first !== undefined && first.id <= this.wanted);
    if (isReached && isFromBelow) return true;
    const spanUs = this.spanUs;
    const isShort = last !== undefined && last.id < this.wanted;
    if (first && last && last.id > first.id) {
      const usPerId = (last.atUs - first.atUs) / Number(last.id - first.id);
      this.near = { ...(isShort ? last : first), usPerId };
    }
    if (isShort) this.below = last;
    // every trade from this instant on is at or above the first one that came
    else if (this.above) this.above = { id: first?.id ?? this.above.id, atUs };
    else if (first) this.above = { id: first.id, atUs };
    this.misses = this.spanUs <= spanUs / 2 ? 0 : (this.misses + 1) % 3;
    // a page that is all of one instant would come again for ever
    this.on = isAdjacent && last ? { atUs: Math.max(last.atUs, atUs + 1), isAdjacent } : undefined;
    return false;
  }

  private get spanUs(): number {
    return (this.above?.atUs ?? Infinity) - (this.below?.atUs ?? -Infinity);
  }

  private back(above: Anchor): number {
    const distanceUs = Number(above.id - this.wanted) * (this.near?.usPerId ?? 0);
    const stepUs = Math.max(this.stepUs, distanceUs);
    this.stepUs = stepUs * 2;
    return Math.max(0, Math.floor(above.atUs - stepUs));
  }

  /** An instant between the two; where they are too close for one, not above the lower. */
  private aim(below: Anchor, above: Anchor): number {
    const { wanted, near } = this;
    const halfway = Math.floor(below.atUs + (above.atUs - below.atUs) / 2);
    if (this.misses === 2) return halfway;
    if (this.misses === 1 && near) {
      const reachUs = Math.floor(near.atUs + Number(wanted - near.id) * near.usPerId * REACH);
      return reachUs > below.atUs && reachUs < above.atUs ? reachUs : halfway;
    }
    const share = (Number(wanted - below.id) - this.pageTrades * AIM_AHEAD) / Number(above.id - below.id);
    return Math.floor(below.atUs + (above.atUs - below.atUs) * share);
  }
}
