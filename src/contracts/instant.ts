const SECOND_US = 1_000_000;
let cachedSecond = NaN;
let cachedText = '';

/** Epoch microseconds to RFC 3339 in UTC: no fraction, three digits for whole milliseconds, else six. */
export function formatInstant(us: number): string {
  const second = Math.floor(us / SECOND_US);
  if (second !== cachedSecond) {
    cachedText = new Date(second * 1000).toISOString().slice(0, 19);
    cachedSecond = second;
  }
  const fraction = us - second * SECOND_US;
  if (fraction === 0) return `${cachedText}Z`;
  const digits = String(fraction).padStart(6, '0');
  return `${cachedText}.${digits.endsWith('000') ? digits.slice(0, 3) : digits}Z`;
}

const RFC3339 = /^(\d{4}-\d{2}-\d{2})[Tt ]((?:[01]\d|2[0-3]):\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|z|[+-]\d{2}:\d{2})$/;

/** RFC 3339 to epoch microseconds; digits beyond the microsecond are cut. `undefined` when it is no such instant. */
export function parseInstant(text: string): number | undefined {
  const match = RFC3339.exec(text);
  if (!match) return undefined;
  const [, day, time, fraction = '', zone = 'Z'] = match;
  const ms = Date.parse(`${day}T${time}${zone.toUpperCase()}`);
  if (Number.isNaN(ms) || !sameDay(day!)) return undefined;
  return ms * 1000 + Number(fraction.slice(0, 6).padEnd(6, '0'));
}

/** Date.parse rolls 30 February over into March. */
function sameDay(day: string): boolean {
  return new Date(`${day}T00:00:00Z`).toISOString().startsWith(day);
}
