import type { Json } from '../../contracts/index.js';
import { bad, type LineFormat, NOTHING, type Reading } from './format.js';
import { eventOf } from './usual-keys.js';

/** Objects and lists within each other; PostgreSQL and JSON.stringify bear far more. */
export const DEPTH_LIMIT = 64;
const BOM = 0xfeff;

/**
 * One JSON object a line. The brackets and commas of a list that has an object a line are passed over. Numbers that a
 * binary float would bend keep the text that stands in the line.
 */
export const json: LineFormat<null> = {
  name: 'json',
  yields: 'events',
  begin: () => null,
  read: (text, _memory, options) => {
    const line = objectText(text);
    if (line === '' || line === '[' || line === ']') return NOTHING;
    const parsed = parseExact(line);
    if (!parsed.ok) return refused(parsed, text.indexOf(line));
    const { value } = parsed;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return bad('it is no JSON object');
    return { kind: 'event', event: eventOf(Object.entries(value), line, options) };
  },
  likeness: (text) => {
    const line = objectText(text);
    if (line.charCodeAt(0) !== OPEN || line.charCodeAt(line.length - 1) !== CLOSE) return 0;
    const second = line.slice(1, 100).trimStart().charCodeAt(0);
    return second === QUOTE || second === CLOSE ? 0.9 : 0;
  },
};

const [OPEN, CLOSE, QUOTE, COMMA] = [0x7b, 0x7d, 0x22, 0x2c];

/** Without blanks, a byte order mark, and the comma of a list. */
export function objectText(text: string): string {
  const line = text.charCodeAt(0) === BOM ? text.slice(1).trim() : text.trim();
  return line.charCodeAt(line.length - 1) === COMMA ? line.slice(0, -1).trimEnd() : line;
}

type Parsed = Readonly<{ ok: true; value: Json }> | Readonly<{ ok: false; message: string; column?: number }>;

const refused = ({ message, column }: Extract<Parsed, { ok: false }>, before: number): Reading =>
  bad(message, column === undefined ? undefined : column + before);

/** JSON text to its value. A number that a binary float would bend, or not hold at all, becomes its source text. */
export function parseExact(text: string): Parsed {
  const { depth, hasBent } = shapeOf(text);
  if (depth > DEPTH_LIMIT) return { ok: false, message: `it is nested more than ${DEPTH_LIMIT} deep` };
  try {
    // with a function it takes three times as long
    return { ok: true, value: JSON.parse(text, hasBent ? sourceOfBent : undefined) as Json };
  } catch (error) {
    return { ok: false, ...explained((error as Error).message) };
  }
}

/** A float holds every decimal of so many digits. */
const FLOAT_DIGITS = 15;
const [BACKSLASH, OPEN_LIST, CLOSE_LIST, ZERO, NINE] = [0x5c, 0x5b, 0x5d, 0x30, 0x39];

/** What decides how a text is parsed, by one pass: how deep its brackets go, and whether a float would bend a number. */
function shapeOf(text: string): { depth: number; hasBent: boolean } {
  let [open, depth, hasBent] = [0, 0, false];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === OPEN || code === OPEN_LIST) depth = Math.max(depth, ++open);
    else if (code === CLOSE || code === CLOSE_LIST) open--;
    else if (code >= ZERO && code <= NINE) {
      const end = endOfNumber(text, at);
      const isShort = end.at - at <= FLOAT_DIGITS && !end.hasExponent;
      if (!isShort && !hasBent) hasBent = isBent(text.slice(at, end.at));
      at = end.at - 1;
    }
  }
  return { depth, hasBent };
}

/** Of digits, a point, and an exponent with its sign. */
function endOfNumber(text: string, from: number): { at: number; hasExponent: boolean } {
  let [at, hasExponent] = [from, false];
  for (; at < text.length; at++) {
    const character = text[at]!;
    if (character === 'e' || character === 'E') hasExponent = true;
    else if (!'0123456789.+-'.includes(character)) break;
  }
  return { at, hasExponent };
}

/** The closing quote of a string, or the text's end. */
function endOfString(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at;
    if (code === BACKSLASH) at++;
  }
  return text.length;
}

const sourceOfBent = (_key: string, value: unknown, place?: { source?: string }): unknown =>
  typeof value === 'number' && isBent(place!.source!) ? place!.source : value;

function isBent(source: string): boolean {
  const value = Number(source);
  if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) return true;
  if (String(value) === source) return false;
  const digits = source
    .replace(/[eE].*$/, '')
    .replace(/[-.]/g, '')
    .replace(/^0+/, '').length;
  return digits > FLOAT_DIGITS || (value === 0 && digits > 0);
}

/** The parser's complaint without the place, which is told apart, and without what it quotes of the line. */
function explained(complaint: string): { message: string; column?: number } {
  const [, position] = / at position (\d+)(?: \(line \d+ column \d+\))?$/.exec(complaint) ?? [];
  const what = complaint.replace(/(?: in JSON)? at position .*$|, (?:\.\.\.)?"[^]*$/, '').slice(0, 100);
  return {
    message: `it is not JSON: ${what.toWellFormed()}`,
    ...(position === undefined ? {} : { column: Number(position) + 1 }),
  };
}
