import type { Trade } from '../contracts/index.js';
import type { SymbolState, SymbolStatus } from './feed-status.js';
import { Pace } from './pace.js';

const SPAN_MS = 5000;
const SPANS = 12;

/** What was heard of one symbol since the process started, and how much of it in the last minute. */
export class SymbolActivity {
  readonly pace: Pace;
  trades = 0;
  /** The highest one that a socket brought. */
  lastTradeId: bigint | undefined;
  lastTradedAtUs: number | undefined;
  lastReceivedAtUs: number | undefined;
  refusal: string | undefined;
  /** How often the venue refused it in a row, and when it is asked for again. */
  refusals = 0;
  askAgain: NodeJS.Timeout | undefined;
  /** Trades in the spans of the last minute, a ring; and the number of the span that is running. */
  private readonly spans = new Float64Array(SPANS);
  private span: number;

  constructor(
    readonly venueSymbol: string,
    readonly symbol: string,
    private readonly sinceMs: number,
  ) {
    this.pace = new Pace(sinceMs);
    this.span = Math.floor(sinceMs / SPAN_MS);
  }

  /** `id`: that of the trade. */
  heard(trade: Trade, id: bigint): void {
    const nowMs = trade.receivedAtUs / 1000;
    this.trades++;
    if (this.lastTradeId === undefined || id > this.lastTradeId) this.lastTradeId = id;
    if (this.lastTradedAtUs === undefined || trade.tradedAtUs > this.lastTradedAtUs) {
      this.lastTradedAtUs = trade.tradedAtUs;
    }
    this.lastReceivedAtUs = trade.receivedAtUs;
    this.refusal = undefined;
    this.refusals = 0;
    this.pace.heard(nowMs);
    this.turn(nowMs);
    this.spans[this.span % SPANS]!++;
  }

  status(nowMs: number): SymbolStatus {
    this.turn(nowMs);
    const { venueSymbol, symbol, trades, lastTradedAtUs, lastReceivedAtUs } = this;
    // a symbol that has been listened to for less than a minute is not measured by a whole one
    const measuredMs = Math.max(SPAN_MS, Math.min(SPANS * SPAN_MS, nowMs - this.sinceMs));
    const tradesPerSecond = (this.spans.reduce((sum, count) => sum + count, 0) * 1000) / measuredMs;
    const [state, reason] = this.state(nowMs);
    return { venueSymbol, symbol, state, reason, trades, tradesPerSecond, lastTradedAtUs, lastReceivedAtUs };
  }

  private state(nowMs: number): [SymbolState, string | undefined] {
    if (this.refusal !== undefined) return ['refused', this.refusal];
    if (this.pace.isExplained) return ['quiet', 'the venue says that nothing was traded since'];
    if (this.trades === 0) return ['waiting', 'no trade heard yet'];
    return this.pace.suspicion(nowMs) > 1 ? ['quiet', 'silent beyond its usual pace'] : ['trading', undefined];
  }

  private turn(nowMs: number): void {
    const span = Math.floor(nowMs / SPAN_MS);
    if (span <= this.span) return;
    for (let old = Math.max(this.span + 1, span - SPANS + 1); old <= span; old++) this.spans[old % SPANS] = 0;
    this.span = span;
  }
}
