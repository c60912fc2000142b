import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import {
  type FeedId,
  GapOpenedV1,
  TradesRecordedV1,
  type TradesRecordedV1Data,
  TradesRejectedV1,
  type TradesRejectedV1Data,
} from '../contracts/index.js';
import { Bus, Consumes, ConsumesBatch } from '../platform/bus/index.js';
import { CONNECTORS } from './connectors/registry.js';
import { type IdRun, runsOf } from './coverage.js';
import { CoverageStore, gapData, type SeriesKey } from './coverage.store.js';

/** Learns from processing which trades are safe; what was only received does not count. */
@Injectable()
export class CoverageHandler {
  constructor(
    private readonly bus: Bus,
    private readonly coverage: CoverageStore,
  ) {}

  @ConsumesBatch(TradesRecordedV1, 'ingestion.track-recorded', { batch: 64, lingerMs: 100 })
  async onTradesRecorded(events: readonly TradesRecordedV1Data[], tx: EntityManager): Promise<void> {
    const parts = bySeries(
      events.flatMap(({ series }) =>
        series.map(({ source, symbol, venueSymbol, tradeIds }) => ({ source, symbol, venueSymbol, tradeIds })),
      ),
    );
    if (parts.length === 0) return;
    for (const started of await this.coverage.account(tx, parts)) await this.noteStart(tx, started);
  }

  /** What was traded before the first trade known here is missing from the candles of that moment, and they say so. */
  private async noteStart(tx: EntityManager, { firstId, ...key }: SeriesKey & { firstId: bigint }): Promise<void> {
    if (firstId === 0n) return;
    const before = await this.coverage.openGap(tx, { ...key, from: 0n, to: firstId - 1n, missing: firstId });
    await this.coverage.markUnfillable(tx, before, 'traded before this series was first read');
    await this.bus.append(tx, GapOpenedV1, gapData(before));
  }

  @Consumes(TradesRejectedV1, 'ingestion.track-rejected')
  async onTradesRejected({ rejected }: TradesRejectedV1Data, tx: EntityManager): Promise<void> {
    const parts = bySeries(
      rejected.map(({ source, symbol, venueSymbol, tradeId }) => ({
        source,
        symbol,
        venueSymbol,
        tradeIds: [tradeId],
      })),
    );
    if (parts.length > 0) await this.coverage.accountWithin(tx, parts);
  }
}

/** One entry a series with contiguous ids, in one order for all, so that two handlers cannot deadlock. */
function bySeries(parts: readonly (SeriesKey & { tradeIds: readonly string[] })[]): (SeriesKey & { runs: IdRun[] })[] {
  const series = new Map<string, { key: SeriesKey; tradeIds: string[] }>();
  for (const { source, symbol, venueSymbol, tradeIds } of parts) {
    if (!CONNECTORS[source as FeedId]?.contiguousIds) continue;
    const name = `${source} ${venueSymbol}`;
    const known = series.get(name);
    if (known) for (const tradeId of tradeIds) known.tradeIds.push(tradeId);
    else series.set(name, { key: { source, symbol, venueSymbol }, tradeIds: [...tradeIds] });
  }
  return [...series.keys()]
    .sort()
    .map((name) => ({ ...series.get(name)!.key, runs: runsOf(series.get(name)!.tradeIds) }));
}
