import { bad, type LineFormat, NOTHING } from './format.js';
import { type Entry, eventOf, isUsualKey } from './usual-keys.js';

/**
 * `key=value key="value with \"escapes\"" bare`. A bare key is true, as are and stay `true` and `false` without quotes;
 * other values are text. A line without any `=` is none of it.
 */
export const logfmt: LineFormat<null> = {
  name: 'logfmt',
  yields: 'events',
  begin: () => null,
  read: (text, _memory, options) => {
    if (text.trim() === '') return NOTHING;
    const { pairs, fault } = pairsOf(text);
    if (fault !== undefined) return bad(fault.message, fault.column);
    if (!text.includes('=')) return bad('it has no key=value');
    return { kind: 'event', event: eventOf(pairs, text, options) };
  },
  likeness: (text) => {
    const { pairs, fault, bareKeys } = pairsOf(text);
    const whole = pairs.length - bareKeys;
    if (fault !== undefined || whole === 0) return 0;
    const share = whole / pairs.length;
    const isUsual = pairs.some(([key, value]) => value !== true && isUsualKey(key));
    return share * (isUsual && whole > 1 ? 0.9 : whole > 1 ? 0.7 : 0.4);
  },
};

/** `column` counts characters from 1. */
type Pairs = Readonly<{ pairs: readonly Entry[]; bareKeys: number; fault?: { message: string; column: number } }>;

const [SPACE, QUOTE, EQUALS, BACKSLASH] = [0x20, 0x22, 0x3d, 0x5c];

/** All pairs of a line in their order, up to the first fault. */
export function pairsOf(text: string): Pairs {
  const pairs: Entry[] = [];
  let bareKeys = 0;
  const upTo = (at: number, message = `unexpected '${text[at]}'`): Pairs => ({
    pairs,
    bareKeys,
    fault: { message, column: at + 1 },
  });
  for (let at = 0; at < text.length;) {
    if (text.charCodeAt(at) <= SPACE) {
      at++;
      continue;
    }
    const keyEnd = endOfWord(text, at);
    if (keyEnd === at || text.charCodeAt(keyEnd) === QUOTE) return upTo(keyEnd);
    const key = text.slice(at, keyEnd);
    if (text.charCodeAt(keyEnd) !== EQUALS) {
      pairs.push([key, true]);
      bareKeys++;
      at = keyEnd;
      continue;
    }
    if (text.charCodeAt(keyEnd + 1) === QUOTE) {
      const quoted = quotedAt(text, keyEnd + 1);
      if (quoted.fault !== undefined) return upTo(quoted.end, quoted.fault);
      pairs.push([key, quoted.value]);
      at = quoted.end;
      continue;
    }
    const end = endOfWord(text, keyEnd + 1);
    if (text.charCodeAt(end) === EQUALS || text.charCodeAt(end) === QUOTE) return upTo(end);
    pairs.push([key, typed(text.slice(keyEnd + 1, end))]);
    at = end;
  }
  return { pairs, bareKeys };
}

const typed = (value: string): string | boolean => (value === 'true' ? true : value === 'false' ? false : value);

/** The first place from here on that has a blank, `=` or `"`. */
function endOfWord(text: string, from: number): number {
  let at = from;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code <= SPACE || code === EQUALS || code === QUOTE) break;
    at++;
  }
  return at;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  "'": "'",
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};
const HEX = /^[\da-fA-F]{4}$/;

type Quoted = Readonly<{ value: string; end: number; fault?: string }>;

/** From an opening quote to behind the closing one. Escapes are JSON's, and `\'`. */
function quotedAt(text: string, open: number): Quoted {
  const pieces: string[] = [];
  let [from, isValid] = [open + 1, true];
  for (let at = open + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      pieces.push(text.slice(from, at));
      return { value: pieces.join(''), end: at + 1, ...(isValid ? {} : { fault: 'invalid quoted value' }) };
    }
    if (code !== BACKSLASH) continue;
    const hex = text[at + 1] === 'u' ? text.slice(at + 2, at + 6) : undefined;
    const meant = hex === undefined ? ESCAPES[text[at + 1] ?? ''] : unicode(hex);
    if (meant === undefined) isValid = false;
    pieces.push(text.slice(from, at), meant ?? '');
    at += hex === undefined || meant === undefined ? 1 : 5;
    from = at + 1;
  }
  return { value: '', end: text.length, fault: 'unterminated quoted value' };
}

const unicode = (hex: string): string | undefined =>
  HEX.test(hex) ? String.fromCharCode(Number.parseInt(hex, 16)) : undefined;
