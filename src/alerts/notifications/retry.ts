export type RetryPace = Readonly<{ firstMs: number; mostMs: number }>;

/** Exponential with a cap; half of it is jitter, so that the wait never vanishes. */
export function retryWaitMs(failures: number, { firstMs, mostMs }: RetryPace, random: () => number): number {
  const fullMs = Math.min(mostMs, firstMs * 2 ** Math.min(Math.max(0, failures - 1), 20));
  return Math.round((fullMs * (1 + random())) / 2);
}

/** What a receiver may ask for with Retry-After. */
const MOST_ASKED_MS = 3_600_000;

/** `Retry-After` in seconds or as a date; 0 when there is none or it is past. */
export function askedPauseMs(header: string | undefined, nowMs: number): number {
  if (header === undefined) return 0;
  const text = header.trim();
  if (/^\d{1,9}$/.test(text)) return Math.min(MOST_ASKED_MS, Number(text) * 1000);
  const untilMs = /^[A-Z][a-z]{2,8}, /.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(untilMs) ? 0 : Math.min(MOST_ASKED_MS, Math.max(0, untilMs - nowMs));
}
