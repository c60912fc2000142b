const FIRST_MS = 500;
const CAP_MS = 30_000;
const STABLE_MS = 30_000;

/** Exponential with a cap and full jitter: anything up to `firstMs`, doubled by every failure in a row, or up to `capMs`. */
export const jitteredMs = (failures: number, firstMs: number, capMs: number, random = Math.random): number =>
  random() * Math.min(capMs, firstMs * 2 ** Math.min(failures, 16));

/** When to connect again: started over only by a connection that lived for half a minute. */
export class Backoff {
  private failures = 0;

  constructor(private readonly random: () => number = Math.random) {}

  /** How long to wait after a connection that lived `livedMs` (0: it never opened). */
  waitMs(livedMs: number): number {
    this.failures = livedMs >= STABLE_MS ? 0 : this.failures + 1;
    return jitteredMs(this.failures, FIRST_MS, CAP_MS, this.random);
  }
}
