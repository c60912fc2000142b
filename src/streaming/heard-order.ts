const REMEMBERED = 4096;

/**
 * Ids are given out before the commit, so events become known in another order than that of their ids. Whoever resumes
 * from one has had what was heard before it and lacks what was heard after, whatever the ids say.
 */
export class HeardOrder {
  private ids: string[] = [];

  note(eventId: string): void {
    this.ids.push(eventId);
    if (this.ids.length > 2 * REMEMBERED) this.ids = this.ids.slice(-REMEMBERED);
  }

  /** The id to read after, and the ids beyond it that were heard up to `eventId`; `undefined` when that is forgotten. */
  upTo(eventId: string): { after: bigint; had: Set<string> } | undefined {
    const place = this.ids.lastIndexOf(eventId);
    if (place < 0) return undefined;
    let after = BigInt(eventId);
    for (const later of this.ids.slice(place + 1)) if (BigInt(later) <= after) after = BigInt(later) - 1n;
    return { after, had: new Set(this.ids.slice(0, place + 1).filter((id) => BigInt(id) > after)) };
  }
}
