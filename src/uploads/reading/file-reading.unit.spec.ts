import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LOG_LEVELS, type LogEvent, type LogLevel } from '../../contracts/index.js';
import { NO_COUNTS } from '../file.js';
import { bad, type LineFormat, NOTHING } from '../formats/format.js';
import { type Chunk, FileReading, MOST_LETTERS, type ReadingMemory, type TextLine } from './file-reading.js';

const options = { receivedAtUs: 1_000_000_000, offsetMinutes: 0 };

/** `12 error text` is an event of minute 12; ` text` goes on; `?` is bad; an empty line is nothing. Counts its lines. */
const format: LineFormat<{ seen: number }> = {
  name: 'letters',
  yields: 'events',
  begin: () => ({ seen: 0 }),
  read: (text, memory) => {
    memory.seen++;
    if (text === '') return NOTHING;
    if (text.startsWith(' ')) return { kind: 'continuation', text: text.slice(1) };
    if (text.startsWith('?')) return bad('it asks', 1);
    const [minute, level, ...words] = text.split(' ');
    return {
      kind: 'event',
      event: {
        ...(minute === '-' ? {} : { atUs: Number(minute) * 60_000_000 }),
        ...(level === '-' ? {} : { level: level as LogLevel }),
        message: words.join(' '),
        fields: { seen: memory.seen },
      },
    };
  },
  likeness: () => 1,
};
const other: LineFormat = {
  name: 'other',
  yields: 'events',
  begin: () => ({}),
  read: (text) => (text === '?!' ? { kind: 'event', event: { message: 'saved', fields: {} } } : bad('no')),
  likeness: () => 1,
};
const setup = { format: format as LineFormat, fallbackFor: () => other, options };

const line = (text: string, number: number): TextLine => ({
  text,
  bytes: Buffer.from(text),
  fullBytes: Buffer.byteLength(text),
  number,
  isTruncated: false,
  replaced: 0,
});

const merged = (chunks: readonly Chunk[]) => ({
  events: chunks.flatMap(({ events }) => events),
  badLines: chunks.flatMap(({ badLines }) => badLines.map((one) => one.line)),
  minutes: chunks.flatMap(({ minutes }) => minutes),
});

/** All lines, with what is known handed on as JSON behind each of the given ones. */
function read(lines: readonly string[], cutsAfter: ReadonlySet<number> = new Set()) {
  const chunks: Chunk[] = [];
  let reading = new FileReading(setup, { ...NO_COUNTS });
  for (const [at, text] of lines.entries()) {
    reading.take(line(text, at + 1));
    if (!cutsAfter.has(at)) continue;
    chunks.push(reading.cut());
    const memory = JSON.parse(JSON.stringify(reading.memory())) as ReadingMemory;
    reading = new FileReading(setup, { ...reading.counts }, memory);
  }
  reading.end();
  chunks.push(reading.cut());
  return { ...merged(chunks), counts: reading.counts, fault: reading.fault };
}

const LINE = fc.oneof(
  fc
    .tuple(fc.integer({ min: 0, max: 70 }), fc.constantFrom(...LOG_LEVELS, '-'))
    .map(([minute, level]) => `${minute} ${level} text`),
  fc.constantFrom(' more', ' and more', '?', '?!', '', '- info without a time', '- - bare'),
);

describe('reading', () => {
  it('gives the same wherever it is stopped and taken up again', () => {
    fc.assert(
      fc.property(fc.array(LINE, { maxLength: 200 }), fc.array(fc.nat(199)), (lines, cuts) => {
        const whole = read(lines);
        const pieces = read(lines, new Set(cuts));
        expect({ ...pieces, minutes: [] }).toEqual({ ...whole, minutes: [] });
        expect(linesByMinute(pieces.minutes)).toEqual(linesByMinute(whole.minutes));
      }),
    );
  });

  it('counts each event once in its minute, all levels of a minute, each part with a key of its own', () => {
    fc.assert(
      fc.property(fc.array(LINE, { maxLength: 300 }), fc.array(fc.nat(299)), (lines, cuts) => {
        const { events, minutes } = read(lines, new Set(cuts));
        expect(linesByMinute(minutes)).toEqual(countedBy(events));
        expect(minutes.every(({ lines: counted }) => Object.keys(counted).length === LOG_LEVELS.length)).toBe(true);
        expect(new Set(minutes.map(({ minuteUs, part }) => `${minuteUs}:${part}`)).size).toBe(minutes.length);
      }),
    );
  });

  it('adds continuations to the event before them, and begins a new one when that is full', () => {
    const lines = ['1 error Oops', ...Array.from({ length: 700 }, (_, at) => ` at ${at}`), '2 info fine'];
    const { events } = read(lines, new Set([3, 400]));
    expect(
      events.map((event) => [event.line, event.message.split('\n').length, event.level, event.fields['_continues']]),
    ).toEqual([
      [1, 500, 'error', undefined],
      [501, 201, 'error', 1],
      [702, 1, 'info', undefined],
    ]);
    const long = read(['1 warn a', ` ${'x'.repeat(65_000)}`, ` ${'y'.repeat(65_000)}`]).events;
    expect(long.map((event) => event.message.length)).toEqual([65_002, 65_000]);
  });

  it('gives an event without a time that of the one before, and the first one that of the file', () => {
    const { events } = read(['- - first', '5 info a', ' more', '- info b', '4 info c', '- info d']);
    expect(events.map(({ atUs }) => atUs)).toEqual([1_000_000_000, 300_000_000, 300_000_000, 240_000_000, 240_000_000]);
  });

  it('reads a line that its own format cannot in another one', () => {
    const { events, counts } = read(['1 info a', '?!', '?']);
    expect(events.map((event) => [event.format, event.message])).toEqual([
      ['letters', 'a'],
      ['other', 'saved'],
    ]);
    expect(counts).toMatchObject({ lines: 3, events: 2, bad: 1 });
  });

  it.each([
    [
      'nothing of a small file can be read',
      ['?', '?', ''],
      '2 of 2 lines cannot be read as letters; the first: line 1: it asks (column 1)',
    ],
    ['none of the first 100', Array.from({ length: 100 }, () => '?'), '100 of 100 lines'],
    [
      'more than half of 1,000',
      Array.from({ length: 1000 }, (_, at) => (at < 499 ? '1 info a' : '?')),
      '501 of 1000 lines',
    ],
  ])('finds a file wrong when %s', (_when, lines, fault) => expect(read(lines).fault).toContain(fault));

  it.each([
    ['half of 1,000', Array.from({ length: 1000 }, (_, at) => (at % 2 ? '1 info a' : '?'))],
    ['all but one of a few', ['?', '?', '?', '1 info a']],
    ['blank', ['', '', '']],
    ['nothing', []],
  ])('finds a file right when what cannot be read is %s', (_what, lines) => expect(read(lines).fault).toBeUndefined());

  it('keeps so many bad lines and counts the others', () => {
    const lines = Array.from({ length: 2 * MOST_LETTERS + 500 }, (_, at) => (at % 2 ? '1 info a' : '?'));
    const { badLines, counts } = read(lines, new Set([700, 9000]));
    expect(badLines).toHaveLength(MOST_LETTERS);
    expect(counts.bad).toBe(MOST_LETTERS + 250);
  });
});

type Minutes = Chunk['minutes'];

function linesByMinute(minutes: Minutes): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { minuteUs, lines } of minutes)
    for (const level of LOG_LEVELS) sums[`${minuteUs} ${level}`] = (sums[`${minuteUs} ${level}`] ?? 0) + lines[level];
  return Object.fromEntries(Object.entries(sums).filter(([, count]) => count > 0));
}

function countedBy(events: readonly LogEvent[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { atUs, level } of events) {
    if (level === undefined) continue;
    const key = `${Math.floor(atUs / 60_000_000) * 60_000_000} ${level}`;
    sums[key] = (sums[key] ?? 0) + 1;
  }
  return sums;
}

it('lines that are nothing hardly fill a chunk, but they do', () => {
  const reading = new FileReading(setup, { ...NO_COUNTS });
  for (let number = 1; number <= 16_383; number++) reading.take(line('', number));
  expect(reading.isFull).toBe(false);
  reading.take(line('', 16_384));
  expect(reading.isFull).toBe(true);
  reading.cut();
  expect(reading.isFull).toBe(false);
  for (let number = 1; number <= 256; number++) {
    expect(reading.isFull).toBe(false);
    reading.take(line('0 info text', number));
    reading.take(line('', number));
  }
  expect(reading.isFull).toBe(true);
});
