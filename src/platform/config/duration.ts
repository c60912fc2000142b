export const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `30s 5m 12h 30d` to milliseconds; `undefined` for anything else. */
export function durationMs(text: unknown): number | undefined {
  const match = /^(\d{1,6})([smhd])$/.exec(String(text));
  return match ? Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS] : undefined;
}

/** Milliseconds as `durationMs` reads them, in the largest unit that divides them; `0` for none. */
export function durationText(ms: number): string {
  const unit = (['d', 'h', 'm', 's'] as const).find((one) => ms >= UNIT_MS[one] && ms % UNIT_MS[one] === 0);
  return unit ? `${ms / UNIT_MS[unit]}${unit}` : String(ms);
}
