type ReadonlyFrontier = ReadonlyMap<string, Readonly<{ lastId: bigint }>>;

export type Tail = Readonly<{ venueSymbol: string; from: bigint; to: bigint }>;

/** A trade is recorded within a fraction of a second; while a backlog is worked off, its series moves on all the time. */
const STUCK_AFTER_MS = 3000;
/** An id so far ahead of what is recorded is garbage, and must not tear a hole. */
const MOST_AHEAD = 10_000_000n;

/**
 * Finds the hole that no later trade shows: ids that were received, are not accounted for, and whose series has stood
 * still since. A full queue leaves such a hole behind when the market then falls quiet.
 */
export class Tails {
  private readonly seen = new Map<string, { nextId: bigint; upTo: bigint; sinceMs: number }>();

  stuck(nextIds: ReadonlyMap<string, bigint>, frontier: ReadonlyFrontier, nowMs: number): Tail[] {
    const tails: Tail[] = [];
    for (const [venueSymbol, { lastId }] of frontier) {
      const nextId = nextIds.get(venueSymbol);
      const known = this.seen.get(venueSymbol);
      if (nextId === undefined || nextId > lastId || lastId - nextId > MOST_AHEAD) this.seen.delete(venueSymbol);
      else if (known?.nextId !== nextId) this.seen.set(venueSymbol, { nextId, upTo: lastId, sinceMs: nowMs });
      else if (nowMs - known.sinceMs >= STUCK_AFTER_MS) tails.push({ venueSymbol, from: nextId, to: known.upTo });
    }
    return tails;
  }
}
