import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import {
  type CandleData,
  CandlesRevisedV1,
  CandlesUpdatedV1,
  GapClosedV1,
  GapOpenedV1,
  type GapV1Data,
  INTERVAL_NAMES,
  INTERVALS,
  TradesRecordedV1,
  type TradesRecordedV1Data,
} from '../../contracts/index.js';
import { Bus, Consumes, ConsumesBatch } from '../../platform/bus/index.js';
import { type Candle, MINUTE_US, minuteCandles, rollUp } from './candle.js';
import { type CandleRow, CandleStore, type StoredCandle } from './candle.store.js';
import { GapStore } from './gap.store.js';

/** Merges new trades into the candles of all intervals, in the transaction that settles their delivery. */
@Injectable()
export class CandleMerger {
  constructor(
    private readonly bus: Bus,
    private readonly candles: CandleStore,
    private readonly gaps: GapStore,
  ) {}

  // a candle is written once for all flushes of that time: at each of them it cost three times what recording the trades does
  @ConsumesBatch(TradesRecordedV1, 'aggregation.merge-candles', { batch: 16, lingerMs: 100 })
  async onTradesRecorded(events: readonly TradesRecordedV1Data[], tx: EntityManager): Promise<void> {
    const rows = candleRows(events);
    if (rows.length === 0) return;
    const merged = (await this.candles.merge(tx, rows)).map(toldAs);
    const revised = merged.filter((candle) => candle.closed);
    if (revised.length > 0) await this.bus.append(tx, CandlesRevisedV1, { candles: revised });
    this.bus.emitAfterCommit(tx, CandlesUpdatedV1, { candles: merged });
  }

  @Consumes(GapOpenedV1, 'aggregation.note-gap-opened')
  async onGapOpened(gap: GapV1Data, tx: EntityManager): Promise<void> {
    await this.gaps.note(tx, gap, true);
  }

  @Consumes(GapClosedV1, 'aggregation.note-gap-closed')
  async onGapClosed(gap: GapV1Data, tx: EntityManager): Promise<void> {
    await this.gaps.note(tx, gap, false);
  }
}

/** The candles of all intervals that the trades amount to, ordered by key so that two mergers cannot deadlock. */
export function candleRows(events: readonly TradesRecordedV1Data[]): CandleRow[] {
  const minutes = new Map<string, { source: string; symbol: string; candles: Candle[] }>();
  for (const { series } of events) {
    for (const one of series) {
      const key = `${one.source} ${one.symbol}`;
      const known = minutes.get(key);
      if (known) known.candles.push(...minuteCandles(one));
      else minutes.set(key, { source: one.source, symbol: one.symbol, candles: minuteCandles(one) });
    }
  }
  const rows: CandleRow[] = [];
  for (const key of [...minutes.keys()].sort()) {
    const { source, symbol, candles } = minutes.get(key)!;
    let finer = rollUp(candles, MINUTE_US);
    for (const interval of INTERVAL_NAMES) {
      finer = rollUp(finer, INTERVALS[interval] * 1000);
      finer.sort((a, b) => a.openTimeUs - b.openTimeUs);
      for (const candle of finer) rows.push({ source, symbol, interval, candle });
    }
  }
  return rows;
}

/** As events tell it: without what only this module needs. */
export function toldAs({ openId: _openId, closeId: _closeId, ...candle }: StoredCandle): CandleData {
  return candle;
}
