import type { Json, LogLevel } from '../../contracts/index.js';
import { bad, type LineFormat, NOTHING, type Reading, type ReadOptions } from './format.js';
import { levelOfWord } from './levels.js';
import { type Priority, priorityAt } from './syslog-priority.js';
import { syslogStampAt } from './syslog-time.js';
import { headerAt } from './text-header.js';
import { instantOf, type TimeMemory } from './timestamps.js';

type SyslogMemory = TimeMemory & { hasEvent?: true };

/**
 * BSD syslog as it is found: `<34>Oct 11 22:14:15 host tag[pid]: message`, with or without priority, host, tag and pid, the
 * time also ISO or with a year. An indented line belongs to the one before.
 */
export const syslog3164: LineFormat<SyslogMemory> = {
  name: 'syslog-3164',
  yields: 'events',
  begin: () => ({}),
  read: (text, memory, options) => {
    if (text.trim() === '') return NOTHING;
    if (memory.hasEvent && isBlank(text[0])) return { kind: 'continuation', text: text.trimEnd() };
    const reading = messageIn(text, memory, options);
    if (reading.kind === 'event') memory.hasEvent = true;
    return reading;
  },
  likeness: (text) => {
    const { priority, stamp, from } = headOf(text);
    if (stamp === undefined)
      return priority === undefined || /^[1-9]\d{0,2} /.test(text.slice(from, from + 4)) ? 0 : 0.5;
    if (priority !== undefined) return 0.95;
    const { host, tag, pid } = originAt(text, stamp.end);
    if (host !== undefined && levelOfWord(host) !== undefined) return 0.3;
    if (pid !== undefined) return 0.8;
    if (isDigit(text, from)) return 0.45;
    return tag === undefined || host === undefined ? 0.62 : 0.75;
  },
};

const isBlank = (character: string | undefined): boolean => character === ' ' || character === '\t';
const isDigit = (text: string, at: number): boolean => text[at]! >= '0' && text[at]! <= '9';

function blanksEnd(text: string, from: number): number {
  let at = from;
  while (isBlank(text[at])) at++;
  return at;
}

type Head = Readonly<{
  priority: Priority | undefined;
  /** Where the time is, or would be. */
  from: number;
  stamp: ReturnType<typeof syslogStampAt>;
  fields: Readonly<Record<string, Json>>;
}>;

/** Priority, the number that Cisco counts its messages by, and the time. */
function headOf(text: string): Head {
  const priority = priorityAt(text, 0);
  const from = blanksEnd(text, priority?.end ?? 0);
  const counted = /^(\d{1,10}): +/.exec(text.slice(from, from + 16));
  const behind = from + (counted?.[0].length ?? 0);
  // a clock that is not set, or not synchronised
  const at = text[behind] === '*' || (text[behind] === '.' && !isDigit(text, behind + 1)) ? behind + 1 : behind;
  const stamp = syslogStampAt(text, at);
  return stamp === undefined
    ? { priority, from, stamp, fields: {} }
    : { priority, from: at, stamp, fields: counted ? { sequence: counted[1]! } : {} };
}

function messageIn(text: string, memory: SyslogMemory, options: ReadOptions): Reading {
  const { priority, stamp, from, fields } = headOf(text);
  if (stamp === undefined && priority === undefined)
    return bad('it begins neither with a time nor with a priority, <0> to <191>', from + 1);
  const atUs = stamp && instantOf(stamp, options, memory);
  const { host, tag, pid, end } = stamp ? originAt(text, stamp.end) : tagAt(text, from);
  const message = text.slice(end);
  const level = priority?.level ?? levelOf(message);
  return {
    kind: 'event',
    event: {
      ...(atUs === undefined ? {} : { atUs }),
      ...(level === undefined ? {} : { level }),
      message,
      fields: {
        ...priority?.fields,
        ...fields,
        // 29 February of a year that has none
        ...(stamp !== undefined && atUs === undefined ? { time: text.slice(from, stamp.end) } : {}),
        ...(host === undefined ? {} : { host }),
        ...(tag === undefined ? {} : { app: tag }),
        ...(pid === undefined ? {} : { pid }),
      },
    },
  };
}

/** What wrote the message, and where that begins. */
type Origin = Readonly<{ host?: string; tag?: string; pid?: string; end: number }>;

/** Host and tag behind a time. A colon behind the time, or behind the first word, says that there is no host. */
function originAt(text: string, from: number): Origin {
  if (text[from] === ':') return tagAt(text, blanksEnd(text, from + 1));
  const start = blanksEnd(text, from);
  const alone = tagAt(text, start);
  if (alone.tag !== undefined) return alone;
  const hostEnd = endOfWord(text, start);
  const next = blanksEnd(text, hostEnd);
  // a single word is rather a message than a host that says nothing
  if (next >= text.length || hostEnd === start) return { end: start };
  // Cisco's ASA: `host : %ASA-6-302013: …`
  const isColon = text[next] === ':' && isBlank(text[next + 1]);
  return { ...tagAt(text, isColon ? blanksEnd(text, next + 1) : next), host: text.slice(start, hostEnd) };
}

function endOfWord(text: string, from: number): number {
  let at = from;
  while (at < text.length && !isBlank(text[at])) at++;
  return at;
}

const LONGEST_TAG = 128;
const LONGEST_PID = 64;

/** `tag:`, `tag[pid]:` or `tag[123]`; without one the message begins here. */
function tagAt(text: string, from: number): Origin {
  const most = Math.min(text.length, from + LONGEST_TAG);
  let at = from;
  while (at < most && !isBlank(text[at]) && text[at] !== '[' && !endsTag(text, at)) at++;
  if (at === from || at === most) return { end: skipMark(text, from) };
  const tag = text.slice(from, at);
  if (text[at] === ':') return { tag, end: skipMark(text, blanksEnd(text, at + 1)) };
  const close = text[at] === '[' ? text.slice(at, at + LONGEST_PID).indexOf(']') : -1;
  const pid = text.slice(at + 1, at + Math.max(close, 1));
  const behind = at + close + 1;
  const isSigned = text[behind] === ':';
  const isTag = isSigned ? !pid.includes(' ') : isNumber(pid) && (behind === text.length || isBlank(text[behind]));
  if (pid === '' || !isTag) return { end: skipMark(text, from) };
  return { tag, pid, end: skipMark(text, blanksEnd(text, isSigned ? behind + 1 : behind)) };
}

const isNumber = (text: string): boolean => /^\d+$/.test(text);

/** A colon in the middle of a word ends none: `http://…`, `fe80::1`. */
const endsTag = (text: string, at: number): boolean =>
  text[at] === ':' && (at + 1 === text.length || isBlank(text[at + 1]));

/** Over the byte order mark with which rsyslog begins a message in UTF-8. */
const skipMark = (text: string, at: number): number => (text.charCodeAt(at) === 0xfeff ? at + 1 : at);

/** Of a line without a priority: a word for a level at the message's head. */
const levelOf = (message: string): LogLevel | undefined => headerAt(message.slice(0, 300), 0).level;
