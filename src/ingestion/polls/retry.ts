const FIRST_MS = 1000;
const CAP_MS = 60_000;
const LONGEST_PAUSE_MS = 24 * 3_600_000;

/** How long to wait after so many failures in a row: exponential with a cap and full jitter, a second at least. */
export const retryDelayMs = (failures: number, random: () => number): number =>
  Math.max(FIRST_MS, random() * Math.min(CAP_MS, FIRST_MS * 2 ** Math.min(failures, 16)));

/** What a `Retry-After` header asks for, in seconds or as a date; a day at most, 0 when there is none or it is past. */
export function pauseAskedMs(header: string | null, nowMs: number): number {
  if (header === null) return 0;
  const text = header.trim();
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? 0 : Math.min(LONGEST_PAUSE_MS, Math.max(0, ms));
}
