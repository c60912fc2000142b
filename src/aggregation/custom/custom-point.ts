import {
  canonicalDecimal,
  type CustomPointsRecordedV1Data,
  formatInstant,
  parseInstant,
  SERIES_NAME,
} from '../../contracts/index.js';

export type CustomPoint = CustomPointsRecordedV1Data['points'][number];

/** What of a sent point is wrong, by its place: `points[3].value`. */
export type PointFault = Readonly<{ field: string; message: string }>;

/** A sent list of points is told that many faults at most. */
const MOST_FAULTS = 10;
const FIELDS = new Set(['name', 'value', 'at', 'key']);
const EARLIEST_US = Date.UTC(2000) * 1000;
const DAY_US = 86_400_000_000;
/** Lines of uploaded files are counted under names that begin so. */
export const LOG_SERIES = 'logs.';
const KEY = /^[\x20-\x7e]{1,120}$/;

/** Whether a series may be called so; `custom` would be one and the route of all. */
export const isSeriesName = (name: unknown): name is string =>
  typeof name === 'string' && SERIES_NAME.test(name) && name !== 'custom';

export const isPointKey = (key: unknown): key is string => typeof key === 'string' && KEY.test(key);

/**
 * Reads points as sent; those without `at` are of now. A point without `key` is known by its instant; one that has
 * neither is new whenever it is sent, and `makeKey` gives it a key.
 */
export function readPoints(
  sent: readonly unknown[],
  nowUs: number,
  makeKey: () => string,
): { points: CustomPoint[]; faults: PointFault[] } {
  const points: CustomPoint[] = [];
  const faults: PointFault[] = [];
  for (const [place, one] of sent.entries()) {
    const fault = (field: string, message: string): undefined =>
      void faults.push({ field: `points[${place}]${field}`, message });
    const point = readPoint(one, nowUs, makeKey, fault);
    if (point) points.push(point);
    if (faults.length >= MOST_FAULTS) break;
  }
  return { points, faults };
}

type Fault = (field: string, message: string) => undefined;

function readPoint(sent: unknown, nowUs: number, makeKey: () => string, fault: Fault): CustomPoint | undefined {
  if (typeof sent !== 'object' || sent === null || Array.isArray(sent))
    return fault('', 'must be an object with name and value');
  const { name, value, at, key } = sent as Record<string, unknown>;
  for (const field of Object.keys(sent)) if (!FIELDS.has(field)) fault(`.${field}`, 'is not a field of a point');
  const exact = decimalOf(value);
  const atUs = at === undefined ? nowUs : instantOf(at);
  if (!isSeriesName(name))
    return fault('.name', 'must be 1 to 80 of a-z, 0-9, dot, dash and underscore, a letter first, and not custom');
  if (isSeriesName(name) && name.startsWith(LOG_SERIES))
    return fault('.name', `must not begin with ${LOG_SERIES}, which counts the lines of uploaded files by level`);
  if (exact === undefined)
    return fault(
      '.value',
      'must be a decimal as text with up to 38 digits a side, or a JSON number below 2^53 that fits them',
    );
  if (atUs === undefined)
    return fault('.at', 'must be an RFC 3339 instant such as 2026-08-09T21:00:00Z, or epoch milliseconds');
  if (atUs < EARLIEST_US || atUs > nowUs + DAY_US)
    return fault('.at', 'must be between the year 2000 and a day from now');
  if (key !== undefined && !isPointKey(key)) return fault('.key', 'must be 1 to 120 printable ASCII characters');
  return { name, value: exact, atUs, key: key ?? (at === undefined ? makeKey() : formatInstant(atUs)) };
}

/** Exact canonical text; undefined for what is no decimal, or a number that JSON may have rounded to another. */
function decimalOf(value: unknown): string | undefined {
  if (typeof value === 'string') return canonicalDecimal(value);
  if (typeof value !== 'number' || Math.abs(value) > Number.MAX_SAFE_INTEGER) return undefined;
  const [, sign, whole, fraction = '', zeros] = /^(-?)(\d+)(?:\.(\d+))?(?:e-(\d+))?$/.exec(String(value)) ?? [];
  return canonicalDecimal(
    zeros === undefined ? String(value) : `${sign}0.${'0'.repeat(Number(zeros) - 1)}${whole}${fraction}`,
  );
}

function instantOf(at: unknown): number | undefined {
  if (typeof at === 'string') return parseInstant(at);
  return Number.isSafeInteger(at) && (at as number) < 1e13 ? (at as number) * 1000 : undefined;
}
