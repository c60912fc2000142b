export const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `30s 5m 12h 30d` to milliseconds; `undefined` for anything else. */
export function durationMs(text: unknown): number | undefined {
  const match = /^(\d{1,6})([smhd])$/.exec(String(text));
  return match ? Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS] : undefined;
}
