import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import {
  FeedChangedV1,
  type FeedId,
  type FeedState,
  isPolled,
  type PollId,
  type Trade,
  TradesReceivedV1,
  type VenueId,
} from '../contracts/index.js';
import { Bus, DeadLetters } from '../platform/bus/index.js';
import { Settings } from '../platform/config/index.js';
import { AppError } from '../platform/errors/index.js';
import { HealthParts, type HealthReport, nowUs } from '../platform/observability/index.js';
import { Circuits } from '../platform/outbound/index.js';
import type { Connector, FrameError } from './connectors/connector.js';
import { CONNECTORS } from './connectors/registry.js';
import { CoverageStore } from './coverage.store.js';
import { FeedMetrics } from './feed-metrics.service.js';
import type { FeedStatus, RunningFeed } from './feed-status.js';
import { Feed } from './feed.service.js';
import type { Frontier } from './frontier.js';
import { GapFiller } from './gap-filler.service.js';
import { GapWatch } from './gap-watch.service.js';
import { GapStore } from './gap.store.js';
import { Gaps } from './gaps.service.js';
import { pollFeed } from './polls/poll-feed.service.js';
import { PollMetrics } from './polls/poll-metrics.service.js';
import { simulatedSymbols } from './simulator/character.js';
import { type Simulator, startSimulator } from './simulator/simulator.server.js';
import { type Target, TARGETS } from './targets.js';
import { UnheardSpells } from './unheard-spells.service.js';
import { VenueHistory } from './venue-history.service.js';
import { VenueProducts } from './venue-products.service.js';
import { VenueRest } from './venue-rest.service.js';

/** Of a frame; more cannot be replayed, but a venue that sends garbage must not fill the disk. */
const MOST_FRAME_BYTES = 16 * 1024;
/** A feed that tries to connect for longer makes the process not ready. */
const CONNECT_BUDGET_MS = 120_000;
/** Of the request weight a minute, where a venue has a list of symbols but no history. */
const LIST_WEIGHT_PER_MINUTE = 200;

/** A venue's feed, with what can be asked of it over REST. */
export type VenueFeed = Readonly<{ feed: Feed; history: VenueHistory | undefined }>;

/** Runs the configured feeds: the venues with their gaps, the polls, and the simulator when one of them reads it. */
@Injectable()
export class Feeds implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Feeds');
  private simulator: Simulator | undefined;
  private stopped = false;
  private lastConnectedMs = Date.now();
  private readonly running: RunningFeed[] = [];
  private readonly venues = new Map<string, VenueFeed>();
  private readonly rests = new Map<string, VenueRest>();

  constructor(
    private readonly settings: Settings,
    private readonly bus: Bus,
    private readonly deadLetters: DeadLetters,
    private readonly coverage: CoverageStore,
    private readonly gapStore: GapStore,
    private readonly gaps: Gaps,
    private readonly unheard: UnheardSpells,
    private readonly metrics: FeedMetrics,
    private readonly pollMetrics: PollMetrics,
    private readonly circuits: Circuits,
    health: HealthParts,
  ) {
    health.register({ name: 'feeds', gatesReadiness: true, check: () => this.report() });
  }

  onApplicationBootstrap(): void {
    void this.bus.whenReady().then(() => this.start());
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    this.metrics.stop();
    await Promise.all(this.running.map((feed) => feed.stop()));
    await this.simulator?.close();
  }

  statuses(): FeedStatus[] {
    return this.running.map((feed) => feed.status());
  }

  /** Throws the problem for a source that is not running here, or that is polled. */
  venue(source: string): VenueFeed {
    const venue = this.venues.get(source);
    if (venue) return venue;
    if (this.running.some((feed) => feed.source === source)) throw withoutHistory(source);
    throw notRunning(source);
  }

  private async start(): Promise<void> {
    this.metrics.start(() => this.statuses());
    await this.unheard.whenReady();
    for (const id of this.settings.FEEDS) {
      if (this.stopped) return;
      try {
        const feed = await this.feedOf(id);
        this.running.push(feed);
        feed.start();
      } catch (error) {
        this.logger.error(`Feed ${id} could not start: ${(error as Error).message}`);
      }
    }
  }

  private async feedOf(id: FeedId): Promise<RunningFeed> {
    return isPolled(id) ? this.pollFeed(id) : this.venueFeed(id, await this.target(id));
  }

  private pollFeed(id: PollId): RunningFeed {
    return pollFeed(id, this.settings, {
      publish: (source, trades) => this.publish(source, trades),
      keepFrame: (source, { code, message, raw }) => this.keepFrame(source, code, message, raw),
      changed: (source, state, reason) => this.changed(source, state, reason),
      metrics: this.pollMetrics,
      watchCircuit: (source, symbol, circuit, nowMs) => this.circuits.register(`${source} ${symbol}`, circuit, nowMs),
    });
  }

  private async target(id: VenueId): Promise<Target> {
    if (id !== 'simulator') return TARGETS[id](this.settings);
    this.simulator = await startSimulator();
    return { wsUrl: this.simulator.url, restUrl: this.simulator.restUrl, asked: simulatedSymbols };
  }

  private venueFeed(id: VenueId, target: Target): Feed {
    const connector = CONNECTORS[id];
    const { restUrl } = target;
    const rest = restUrl === undefined ? undefined : this.restOf(restUrl, connector);
    const history = rest && connector.history && new VenueHistory(connector.history, restUrl!, rest);
    const frontier: Frontier = new Map();
    const deliver = (trades: readonly Trade[]): void => this.publish(id, trades);
    const kept = {
      source: id,
      coverage: this.coverage,
      store: this.gapStore,
      gaps: this.gaps,
      maxTrades: this.settings.BACKFILL_MAX_TRADES,
      frontier,
    };
    const gaps = history && new GapFiller({ ...kept, watch: new GapWatch(kept), history, deliver });
    const products = rest && connector.products && new VenueProducts(connector, restUrl!, rest);
    const feed = new Feed(
      { ...target, connector, rest, history, gaps, products, frontier },
      {
        trades: (trades) => {
          this.metrics.received(id, 'trade', trades.length);
          deliver(trades);
        },
        changed: (state, reason) => this.changed(id, state, reason),
        badFrame: (error) => this.keepFrame(id, error.code, error.message, error.raw),
        unknownFrame: (raw) =>
          this.keepFrame(id, 'parse.unknown-frame', 'the frame has no shape this connector knows', raw),
        unheard: (listed, fromUs, toUs, reason) => this.unheard.note(id, listed, fromUs, toUs, reason),
      },
    );
    this.venues.set(id, { feed, history });
    return feed;
  }

  /** Feeds that ask one address share its request weight, as the two of Coinbase do. */
  private restOf(restUrl: string, { id, history }: Connector): VenueRest {
    const known = this.rests.get(restUrl);
    if (known) return known;
    const rest = new VenueRest(history?.weightPerMinute ?? LIST_WEIGHT_PER_MINUTE);
    this.rests.set(restUrl, rest);
    this.circuits.register(`${id} REST`, rest.circuit, () => performance.now());
    return rest;
  }

  private publish(id: FeedId, trades: readonly Trade[]): void {
    this.metrics.published(id, trades.length);
    this.bus.emit(TradesReceivedV1, { trades });
  }

  private changed(id: FeedId, state: FeedState, reason: string): void {
    this.bus.emit(FeedChangedV1, { source: id, state, reason, atUs: nowUs() });
  }

  private keepFrame(id: FeedId, code: FrameError['code'] | 'parse.unknown-frame', message: string, raw: string): void {
    this.metrics.received(id, code, 1);
    this.deadLetters.report({
      stage: code === 'decode.not-json' ? 'decode' : 'parse',
      code,
      message,
      source: { kind: 'feed', id },
      attempts: 1,
      payload: raw,
      mostPayloadBytes: MOST_FRAME_BYTES,
    });
  }

  /** Ready while at least one venue is connected (a poll, where there is none), or none has been for less than the budget. */
  private report(): HealthReport {
    const statuses = this.statuses();
    const venues = statuses.filter(({ source }) => !isPolled(source));
    const counted = venues.length > 0 ? venues : statuses;
    if (counted.some(({ state }) => state === 'connected')) this.lastConnectedMs = Date.now();
    const up = this.running.length > 0 && Date.now() - this.lastConnectedMs < CONNECT_BUDGET_MS;
    const details = statuses.map(({ source, state, reason, lastFrameAtUs, openGaps }) => ({
      source,
      state,
      reason,
      lastFrameAgeMs: lastFrameAtUs === undefined ? null : Math.round((nowUs() - lastFrameAtUs) / 1000),
      openGaps,
    }));
    return { up, details: { feeds: details } };
  }
}

export const notRunning = (source: string): AppError =>
  new AppError('market.unknown-source', `${source.slice(0, 60)} is not running; FEEDS names the feeds of this process`);

export const withoutHistory = (source: string): AppError =>
  new AppError('feed.no-history', `${source} cannot be asked for trades of the past`);
