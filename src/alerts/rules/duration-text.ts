const UNIT_US = { s: 1e6, m: 60e6, h: 3600e6, d: 86_400e6 } as const;

/** `30s 5m 12h 30d` or `0` to microseconds; undefined for anything else. */
export function durationUs(text: unknown): number | undefined {
  if (text === '0') return 0;
  const match = typeof text === 'string' ? /^(\d{1,6})([smhd])$/.exec(text) : null;
  return match ? Number(match[1]) * UNIT_US[match[2] as keyof typeof UNIT_US] : undefined;
}

/** Microseconds as durationUs reads them, in the largest unit that divides them. */
export function durationTextOf(us: number): string {
  const unit = (['d', 'h', 'm'] as const).find((one) => us > 0 && us % UNIT_US[one] === 0) ?? 's';
  return `${us / UNIT_US[unit]}${unit}`;
}
