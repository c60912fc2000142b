/** A trade whose id and instant are both known; ids and times rise together within a symbol. */
export type Anchor = Readonly<{ id: bigint; atUs: number }>;

/** An instant to ask from; adjacent when the page begins at the trade below the wanted one, so that nothing is left out. */
export type Question = Readonly<{ atUs: number; isAdjacent: boolean }>;

const MOST_ANCHORS = 64;
/** Without anything below the wanted id: how far to step back first; each further step is twice as long. */
const FIRST_STEP_US = 60_000_000;
/** A stream and its history may round the time of one trade differently. */
const BLUR_US = 1000;
/** After so many misses, on in whole pages from the trade below. */
const TRIES_TO_AIM = 12;
/** Interpolation aims at this share of a page ahead of the wanted id, so that it lies within the page. */
const AIM_AHEAD = 0.4;

/**
 * Finds the instant at which to ask a venue that knows its trades by time for a trade id: straight from the trade before
 * it where that is known, else by interpolation between known trades, else by growing steps back from a later one.
 */
export class TradeTimes {
  private anchors: Anchor[] = [];

  /** Notes a trade. The oldest knowledge thins out first; what is newest is kept. */
  note(id: bigint, atUs: number): void {
    const at = this.anchors.findLastIndex((anchor) => anchor.id <= id);
    if (this.anchors[at]?.id === id) return;
    this.anchors.splice(at + 1, 0, { id, atUs });
    if (this.anchors.length > MOST_ANCHORS)
      this.anchors = this.anchors.filter((_, i) => i % 2 === 0 || i >= MOST_ANCHORS / 2);
  }

  /** Where to ask for `id`, when `pageTrades` come at once; undefined when no trade is known yet. */
  askFrom(id: bigint, pageTrades: number, tries: number): Question | undefined {
    const below = this.anchors.findLast((anchor) => anchor.id < id);
    const above = this.anchors.find((anchor) => anchor.id >= id);
    if (!below) return above && { atUs: Math.max(0, above.atUs - FIRST_STEP_US * 2 ** tries), isAdjacent: false };
    const adjacent = { atUs: Math.max(0, below.atUs - BLUR_US), isAdjacent: true };
    if (!above || tries > TRIES_TO_AIM || id - below.id <= BigInt(Math.floor(pageTrades * (1 - AIM_AHEAD))))
      return adjacent;
    const ahead = Number(id - below.id) - Math.floor(pageTrades * AIM_AHEAD);
    const aimUs = below.atUs + (above.atUs - below.atUs) * (ahead / Number(above.id - below.id));
    return aimUs > below.atUs ? { atUs: Math.floor(aimUs), isAdjacent: false } : adjacent;
  }
}
