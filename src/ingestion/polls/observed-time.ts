import { parseInstant } from '../../contracts/index.js';
import type { TimeUnit } from '../../platform/config/index.js';

/** Decimal places between the unit and the microsecond. */
const PLACES: Record<TimeUnit, number> = { s: 6, ms: 3, us: 0, ns: -3 };
const DAY = /^\d{4}-\d{2}-\d{2}$/;

/**
 * A time as sources write it to epoch microseconds: a number since 1970, fractions allowed, RFC 3339, or a day, which is
 * its midnight in UTC. Without `unit` a number tells its own by its magnitude. `undefined` when it is none of these.
 */
export function observedTime(value: unknown, unit?: TimeUnit): number | undefined {
  if (typeof value !== 'string') return undefined;
  const [, whole, fraction = ''] = /^(\d{1,19})(?:\.(\d{1,18}))?$/.exec(value) ?? [];
  if (whole === undefined) return unit ? undefined : parseInstant(DAY.test(value) ? `${value}T00:00:00Z` : value);
  const places = PLACES[unit ?? unitOf(whole)];
  const us = places < 0 ? whole.slice(0, places) : whole + fraction.padEnd(places, '0').slice(0, places);
  return Number.isSafeInteger(Number(us)) ? Number(us) : undefined;
}

/** Of any time after 1973 and before 5138. */
function unitOf(whole: string): TimeUnit {
  const digits = whole.replace(/^0+/, '').length;
  return digits < 12 ? 's' : digits < 15 ? 'ms' : digits < 18 ? 'us' : 'ns';
}
