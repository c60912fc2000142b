import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LOG_LEVELS } from '../../contracts/index.js';
import { cleanEvent } from './clean-text.js';
import type { LineFormat, Reading, ReadOptions } from './format.js';
import { FORMATS, detectFormat } from './registry.js';

/** What holds for every format of the registry, whatever the line. */
const LONGEST = 64 * 1024;
const MOST_MS = 50;
/** `FUZZ_SECONDS=60`: so long for each format, instead of a few lines. */
const FUZZ_SECONDS = Number(process.env['FUZZ_SECONDS'] ?? 0);

const options: ReadOptions = {
  receivedAtUs: Date.parse('2024-08-10T00:00:00Z') * 1000,
  offsetMinutes: 0,
  symbol: 'BTCUSDT',
};

const filled = (piece: string, start = '', end = ''): string =>
  start + piece.repeat(Math.ceil(LONGEST / piece.length)).slice(0, LONGEST - start.length - end.length) + end;

const HOSTILE: Readonly<Record<string, string>> = {
  'words of a letter': filled('a '),
  'one word': filled('a'),
  blanks: filled(' '),
  'a word after blanks': filled(' ', '', 'x'),
  tabs: filled('\t', 'a', 'b'),
  quotes: filled('"'),
  'quotes in quotes': filled('\\"', '"', '"'),
  'a quote that never ends': filled('a', 'k="'),
  'a JSON string that never ends': filled('\\', '{"a":"'),
  backslashes: filled('\\'),
  'escapes of halves': filled('\\ud800', '{"a":"', '"}'),
  'open brackets': filled('['),
  'open braces': filled('{"a":'),
  'open lists': filled('[', '{"a":', '}'),
  'brackets in turn': filled('[]'),
  'open after a time': filled('[', '2024-08-09 00:05:04 '),
  'brackets after a time': filled('[a] ', '2024-08-09 00:05:04 '),
  'dashes after a time': filled('- ', '2024-08-09 00:05:04 '),
  'colons after a time': filled(': ', '2024-08-09 00:05:04 INFO'),
  'levels after a time': filled('INFO ', '2024-08-09 00:05:04 '),
  colours: filled('\x1b[31m'),
  'halves of colours': filled('\x1b['),
  digits: filled('1'),
  'digits in an object': filled('1', '{"a":', '}'),
  'numbers in an object': filled('12345678901234567890,', '{"a":[', '1]}'),
  'one key over and over': filled('a=1 '),
  'keys of an object': `{${Array.from({ length: 7000 }, (_, key) => `"${key}":1`).join(',')}}`,
  'one member over and over': filled('"a":1,', '{', '"b":1}'),
  'levels over and over': filled('"level":"x",', '{', '"b":1}'),
  equals: filled('='),
  commas: filled(','),
  'commas and quotes': filled('",'),
  semicolons: filled(';'),
  bars: filled('|'),
  times: filled('2024-08-09 00:05:04 '),
  'a fraction without end': filled('1', '2024-08-09 00:05:04.'),
  'a syslog priority': filled('<1>'),
  'syslog data': filled('[a b="c"]', '<1>1 - - - - - '),
  'syslog parameters': filled('b="\\]" ', '<1>1 - - - - - [a ', ']'),
  'an access line that goes on': filled('a ', '1.2.3.4 - - [09/Aug/2024:00:05:04 +0000] "GET / HTTP/1.1" 200 1 '),
  'a request without end': filled('\\"', '1.2.3.4 - - [09/Aug/2024:00:05:04 +0000] "'),
  'an nginx error': filled(', client: 1.2.3.4', '2024/08/09 00:05:04 [error] 1#1: *1 '),
  'an Apache error': filled('[a:b] ', '[Fri Aug 09 00:05:04.123456 2024] '),
  'U+0000': filled('\0'),
  surrogates: filled('\uD800'),
};

/** Parts of lines, so that what is made of them comes far into each reader. */
// prettier-ignore
const PIECES = [
  ' ', '  ', '\t', '"', '\\"', '\\', '[', ']', '{', '}', ':', ',', '=', '-', '|', '<', '>', ';', '\uFEFF', '\uD800',
  '2024-08-09T00:05:04.123Z', '2024-08-09 00:05:04', 'Aug  9 00:05:04', '[09/Aug/2024:00:05:04 +0000]', '08/09/2024',
  'Fri Aug 09 00:05:04.123456 2024', '1723161904', '1723161904123', 'I0809 00:05:04.1', '00:05:04', '29 Feb',
  '24:60:60', 'INFO', 'level=info', 'msg="a b"', '"level":"warn"', 'ERROR:', 'at ', 'Caused by: ', '__proto__',
  '"__proto__":1', '<34>1 ', '<34>', ' - - - ', '[a@1 b="c"]', '1.2.3.4', '::1', '"GET / HTTP/1.1" 200 5',
  '[error] 1#2: *3 ', 'host app[1]: ', 'BTCUSDT', '65083.67', 'symbol,ts,price,size', 'True', 'False', '1e400', '-0',
  '\\u0000', '\x1b[31m',
];

const PIECE = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(...PIECES),
  fc.integer().map(String),
  fc.json({ maxDepth: 3 }),
);

/** What a reader may rely on. */
function expectSound(reading: Reading): void {
  if (reading.kind === 'bad') {
    expect(reading.message.length).toBeGreaterThan(0);
    expect(reading.message.length).toBeLessThan(500);
    if (reading.column !== undefined) expect(reading.column).toBeGreaterThan(0);
  }
  if (reading.kind !== 'event') return;
  const { atUs, level, message, traceId } = reading.event;
  expect(atUs === undefined || (Number.isSafeInteger(atUs) && atUs >= 0)).toBe(true);
  expect(level === undefined || LOG_LEVELS.includes(level)).toBe(true);
  expect(typeof message).toBe('string');
  expect(traceId === undefined || traceId !== '').toBe(true);
  expect(() => JSON.stringify(cleanEvent(reading.event).value)).not.toThrow();
}

function readTwice(format: LineFormat, line: string): Reading {
  const memory = format.begin(options);
  format.read(line, memory, options, 1);
  return format.read(line, JSON.parse(JSON.stringify(memory)), options, 2);
}

/** Another process may take the time of one run; not of all. */
function expectQuick(work: () => unknown): void {
  let least = Infinity;
  for (let run = 0; run < 5 && least > MOST_MS; run++) {
    const began = performance.now();
    work();
    least = Math.min(least, performance.now() - began);
  }
  expect(least).toBeLessThan(MOST_MS);
}

describe.each(FORMATS.map((format) => [format.name, format] as const))('%s', (_name, format) => {
  it.each(Object.entries(HOSTILE))('takes little time over 64 KiB: %s', (_what, line) => {
    expectSound(readTwice(format, line));
    expectQuick(() => readTwice(format, line));
    expectQuick(() => format.likeness(line));
  });

  it(
    'reads anything without an exception, the same again the same way, and in little time',
    () => {
      fc.assert(
        fc.property(fc.array(PIECE, { maxLength: 12 }), fc.integer({ min: 1, max: 4000 }), (pieces, times) => {
          const line = pieces.join('').replaceAll(/[\0\n]/g, '');
          const reading = readTwice(format, line);
          expectSound(reading);
          expect(readTwice(format, line)).toEqual(reading);
          const likeness = format.likeness(line);
          expect(likeness >= 0 && likeness <= 1).toBe(true);
          expectQuick(() => readTwice(format, line.repeat(times).slice(0, LONGEST)));
        }),
        FUZZ_SECONDS === 0
          ? { numRuns: 60 }
          : { numRuns: 1e9, interruptAfterTimeLimit: FUZZ_SECONDS * 1000, markInterruptAsFailure: false },
      );
    },
    60_000 + FUZZ_SECONDS * 1000,
  );
});

describe('detection', () => {
  it('takes little time over a hundred lines of 64 KiB', () => {
    const lines = Array.from(
      { length: 100 },
      (_, index) => Object.values(HOSTILE)[index % Object.keys(HOSTILE).length]!,
    );
    const began = performance.now();
    detectFormat(lines);
    expect(performance.now() - began).toBeLessThan(100 * FORMATS.length * MOST_MS);
  });
});
