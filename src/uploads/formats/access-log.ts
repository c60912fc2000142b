import type { Json, LogLevel } from '../../contracts/index.js';
import { bad, type LineFormat, NOTHING, type Reading, type ReadOptions } from './format.js';
import { instantOf, leadingStamp, type Stamp } from './timestamps.js';

/**
 * Access logs of Apache and nginx, common and combined: `[vhost] client identity user [time] "request" status bytes
 * ["referer" "user agent"] …`. What follows is kept under `extra`; a `-` tells nothing.
 */
export const accessLog: LineFormat<null> = {
  name: 'access',
  yields: 'events',
  begin: () => null,
  read: (text, _memory, options) => (text.trim() === '' ? NOTHING : requestIn(text, options)),
  likeness: (text) => {
    const time = timeIn(text);
    if (time === undefined || time.open === 0 || text[time.end + 1] !== '"') return 0;
    if (wordsOf(text.slice(0, time.open)).length > MOST_WORDS) return 0.5;
    return requestIn(text, { receivedAtUs: 0, offsetMinutes: 0 }).kind === 'event' ? 0.95 : 0.7;
  },
};

function requestIn(text: string, options: ReadOptions): Reading {
  const time = timeIn(text);
  if (time === undefined) return bad('there is no [time]');
  const who = text.slice(0, time.open).trim();
  if (who === '') return bad('there is no client before the [time]', 1);
  if (text[time.end] !== ' ' || text[time.end + 1] !== '"')
    return bad('there is no "request" behind the [time]', time.end + 1);
  const request = quotedAt(text, time.end + 1);
  if (request === undefined) return bad('the request has no closing quote', time.end + 2);
  const status = wordAt(text, request.end);
  if (!isStatus(status.text)) return bad('there is no status behind the request', request.end + 1);
  const bytes = wordAt(text, status.end);
  const size = sizeOf(bytes.text);
  if (size === undefined) return bad('there is no number of bytes, or -, behind the status', status.end + 1);
  const rest = restAt(text, bytes.end);
  if (rest.fault !== undefined) return bad(rest.fault, rest.end + 1);
  const atUs = instantOf(time.stamp, options, {});
  return {
    kind: 'event',
    event: {
      ...(atUs === undefined ? {} : { atUs }),
      level: levelOfStatus(status.text),
      message: request.text,
      fields: {
        ...whoIs(who),
        ...requestFields(request.text),
        ...(status.text === '-' ? {} : { status: Number(status.text) }),
        ...(size === null ? {} : { bytes: size }),
        ...rest.fields,
      },
    },
  };
}

/** What stands before the time is short, and holds few brackets, such as of `[::1]`. */
const REACH = 4096;
const MOST_BRACKETS = 8;

type Time = Readonly<{ open: number; end: number; stamp: Stamp }>;

/** The first bracket that holds a time and nothing else. */
function timeIn(text: string): Time | undefined {
  const head = text.slice(0, REACH);
  let open = head.indexOf('[');
  for (let count = 0; open >= 0 && count < MOST_BRACKETS; count++) {
    const stamp = leadingStamp(text, open + 1);
    if (stamp !== undefined && text[stamp.end] === ']') return { open, end: stamp.end + 1, stamp };
    open = head.indexOf('[', open + 1);
  }
  return undefined;
}

/** Host, client, identity, user; of a line with more, syslog or another has wrapped it, or a user's name holds blanks. */
const MOST_WORDS = 4;

/** A comma joins the addresses that proxies have told. */
const wordsOf = (who: string): string[] =>
  who
    .replaceAll(/, +/g, ',')
    .split(' ')
    .filter((word) => word !== '');

function whoIs(who: string): Record<string, Json> {
  const words = wordsOf(who);
  const hasHost = words.length > 3 && words[1] !== '-' && (words[2] === '-' || isAddress(words[1]!));
  const [vhost, client = '', identity = '-', ...user] = hasHost ? words : [undefined, ...words];
  return {
    ...told('client', client),
    ...told('identity', identity),
    ...told('user', user.join(' ')),
    ...(vhost === undefined ? {} : told('vhost', vhost)),
  };
}

/** Of IPv4 and IPv6, as far as words before a time need it. */
const isAddress = (word: string): boolean =>
  word.length <= 45 && /^(?:\d{1,3}(?:\.\d{1,3}){3}|[\da-fA-F:]*:[\da-fA-F:.]+)$/.test(word);

/** Nothing of `-`, nor of an empty text. */
function told(name: string, text: string): Record<string, string> {
  const value = text.length > 1 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
  return value === '-' || value === '' ? {} : { [name]: value };
}

/** `GET /path HTTP/1.1`, or `GET /path` of before HTTP/1.0; what else a client sent is in the message only. */
function requestFields(request: string): Record<string, Json> {
  const methodEnd = request.indexOf(' ');
  const method = request.slice(0, Math.max(methodEnd, 0));
  if (!/^[A-Z][A-Z_-]{0,31}$/.test(method.slice(0, 33))) return {};
  const last = request.lastIndexOf(' ');
  const hasProtocol = last > methodEnd && request.startsWith('HTTP/', last + 1);
  const path = request.slice(methodEnd + 1, hasProtocol ? last : undefined);
  if (path === '') return {};
  return { method, path, ...(hasProtocol ? { protocol: request.slice(last + 1) } : {}) };
}

/** `-` where a connection ended before its answer. */
const isStatus = (text: string): boolean => text === '-' || /^\d{3}$/.test(text);

/** Null for `-`; undefined for what is no number. */
function sizeOf(text: string): number | null | undefined {
  if (text === '-') return null;
  return text.length <= 15 && /^\d+$/.test(text) ? Number(text) : undefined;
}

const levelOfStatus = (status: string): LogLevel => (status >= '500' ? 'error' : status >= '400' ? 'warn' : 'info');

type Rest = Readonly<{ fields: Record<string, Json>; end: number; fault?: string }>;

/** Referer and user agent where two quoted texts follow, and what is behind them in its order. */
function restAt(text: string, from: number): Rest {
  const parts: string[] = [];
  const quoted: boolean[] = [];
  for (let at = blanksEnd(text, from); at < text.length;) {
    const isQuoted = text[at] === '"';
    const part = isQuoted ? quotedAt(text, at) : looseAt(text, at);
    if (part === undefined) return { fields: {}, end: at, fault: 'a quote behind the bytes does not close' };
    parts.push(part.text);
    quoted.push(isQuoted);
    at = blanksEnd(text, part.end);
  }
  const isCombined = quoted[0] === true && quoted[1] === true;
  const [referer = '', userAgent = ''] = isCombined ? parts : [];
  const extra = isCombined ? parts.slice(2) : parts;
  return {
    fields: {
      ...told('referer', referer),
      ...told('userAgent', userAgent),
      ...(extra.length === 0 ? {} : { extra }),
    },
    end: text.length,
  };
}

function blanksEnd(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ' || text[at] === '\t') at++;
  return at;
}

type Part = Readonly<{ text: string; end: number }>;

/** Behind one blank, to the next; empty where there is no blank. */
function wordAt(text: string, from: number): Part {
  if (text[from] !== ' ') return { text: '', end: from };
  const next = text.indexOf(' ', from + 1);
  const end = next < 0 ? text.length : next;
  return { text: text.slice(from + 1, end), end };
}

/** A word, with what its own quotes hold: `rt=0.005 ua="Mozilla 5"`. */
function looseAt(text: string, from: number): Part | undefined {
  for (let at = from; at < text.length; at++) {
    if (text[at] === ' ' || text[at] === '\t') return { text: text.slice(from, at), end: at };
    if (text[at] !== '"' || text[at - 1] !== '=') continue;
    const quoted = quotedAt(text, at);
    return quoted && { text: text.slice(from, at) + quoted.text, end: quoted.end };
  }
  return { text: text.slice(from), end: text.length };
}

const [QUOTE, BACKSLASH] = [0x22, 0x5c];

/**
 * From a quote to the one that closes: with a blank or nothing behind it, for old servers leave quotes within as they are.
 * Of escapes `\"`, `\\`, `\x22` and `\x5C` are resolved; others, which stand for bytes that are no text, stay.
 */
function quotedAt(text: string, open: number): Part | undefined {
  const pieces: string[] = [];
  let from = open + 1;
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE && (at + 1 === text.length || text[at + 1] === ' ')) {
      pieces.push(text.slice(from, at));
      return { text: pieces.join(''), end: at + 1 };
    }
    if (code !== BACKSLASH) continue;
    const escape = escapeAt(text, at);
    if (escape !== undefined) pieces.push(text.slice(from, at), escape.text);
    at = (escape?.end ?? at + 1) - 1;
    from = escape === undefined ? from : at + 1;
  }
  return undefined;
}

function escapeAt(text: string, at: number): Part | undefined {
  const next = text.charCodeAt(at + 1);
  if (next === QUOTE || next === BACKSLASH) return { text: text[at + 1]!, end: at + 2 };
  if (text[at + 1] !== 'x') return undefined;
  const hex = text.slice(at + 2, at + 4).toUpperCase();
  return hex === '22' ? { text: '"', end: at + 4 } : hex === '5C' ? { text: '\\', end: at + 4 } : undefined;
}
