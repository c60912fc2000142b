import type { LimitStatus } from './feed-status.js';

const NAME = 'request weight at once';

/** Spends a venue's request weight evenly: a tenth of a minute's worth at once, the rest as it comes back. */
export class WeightBudget {
  private readonly burst: number;
  private left: number;
  private atMs: number;
  private pausedUntilMs = 0;

  constructor(
    private readonly perMinute: number,
    nowMs: number,
  ) {
    this.burst = perMinute / 10;
    this.left = this.burst;
    this.atMs = nowMs;
  }

  /** Takes `weight` and returns how long to wait before the request may go out. */
  take(weight: number, nowMs: number): number {
    this.left = this.leftAt(nowMs) - weight;
    this.atMs = nowMs;
    const refillMs = this.left >= 0 ? 0 : (-this.left * 60_000) / this.perMinute;
    return Math.max(refillMs, this.pausedMs(nowMs));
  }

  /** How long the venue wants to be left alone yet. */
  pausedMs(nowMs: number): number {
    return Math.max(0, this.pausedUntilMs - nowMs);
  }

  /** How much of the minute's weight is spent and not yet back. */
  status(nowMs: number): LimitStatus {
    return {
      name: NAME,
      // a venue that said 429 leaves nothing until its time is over
      used: Math.round(this.pausedMs(nowMs) > 0 ? this.burst : this.burst - this.leftAt(nowMs)),
      allowed: Math.floor(this.burst),
    };
  }

  /** The venue said 429 or 418: nothing goes out before. */
  pauseUntil(untilMs: number): void {
    this.pausedUntilMs = Math.max(this.pausedUntilMs, untilMs);
  }

  private leftAt(nowMs: number): number {
    return Math.min(this.burst, this.left + ((nowMs - this.atMs) * this.perMinute) / 60_000);
  }
}
