import { Injectable, Logger } from '@nestjs/common';
import { InjectMetric, makeCounterProvider, makeGaugeProvider } from '@willsoto/nestjs-prometheus';
import type { Counter, Gauge } from 'prom-client';
import { nowUs } from '../platform/observability/index.js';
import type { FeedStatus } from './feed-status.js';
import { GAP_STATES, GapStore } from './gap.store.js';

const MEASURE_EVERY_MS = 2000;
const COUNT_GAPS_EVERY_MS = 10_000;

/** What `GET feeds` says, as metrics. Labels are bounded: sources and symbols are those of the settings. */
@Injectable()
export class FeedMetrics {
  private readonly logger = new Logger('Feeds');
  private measuring: NodeJS.Timeout | undefined;
  private countedMs = 0;
  private readonly reconnectsSeen = new Map<string, number>();

  constructor(
    private readonly gaps: GapStore,
    @InjectMetric('ingestor_fetch_total') private readonly frames: Counter<'source' | 'outcome'>,
    @InjectMetric('ingestor_publish_total') private readonly publishedTrades: Counter<'source'>,
    @InjectMetric('feed_connected') private readonly connected: Gauge<'source'>,
    @InjectMetric('feed_state_seconds') private readonly stateAge: Gauge<'source'>,
    @InjectMetric('feed_reconnects_total') private readonly reconnects: Counter<'source'>,
    @InjectMetric('feed_age_seconds') private readonly age: Gauge<'source'>,
    @InjectMetric('feed_trade_age_seconds') private readonly tradeAge: Gauge<'source' | 'symbol'>,
    @InjectMetric('feed_trades_per_second') private readonly rate: Gauge<'source' | 'symbol'>,
    @InjectMetric('feed_symbols') private readonly symbols: Gauge<'source' | 'state'>,
    @InjectMetric('feed_gaps_open') private readonly gapsOpen: Gauge<'source'>,
    @InjectMetric('feed_gap_trades_missing') private readonly missing: Gauge<'source'>,
    @InjectMetric('feed_gaps') private readonly gapCounts: Gauge<'source' | 'state'>,
    @InjectMetric('feed_limit_used') private readonly limitUsed: Gauge<'source' | 'limit'>,
    @InjectMetric('feed_limit_allowed') private readonly limitAllowed: Gauge<'source' | 'limit'>,
  ) {}

  start(statuses: () => readonly FeedStatus[]): void {
    this.measuring = setInterval(() => this.measure(statuses()), MEASURE_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.measuring);
  }

  received(source: string, outcome: string, frames: number): void {
    this.frames.inc({ source, outcome }, frames);
  }

  published(source: string, trades: number): void {
    this.publishedTrades.inc({ source }, trades);
  }

  private measure(statuses: readonly FeedStatus[]): void {
    for (const status of statuses) this.measureOne(status);
    if (Date.now() - this.countedMs < COUNT_GAPS_EVERY_MS) return;
    this.countedMs = Date.now();
    this.countGaps(statuses).catch((error: Error) => this.logger.debug(`gaps were not counted: ${error.message}`));
  }

  private measureOne(status: FeedStatus): void {
    const { source, state, sinceUs, lastFrameAtUs, reconnects, openGaps, missingTrades, symbols, limits } = status;
    this.connected.set({ source }, state === 'connected' ? 1 : 0);
    this.stateAge.set({ source }, age(sinceUs));
    if (lastFrameAtUs !== undefined) this.age.set({ source }, age(lastFrameAtUs));
    this.reconnects.inc({ source }, reconnects - (this.reconnectsSeen.get(source) ?? 0));
    this.reconnectsSeen.set(source, reconnects);
    this.gapsOpen.set({ source }, openGaps);
    this.missing.set({ source }, missingTrades);
    for (const name of ['waiting', 'trading', 'quiet', 'unknown', 'refused'] as const)
      this.symbols.set({ source, state: name }, symbols.filter((one) => one.state === name).length);
    for (const { symbol, state: symbolState, lastReceivedAtUs, tradesPerSecond } of symbols) {
      if (symbolState === 'unknown') continue; // another spelling of it may be read
      if (lastReceivedAtUs !== undefined) this.tradeAge.set({ source, symbol }, age(lastReceivedAtUs));
      this.rate.set({ source, symbol }, tradesPerSecond);
    }
    for (const { name: limit, used, allowed } of limits) {
      this.limitUsed.set({ source, limit }, used);
      this.limitAllowed.set({ source, limit }, allowed);
    }
  }

  private async countGaps(statuses: readonly FeedStatus[]): Promise<void> {
    const counts = await this.gaps.counts();
    for (const { source } of statuses) {
      for (const state of GAP_STATES) {
        const found = counts.find((one) => one.source === source && one.state === state);
        this.gapCounts.set({ source, state }, found?.gaps ?? 0);
      }
    }
  }
}

const age = (atUs: number): number => Math.max(0, (nowUs() - atUs) / 1e6);

const gauge = (name: string, help: string, ...labelNames: string[]) => makeGaugeProvider({ name, help, labelNames });
const counter = (name: string, help: string, ...labelNames: string[]) =>
  makeCounterProvider({ name, help, labelNames });

export const FEED_METRICS = [
  counter('ingestor_fetch_total', 'Frames received, by what they were', 'source', 'outcome'),
  counter('ingestor_publish_total', 'Trades handed to processing, fetched ones included', 'source'),
  counter('feed_reconnects_total', 'Connections lost', 'source'),
  gauge('feed_connected', '1 while the feed is connected', 'source'),
  gauge('feed_state_seconds', 'How long the feed has been in its state', 'source'),
  gauge('feed_age_seconds', 'Since the last frame of the feed', 'source'),
  gauge('feed_trade_age_seconds', 'Since the last trade of the symbol was received', 'source', 'symbol'),
  gauge('feed_trades_per_second', 'Trades of the symbol over the last minute', 'source', 'symbol'),
  gauge('feed_symbols', 'Symbols of the feed by state', 'source', 'state'),
  gauge('feed_gaps_open', 'Holes in the recorded trades that are being filled', 'source'),
  gauge('feed_gap_trades_missing', 'Trades that were missing when those holes were found', 'source'),
  gauge('feed_gaps', 'All gaps ever found, by state', 'source', 'state'),
  gauge('feed_limit_used', "How much of one of the venue's limits is in use", 'source', 'limit'),
  gauge('feed_limit_allowed', "One of the venue's limits, or ours below it", 'source', 'limit'),
];
