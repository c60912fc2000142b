import type { Json, LogLevel } from '../../contracts/index.js';
import { bad, type LineFormat, NOTHING, type Reading, type ReadOptions } from './format.js';
import { levelOfWord } from './levels.js';
import { headerAt, messageAt, tokenAt } from './text-header.js';
import { instantOf, leadingStamp, type Stamp, type TimeMemory } from './timestamps.js';

type TextMemory = TimeMemory & {
  /** A line had a time, so one without belongs to it. */
  hasStamp?: true;
  hasEvent?: true;
};

/** Lines that begin with a time; what follows without one belongs to them: stack traces, messages of several lines. */
export const text: LineFormat<TextMemory> = {
  name: 'text',
  yields: 'events',
  begin: () => ({}),
  read: (raw, memory, options) => {
    const line = plain(raw);
    if (line.trim() === '') return NOTHING;
    if (isTrace(line)) return { kind: 'continuation', text: line.trimEnd() };
    const isIndented = line[0] === ' ' || line[0] === '\t';
    const start = isIndented && memory.hasEvent ? undefined : startOf(line.trimStart());
    if (start === undefined && (memory.hasStamp || (isIndented && memory.hasEvent)))
      return { kind: 'continuation', text: line.trimEnd() };
    const reading = start === undefined ? unstamped(line.trim()) : stamped(line.trim(), start, memory, options);
    if (reading.kind === 'event') memory.hasEvent = true;
    return reading;
  },
  likeness: (raw) => {
    const line = plain(raw.slice(0, LIKENESS_REACH));
    if (isTrace(line)) return 0.65;
    const start = startOf(line);
    if (start === undefined) return headerAt(line, 0).level === undefined ? 0 : 0.35;
    const next = line.slice(start.stamp.end, start.stamp.end + 2);
    // a table's first column
    if (/^[,;]\S/.test(next)) return 0.2;
    return LIKENESS[start.stamp.kind];
  },
};

const LIKENESS_REACH = 512;
const LIKENESS: Readonly<Record<Stamp['kind'], number>> = { date: 0.6, instant: 0.5, unordered: 0.5, clock: 0.4 };

const ESCAPE = '\x1b[';

/** Without a byte order mark, and without the colours of a terminal. */
function plain(raw: string): string {
  const line = raw.charCodeAt(0) === 0xfeff ? raw.slice(1) : raw;
  return line.includes(ESCAPE) ? withoutColours(line) : line;
}

function withoutColours(line: string): string {
  const [first, ...pieces] = line.split(ESCAPE);
  return [first, ...pieces.map(withoutColour)].join('');
}

/** `0;31m` and the like are taken off; before anything else the escape is put back. */
function withoutColour(piece: string): string {
  let at = 0;
  while (at < 16 && (piece[at] === ';' || (piece[at]! >= '0' && piece[at]! <= '9'))) at++;
  return piece[at] === 'm' || piece[at] === 'K' ? piece.slice(at + 1) : ESCAPE + piece;
}

const TRACES = ['Caused by: ', 'Suppressed: ', 'Traceback (most recent call last)', 'goroutine ', 'stack backtrace:'];
const INDENTED_TRACES = ['at ', '... ', 'Caused by: ', 'Suppressed: ', 'File "'];

/** A line of a stack trace: always a part of the one before it, whatever that one's format. */
export function isTrace(line: string): boolean {
  const head = line.slice(0, 200);
  const inner = head.trimStart();
  if (inner.length < head.length) return INDENTED_TRACES.some((start) => inner.startsWith(start));
  if (head.startsWith('at ')) return head.includes('(') || head.includes(':');
  return TRACES.some((start) => head.startsWith(start)) || /^\.\.\. \d{1,6} more/.test(head);
}

type Start = Readonly<{ stamp: Stamp; level?: LogLevel; from: number }>;

/** The time at the head of a line, which may stand in brackets or after a level: `[…]`, `INFO …`, `I, […`, `W0809 …`. */
function startOf(line: string): Start | undefined {
  const from = isOpening(line[0]) ? 1 : 0;
  const stamp = leadingStamp(line, from);
  if (stamp !== undefined) {
    const klog = from === 0 && /^[IWEF]\d/.test(line.slice(0, 2)) ? levelOfWord(line[0]!) : undefined;
    return { stamp, from, ...(klog === undefined ? {} : { level: klog }) };
  }
  const token = tokenAt(line.slice(0, 24), 0);
  const level = token && levelOfWord(token.text.trim());
  if (level === undefined) return undefined;
  let at = messageAt(line, token!.end);
  if (isOpening(line[at])) at++;
  const later = leadingStamp(line, at);
  return later && { stamp: later, level, from: at };
}

const isOpening = (character: string | undefined): boolean =>
  character === '[' || character === '(' || character === '<';

function stamped(line: string, { stamp, level, from }: Start, memory: TextMemory, options: ReadOptions): Reading {
  const atUs = instantOf(stamp, options, memory);
  if (stamp.kind === 'unordered' && atUs === undefined)
    return bad(`whether the day or the month comes first in ${line.slice(from, stamp.end)} cannot be told`, from + 1);
  memory.hasStamp = true;
  // a letter before a time is the level that the header says again
  const told = headerAt(line, stamp.end);
  const header = told.level !== undefined || level === undefined ? told : headerAt(line, stamp.end, level);
  const unread = atUs === undefined ? { time: line.slice(from, stamp.end) } : {};
  return event(line, header, unread, atUs);
}

const unstamped = (line: string): Reading => event(line, headerAt(line, 0), {});

function event(
  line: string,
  { level, logger, thread, pid, end }: ReturnType<typeof headerAt>,
  first: Readonly<Record<string, Json>>,
  atUs?: number,
): Reading {
  return {
    kind: 'event',
    event: {
      ...(atUs === undefined ? {} : { atUs }),
      ...(level === undefined ? {} : { level }),
      message: line.slice(end),
      fields: {
        ...first,
        ...(logger === undefined ? {} : { logger }),
        ...(thread === undefined ? {} : { thread }),
        ...(pid === undefined ? {} : { pid }),
      },
    },
  };
}
