import type { ReadOptions } from './format.js';
import { leadingStamp, type Stamp } from './timestamps.js';

/** An instant, absent before 1970 and where a number of microseconds cannot hold it, and where the text goes on. */
export type SyslogTime = Readonly<{ atUs?: number; end: number }>;

const [ZERO, NINE] = [0x30, 0x39];

/** So many digits as a number; NaN where other characters are among them. */
function digitsAt(text: string, from: number, count: number): number {
  let value = 0;
  for (let at = from; at < from + count; at++) {
    const code = text.charCodeAt(at);
    if (!(code >= ZERO && code <= NINE)) return NaN;
    value = value * 10 + code - ZERO;
  }
  return value;
}

/** Two digits up to a limit; NaN else. */
function upTo(most: number, text: string, from: number): number {
  const value = digitsAt(text, from, 2);
  return value <= most ? value : NaN;
}

/**
 * RFC 3339 from a place on, as RFC 5424 has it: `2024-08-09T00:05:04.123456+02:00`, a leap second as `:60`. Beyond it, `t`
 * and `z` may be small, a fraction may have up to 12 digits (cut to microseconds), an offset may lack its colon, and a
 * time without one is local.
 */
export function rfc3339At(text: string, from: number, options: ReadOptions): SyslogTime | undefined {
  const year = digitsAt(text, from, 4);
  const month = upTo(12, text, from + 5);
  const day = upTo(31, text, from + 8);
  const seconds = (upTo(23, text, from + 11) * 60 + upTo(59, text, from + 14)) * 60 + upTo(60, text, from + 17);
  const hasSigns =
    text[from + 4] === '-' && text[from + 7] === '-' && text[from + 13] === ':' && text[from + 16] === ':';
  const hasT = text[from + 10] === 'T' || text[from + 10] === 't';
  const midnightMs = Date.UTC(year, month - 1, day);
  if (!hasSigns || !hasT || Number.isNaN(seconds) || !isDate(midnightMs, month)) return undefined;
  const fraction = fractionAt(text, from + 19);
  const offset = fraction && offsetAt(text, fraction.end, options);
  if (!offset) return undefined;
  const atUs = midnightMs * 1000 + (seconds - offset.minutes * 60) * 1_000_000 + fraction.us;
  // Date.UTC takes years below 100 for those of the last century
  return { end: offset.end, ...(year >= 100 && atUs >= 0 && Number.isSafeInteger(atUs) ? { atUs } : {}) };
}

/** 30 February would be 1 March. */
const isDate = (midnightMs: number, month: number): boolean => new Date(midnightMs).getUTCMonth() === month - 1;

const MOST_FRACTION_DIGITS = 12;

function fractionAt(text: string, from: number): { us: number; end: number } | undefined {
  if (text[from] !== '.') return { us: 0, end: from };
  let end = from + 1;
  while (text.charCodeAt(end) >= ZERO && text.charCodeAt(end) <= NINE) {
    if (++end - from > MOST_FRACTION_DIGITS + 1) return undefined;
  }
  if (end === from + 1) return undefined;
  return { us: Number(text.slice(from + 1, Math.min(end, from + 7)).padEnd(6, '0')), end };
}

function offsetAt(text: string, from: number, options: ReadOptions): { minutes: number; end: number } | undefined {
  const sign = text[from];
  if (sign === 'Z' || sign === 'z') return { minutes: 0, end: from + 1 };
  if (sign !== '+' && sign !== '-') return { minutes: options.offsetMinutes, end: from };
  const colon = text[from + 3] === ':' ? 1 : 0;
  const minutes = upTo(23, text, from + 1) * 60 + upTo(59, text, from + 3 + colon);
  if (Number.isNaN(minutes)) return undefined;
  return { minutes: sign === '-' ? -minutes : minutes, end: from + 5 + colon };
}

const MONTHS = new Set('Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' '));
type DatedStamp = Extract<Stamp, { kind: 'date' }>;

/** The time at the head of an old syslog line: `Aug  9 00:05:04`, `Aug 09 2024 00:05:04.123 UTC`, or ISO. */
export function syslogStampAt(text: string, from: number): DatedStamp | undefined {
  const isIso = text[from + 4] === '-' && digitsAt(text, from, 4) >= 0;
  if (!isIso && !MONTHS.has(text.slice(from, from + 3))) return undefined;
  const stamp = leadingStamp(text, from);
  if (stamp?.kind !== 'date') return undefined;
  return endsWord(text, stamp.end) ? stamp : withoutHost(text, from, stamp.end);
}

const endsWord = (text: string, at: number): boolean => at >= text.length || ' \t:'.includes(text[at]!);

/** Of `00:05:04 EST-db1` the zone is none, but the head of a host's name. */
function withoutHost(text: string, from: number, end: number): DatedStamp | undefined {
  const blank = text.lastIndexOf(' ', end - 1);
  const stamp = blank > from ? leadingStamp(text.slice(0, blank), from) : undefined;
  return stamp?.kind === 'date' && stamp.end === blank ? stamp : undefined;
}
