const LEAST_MS = 30_000;
const MOST_MS = 15 * 60_000;
const TIMES_USUAL = 50;
const WEIGHT = 0.02;

/** How long a connection may send no data before it counts as dead: many times its own usual pause, within bounds. */
export class Silence {
  private usualMs: number | undefined;
  private lastMs: number;

  constructor(openedMs: number) {
    this.lastMs = openedMs;
  }

  heard(nowMs: number): void {
    const pauseMs = nowMs - this.lastMs;
    this.usualMs = this.usualMs === undefined ? pauseMs : this.usualMs + WEIGHT * (pauseMs - this.usualMs);
    this.lastMs = nowMs;
  }

  /** Milliseconds beyond the bound, negative while all is well. */
  overdueMs(nowMs: number): number {
    const boundMs =
      this.usualMs === undefined ? LEAST_MS * 2 : Math.min(MOST_MS, Math.max(LEAST_MS, this.usualMs * TIMES_USUAL));
    return nowMs - this.lastMs - boundMs;
  }
}
