import type { ReadOptions } from './format.js';

/** Most characters that a time takes at the head of a line: expressions see no more, whatever the line. */
const HEAD = 48;
const SECOND_US = 1_000_000;
const MINUTE_US = 60 * SECOND_US;
const DAY_US = 24 * 60 * MINUTE_US;
/** Epoch microseconds stay exact numbers up to here, in the year 2255. */
const LATEST_US = Number.MAX_SAFE_INTEGER;
/** A bare number below so many seconds is no time: 1973. */
const LEAST_EPOCH_S = 100_000_000;

/** What stands at the head of a line: how far it reaches, and as much of an instant as it tells. */
export type Stamp = Readonly<{ end: number }> &
  (
    | Readonly<{ kind: 'instant'; atUs: number | undefined }>
    /** `year` and `offsetMinutes` (east of UTC) are absent where the text does not tell them. */
    | Readonly<{ kind: 'date'; day: Day; ofDayUs: number; offsetMinutes?: number }>
    /** 08/09/2024, of which nobody can say whether the day or the month is first. */
    | Readonly<{ kind: 'unordered'; first: number; second: number; year: number; ofDayUs: number }>
    /** A time of day without a date. */
    | Readonly<{ kind: 'clock' }>
  );
type Day = Readonly<{ year?: number; month: number; day: number }>;

/** What earlier lines of a file tell of its times: the year they have come to, and the order of their days. */
export type TimeMemory = { year?: number; month?: number; isDayFirst?: boolean };

const HOUR_MINUTE = String.raw`(?<h>[01]?\d|2[0-3]):(?<m>[0-5]?\d)`;
const SECOND = String.raw`:(?<s>[0-5]?\d|60)`;
const FRACTION = String.raw`[.,](?<f>\d{1,12})`;
const CLOCK = `${HOUR_MINUTE}${SECOND}(?:${FRACTION})?`;
const ZONE = String.raw`(?<z> ?(?:Z|UTC|GMT|[ECMP][SD]T|CES?T|EES?T|WES?T|MSK|JST|[+-][01]\d:?[0-5]\d)|[+-][01]\d)?`;
const MONTH = '(?<mon>[A-Z][a-z]{2})';
const head = (...parts: readonly string[]): RegExp => new RegExp(String.raw`^${parts.join('')}(?!\w)`);

/** Tried in this order; each with lines that have it. */
const OF_DIGITS: readonly RegExp[] = [
  // 2024-08-09T00:05:04.123Z   2024-08-09 00:05:04,123   2009/01/23 01:23:23 (Go)   2024-08-09 00:05
  head(
    String.raw`(?<y>\d{4})(?<sep>[-/.])(?<M>\d{1,2})\k<sep>(?<d>\d{1,2})(?:[Tt_-]| {1,2})`,
    `${HOUR_MINUTE}(?:${SECOND}(?:${FRACTION})?|(?!:))`,
    ZONE,
  ),
  // 24/08/09 00:05:04 (Spark, Hadoop)
  head(String.raw`(?<y>\d{2})/(?<M>\d{2})/(?<d>\d{2}) `, CLOCK),
  // 08/09/2024 00:05:04   8-9-2024, 12:05:04 AM
  head(
    String.raw`(?<first>\d{1,2})(?<sep>[/-])(?<second>\d{1,2})\k<sep>(?<y>\d{4}),?[ T]`,
    CLOCK,
    '(?: ?(?<half>[AP])M)?',
  ),
  // 09.08.2024 00:05:04
  head(String.raw`(?<d>\d{1,2})\.(?<M>\d{1,2})\.(?<y>\d{4}),? `, CLOCK, ZONE),
  // 09/Aug/2024:00:05:04 +0000 (Apache)   09 Aug 2024 00:05:04,123 (log4j)   09-Aug-2024 00:05:04.123 (Tomcat)
  head(String.raw`(?<d>\d{1,2})[/ -]`, MONTH, String.raw`[/ -](?<y>\d{4})[: ]`, CLOCK, ZONE),
  // 20240809-00:05:04:123   20171224-0:7:20:444   20240809 00:05:04
  head(
    String.raw`(?<y>\d{4})(?<M>\d{2})(?<d>\d{2})[-_ T]`,
    HOUR_MINUTE,
    SECOND,
    String.raw`(?:[.,:](?<f>\d{1,12}))?`,
    ZONE,
  ),
  // 20240809T000504Z
  head(
    String.raw`(?<y>\d{4})(?<M>\d{2})(?<d>\d{2})T(?<h>[01]\d|2[0-3])(?<m>[0-5]\d)(?<s>[0-5]\d|60)`,
    `(?:${FRACTION})?`,
    ZONE,
  ),
  // 08-09 00:05:04.123 (logcat)
  head(String.raw`(?<M>\d{2})-(?<d>\d{2}) `, HOUR_MINUTE, SECOND, FRACTION),
  // 1723161904   1723161904.123456   1723161904123   1723161904123456   1723161904123456789
  head(String.raw`(?<epoch>\d{10}[.,]\d{1,12}|\d{10}(?:\d{3}){0,3})(?=[\s\])|:,;]|$)`),
  // 00:05:04.123 (logback)
  head(CLOCK, '(?!:)'),
];
const OF_LETTERS: readonly RegExp[] = [
  // Fri Aug  9 00:05:04 2024 (ANSI C)   Fri Aug 09 00:05:04.123456 2024 (Apache)   Fri Aug  9 00:05:04 UTC 2024
  head('[A-Z][a-z]{2} ', MONTH, String.raw` {1,2}(?<d>\d{1,2}) `, CLOCK, ZONE, String.raw` (?<y>\d{4})`),
  // Fri, 09 Aug 2024 00:05:04 GMT
  head(String.raw`[A-Z][a-z]{2}, (?<d>\d{1,2}) `, MONTH, String.raw` (?<y>\d{4}) `, CLOCK, ZONE),
  // Aug  9 00:05:04 (syslog)   Aug 09 2024 00:05:04 (Cisco)
  head(MONTH, String.raw` {1,2}(?<d>\d{1,2}),? (?:(?<y>\d{4}),? )?`, CLOCK, ZONE),
  // I0809 00:05:04.123456 (klog, glog)
  head(String.raw`[IWEF](?<M>\d{2})(?<d>\d{2}) `, CLOCK),
];

/** The time at the head of a text, from a place in it on; undefined where there is none. */
export function leadingStamp(text: string, from = 0): Stamp | undefined {
  const first = text.charCodeAt(from);
  const isDigit = first >= 0x30 && first <= 0x39;
  if (!isDigit && !(first >= 0x41 && first <= 0x5a)) return undefined;
  const slice = text.slice(from, from + HEAD);
  for (const pattern of isDigit ? OF_DIGITS : OF_LETTERS) {
    const match = pattern.exec(slice);
    const stamp = match && stampOf(match.groups!, from + match[0].length);
    if (stamp) return stamp;
  }
  return undefined;
}

type Groups = Readonly<Record<string, string | undefined>>;

function stampOf(groups: Groups, end: number): Stamp | undefined {
  if (groups['epoch'] !== undefined)
    return { kind: 'instant', atUs: timeOfEpoch(groups['epoch'].replace(',', '.')), end };
  const ofDayUs = clockOf(groups);
  const year = yearOf(groups['y']);
  if (groups['first'] !== undefined)
    return unordered(Number(groups['first']), Number(groups['second']), year!, ofDayUs, end);
  if (groups['d'] === undefined) return { kind: 'clock', end };
  const month = groups['mon'] === undefined ? Number(groups['M']) : monthNamed(groups['mon']);
  const day = { ...(year === undefined ? {} : { year }), month, day: Number(groups['d']) };
  const offsetMinutes = groups['z'] === undefined ? undefined : offsetOf(groups['z'].trim());
  if (!isDay(day)) return undefined;
  return { kind: 'date', day, ofDayUs, end, ...(offsetMinutes === undefined ? {} : { offsetMinutes }) };
}

function unordered(first: number, second: number, year: number, ofDayUs: number, end: number): Stamp | undefined {
  if (!isDay({ year, month: first, day: second }) && !isDay({ year, month: second, day: first })) return undefined;
  return { kind: 'unordered', first, second, year, ofDayUs, end };
}

function clockOf({ h, m, s = '0', f = '', half }: Groups): number {
  const hour = half === undefined ? Number(h) : (Number(h) % 12) + (half === 'P' ? 12 : 0);
  const second = (hour * 60 + Number(m)) * 60 + Number(s);
  return second * SECOND_US + Number(f.slice(0, 6).padEnd(6, '0'));
}

/** Of two digits those from 70 on are of the last century. */
function yearOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const year = Number(text);
  return text.length === 4 ? year : year + (year < 70 ? 2000 : 1900);
}

const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec';
/** 1 to 12, else 0. */
function monthNamed(name: string): number {
  const at = MONTHS.indexOf(name);
  return at % 3 === 0 ? at / 3 + 1 : 0;
}

const MONTH_DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;

/** 29 February only in leap years; without a year in any. */
function isDay({ year, month, day }: Day): boolean {
  if (day < 1 || day > (MONTH_DAYS[month - 1] ?? 0)) return false;
  return month !== 2 || day < 29 || year === undefined || isLeap(year);
}

/** Hours east of UTC of the names that mean one offset only; IST, BST and their like mean several. */
const ZONE_HOURS: Readonly<Record<string, number>> = {
  Z: 0,
  UTC: 0,
  GMT: 0,
  EST: -5,
  EDT: -4,
  CST: -6,
  CDT: -5,
  MST: -7,
  MDT: -6,
  PST: -8,
  PDT: -7,
  WET: 0,
  WEST: 1,
  CET: 1,
  CEST: 2,
  EET: 2,
  EEST: 3,
  MSK: 3,
  JST: 9,
};

function offsetOf(zone: string): number {
  const hours = ZONE_HOURS[zone];
  if (hours !== undefined) return hours * 60;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3).replace(':', ''));
  return zone.startsWith('-') ? -minutes : minutes;
}

/**
 * A stamp as epoch microseconds. Local times without a zone are at `options.offsetMinutes`; a missing year is reckoned
 * (see `yearFor`), and the order of day and month is known once a line could be read one way only. Undefined for a time
 * of day, for a date whose order is unknown, for 29 February of a year that has none, and before 1970 (Go's zero time).
 */
export function instantOf(stamp: Stamp, options: ReadOptions, memory: TimeMemory): number | undefined {
  if (stamp.kind === 'clock') return undefined;
  if (stamp.kind === 'instant') return stamp.atUs;
  const day = stamp.kind === 'date' ? stamp.day : orderedDay(stamp, memory);
  if (day === undefined) return undefined;
  const year = day.year ?? yearFor(day.month, day.day, options, memory);
  if (year < 1970 || !isDay({ ...day, year })) return undefined;
  const offsetMinutes = stamp.kind === 'date' ? stamp.offsetMinutes : undefined;
  return usable(midnightUs(year, day) + stamp.ofDayUs - (offsetMinutes ?? options.offsetMinutes) * MINUTE_US);
}

function orderedDay(stamp: Stamp & { kind: 'unordered' }, memory: TimeMemory): Day | undefined {
  const { first, second, year } = stamp;
  const dayFirst = { year, month: second, day: first };
  const monthFirst = { year, month: first, day: second };
  if (!isDay(dayFirst) || !isDay(monthFirst)) memory.isDayFirst = isDay(dayFirst);
  if (memory.isDayFirst === undefined) return first === second ? dayFirst : undefined;
  return memory.isDayFirst ? dayFirst : monthFirst;
}

const midnightUs = (year: number, { month, day }: Day): number => Date.UTC(year, month - 1, day) * 1000;
const usable = (us: number): number | undefined => (us >= 0 && us <= LATEST_US ? us : undefined);

/**
 * The year of a day that tells none. Of a file's first `options.year`, else the last in which it is not after the file
 * came; from there on a year more where the months run backwards. A line of the month before is late, not a year ahead.
 */
export function yearFor(month: number, day: number, options: ReadOptions, memory: TimeMemory): number {
  if (memory.year === undefined || memory.month === undefined) {
    memory.year = options.year ?? lastYearWith(month, day, options.receivedAtUs);
    memory.month = month;
    return memory.year;
  }
  const step = month - memory.month;
  if (step === 11) return memory.year - 1;
  if (step < -1) memory.year++;
  if (step !== -1) memory.month = month;
  return memory.year;
}

function lastYearWith(month: number, day: number, receivedAtUs: number): number {
  // a clock or zone may be ahead of ours
  const latestUs = receivedAtUs + DAY_US;
  let year = new Date(latestUs / 1000).getUTCFullYear();
  while (!isDay({ year, month, day }) || midnightUs(year, { month, day }) > latestUs) year--;
  return year;
}

/** A number as text, with or without decimals, as epoch seconds, milliseconds, microseconds or nanoseconds by its size. */
export function timeOfEpoch(text: string): number | undefined {
  const match = text.length > 40 ? null : /^(\d{9,19})(?:\.(\d+))?$/.exec(text);
  if (!match) return undefined;
  const [, whole = '', fraction = ''] = match;
  const value = Number(whole);
  if (value < LEAST_EPOCH_S) return undefined;
  const decimals = value < 1e11 ? 6 : value < 1e14 ? 3 : value < 1e17 ? 0 : -3;
  const digits = decimals < 0 ? whole.slice(0, decimals) : whole + fraction.slice(0, decimals).padEnd(decimals, '0');
  return usable(Number(digits));
}

/** A JSON or CSV value that is a time as a whole: text in any of these forms, a day, or an epoch number. */
export function timeOfValue(value: unknown, options: ReadOptions): number | undefined {
  if (typeof value === 'number') return timeOfEpoch(String(value));
  if (typeof value !== 'string' || value.length < 8 || value.length > HEAD + 2) return undefined;
  const text = value.trim();
  const stamp = leadingStamp(text) ?? leadingStamp(`${text} 00:00:00`);
  if (stamp === undefined || stamp.end < text.length || stamp.kind === 'clock') return timeOfEpoch(text);
  return instantOf(stamp, options, {});
}
