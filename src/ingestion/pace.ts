const LEAST_MS = 30_000;
const UNKNOWN_MS = 60_000;
const MOST_MS = 3_600_000;
const TIMES_USUAL = 50;
const WEIGHT = 0.02;

/** One symbol's own pace: how long it may be silent before the venue is asked whether something was missed. */
export class Pace {
  private usualMs: number | undefined;
  private lastMs: number;
  /** A silence that the venue has explained: it is asked again only after one twice as long. */
  private explainedMs = 0;

  constructor(sinceMs: number) {
    this.lastMs = sinceMs;
  }

  heard(nowMs: number): void {
    const pauseMs = nowMs - this.lastMs;
    this.usualMs = this.usualMs === undefined ? pauseMs : this.usualMs + WEIGHT * (pauseMs - this.usualMs);
    this.lastMs = nowMs;
    this.explainedMs = 0;
  }

  /** A new connection listens from now on; the pace learned so far stays. */
  restart(nowMs: number): void {
    this.lastMs = nowMs;
    this.explainedMs = 0;
  }

  /** How far the silence is beyond what is usual here; from 1 on it wants an explanation. */
  suspicion(nowMs: number): number {
    const usual = this.usualMs === undefined ? UNKNOWN_MS : Math.max(LEAST_MS, this.usualMs * TIMES_USUAL);
    return (nowMs - this.lastMs) / Math.min(MOST_MS, Math.max(usual, this.explainedMs * 2));
  }

  /** The venue itself says that nothing was traded. */
  explained(nowMs: number): void {
    this.explainedMs = nowMs - this.lastMs;
  }

  get isExplained(): boolean {
    return this.explainedMs > 0;
  }
}
