import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter, Gauge } from 'prom-client';
import { FeedChangedV1, type FeedId, type Trade, TradesReceivedV1 } from '../contracts/index.js';
import { Bus, DeadLetters } from '../platform/bus/index.js';
import { Settings } from '../platform/config/index.js';
import { HealthParts, type HealthReport, nowUs } from '../platform/observability/index.js';
import { CONNECTORS } from './connectors/registry.js';
import { CoverageStore } from './coverage.store.js';
import { Feed } from './feed.service.js';
import { GapFiller } from './gap-filler.service.js';
import { simulatedSymbols } from './simulator/character.js';
import { type Simulator, startSimulator } from './simulator/simulator.server.js';
import { VenueHistory } from './venue-history.service.js';

/** Where a feed connects and what it asks for. */
type Target = Readonly<{ wsUrl: string; restUrl: string; venueSymbols: readonly string[] }>;

const PAYLOAD_SHOWN = 4096;
const MEASURE_EVERY_MS = 2000;
/** A feed that tries to connect for longer makes the process not ready. */
const CONNECT_BUDGET_MS = 120_000;

/** Runs the configured feeds: their sockets, their gaps, and the simulator when one of them reads it. */
@Injectable()
export class Feeds implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Feeds');
  private simulator: Simulator | undefined;
  private stopped = false;
  private measuring: NodeJS.Timeout | undefined;
  private lastConnectedMs = Date.now();
  readonly running: { feed: Feed; gaps: GapFiller | undefined }[] = [];

  constructor(
    private readonly settings: Settings,
    private readonly bus: Bus,
    private readonly deadLetters: DeadLetters,
    private readonly coverage: CoverageStore,
    health: HealthParts,
    @InjectMetric('ingestor_fetch_total') private readonly frames: Counter<'source' | 'outcome'>,
    @InjectMetric('ingestor_publish_total') private readonly published: Counter<'source'>,
    @InjectMetric('feed_connected') private readonly connected: Gauge<'source'>,
    @InjectMetric('feed_reconnects_total') private readonly reconnects: Counter<'source'>,
    @InjectMetric('feed_age_seconds') private readonly age: Gauge<'source'>,
    @InjectMetric('feed_gaps_open') private readonly gapsOpen: Gauge<'source'>,
  ) {
    health.register({ name: 'feeds', gatesReadiness: true, check: () => this.report() });
  }

  onApplicationBootstrap(): void {
    void this.bus.whenReady().then(() => this.start());
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    clearInterval(this.measuring);
    for (const { feed, gaps } of this.running) {
      feed.stop();
      await gaps?.stop();
    }
    await this.simulator?.close();
  }

  private async start(): Promise<void> {
    this.measuring = setInterval(() => this.measure(), MEASURE_EVERY_MS).unref();
    for (const id of this.settings.FEEDS) {
      if (this.stopped) return;
      try {
        this.run(id, await this.target(id));
      } catch (error) {
        this.logger.error(`Feed ${id} could not start: ${(error as Error).message}`);
      }
    }
  }

  private async target(id: FeedId): Promise<Target> {
    if (id === 'binance') {
      const { BINANCE_WS_URL: wsUrl, BINANCE_REST_URL: restUrl, BINANCE_SYMBOLS: venueSymbols } = this.settings;
      return { wsUrl, restUrl, venueSymbols };
    }
    this.simulator = await startSimulator();
    return { wsUrl: this.simulator.url, restUrl: this.simulator.restUrl, venueSymbols: simulatedSymbols };
  }

  private run(id: FeedId, { wsUrl, restUrl, venueSymbols }: Target): void {
    const connector = CONNECTORS[id];
    const frontier = new Map<string, { symbol: string; lastId: bigint }>();
    const publish = (trades: readonly Trade[]): void => {
      this.published.inc({ source: id }, trades.length);
      this.bus.emit(TradesReceivedV1, { trades });
    };
    const gaps = connector.history
      ? new GapFiller(
          id,
          this.bus,
          this.coverage,
          new VenueHistory(connector.history, restUrl),
          this.settings.BACKFILL_MAX_TRADES,
          publish,
          frontier,
        )
      : undefined;
    for (let at = 0; at < venueSymbols.length; at += connector.symbolsPerConnection) {
      const symbols = venueSymbols.slice(at, at + connector.symbolsPerConnection);
      const feed = new Feed(connector, wsUrl, symbols, {
        trades: (trades) => {
          this.frames.inc({ source: id, outcome: 'trade' }, trades.length);
          if (connector.contiguousIds) advance(frontier, trades);
          publish(trades);
        },
        connected: () => void gaps?.catchUp(symbols),
        changed: (state, reason) => {
          if (state === 'connected') this.lastConnectedMs = Date.now();
          if (state === 'waiting') this.reconnects.inc({ source: id });
          this.connected.set({ source: id }, state === 'connected' ? 1 : 0);
          this.bus.emit(FeedChangedV1, { source: id, state, reason, atUs: nowUs() });
        },
        badFrame: (error) => this.keepFrame(id, error.code, error.message, error.raw),
        unknownFrame: (raw) =>
          this.keepFrame(id, 'parse.unknown-frame', 'the frame has no shape this connector knows', raw),
      });
      this.running.push({ feed, gaps });
      feed.start();
    }
    gaps?.start();
  }

  private keepFrame(
    id: FeedId,
    code: 'decode.not-json' | 'parse.bad-trade' | 'parse.unknown-frame',
    message: string,
    raw: string,
  ): void {
    this.frames.inc({ source: id, outcome: code });
    const stage = code === 'decode.not-json' ? 'decode' : 'parse';
    this.deadLetters.report({
      stage,
      code,
      message,
      source: { kind: 'feed', id },
      attempts: 1,
      payload: raw.slice(0, PAYLOAD_SHOWN),
    });
  }

  private measure(): void {
    for (const { feed, gaps } of this.running) {
      const source = feed.connector.id;
      if (feed.lastFrameAtUs !== undefined) this.age.set({ source }, (nowUs() - feed.lastFrameAtUs) / 1e6);
      this.gapsOpen.set({ source }, gaps?.open.length ?? 0);
    }
  }

  /** Ready while at least one feed is connected, or none has been for less than the budget. */
  private report(): HealthReport {
    if (this.running.some(({ feed }) => feed.state === 'connected')) this.lastConnectedMs = Date.now();
    const up = this.running.length > 0 && Date.now() - this.lastConnectedMs < CONNECT_BUDGET_MS;
    const details = this.running.map(({ feed, gaps }) => ({
      source: feed.connector.id,
      state: feed.state,
      reason: feed.reason,
      lastFrameAgeMs: feed.lastFrameAtUs === undefined ? null : Math.round((nowUs() - feed.lastFrameAtUs) / 1000),
      openGaps: gaps?.open.length ?? 0,
    }));
    return { up, details: { feeds: details } };
  }
}

/** Notes how far each symbol has come; what is visibly no trade does not count. */
function advance(frontier: Map<string, { symbol: string; lastId: bigint }>, trades: readonly Trade[]): void {
  for (const { venueSymbol, symbol, tradeId, price } of trades) {
    if (price.startsWith('-')) continue;
    const id = BigInt(tradeId);
    const known = frontier.get(venueSymbol);
    if (!known) frontier.set(venueSymbol, { symbol, lastId: id });
    else if (id > known.lastId) known.lastId = id;
  }
}
