/** A trade whose id and instant are both known; ids and times rise together within a symbol. */
export type Anchor = Readonly<{ id: bigint; atUs: number }>;

/** The nearest known trades below a wanted id, and at or above it. */
export type Bracket = Readonly<{ below: Anchor | undefined; above: Anchor | undefined }>;

const MOST_LIVE = 64;
const MOST_FOUND = 64;
/** Live trades are kept this far apart, so that hours of them fit; the newest is always kept. */
const LIVE_APART_US = 1_000_000;

/** What is known of when the trades of one symbol were made: of live ones little, of what searches found the latest. */
export class TradeTimes {
  /** Ascending. */
  private live: Anchor[] = [];
  /** By id; the one found last stands last. */
  private readonly found = new Map<bigint, Anchor>();

  /** Notes a trade that nobody searched for. The oldest knowledge thins out first. */
  noteLive(id: bigint, atUs: number): void {
    const at = this.live.findLastIndex((anchor) => anchor.id <= id);
    const [before, after] = [this.live[at], this.live[at + 1]];
    if (before?.id === id) return;
    if (after && (isNear(before, atUs) || isNear(after, atUs))) return;
    const isNewestPassing = !after && before !== undefined && isNear(this.live[at - 1], before.atUs);
    this.live.splice(isNewestPassing ? at : at + 1, isNewestPassing ? 1 : 0, { id, atUs });
    if (this.live.length > MOST_LIVE) this.live = this.live.filter((_, i) => i % 2 === 0 || i >= MOST_LIVE / 2);
  }

  /** Notes a trade that a search came by: the next page begins there. */
  noteFound(anchor: Anchor): void {
    this.found.delete(anchor.id);
    this.found.set(anchor.id, anchor);
    if (this.found.size > MOST_FOUND) this.found.delete(this.found.keys().next().value!);
  }

  around(id: bigint): Bracket {
    let [below, above]: (Anchor | undefined)[] = [];
    for (const anchor of [...this.live, ...this.found.values()]) {
      if (anchor.id < id && (!below || anchor.id >= below.id)) below = anchor;
      if (anchor.id >= id && (!above || anchor.id <= above.id)) above = anchor;
    }
    return { below, above };
  }
}

const isNear = (anchor: Anchor | undefined, atUs: number): boolean =>
  anchor !== undefined && Math.abs(anchor.atUs - atUs) < LIVE_APART_US;
