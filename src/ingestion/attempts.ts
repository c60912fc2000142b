const FIVE_MINUTES_MS = 300_000;
const APART_MS = 200;

/**
 * The connection attempts of one venue, first ones, retries and rotations alike: never more in any five minutes than it
 * allows, and never two at once, however many connections there are.
 */
export class Attempts {
  /** Reserved instants, ascending; some may lie ahead. */
  private reservedMs: number[] = [];

  constructor(readonly allowed: number) {}

  /** Reserves an attempt, and returns how long it has to wait for its turn. */
  reserve(nowMs: number): number {
    this.forget(nowMs);
    const last = this.reservedMs.at(-1);
    const blocking = this.reservedMs.at(-this.allowed);
    const atMs = Math.max(
      nowMs,
      last === undefined ? 0 : last + APART_MS,
      blocking === undefined ? 0 : blocking + FIVE_MINUTES_MS,
    );
    this.reservedMs.push(atMs);
    return atMs - nowMs;
  }

  /** Attempts of the last five minutes, and those that wait for their turn. */
  used(nowMs: number): number {
    this.forget(nowMs);
    return this.reservedMs.length;
  }

  private forget(nowMs: number): void {
    const from = this.reservedMs.findIndex((atMs) => nowMs - atMs < FIVE_MINUTES_MS);
    this.reservedMs = from < 0 ? [] : this.reservedMs.slice(from);
  }
}
