import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LOG_LEVELS, type Json, type LogEvent, type LogLevel } from '../src/contracts/index.js';
import type { ReadOptions } from '../src/uploads/formats/format.js';
import { FORMATS, detectFormat } from '../src/uploads/formats/registry.js';
import { FileReading, type ReadingMemory } from '../src/uploads/reading/file-reading.js';

/** What a writer was asked to write, and what is expected back. */
type Told = Readonly<{
  atUs: number;
  level: LogLevel;
  message: string;
  host: string;
  app: string;
  pid: number;
  id: string;
  values: Readonly<Record<string, string>>;
  /** Further lines of the event, where the format has such. */
  more: readonly string[];
}>;
type Expected = Readonly<{
  atUs: number;
  level?: LogLevel;
  message: string;
  fields: Readonly<Record<string, Json>>;
  traceId?: string;
}>;
type Writer = Readonly<{
  write: (told: Told) => Readonly<{ line: string; event: Expected }>;
  /** Lines that none can read, of what would have been good ones. */
  faults: readonly ((good: string) => string)[];
  isFolded?: true;
}>;

const START_US = Date.parse('2023-10-03T00:00:00Z') * 1000;
const options: ReadOptions = { receivedAtUs: START_US + 1e12, offsetMinutes: 90, year: 2023 };

const WORD = fc.stringMatching(/^[a-z][a-z0-9]{0,9}$/);
/** Begins with a word that is no level, holds anything that a line can. */
const MESSAGE = fc
  .string({
    unit: fc.oneof(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }), fc.constantFrom(...'"\\[]:=,<># ')),
    maxLength: 60,
  })
  .map((text) => `Wrote ${text.replaceAll(/\p{Cc}|\p{Z}/gu, ' ')}`.trimEnd());
const TOLD: fc.Arbitrary<Omit<Told, 'atUs'> & { gapUs: number }> = fc.record({
  // up to 20 days, so that files cross new year and the end of February
  gapUs: fc.integer({ min: 0, max: 20 * 86_400_000_000 }),
  level: fc.constantFrom(...LOG_LEVELS),
  message: MESSAGE,
  host: WORD.map((word) => `h-${word}`),
  app: WORD.map((word) => `app${word}`),
  pid: fc.integer({ min: 0, max: 99_999 }),
  id: fc.stringMatching(/^[0-9a-f]{32}$/),
  values: fc.dictionary(
    WORD.map((word) => `x_${word}`),
    MESSAGE,
    { maxKeys: 4 },
  ),
  more: fc.array(
    WORD.map((word) => `\tat ${word}.run(${word}.java:7)`),
    { maxLength: 3 },
  ),
});

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
const DAYS = 'Sun Mon Tue Wed Thu Fri Sat'.split(' ');
const two = (value: number): string => String(value).padStart(2, '0');

/** The parts of a time, as told at an offset. */
function partsOf(atUs: number, offsetMinutes = 0) {
  const date = new Date(Math.floor(atUs / 1000) + offsetMinutes * 60_000);
  return {
    date: `${date.getUTCFullYear()}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`,
    clock: `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`,
    fraction: String(atUs % 1_000_000).padStart(6, '0'),
    year: date.getUTCFullYear(),
    month: MONTHS[date.getUTCMonth()]!,
    day: date.getUTCDate(),
    weekday: DAYS[date.getUTCDay()]!,
  };
}

const iso = (atUs: number): string => {
  const { date, clock, fraction } = partsOf(atUs);
  return `${date}T${clock}.${fraction}Z`;
};
const wholeSeconds = (atUs: number): number => atUs - (atUs % 1_000_000);
const halved = (good: string): string => good.slice(0, good.length / 2);
const quoted = (text: string, what: RegExp): string => `"${text.replaceAll(what, '\\$&')}"`;

/** Severities of syslog that come back as the level they were made of; there is no trace. */
const SEVERITY: Readonly<Record<LogLevel, number>> = { trace: 7, debug: 7, info: 6, warn: 4, error: 3, fatal: 2 };
const SEVERITY_WORDS = 'emerg alert crit err warning notice info debug'.split(' ');
const syslogLevel = (level: LogLevel): LogLevel => (level === 'trace' ? 'debug' : level);
const syslogFields = (level: LogLevel) => ({ facility: 'local0', severity: SEVERITY_WORDS[SEVERITY[level]]! });
const WEB_LEVELS: Readonly<Record<LogLevel, string>> = {
  trace: 'trace3',
  debug: 'debug',
  info: 'notice',
  warn: 'warn',
  error: 'error',
  fatal: 'crit',
};

const WRITERS: Readonly<Record<string, Writer>> = {
  json: {
    write: ({ atUs, level, message, id, values, pid }) => ({
      line: JSON.stringify({ time: iso(atUs), level, msg: message, trace_id: id, pid, ...values }),
      event: { atUs, level, message, traceId: id, fields: { pid, ...values } },
    }),
    faults: [halved, (good) => `[${good}]`, (good) => good.slice(1), () => '"text"'],
  },
  logfmt: {
    write: ({ atUs, level, message, id, values }) => ({
      line: [
        `ts=${iso(atUs)} level=${level} msg=${quoted(message, /["\\]/g)} trace_id=${id}`,
        ...Object.entries(values).map(([key, value]) => `${key}=${quoted(value, /["\\]/g)}`),
      ].join(' '),
      event: { atUs, level, message, traceId: id, fields: values },
    }),
    faults: [(good) => `${good} a="b`, (good) => `=${good}`, (good) => `${good} a=b=c`, () => 'a stray line'],
  },
  text: {
    write: ({ atUs, level, message, app, host }) => {
      const { date, clock, fraction } = partsOf(atUs, options.offsetMinutes);
      const line = `${date} ${clock},${fraction} ${level.toUpperCase()} [${host}] org.${app} - ${message}`;
      return { line, event: { atUs, level, message, fields: { thread: host, logger: `org.${app}` } } };
    },
    faults: [() => '01/02/2024 00:00:00 INFO a - which of them is the month?'],
    isFolded: true,
  },
  'syslog-5424': {
    write: ({ atUs, level, message, host, app, pid, id, values }) => {
      const parameters = Object.entries(values).map(([key, value]) => ` ${key}=${quoted(value, /["\\\]]/g)}`);
      return {
        line: `<${128 + SEVERITY[level]}>1 ${iso(atUs)} ${host} ${app} ${pid} - [a@1${parameters.join('')}][t traceId="${id}"] ${message}`,
        event: {
          atUs,
          level: syslogLevel(level),
          message,
          traceId: id,
          fields: {
            ...syslogFields(level),
            host,
            app,
            procId: String(pid),
            structuredData: { 'a@1': values, t: { traceId: id } },
          },
        },
      };
    },
    faults: [
      (good) => good.slice(1),
      (good) => good.replace('>1 ', '> '),
      (good) => good.replace('-', '+'),
      (good) => good.replace('[a@1', '[ a@1'),
      (good) => good.replace('][t ', ']t '),
      (good) => good.slice(0, good.indexOf('"')),
    ],
    isFolded: true,
  },
  'syslog-3164': {
    write: ({ atUs, level, message, host, app, pid }) => {
      const { month, day, clock } = partsOf(atUs, options.offsetMinutes);
      return {
        line: `<${128 + SEVERITY[level]}>${month} ${String(day).padStart(2)} ${clock} ${host} ${app}[${pid}]: ${message}`,
        event: {
          atUs: wholeSeconds(atUs),
          level: syslogLevel(level),
          message,
          fields: { ...syslogFields(level), host, app, pid: String(pid) },
        },
      };
    },
    faults: [(good) => good.slice(1), (good) => good.replace(/^<\d+>.../, 'Foo'), () => 'a stray line'],
    isFolded: true,
  },
  access: {
    write: ({ atUs, level, message, host, app, pid, values }) => {
      const { day, month, year, clock } = partsOf(atUs, options.offsetMinutes);
      const status = { trace: 101, debug: 204, info: 302, warn: 404, error: 500, fatal: 503 }[level];
      const request = `GET /${message} HTTP/1.1`;
      const [userAgent = 'curl', ...extra] = Object.values(values);
      const tail = [`https://${host}/`, userAgent, ...extra].map((text) => quoted(text, /["\\]/g)).join(' ');
      return {
        line: `2001:db8::1 - ${app} [${two(day)}/${month}/${year}:${clock} +0130] ${quoted(request, /["\\]/g)} ${status} ${pid} ${tail}`,
        event: {
          atUs: wholeSeconds(atUs),
          level: status >= 500 ? 'error' : status >= 400 ? 'warn' : 'info',
          message: request,
          fields: {
            client: '2001:db8::1',
            user: app,
            method: 'GET',
            path: `/${message}`,
            protocol: 'HTTP/1.1',
            status,
            bytes: pid,
            referer: `https://${host}/`,
            userAgent,
            ...(extra.length === 0 ? {} : { extra }),
          },
        },
      };
    },
    faults: [
      (good) => `${good} "`,
      (good) => good.replace('[', '('),
      (good) => good.slice(0, good.indexOf('"') + 8),
      (good) => good.replace('+0130] "', '+0130] '),
      (good) => good.slice(good.indexOf('[')),
    ],
  },
  'nginx-error': {
    write: ({ atUs, level, message, host, pid }) => {
      const { date, clock } = partsOf(atUs, options.offsetMinutes);
      const balanced = message.replaceAll('"', "'");
      return {
        line: `${date.replaceAll('-', '/')} ${clock} [${level === 'trace' ? 'debug' : WEB_LEVELS[level]}] ${pid}#0: *7 ${balanced}, client: 192.0.2.1, server: ${host}, request: "GET /${message} HTTP/1.1", host: "${host}"`,
        event: {
          atUs: wholeSeconds(atUs),
          level: syslogLevel(level),
          message: balanced,
          fields: {
            pid: String(pid),
            tid: '0',
            connection: '7',
            client: '192.0.2.1',
            server: host,
            host,
            request: `GET /${message} HTTP/1.1`,
          },
        },
      };
    },
    faults: [
      (good) => good.replace('[', '('),
      (good) => good.replace('#', '-'),
      (good) => good.replace(/^(.{11})../, '$199'),
    ],
    isFolded: true,
  },
  'apache-error': {
    write: ({ atUs, level, message, host, app, pid }) => {
      const { weekday, month, day, clock, fraction, year } = partsOf(atUs, options.offsetMinutes);
      return {
        line: `[${weekday} ${month} ${two(day)} ${clock}.${fraction} ${year}] [${app}:${WEB_LEVELS[level]}] [pid ${pid}:tid 7] [client 2001:db8::1:4000] AH00124: ${message}, referer: https://${host}/`,
        event: {
          atUs,
          level,
          message: `AH00124: ${message}`,
          fields: {
            module: app,
            pid: String(pid),
            tid: '7',
            client: '2001:db8::1',
            port: '4000',
            code: 'AH00124',
            referer: `https://${host}/`,
          },
        },
      };
    },
    faults: [(good) => good.replace('] [', '] ('), (good) => good.replace(/:[a-z]+3?\]/, ':oops]')],
    isFolded: true,
  },
};

type Written = Readonly<{ lines: readonly string[]; events: readonly LogEvent[]; bad: readonly number[] }>;
type Item = Readonly<{ told: Omit<Told, 'atUs'> & { gapUs: number }; fault: number; isBlank: boolean }>;

function written(format: string, items: readonly Item[]): Written {
  const { write, faults, isFolded } = WRITERS[format]!;
  const lines: string[] = [];
  const events: LogEvent[] = [];
  const bad: number[] = [];
  let atUs = START_US;
  for (const { told, fault, isBlank } of items) {
    atUs += told.gapUs;
    const { line, event } = write({ ...told, atUs });
    if (isBlank) lines.push('');
    // a fault in four, of each kind
    if (fault < faults.length * 4 && fault % 4 === 0) {
      lines.push(faults[fault / 4]!(line));
      bad.push(lines.length);
      continue;
    }
    lines.push(line);
    const more = isFolded ? told.more : [];
    events.push({ line: lines.length, format, ...event, message: [event.message, ...more].join('\n') });
    lines.push(...more);
  }
  return { lines, events, bad };
}

/** As the uploads do: in chunks, with a checkpoint between them that went through JSON. */
function read(format: string, lines: readonly string[], chunkLines: number) {
  const setup = { format: FORMATS.find(({ name }) => name === format)!, fallbackFor: () => undefined, options };
  const counts = { readBytes: 0, lines: 0, events: 0, trades: 0, bad: 0, truncated: 0, replaced: 0 };
  const events: LogEvent[] = [];
  const bad: number[] = [];
  let memory: ReadingMemory | undefined;
  for (let from = 0; from < lines.length; from += chunkLines) {
    const reading = new FileReading(setup, counts, memory);
    for (const [index, text] of lines.slice(from, from + chunkLines).entries())
      reading.take({
        text,
        bytes: Buffer.from(text),
        fullBytes: Buffer.byteLength(text),
        number: from + index + 1,
        isTruncated: false,
        replaced: 0,
      });
    if (from + chunkLines >= lines.length) reading.end();
    const chunk = reading.cut();
    events.push(...chunk.events);
    bad.push(...chunk.badLines.map(({ line }) => line));
    memory = JSON.parse(JSON.stringify(reading.memory())) as ReadingMemory;
  }
  return { events, bad, counts };
}

describe('a file with seeded faults', () => {
  it('is written for every format of events', () => {
    const names = FORMATS.filter(({ yields, name }) => yields === 'events' && name !== 'csv').map(({ name }) => name);
    expect(Object.keys(WRITERS).sort()).toEqual(names.sort());
  });

  it.each(Object.keys(WRITERS))('of %s gives exactly its events and bad lines', (format) => {
    const faults = WRITERS[format]!.faults.length * 4;
    const item = fc.record({ told: TOLD, fault: fc.nat({ max: faults * 2 }), isBlank: fc.boolean() });
    const all = fc.tuple(fc.array(item, { minLength: 1, maxLength: 30 }), fc.integer({ min: 1, max: 10 }));
    const seen = new Set<number>();
    fc.assert(
      fc.property(all, ([items, chunkLines]) => {
        // what is folded needs an event before it, as does a fault that would be folded
        const file = written(format, [{ ...items[0]!, fault: faults }, ...items]);
        const { events, bad, counts } = read(format, file.lines, chunkLines);
        expect(bad).toEqual(file.bad);
        expect(events).toEqual(file.events);
        expect(counts).toMatchObject({ events: file.events.length, bad: file.bad.length, lines: file.lines.length });
        for (const { fault } of items) seen.add(fault);
      }),
      { numRuns: 150 },
    );
    for (let fault = 0; fault < faults; fault += 4) expect(seen).toContain(fault);
  });

  it.each(Object.keys(WRITERS))('of %s is known for what it is', (format) => {
    fc.assert(
      fc.property(fc.array(TOLD, { minLength: 3, maxLength: 20 }), (all) => {
        const items = all.map((told, index) => ({
          told: { ...told, more: [] },
          fault: index === 2 ? 0 : Infinity,
          isBlank: false,
        }));
        expect(detectFormat(written(format, items).lines)?.name).toBe(format);
      }),
      { numRuns: 100 },
    );
  });
});
