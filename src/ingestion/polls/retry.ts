import { jitteredMs } from '../backoff.js';

const FIRST_MS = 1000;
const CAP_MS = 60_000;

/** How long to wait after so many failures in a row: a second at least. */
export const retryDelayMs = (failures: number, random: () => number): number =>
  Math.max(FIRST_MS, jitteredMs(failures, FIRST_MS, CAP_MS, random));
