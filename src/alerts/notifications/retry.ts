export type RetryPace = Readonly<{ firstMs: number; mostMs: number }>;

/** Exponential with a cap; half of it is jitter, so that the wait never vanishes. */
export function retryWaitMs(failures: number, { firstMs, mostMs }: RetryPace, random: () => number): number {
  const fullMs = Math.min(mostMs, firstMs * 2 ** Math.min(Math.max(0, failures - 1), 20));
  return Math.round((fullMs * (1 + random())) / 2);
}
