import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import {
  TradesRecordedV1,
  type TradesRecordedV1Data,
  TradesRejectedV1,
  type TradesRejectedV1Data,
  type VenueId,
} from '../contracts/index.js';
import { Consumes, ConsumesBatch } from '../platform/bus/index.js';
import { CONNECTORS } from './connectors/registry.js';
import { type IdRun, runsOf } from './coverage.js';
import { CoverageStore, type Recorded, type SeriesKey } from './coverage.store.js';
import { Gaps } from './gaps.service.js';
import { receivedAtUs, unheard } from './made-ids.js';

/** Learns from processing which trades are safe; what was only received does not count. */
@Injectable()
export class CoverageHandler {
  constructor(
    private readonly coverage: CoverageStore,
    private readonly gaps: Gaps,
  ) {}

  @ConsumesBatch(TradesRecordedV1, 'ingestion.track-recorded', { batch: 64, lingerMs: 100 })
  async onTradesRecorded(events: readonly TradesRecordedV1Data[], tx: EntityManager): Promise<void> {
    const parts = events.flatMap(({ series }) =>
      series.map(({ source, symbol, venueSymbol, tradeIds, tradedAtUs }) => {
        return { source, symbol, venueSymbol, tradeIds, tradedAtUs };
      }),
    );
    const recorded = bySeries(parts).map(recordedOf);
    if (recorded.length === 0) return;
    const started = await this.coverage.account(tx, recorded);
    for (const { firstId, ...key } of started) {
      // what was traded before is missing from the candles of that moment, and they say so
      const before = CONNECTORS[key.source as VenueId].contiguousIds
        ? { ...key, from: 0n, to: firstId - 1n, missing: firstId }
        : { ...key, ...unheard(0, receivedAtUs(firstId)) };
      if (firstId > 0n) await this.gaps.openedUnfillable(tx, before, 'traded before this series was first read');
    }
    const shrinking = recorded.filter((one) => one.isContiguous);
    if (shrinking.length > 0) await this.gaps.shrink(tx, shrinking);
  }

  @Consumes(TradesRejectedV1, 'ingestion.track-rejected')
  async onTradesRejected({ rejected }: TradesRejectedV1Data, tx: EntityManager): Promise<void> {
    const numbered = rejected
      .map((one) => ({ ...one, tradeIds: [one.tradeId], tradedAtUs: [] }))
      .filter((one) => CONNECTORS[one.source as VenueId]?.contiguousIds);
    const series = bySeries(numbered).map(({ tradeIds, ...key }) => ({ ...key, runs: runsOf(tradeIds) }));
    if (series.length > 0) await this.coverage.accountWithin(tx, series);
  }
}

type Columns = SeriesKey & Readonly<{ tradeIds: readonly string[]; tradedAtUs: readonly number[] }>;

/** One entry a series of a venue, in one order for all, so that two handlers cannot deadlock. */
function bySeries(parts: readonly Columns[]): (SeriesKey & { tradeIds: string[]; tradedAtUs: number[] })[] {
  const series = new Map<string, SeriesKey & { tradeIds: string[]; tradedAtUs: number[] }>();
  for (const { source, symbol, venueSymbol, tradeIds, tradedAtUs } of parts) {
    if (!(source in CONNECTORS)) continue;
    const name = `${source} ${venueSymbol}`;
    const known = series.get(name) ?? { source, symbol, venueSymbol, tradeIds: [], tradedAtUs: [] };
    series.set(name, known);
    for (const tradeId of tradeIds) known.tradeIds.push(tradeId);
    for (const atUs of tradedAtUs) known.tradedAtUs.push(atUs);
  }
  return [...series.keys()].sort().map((name) => series.get(name)!);
}

function recordedOf({ tradeIds, tradedAtUs, ...key }: SeriesKey & Columns): Recorded {
  const runs = runsOf(tradeIds);
  const last = runs.at(-1)!.to.toString();
  const isContiguous = CONNECTORS[key.source as VenueId].contiguousIds;
  const all: IdRun[] = isContiguous ? runs : [{ from: runs[0]!.from, to: runs.at(-1)!.to }];
  return { ...key, runs: all, lastAtUs: tradedAtUs[tradeIds.lastIndexOf(last)]!, isContiguous };
}
