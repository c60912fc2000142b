import { setTimeout as pause } from 'node:timers/promises';
import type { INestApplicationContext } from '@nestjs/common';
import { canonicalDecimal, type Trade, TradesReceivedV1 } from '../contracts/index.js';
import { Bus } from '../platform/bus/index.js';
import { nowUs } from '../platform/observability/index.js';
import { CONNECTORS } from './connectors/registry.js';
import type { IdRun, Missing } from './coverage.js';
import { CoverageStore, type SeriesKey } from './coverage.store.js';
import { GapStore } from './gap.store.js';
import { Gaps } from './gaps.service.js';
import { simulatedSymbols } from './simulator/character.js';
import { simulatedMarket } from './simulator/market.js';
import { MOST_SAMPLE_MINUTES, sampleSessions, type Session } from './simulator/sample.js';
import { MINUTE_US } from './simulator/spans.js';
import type { TapeTrade } from './simulator/tape.js';

const { id: SOURCE, exchange: EXCHANGE } = CONNECTORS.simulator;
const NOT_SAMPLED = 'not part of the sample that cli seed recorded';

/** Trades are handed over in whole minutes, all markets together: a candle then has all its trades at once. */
const SLICE_US = 5 * MINUTE_US;
/** About 28,000 trades of ten markets: the queue in front of recording has room for them many times over. */
const SLICES_AHEAD = 5;
const LOOK_EVERY_MS = 20;
const TAKEN_WITHIN_MS = 60_000;
/** A feed that is connecting has its first trade by then, and its quietest market so long after. */
const CONNECTED_WITHIN_MS = 3000;
const QUIET_FOR_MS = 30_000;

export { MOST_SAMPLE_MINUTES, simulatedSymbols };

export type Sample = Readonly<{
  /** Out of `simulatedSymbols`. */
  symbols: readonly string[];
  /** Of each market, spread over the seven days that end at `untilUs`. */
  minutes: number;
  untilUs: number;
  /** Another process works on the same database, and may run the feed. */
  isBeside: boolean;
}>;

/** A session that is all recorded now, with the trades of it that were not before. */
export type RecordedSession = Session & Readonly<{ trades: number }>;

/**
 * Records a sample of the simulated markets' past the way their feed's live trades go, under the ids that the feed would
 * have given them: so the feed goes on behind it, and nothing of it is recorded twice. What lies between the sessions is
 * told as gaps that nobody fills. The application must run ingestion and processing, and no feed.
 */
export async function* recordSample(app: INestApplicationContext, sample: Sample): AsyncGenerator<RecordedSession> {
  const bus = app.get(Bus);
  await bus.whenReady();
  const recorder = new SampleRecorder(sample.symbols, bus, app.get(CoverageStore), app.get(Gaps), app.get(GapStore));
  if (sample.isBeside) await recorder.feedBegun();
  let before: Session | undefined;
  for (const session of sampleSessions(sample.minutes, sample.untilUs)) {
    yield { ...session, trades: await recorder.record(session, before) };
    before = session;
  }
}

/** What is missing of one market in a session. */
type Part = Readonly<{ key: SeriesKey; missing: Missing }>;

class SampleRecorder {
  /** The same that the feed `simulator` reads. */
  private readonly market = simulatedMarket();

  constructor(
    private readonly symbols: readonly string[],
    private readonly bus: Bus,
    private readonly coverage: CoverageStore,
    private readonly gaps: Gaps,
    private readonly gapStore: GapStore,
  ) {}

  /**
   * A feed that has just started elsewhere begins its series first: it would take all between a session and its own
   * first trade for lost, and fetch it.
   */
  async feedBegun(): Promise<void> {
    const startedMs = performance.now();
    for (;;) {
      const ends = await this.coverage.ends(SOURCE);
      const begun = this.symbols.filter((symbol) => ends.has(symbol)).length;
      const waitedMs = performance.now() - startedMs;
      if (begun === this.symbols.length || waitedMs > (begun > 0 ? QUIET_FOR_MS : CONNECTED_WITHIN_MS)) return;
      await pause(LOOK_EVERY_MS);
    }
  }

  /** Returns how many trades were new. */
  async record(session: Session, before: Session | undefined): Promise<number> {
    const parts: Part[] = [];
    for (const symbol of this.symbols) {
      const key = { source: SOURCE, venueSymbol: symbol, symbol };
      const run = this.runOf(symbol, session);
      if (run.from > run.to) continue;
      await this.makeRoom(key, run, before && this.runOf(symbol, before));
      const missing = await this.missingOf(key, run);
      if (missing) parts.push({ key, missing });
    }
    await this.handOver(session, parts);
    for (const part of parts) await this.taken(part);
    await this.closeFilled();
    return parts.reduce((sum, { missing }) => sum + Number(missing.missing), 0);
  }

  /** Before any of a session is recorded, so that no look for holes sees one between it and the session before. */
  private async makeRoom(key: SeriesKey, run: IdRun, before: IdRun | undefined): Promise<void> {
    const end = (await this.coverage.ends(SOURCE)).get(key.venueSymbol);
    if (!end) return;
    // ids that were given up are asked for again: the gap they are part of is split around them
    await this.gaps.request(key, run);
    const isBehindSession = before !== undefined && end.nextId === before.to + 1n;
    if (!isBehindSession || run.from <= end.nextId) return;
    const hole = { from: end.nextId, to: run.from - 1n };
    await this.gaps.openUnfillable({ ...key, ...hole, missing: hole.to - hole.from + 1n }, NOT_SAMPLED);
  }

  private async handOver({ fromUs, toUs }: Session, parts: readonly Part[]): Promise<void> {
    const ahead: Part[] = [];
    for (let sliceUs = fromUs; sliceUs < toUs; sliceUs += SLICE_US) {
      const slices = parts.flatMap((part) => this.sliceOf(part, sliceUs, Math.min(sliceUs + SLICE_US, toUs)));
      const last = slices.at(-1);
      if (!last) continue;
      this.bus.emit(TradesReceivedV1, { trades: slices.flatMap((slice) => this.tradesOf(slice)) });
      ahead.push(last);
      if (ahead.length > SLICES_AHEAD) await this.taken(ahead.shift()!);
    }
  }

  private sliceOf({ key, missing }: Part, fromUs: number, toUs: number): Part[] {
    const run = this.runOf(key.symbol, { fromUs, toUs });
    const from = run.from > missing.from ? run.from : missing.from;
    const to = run.to < missing.to ? run.to : missing.to;
    return from > to ? [] : [{ key, missing: { from, to, missing: to - from + 1n } }];
  }

  private runOf(symbol: string, { fromUs, toUs }: Session): IdRun {
    const idAt = (atUs: number): bigint => BigInt(this.market.firstIdSince(symbol, atUs)!);
    return { from: idAt(fromUs), to: idAt(toUs) - 1n };
  }

  private tradesOf({ key, missing: { from, to } }: Part): Trade[] {
    const receivedAtUs = nowUs();
    return this.market
      .tradesFrom(key.symbol, Number(from), Number(to - from) + 1, receivedAtUs)
      .map((trade) => tradeOf(trade, key, receivedAtUs));
  }

  /** Waits until all of it is accounted for, which it is once it is recorded. */
  private async taken({ key, missing }: Part): Promise<void> {
    const untilMs = performance.now() + TAKEN_WITHIN_MS;
    while ((await this.missingOf(key, missing)) !== undefined) {
      if (performance.now() > untilMs)
        throw new Error(`${key.symbol}: trades up to ${missing.to} were not recorded within ${TAKEN_WITHIN_MS} ms`);
      await pause(LOOK_EVERY_MS);
    }
  }

  private missingOf(key: SeriesKey, run: IdRun): Promise<Missing | undefined> {
    return this.bus.transaction((tx) => this.coverage.missingWithin(tx, key, run));
  }

  /** The feed would do it; it may not run. */
  private async closeFilled(): Promise<void> {
    for (const gap of await this.gapStore.unfilled(SOURCE))
      if ((await this.missingOf(gap, gap)) === undefined) await this.gaps.close(gap);
  }
}

function tradeOf(trade: TapeTrade, { symbol, venueSymbol }: SeriesKey, receivedAtUs: number): Trade {
  return {
    source: SOURCE,
    exchange: EXCHANGE,
    symbol,
    venueSymbol,
    tradeId: String(trade.id),
    price: canonicalDecimal(trade.price)!,
    size: canonicalDecimal(trade.size)!,
    side: trade.buyerIsMaker ? 'sell' : 'buy',
    tradedAtUs: trade.tradedAtUs,
    receivedAtUs,
  };
}
