import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { GapClosedV1, GapOpenedV1 } from '../contracts/index.js';
import { Bus } from '../platform/bus/index.js';
import type { IdRun, Missing } from './coverage.js';
import { CoverageStore, type Recorded, type SeriesKey } from './coverage.store.js';
import { type Gap, gapData, GapStore, type NewGap } from './gap.store.js';

/** A run of fewer ids in the middle of a gap is no reason for another one. */
const SHORTEST_PARTING = 100n;

/** What can happen to a gap: each step is one transaction with the event that tells it. */
@Injectable()
export class Gaps {
  constructor(
    private readonly bus: Bus,
    private readonly coverage: CoverageStore,
    private readonly store: GapStore,
  ) {}

  /** Found, and being filled from now on. */
  open(gap: NewGap): Promise<Gap> {
    return this.bus.transaction((tx) => this.opened(tx, gap));
  }

  /** Found, and never to be filled: it stays in sight, and nobody looks for its ids. */
  openUnfillable(gap: NewGap, reason: string): Promise<Gap> {
    return this.bus.transaction((tx) => this.openedUnfillable(tx, gap, reason));
  }

  async openedUnfillable(tx: EntityManager, gap: NewGap, reason: string): Promise<Gap> {
    const rest = await this.coverage.giveUp(tx, gap, gap);
    return this.keep(tx, await this.store.open(tx, gap), reason, rest);
  }

  /** Every id of it is recorded or known never to come. */
  close(gap: Gap): Promise<Gap> {
    return this.bus.transaction((tx) => this.closed(tx, gap));
  }

  /** Nobody looks any more for a part of it, or for all: what of that is missing stays in sight. */
  giveUp(gap: Gap, part: IdRun, reason: string): Promise<void> {
    return this.bus.transaction(async (tx) => {
      if (part.from > gap.from || part.to < gap.to)
        await this.openedUnfillable(tx, { ...gap, ...part, missing: part.to - part.from + 1n }, reason);
      else await this.keep(tx, gap, reason, await this.coverage.giveUp(tx, gap, part));
    });
  }

  /**
   * Ids were recorded after all that had been given up. A long run in the middle of a gap, as a file has it, parts it in
   * two: what is known of that time is complete.
   */
  async shrink(tx: EntityManager, recorded: readonly Recorded[]): Promise<void> {
    for (const gap of await this.store.shrink(tx, recorded)) {
      await this.bus.append(tx, gap.state === 'closed' ? GapClosedV1 : GapOpenedV1, gapData(gap));
      if (gap.state === 'closed') continue;
      const own = recorded.find((one) => one.source === gap.source && one.venueSymbol === gap.venueSymbol);
      let left = gap; // from the last run on: what lies before it stays this gap
      for (const run of own?.runs.toReversed() ?? [])
        if (run.to - run.from >= SHORTEST_PARTING && left.from < run.from && run.to < left.to)
          left = await this.part(tx, left, run);
    }
  }

  /**
   * Opens a gap over the ids of a range that are missing and that nobody looks for, given up before or older than the
   * series; what of an unfillable gap lies outside of it stays one. Undefined when nothing of the range is missing.
   */
  request(key: SeriesKey, range: IdRun): Promise<Gap | undefined> {
    return this.bus.transaction(async (tx) => {
      const wanted = await this.coverage.reclaim(tx, key, range);
      if (!wanted) return undefined;
      for (const gap of await this.store.unfillableWithin(tx, key, wanted)) {
        await this.part(tx, gap, wanted);
      }
      return this.opened(tx, { ...key, ...wanted, isRequested: true });
    });
  }

  /** What of an unfillable gap lies outside of a run stays one, that behind it as a gap of its own. Returns the first. */
  private async part(tx: EntityManager, gap: Gap, run: IdRun): Promise<Gap> {
    const { source, venueSymbol, symbol } = gap;
    const key = { source, venueSymbol, symbol };
    const reason = gap.reason ?? '';
    const [kept, ...more] = outside(gap, run);
    const first = await this.keep(tx, gap, reason, kept && (await this.coverage.missingWithin(tx, key, kept)));
    for (const one of more) {
      const rest = await this.coverage.missingWithin(tx, key, one);
      if (rest) await this.keep(tx, await this.store.open(tx, { ...key, ...rest }), reason, rest);
    }
    return first;
  }

  /** What of a gap is missing, `rest`, stays in sight, or all where trades have no numbers; without any it is closed. */
  private async keep(tx: EntityManager, gap: Gap, reason: string, rest: Missing | undefined): Promise<Gap> {
    const isNumbered = gap.missing !== null;
    if (isNumbered && !rest) return this.closed(tx, gap);
    const kept = await this.store.markUnfillable(tx, gap, reason, isNumbered ? rest : undefined);
    await this.bus.append(tx, GapOpenedV1, gapData(kept));
    return kept;
  }

  private async opened(tx: EntityManager, gap: NewGap): Promise<Gap> {
    const opened = await this.store.open(tx, gap);
    await this.bus.append(tx, GapOpenedV1, gapData(opened));
    return opened;
  }

  private async closed(tx: EntityManager, gap: Gap): Promise<Gap> {
    await this.store.close(tx, gap);
    await this.bus.append(tx, GapClosedV1, gapData(gap));
    return { ...gap, state: 'closed' };
  }
}

/** What of a run lies before and behind another one. */
function outside(run: IdRun, other: IdRun): IdRun[] {
  return [
    { from: run.from, to: other.from - 1n },
    { from: other.to + 1n, to: run.to },
  ].filter(({ from, to }) => from <= to);
}
