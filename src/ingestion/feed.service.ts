import { Logger } from '@nestjs/common';
import type { FeedState, Trade } from '../contracts/index.js';
import { Attempts } from './attempts.js';
import { Connection } from './connection.service.js';
import { type Connector, FrameError, type Parsed } from './connectors/connector.js';
import {
  type Fault,
  faultNow,
  type FeedStatus,
  type LimitStatus,
  type RunningFeed,
  type SymbolStatus,
} from './feed-status.js';
import type { GapFiller } from './gap-filler.service.js';
import { advance, type Frontier } from './frontier.js';
import { receivedAtUs } from './made-ids.js';
import { SilenceWatch } from './silence-watch.service.js';
import { SymbolActivity } from './symbol-activity.js';
import { type Listed, listSymbols } from './symbol-list.js';
import type { VenueHistory } from './venue-history.service.js';
import type { VenueProducts } from './venue-products.service.js';
import type { VenueRest } from './venue-rest.service.js';

const FLUSH_EVERY_MS = 10;
const FLUSH_TRADES = 2000;
/** Subscriptions take effect a moment after they were sent. */
const SUBSCRIBED_WITHIN_MS = 1000;
const LOOK_EVERY_MS = 1000;
/** How long until a symbol that was refused is asked for again; doubles each time. */
const ASK_AGAIN_MS = { first: 5000, most: 3_600_000 };
const SAY_SKIPPED_EVERY_MS = 10_000;
/** Of what a venue says. */
const WORDS_SHOWN = 200;
const NOBODY_LISTENED = 'nobody was connected, and the venue has no history';

/** What a feed tells whoever runs it. */
export type FeedListener = Readonly<{
  trades(trades: readonly Trade[]): void;
  changed(state: FeedState, reason: string): void;
  badFrame(error: FrameError): void;
  unknownFrame(raw: string): void;
  /** Nobody listened in between, and the venue can't tell what was traded: for venues without trade numbers. */
  unheard(listed: readonly Listed[], fromUs: number | undefined, toUs: number, reason: string): void;
}>;

export type FeedOptions = Readonly<{
  connector: Connector;
  wsUrl: string;
  asked: readonly string[];
  key?: string | undefined;
  /** Most symbols that the account allows; further ones are named and left out. */
  mostSymbols?: number;
  rest?: VenueRest | undefined;
  products?: VenueProducts | undefined;
  history?: VenueHistory | undefined;
  gaps?: GapFiller | undefined;
  /** Highest id known of each venue symbol, delivered or only told of; the gap filler reads it. */
  frontier: Frontier;
}>;

/** One venue at work: its symbols, its connections, the trades of the last moment, and the watch over silent symbols. */
export class Feed implements RunningFeed {
  private readonly logger: Logger;
  private readonly attempts: Attempts;
  private connections: Connection[] = [];
  private listed: readonly Listed[] = [];
  private readonly activity = new Map<string, SymbolActivity>();
  private pending: Trade[] = [];
  private flushDue: NodeJS.Timeout | undefined;
  private watch: NodeJS.Timeout | undefined;
  private stopped = false;
  private told = '';
  lastError: Fault | undefined;
  private lastFrameAtUs: number | undefined;
  private frames = 0;
  private saidSkippedMs = 0;
  private readonly startedAtUs = Date.now() * 1000;

  constructor(
    private readonly options: FeedOptions,
    private readonly listener: FeedListener,
  ) {
    this.logger = new Logger(`Feed ${options.connector.id}`);
    this.attempts = new Attempts(options.connector.attemptsPer5Min);
  }

  get source() {
    return this.options.connector.id;
  }

  start(): void {
    void this.begin();
  }

  /** Hands over what was received and closes. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.watch);
    for (const connection of this.connections) connection.stop();
    for (const { askAgain } of this.activity.values()) clearTimeout(askAgain);
    this.flush();
    const { gaps, products, rest } = this.options;
    const filled = gaps?.stop();
    products?.stop();
    rest?.stop(); // what is being filled may wait for it
    await filled;
  }

  status(): FeedStatus {
    const { connector, gaps } = this.options;
    const nowMs = Date.now();
    const { state, reason, sinceUs } = this.worst();
    const errors = [...this.connections, this, ...(gaps ? [gaps] : [])].flatMap(({ lastError }) => lastError ?? []);
    const lastError = errors.toSorted((a, b) => b.atUs - a.atUs)[0];
    return {
      source: connector.id,
      exchange: connector.exchange,
      state,
      sinceUs,
      reason,
      lastError: lastError?.message,
      lastErrorAtUs: lastError?.atUs,
      lastFrameAtUs: this.lastFrameAtUs,
      frames: this.frames,
      reconnects: this.connections.reduce((sum, { reconnects }) => sum + reconnects, 0),
      connections: this.connections.length,
      openGaps: gaps?.unfilled.length ?? 0,
      missingTrades: Number(gaps?.unfilled.reduce((sum, { missing }) => sum + (missing ?? 0n), 0n) ?? 0),
      limits: this.limits(),
      symbols: this.listed.map((one) => this.symbolStatus(one, nowMs)),
    };
  }

  /** The symbol a person means, in any spelling; undefined when this feed does not read it. */
  find(name: string): Listed | undefined {
    const wanted = name.toUpperCase();
    const spelled = this.options.connector.spelling(wanted);
    return this.listed.find(
      ({ symbol, venueSymbol, problem }) =>
        problem === undefined && (symbol === wanted || venueSymbol === wanted || venueSymbol === spelled),
    );
  }

  private async begin(): Promise<void> {
    const { connector, asked, products, gaps, history, mostSymbols = Infinity } = this.options;
    const listed = listSymbols(connector, asked, await products?.atStart());
    if (this.stopped) return;
    let room = mostSymbols;
    this.listed = listed.map((one) =>
      one.problem === undefined && --room < 0
        ? { ...one, problem: `beyond the ${mostSymbols} the account allows` }
        : one,
    );
    this.nameProblems(this.listed);
    products?.later((late) => this.nameLate(listSymbols(connector, asked, late)));
    const venueSymbols = this.listed.filter(({ problem }) => problem === undefined).map((one) => one.venueSymbol);
    for (const { venueSymbol, symbol, problem } of this.listed) {
      if (problem === undefined) this.activity.set(venueSymbol, new SymbolActivity(venueSymbol, symbol, Date.now()));
    }
    for (let at = 0; at < venueSymbols.length; at += connector.symbolsPerConnection)
      this.connections.push(this.connection(venueSymbols.slice(at, at + connector.symbolsPerConnection)));
    if (this.connections.length === 0) this.changed();
    for (const connection of this.connections) connection.start();
    gaps?.start();
    if (!history) return;
    const watch = new SilenceWatch(this.askingNewest(history), () => this.connections, this.activity);
    this.watch = setInterval(() => void watch.look(Date.now()), LOOK_EVERY_MS).unref();
  }

  private connection(venueSymbols: readonly string[]): Connection {
    const { connector, wsUrl, key, gaps } = this.options;
    // until the first frame of a connection nobody listened: since the last frame, or since an earlier process ended
    let unheard: { fromUs: number | undefined } | undefined = { fromUs: undefined };
    let subscribedUs: number | undefined;
    let heardUs: number | undefined;
    const connection: Connection = new Connection(
      { connector, wsUrl, key, venueSymbols, attempts: this.attempts },
      {
        changed: () => this.changed(),
        subscribed: () => {
          subscribedUs = Date.now() * 1000 + SUBSCRIBED_WITHIN_MS * 1000;
          for (const symbol of venueSymbols) this.activity.get(symbol)?.pace.restart(Date.now());
          setTimeout(() => gaps?.catchUp(venueSymbols), SUBSCRIBED_WITHIN_MS).unref();
        },
        lost: () => {
          unheard ??= { fromUs: heardUs };
          subscribedUs = undefined;
        },
        skipped: () => {
          this.saySkipped();
          gaps?.catchUp(venueSymbols);
        },
        frame: (raw, clockUs) => {
          // ids that are made from it must not collide, whatever the clock does
          const atUs = Math.max(clockUs, (this.lastFrameAtUs ?? 0) + 1);
          if (unheard && subscribedUs !== undefined) {
            this.tellUnheard(venueSymbols, unheard.fromUs, Math.max(atUs, subscribedUs), NOBODY_LISTENED);
            unheard = undefined;
          }
          const parsed = this.onFrame(raw, atUs, venueSymbols, heardUs);
          if (!connector.contiguousIds) heardUs = heardUntilUs(parsed, this.lastFrameAtUs ?? atUs);
          if (parsed?.kind === 'refused') this.refused(parsed, connection);
          return parsed;
        },
      },
    );
    return connection;
  }

  /** `beforeUs`: when the connection heard the frame before. */
  private onFrame(
    raw: string,
    atUs: number,
    venueSymbols: readonly string[],
    beforeUs: number | undefined,
  ): Parsed | undefined {
    const { connector, frontier } = this.options;
    this.frames++;
    this.lastFrameAtUs = atUs;
    try {
      const parsed = connector.parse(raw, atUs);
      if (parsed.kind === 'trades') {
        this.take(parsed.trades);
        const last = parsed.trades.at(-1);
        // more than a microsecond has ids for
        if (last && !connector.contiguousIds) this.lastFrameAtUs = receivedAtUs(BigInt(last.tradeId));
        for (const bad of parsed.badRows ?? []) this.onBadFrame(bad, venueSymbols, beforeUs, atUs);
      } else if (parsed.kind === 'alive') {
        for (const { venueSymbol, tradeId } of parsed.lastIds ?? []) {
          const activity = this.activity.get(venueSymbol);
          if (activity) advance(frontier, venueSymbol, activity.symbol, BigInt(tradeId));
        }
      } else if (parsed.kind === 'unknown') this.listener.unknownFrame(raw);
      return parsed;
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.onBadFrame(error, venueSymbols, beforeUs, atUs);
      return undefined;
    }
  }

  /** Where trades have numbers a lost one shows by itself; elsewhere what cannot be read is a hole. */
  private onBadFrame(
    error: FrameError,
    venueSymbols: readonly string[],
    fromUs: number | undefined,
    toUs: number,
  ): void {
    this.listener.badFrame(error);
    this.tellUnheard(venueSymbols, fromUs, toUs, `a frame could not be read: ${error.message}`);
  }

  private tellUnheard(venueSymbols: readonly string[], fromUs: number | undefined, toUs: number, reason: string): void {
    if (this.options.connector.contiguousIds) return;
    const listed = this.listed.filter(({ venueSymbol }) => venueSymbols.includes(venueSymbol));
    this.listener.unheard(listed, fromUs, toUs, reason);
  }

  private take(trades: readonly Trade[]): void {
    const { connector, frontier } = this.options;
    for (const trade of trades) {
      this.pending.push(trade);
      const activity = this.activity.get(trade.venueSymbol);
      if (!activity) continue;
      if (activity.refusals > 0) this.heardAgain(trade, activity.lastReceivedAtUs);
      const id = BigInt(trade.tradeId);
      activity.heard(trade, id);
      // what is visibly no trade does not tell how far the venue is
      if (connector.contiguousIds && trade.price !== '0' && !trade.price.startsWith('-'))
        advance(frontier, trade.venueSymbol, trade.symbol, id);
    }
    if (this.pending.length >= FLUSH_TRADES) this.flush();
    else this.flushDue ??= setTimeout(() => this.flush(), FLUSH_EVERY_MS);
  }

  private flush(): void {
    clearTimeout(this.flushDue);
    this.flushDue = undefined;
    if (this.pending.length === 0) return;
    const trades = this.pending;
    this.pending = [];
    for (const { venueSymbol, tradeId, tradedAtUs } of [trades[0]!, trades.at(-1)!])
      this.options.history?.note(venueSymbol, BigInt(tradeId), tradedAtUs);
    this.listener.trades(trades);
  }

  /** A symbol that the venue refuses is asked for again, ever more rarely: it may be listed later. */
  private refused({ message, venueSymbol }: { message: string; venueSymbol?: string }, connection: Connection): void {
    const words = message.slice(0, WORDS_SHOWN);
    this.lastError = faultNow(words);
    this.logger.warn(`The venue refused: ${words}`);
    const activity = venueSymbol === undefined ? undefined : this.activity.get(venueSymbol);
    if (!activity) return;
    activity.refusal = words;
    const waitMs = ASK_AGAIN_MS.first * 2 ** Math.min(activity.refusals++, 10);
    clearTimeout(activity.askAgain);
    activity.askAgain = setTimeout(
      () => activity.refusal !== undefined && connection.askAgain([activity.venueSymbol]),
      Math.min(waitMs, ASK_AGAIN_MS.most),
    ).unref();
  }

  /** A symbol that was refused trades after all: what it traded until now nobody heard. */
  private heardAgain({ venueSymbol, receivedAtUs: untilUs }: Trade, fromUs: number | undefined): void {
    this.tellUnheard([venueSymbol], fromUs, untilUs, 'the venue refused it');
  }

  /** What the venue has beyond all that was heard shows a hole, whoever asked for it. */
  private askingNewest(history: VenueHistory): Pick<VenueHistory, 'newest'> {
    return {
      newest: async (venueSymbol) => {
        const trades = await history.newest(venueSymbol);
        const [last, symbol] = [trades.at(-1), this.activity.get(venueSymbol)?.symbol];
        if (last && symbol) advance(this.options.frontier, venueSymbol, symbol, BigInt(last.tradeId));
        return trades;
      },
    };
  }

  private saySkipped(): void {
    if (Date.now() - this.saidSkippedMs < SAY_SKIPPED_EVERY_MS) return;
    this.saidSkippedMs = Date.now();
    this.logger.warn('frames were lost on the way: looking for what they brought');
  }

  private nameProblems(listed: readonly Listed[]): void {
    for (const { venueSymbol, problem } of listed)
      if (problem !== undefined) this.logger.warn(`${venueSymbol} is not read: ${problem}`);
  }

  /** The venue's list came after the start: symbols it does not know are named, the connections stay as they are. */
  private nameLate(listed: readonly Listed[]): void {
    const unknown = listed.filter(({ problem }) => problem !== undefined);
    this.nameProblems(unknown);
    for (const { venueSymbol, problem } of unknown) {
      const activity = this.activity.get(venueSymbol);
      if (activity && activity.trades === 0) activity.refusal = problem;
    }
  }

  private symbolStatus({ venueSymbol, symbol, problem }: Listed, nowMs: number): SymbolStatus {
    const activity = problem === undefined ? this.activity.get(venueSymbol) : undefined;
    if (activity) return activity.status(nowMs);
    const nothing = { trades: 0, tradesPerSecond: 0, lastTradedAtUs: undefined, lastReceivedAtUs: undefined };
    return { venueSymbol, symbol, state: 'unknown', reason: problem, ...nothing };
  }

  private limits(): LimitStatus[] {
    const { connector, rest, mostSymbols } = this.options;
    const most = Math.max(0, ...this.connections.map(({ venueSymbols }) => venueSymbols.length));
    return [
      {
        name: 'connection attempts in 5 minutes',
        used: this.attempts.used(performance.now()),
        allowed: connector.attemptsPer5Min,
      },
      {
        name: 'symbols on one connection',
        used: most,
        allowed: Math.min(connector.symbolsPerConnection, mostSymbols ?? Infinity),
      },
      ...(rest ? [rest.limit] : []),
    ];
  }

  /** The feed is as well as the connection that is worst off. */
  private worst(): { state: FeedState; reason: string; sinceUs: number } {
    const order: FeedState[] = ['waiting', 'connecting', 'stopped', 'connected'];
    const [worst] = this.connections.toSorted((a, b) => order.indexOf(a.state) - order.indexOf(b.state));
    if (worst) return worst;
    const reason = this.listed.length === 0 ? "reading the venue's list of symbols" : 'none of its symbols can be read';
    return { state: this.listed.length === 0 ? 'connecting' : 'waiting', reason, sinceUs: this.startedAtUs };
  }

  private changed(): void {
    const { state, reason } = this.worst();
    if (this.told === `${state} ${reason}`) return;
    this.told = `${state} ${reason}`;
    this.listener.changed(state, reason);
  }
}

/** Up to when the venue has told what it traded: it may be late, and lose what it still had to tell. */
function heardUntilUs(parsed: Parsed | undefined, receivedUs: number): number {
  if (parsed?.kind !== 'trades' || parsed.trades.length === 0) return receivedUs;
  const toldUs = parsed.trades.reduce((latest, { tradedAtUs }) => Math.max(latest, tradedAtUs), -Infinity);
  return Math.min(receivedUs, toldUs);
}
