import type { Trade } from '../contracts/index.js';
import type { Connection } from './connection.service.js';
import type { SymbolActivity } from './symbol-activity.js';
import type { VenueHistory } from './venue-history.service.js';

/** Questions to the venue about silent symbols are this far apart, so that many quiet ones do not use up its weight. */
const ASK_EVERY_MS = 10_000;
/** A trade this old that the venue has and the socket never brought shows that the socket is deaf. */
const LATE_US = 10_000_000;
/** A subscription may miss what was traded within this time of the connection; that is the gap filler's, not deafness. */
const SETTLING_US = 5_000_000;
/** A silence that nobody can explain, because the venue does not answer, ends the connection. */
const UNEXPLAINED_MS = 300_000;

/** A connection that can be given up. */
export type Watched = Pick<Connection, 'state' | 'sinceUs' | 'venueSymbols' | 'replace'>;

type Silent = Readonly<{ connection: Watched; symbol: SymbolActivity }>;

/**
 * The third clock of liveness, each symbol against its own pace. Silence beyond it is a quiet market or a deaf socket:
 * the venue's own history tells which, so that a market that trades once an hour keeps its connection.
 */
export class SilenceWatch {
  private asking = false;
  private askedMs = 0;

  constructor(
    private readonly history: Pick<VenueHistory, 'newest'>,
    private readonly connections: () => readonly Watched[],
    private readonly activity: ReadonlyMap<string, SymbolActivity>,
  ) {}

  /** Asks about the symbol whose silence is the least usual, if any is silent beyond its pace. */
  async look(nowMs: number): Promise<void> {
    if (this.asking || nowMs - this.askedMs < ASK_EVERY_MS) return;
    const silent = this.mostSuspicious(nowMs);
    if (!silent) return;
    this.asking = true;
    this.askedMs = nowMs;
    const sinceMs = performance.now();
    // the answer may come late, and is judged by what is known then
    const thenMs = (): number => nowMs + (performance.now() - sinceMs);
    try {
      this.judge(silent, await this.history.newest(silent.symbol.venueSymbol), thenMs());
    } catch (error) {
      this.despair(silent.connection, error as Error, thenMs());
    } finally {
      this.asking = false;
    }
  }

  private judge({ connection, symbol }: Silent, trades: readonly Trade[], nowMs: number): void {
    const [fromUs, toUs] = [connection.sinceUs + SETTLING_US, nowMs * 1000 - LATE_US];
    const missed = trades.some(
      ({ tradedAtUs, tradeId }) =>
        tradedAtUs > fromUs && tradedAtUs < toUs && BigInt(tradeId) > (symbol.lastTradeId ?? -1n),
    );
    if (missed) connection.replace(`silent: the venue traded ${symbol.symbol}, and this connection did not tell`);
    else if (symbol.pace.suspicion(nowMs) > 1) symbol.pace.explained(nowMs);
  }

  private despair(connection: Watched, { message }: Error, nowMs: number): void {
    const heardMs = connection.venueSymbols.map((name) => (this.activity.get(name)?.lastReceivedAtUs ?? 0) / 1000);
    if (nowMs - Math.max(connection.sinceUs / 1000, ...heardMs) > UNEXPLAINED_MS)
      connection.replace(`silent, and the venue cannot be asked why: ${message}`);
  }

  private mostSuspicious(nowMs: number): Silent | undefined {
    let [most, found]: [number, Silent | undefined] = [1, undefined];
    for (const connection of this.connections()) {
      if (connection.state !== 'connected') continue;
      for (const name of connection.venueSymbols) {
        const symbol = this.activity.get(name);
        const suspicion = symbol?.refusal === undefined ? (symbol?.pace.suspicion(nowMs) ?? 0) : 0;
        if (symbol && suspicion > most) [most, found] = [suspicion, { connection, symbol }];
      }
    }
    return found;
  }
}
