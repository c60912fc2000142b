const FIRST_MS = 500;
const CAP_MS = 30_000;
const STABLE_MS = 30_000;
const FIVE_MINUTES_MS = 300_000;

/**
 * When to try to connect again: exponential with a cap and full jitter, started over only by a connection that lived
 * for half a minute, and never more often than the venue's limit of attempts in five minutes.
 */
export class Backoff {
  private failures = 0;
  private attemptsMs: number[] = [];

  constructor(
    private readonly attemptsPer5Min: number,
    private readonly random: () => number = Math.random,
  ) {}

  attempted(nowMs: number): void {
    this.attemptsMs.push(nowMs);
  }

  /** How long to wait after a connection that lived `livedMs` (0: it never opened). */
  waitMs(livedMs: number, nowMs: number): number {
    this.failures = livedMs >= STABLE_MS ? 0 : this.failures + 1;
    const jitterMs = this.random() * Math.min(CAP_MS, FIRST_MS * 2 ** Math.min(this.failures, 16));
    this.attemptsMs = this.attemptsMs.filter((atMs) => nowMs - atMs < FIVE_MINUTES_MS);
    if (this.attemptsMs.length < this.attemptsPer5Min) return jitterMs;
    // Rotations do not ask first, so there may be more attempts than the limit: the one that must grow old is not the oldest.
    const blocking = this.attemptsMs[this.attemptsMs.length - this.attemptsPer5Min]!;
    return Math.max(jitterMs, blocking + FIVE_MINUTES_MS - nowMs);
  }
}
