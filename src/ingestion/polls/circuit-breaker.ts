/** In a row. */
export const FAILURES_TO_OPEN = 5;
const FIRST_OPEN_MS = 60_000;
const LONGEST_OPEN_MS = 15 * 60_000;

/** `open`: nothing is asked. `half-open`: one request may go, and decides. */
export type CircuitState = 'closed' | 'half-open' | 'open';

/** Spares a source that keeps failing: after five failures in a row it is left alone, twice as long after each probe. */
export class CircuitBreaker {
  /** In a row. */
  failures = 0;
  private openings = 0;
  private openUntilMs = 0;

  constructor(private readonly random: () => number = Math.random) {}

  state(nowMs: number): CircuitState {
    if (this.openings === 0) return 'closed';
    return nowMs < this.openUntilMs ? 'open' : 'half-open';
  }

  /** How long nothing may be asked. */
  openForMs(nowMs: number): number {
    return Math.max(0, this.openUntilMs - nowMs);
  }

  succeeded(): void {
    this.failures = 0;
    this.openings = 0;
    this.openUntilMs = 0;
  }

  failed(nowMs: number): void {
    this.failures++;
    if (this.failures < FAILURES_TO_OPEN) return;
    const openMs = Math.min(LONGEST_OPEN_MS, FIRST_OPEN_MS * 2 ** Math.min(this.openings, 16));
    this.openings++;
    // half of it is jitter, so that polls of one source that fell together do not come back together
    this.openUntilMs = nowMs + openMs * (0.5 + this.random() / 2);
  }
}
