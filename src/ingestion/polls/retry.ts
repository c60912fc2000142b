const FIRST_MS = 1000;
const CAP_MS = 60_000;

/** How long to wait after so many failures in a row: exponential with a cap and full jitter, a second at least. */
export const retryDelayMs = (failures: number, random: () => number): number =>
  Math.max(FIRST_MS, random() * Math.min(CAP_MS, FIRST_MS * 2 ** Math.min(failures, 16)));
