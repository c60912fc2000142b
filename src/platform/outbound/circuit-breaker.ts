/** In a row. */
export const FAILURES_TO_OPEN = 5;
const PATIENCE: CircuitPatience = { firstMs: 60_000, longestMs: 15 * 60_000 };

/** `open`: nothing is asked. `half-open`: it may be asked, and the next answer decides. */
export type CircuitState = 'closed' | 'half-open' | 'open';

/** How long a target is left alone, at first and at most. */
export type CircuitPatience = Readonly<{ firstMs: number; longestMs: number }>;

/** Spares a target that keeps failing: after five failures in a row it is left alone, twice as long after each probe. */
export class CircuitBreaker {
  /** In a row. */
  failures = 0;
  private openings = 0;
  private openUntilMs = 0;

  constructor(
    private readonly random: () => number = Math.random,
    private readonly patience = PATIENCE,
  ) {}

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
    const { firstMs, longestMs } = this.patience;
    const openMs = Math.min(longestMs, firstMs * 2 ** Math.min(this.openings, 16));
    this.openings++;
    // half of it is jitter, so that what fell together does not come back together
    this.openUntilMs = nowMs + openMs * (0.5 + this.random() / 2);
  }
}
