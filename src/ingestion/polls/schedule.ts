/** How long until the next turn of a schedule that began at `startedMs`: turns missed meanwhile are left out. */
export const untilNextTurnMs = (startedMs: number, everyMs: number, nowMs: number): number =>
  everyMs - (Math.max(0, nowMs - startedMs) % everyMs);
