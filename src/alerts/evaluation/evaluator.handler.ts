import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import {
  AnomalyDetectedV1,
  type AnomalyDetectedV1Data,
  CustomPointsRecordedV1,
  type CustomPointsRecordedV1Data,
  FeedChangedV1,
  type FeedChangedV1Data,
  GapClosedV1,
  GapOpenedV1,
  type GapV1Data,
  RulesChangedV1,
  TradesReceivedV1,
  type TradesReceivedV1Data,
  TradesRecordedV1,
  type TradesRecordedV1Data,
} from '../../contracts/index.js';
import { Bus, ConsumesBatch, Hears } from '../../platform/bus/index.js';
import { nowUs } from '../../platform/observability/index.js';
import { Evaluator } from './evaluator.service.js';
import { EVALUATE_TRADES, RELOAD_RULES } from './evaluator-consumers.js';

/** What rules are evaluated on, as it comes. */
@Injectable()
export class EvaluatorHandler {
  constructor(
    private readonly bus: Bus,
    private readonly evaluator: Evaluator,
  ) {}

  @ConsumesBatch(TradesRecordedV1, EVALUATE_TRADES, { batch: 16 })
  async onTradesRecorded(events: readonly TradesRecordedV1Data[], tx: EntityManager): Promise<void> {
    await this.rulesAreKnown();
    await this.evaluator.inTurn(tx, () =>
      this.evaluator.take(
        events.flatMap(({ series }) => series),
        nowUs(),
      ),
    );
  }

  @ConsumesBatch(AnomalyDetectedV1, 'alerts.evaluate-anomalies', { batch: 16 })
  async onAnomalies(events: readonly AnomalyDetectedV1Data[], tx: EntityManager): Promise<void> {
    await this.rulesAreKnown();
    await this.evaluator.inTurn(tx, () => events.forEach((anomaly) => this.evaluator.tellAnomaly(anomaly)));
  }

  @ConsumesBatch(CustomPointsRecordedV1, 'alerts.evaluate-points', { batch: 16 })
  async onPoints(events: readonly CustomPointsRecordedV1Data[], tx: EntityManager): Promise<void> {
    await this.rulesAreKnown();
    await this.evaluator.inTurn(tx, () =>
      this.evaluator.tellPoints(
        events.flatMap(({ points }) => points),
        nowUs(),
      ),
    );
  }

  @ConsumesBatch(RulesChangedV1, RELOAD_RULES, { batch: 64 })
  async onRulesChanged(events: readonly Readonly<{ ids: readonly string[] }>[], tx: EntityManager): Promise<void> {
    await this.evaluator.inTurn(tx, () => this.evaluator.reload([...new Set(events.flatMap(({ ids }) => ids))], tx));
  }

  @ConsumesBatch(GapOpenedV1, 'alerts.note-gaps', { batch: 16 })
  async onGapsOpened(gaps: readonly GapV1Data[], tx: EntityManager): Promise<void> {
    await this.evaluator.inTurn(tx, () => gaps.forEach((gap) => this.evaluator.missTrades(gap, nowUs())));
  }

  @ConsumesBatch(GapClosedV1, 'alerts.forget-gaps', { batch: 16 })
  async onGapsClosed(gaps: readonly GapV1Data[], tx: EntityManager): Promise<void> {
    await this.evaluator.inTurn(tx, () => gaps.forEach((gap) => this.evaluator.findTrades(gap)));
  }

  @Hears(TradesReceivedV1, 'alerts.expect-trades')
  onTradesReceived({ trades }: TradesReceivedV1Data): void {
    this.evaluator.expectTrades(trades, nowUs());
  }

  @Hears(FeedChangedV1, 'alerts.note-feed-changed')
  onFeedChanged({ source, state, atUs }: FeedChangedV1Data): void {
    this.evaluator.feeds.changed(source, state === 'connected', atUs);
  }

  /** What is recorded after a rule was made must meet that rule, though the two come by different lanes. */
  private rulesAreKnown(): Promise<void> {
    this.evaluator.assertOpen(); // else they wait for that too
    return this.bus.idle(RELOAD_RULES);
  }
}
