import type { VenueLimits } from './faces/face.js';

/** A venue's count of what its REST is asked for: within the minute of the clock, and as a bucket that drains steadily. */
export class RequestWeight {
  private minute = 0;
  private level = 0;
  private drainedMs = Date.now();
  /** Refused requests count as well. */
  usedThisMinute = 0;

  constructor(private readonly limits: VenueLimits) {}

  /** Counts a request in. waitS: 0 when it may be answered, else the whole seconds until the next one may. */
  spend(weight: number): { waitS: number } {
    const nowMs = Date.now();
    const { weightPerMinute, weightPerSecond, weightBurst } = this.limits;
    const minute = Math.floor(nowMs / 60_000);
    if (minute !== this.minute) [this.minute, this.usedThisMinute] = [minute, 0];
    this.usedThisMinute += weight;
    if (this.usedThisMinute > weightPerMinute) return { waitS: Math.ceil(60 - (nowMs % 60_000) / 1000) };

    if (weightPerSecond === Infinity) return { waitS: 0 };
    this.level = Math.max(0, this.level - ((nowMs - this.drainedMs) / 1000) * weightPerSecond);
    this.drainedMs = nowMs;
    if (this.level + weight > weightBurst)
      return { waitS: Math.ceil((this.level + weight - weightBurst) / weightPerSecond) };
    this.level += weight;
    return { waitS: 0 };
  }
}
