import type { Json, LogLevel } from '../../contracts/index.js';
import { bad, type LineFormat, type LogLine, NOTHING, type Reading, type ReadOptions } from './format.js';
import { priorityAt } from './syslog-priority.js';
import { rfc3339At } from './syslog-time.js';

type SyslogMemory = { hasEvent?: true };

/**
 * RFC 5424: `<34>1 2003-10-11T22:14:15.003Z host app procid msgid [id name="value"] message`. More is taken than the RFC
 * lets a sender say, where the line's meaning is plain; see docs/formats.md. An indented line belongs to the one before.
 */
export const syslog5424: LineFormat<SyslogMemory> = {
  name: 'syslog-5424',
  yields: 'events',
  begin: () => ({}),
  read: (text, memory, options) => {
    if (text.trim() === '') return NOTHING;
    if (memory.hasEvent && (text[0] === ' ' || text[0] === '\t')) return { kind: 'continuation', text: text.trimEnd() };
    const reading = messageIn(text, options);
    if (reading.kind === 'event') memory.hasEvent = true;
    return reading;
  },
  likeness: (text) => {
    const start = frameEnd(text);
    const priority = priorityAt(text, start);
    if (priority === undefined || versionEnd(text, priority.end) === undefined) return 0;
    return messageIn(text, { receivedAtUs: 0, offsetMinutes: 0 }).kind === 'event' ? 1 : 0.6;
  },
};

/** Behind the length that stands before each message of a stream (RFC 6587), where there is one. */
function frameEnd(text: string): number {
  const blank = text.slice(0, 8).indexOf(' ');
  return blank > 0 && text[blank + 1] === '<' && /^[1-9]\d*$/.test(text.slice(0, blank)) ? blank + 1 : 0;
}

/** Of 1 to 999 with the blank behind it, where that ends. */
function versionEnd(text: string, from: number): number | undefined {
  const blank = text.slice(from, from + 4).indexOf(' ');
  return /^[1-9]\d*$/.test(text.slice(from, from + Math.max(blank, 0))) ? from + blank + 1 : undefined;
}

const WORDS = [
  ['host', 'host name'],
  ['app', 'app name'],
  ['procId', 'process id'],
  ['msgId', 'message id'],
] as const;

function messageIn(text: string, options: ReadOptions): Reading {
  const start = frameEnd(text);
  const priority = priorityAt(text, start);
  if (priority === undefined) return bad('it does not begin with a priority, <0> to <191>', start + 1);
  let at = versionEnd(text, priority.end);
  if (at === undefined) return bad('there is no version, 1 to 999, behind the priority', priority.end + 1);
  const time = isNil(text, at) ? { end: at + 1 } : rfc3339At(text, at, options);
  if (time === undefined) return bad('there is no time as RFC 3339 has it, and no -', at + 1);
  if (text[time.end] !== ' ') return bad('there is no blank behind the time', time.end + 1);
  at = time.end + 1;
  const words: Record<string, Json> = {};
  for (const [name, meaning] of WORDS) {
    const end = endOfWord(text, at);
    if (end === at || text[end] !== ' ') return bad(`there is no ${meaning} with a blank behind it, and no -`, end + 1);
    if (!isNil(text, at)) words[name] = text.slice(at, end);
    at = end + 1;
  }
  const data = dataAt(text, at);
  if (data.fault !== undefined) return bad(data.fault, data.end + 1);
  return { kind: 'event', event: event(text, { ...priority, words, data, time }) };
}

const isNil = (text: string, at: number): boolean => text[at] === '-' && (text[at + 1] ?? ' ') === ' ';

/** Control characters and blanks end a word; unlike in the RFC, letters beyond ASCII do not. */
const isPlain = (code: number): boolean => code > 0x20 && !(code >= 0x7f && code <= 0xa0);

function endOfWord(text: string, from: number): number {
  let at = from;
  while (at < text.length && isPlain(text.charCodeAt(at))) at++;
  return at;
}

type Read = Readonly<{
  level: LogLevel;
  fields: Readonly<Record<string, Json>>;
  words: Readonly<Record<string, Json>>;
  data: Data;
  time: Readonly<{ atUs?: number }>;
}>;

function event(text: string, { level, fields, words, data, time }: Read): LogLine {
  const from = text[data.end] === ' ' ? data.end + 1 : data.end;
  const structuredData = jsonOf(data.elements);
  const traceId = traceIdIn(data.elements);
  return {
    ...(time.atUs === undefined ? {} : { atUs: time.atUs }),
    level,
    message: text.slice(text.charCodeAt(from) === BOM ? from + 1 : from),
    fields: { ...fields, ...words, ...(data.elements.size === 0 ? {} : { structuredData }) },
    ...(traceId === undefined ? {} : { traceId }),
  };
}

const BOM = 0xfeff;
const [QUOTE, BACKSLASH, CLOSE, EQUALS] = [0x22, 0x5c, 0x5d, 0x3d];

/** By id the parameters of each element, by name the values of each parameter. */
type Elements = Map<string, Map<string, string[]>>;
type Data = Readonly<{ elements: Elements; end: number; fault?: string }>;

/** `[id name="value" …][id2 …]`, `-`, or nothing: Heroku and others leave it out before the message. */
function dataAt(text: string, from: number): Data {
  const elements: Elements = new Map();
  if (from >= text.length) return { elements, end: from, fault: 'there is no structured data, and no -' };
  if (isNil(text, from)) return { elements, end: from + 1 };
  let at = from;
  while (text[at] === '[') {
    const element = elementAt(text, at, elements);
    if (element.fault !== undefined) return { elements, ...element };
    at = element.end;
  }
  const isEnd = at === from || at === text.length || text[at] === ' ';
  return isEnd ? { elements, end: at } : { elements, end: at, fault: 'there is no blank behind the structured data' };
}

type Part = Readonly<{ end: number; fault?: string }>;

/** An id that comes again adds to the element that has it. */
function elementAt(text: string, open: number, elements: Elements): Part {
  const idEnd = endOfName(text, open + 1);
  if (idEnd === open + 1) return { end: idEnd, fault: 'an element of the structured data has no id' };
  const id = text.slice(open + 1, idEnd);
  const parameters = elements.get(id) ?? new Map<string, string[]>();
  elements.set(id, parameters);
  let at = idEnd;
  while (text[at] === ' ') {
    const nameEnd = endOfName(text, at + 1);
    if (nameEnd === at + 1 || text.charCodeAt(nameEnd) !== EQUALS || text.charCodeAt(nameEnd + 1) !== QUOTE)
      return { end: nameEnd, fault: 'there is no name="value" in the structured data' };
    const { value, end } = valueAt(text, nameEnd + 2);
    if (value === undefined) return { end, fault: 'a value in the structured data has no closing quote' };
    const name = text.slice(at + 1, nameEnd);
    const values = parameters.get(name);
    if (values) values.push(value);
    else parameters.set(name, [value]);
    at = end;
  }
  return text.charCodeAt(at) === CLOSE
    ? { end: at + 1 }
    : { end: at, fault: 'an element of the structured data does not close' };
}

function endOfName(text: string, from: number): number {
  let at = from;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (!isPlain(code) || code === EQUALS || code === CLOSE || code === QUOTE) break;
  }
  return at;
}

/** To the closing quote. A backslash before anything but `"`, `\` and `]` stays, as the RFC wants it. */
function valueAt(text: string, from: number): { value?: string; end: number } {
  const pieces: string[] = [];
  let start = from;
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      pieces.push(text.slice(start, at));
      return { value: pieces.join(''), end: at + 1 };
    }
    if (code !== BACKSLASH) continue;
    const next = text.charCodeAt(at + 1);
    if (next !== QUOTE && next !== BACKSLASH && next !== CLOSE) continue;
    pieces.push(text.slice(start, at));
    start = ++at;
  }
  return { end: text.length };
}

/** A name that comes more than once in its element has a list. */
function jsonOf(elements: Elements): Json {
  const valuesOf = (parameters: Map<string, string[]>): Json =>
    Object.fromEntries([...parameters].map(([name, values]) => [name, values.length === 1 ? values[0]! : values]));
  return Object.fromEntries([...elements].map(([id, parameters]) => [id, valuesOf(parameters)]));
}

const TRACE_NAMES = ['trace_id', 'traceId', 'traceID', 'trace.id', 'dd.trace_id'];
const LONGEST_TRACE_ID = 128;

function traceIdIn(elements: Elements): string | undefined {
  for (const parameters of elements.values())
    for (const name of TRACE_NAMES) {
      const id = parameters.get(name)?.[0];
      if (id !== undefined && id !== '' && id.length <= LONGEST_TRACE_ID) return id;
    }
  return undefined;
}
