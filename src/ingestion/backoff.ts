const FIRST_MS = 500;
const CAP_MS = 30_000;
const STABLE_MS = 30_000;

/** When to try again: exponential with a cap and full jitter, started over only by a connection that lived for half a minute. */
export class Backoff {
  private failures = 0;

  constructor(private readonly random: () => number = Math.random) {}

  /** How long to wait after a connection that lived `livedMs` (0: it never opened). */
  waitMs(livedMs: number): number {
    this.failures = livedMs >= STABLE_MS ? 0 : this.failures + 1;
    return this.random() * Math.min(CAP_MS, FIRST_MS * 2 ** Math.min(this.failures, 16));
  }
}
