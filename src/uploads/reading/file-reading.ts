import type { Json, LogEvent, LogMinutesCountedV1Data, Trade } from '../../contracts/index.js';
import type { Counts } from '../file.js';
import { cleanEvent } from '../formats/clean-text.js';
import { bad, type LineFormat, type LogLine, type Reading, type ReadOptions } from '../formats/format.js';
import { MinuteCounts, type MinutesMemory } from './minute-counts.js';

/** A line as text, and as it came. */
export type TextLine = Readonly<{
  text: string;
  bytes: Buffer;
  /** As many as it had before it was cut off. */
  fullBytes: number;
  number: number;
  isTruncated: boolean;
  replaced: number;
}>;

/** What cannot be read: for a dead letter. */
export type BadLine = Readonly<{
  line: number;
  message: string;
  bytes: Buffer;
  fullBytes: number;
  isTruncated: boolean;
}>;

/** What was read since the chunk before. */
export type Chunk = Readonly<{
  events: readonly LogEvent[];
  trades: readonly Trade[];
  minutes: LogMinutesCountedV1Data['minutes'];
  badLines: readonly BadLine[];
  /** Lines by format and outcome. */
  outcomes: ReadonlyMap<string, ReadonlyMap<Reading['kind'], number>>;
}>;

/** Everything that the next line needs to know of those before it; JSON. */
export type ReadingMemory = Readonly<{
  memories: Readonly<Record<string, unknown>>;
  lastAtUs: number | null;
  /** An event that lines may still be added to. */
  open: Readonly<{ event: LogEvent; lines: number }> | null;
  minutes: MinutesMemory;
  letters: number;
  nothings: number;
  firstBad: string | null;
}>;

export type ReadingSetup = Readonly<{
  format: LineFormat;
  /** Another format for a line that the file's own cannot read. */
  fallbackFor: (text: string, own: LineFormat) => LineFormat | undefined;
  options: ReadOptions;
}>;

const CHUNK_LINES = 256;
const CHUNK_BYTES = 128 * 1024;
/** Lines that are nothing cost next to nothing: a chunk may have many more of them. */
const CHUNK_NOTHINGS = 64 * CHUNK_LINES;
/** Of one event made of several lines. */
const FOLDED_LINES = 500;
const FOLDED_LENGTH = 64 * 1024;
/** Bad lines of a file that are kept as dead letters; further ones are only counted. */
export const MOST_LETTERS = 10_000;
/** So many lines without one that can be read make a file wrong, and so many of which more than half cannot. */
const WRONG_AFTER_ALL_OF = 100;
const WRONG_AFTER_HALF_OF = 1000;
const YEAR_9999_US = Date.UTC(9999, 11, 31, 23, 59, 59) * 1000;

/** Before the first line. */
export const START: ReadingMemory = {
  memories: {},
  lastAtUs: null,
  open: null,
  minutes: { part: 0, open: [] },
  letters: 0,
  nothings: 0,
  firstBad: null,
};

/** Turns a file's lines into events, trades and bad lines, chunk by chunk. */
export class FileReading {
  private memories: Record<string, unknown>;
  private lastAtUs: number | null;
  private open: { event: LogEvent; lines: number } | null;
  private readonly minutes: MinuteCounts;
  private letters: number;
  private nothings: number;
  private firstBad: string | null;
  private isOver = false;
  private lines = 0;
  private blanks = 0;
  private bytes = 0;
  private events: LogEvent[] = [];
  private trades: Trade[] = [];
  private badLines: BadLine[] = [];
  private outcomes = new Map<string, Map<Reading['kind'], number>>();

  constructor(
    private readonly setup: ReadingSetup,
    /** Of all chunks so far. */
    readonly counts: { -readonly [Name in keyof Omit<Counts, 'bytes'>]: number },
    memory: ReadingMemory = START,
  ) {
    this.memories = { ...memory.memories };
    this.lastAtUs = memory.lastAtUs;
    this.open = memory.open && { ...memory.open };
    this.minutes = new MinuteCounts(memory.minutes);
    this.letters = memory.letters;
    this.nothings = memory.nothings;
    this.firstBad = memory.firstBad;
  }

  get isFull(): boolean {
    return this.lines >= CHUNK_LINES || this.bytes >= CHUNK_BYTES || this.blanks >= CHUNK_NOTHINGS;
  }

  take(line: TextLine): void {
    this.lines++;
    this.bytes += line.bytes.length;
    this.counts.lines++;
    this.counts.replaced += line.replaced;
    if (line.isTruncated) this.counts.truncated++;
    const { reading, format } = this.read(line);
    this.note(format, reading.kind);
    switch (reading.kind) {
      case 'event':
        return this.begin(line, reading.event, format);
      case 'continuation':
        return this.fold(line, reading.text, format);
      case 'trade':
        this.counts.trades++;
        this.trades.push(reading.trade);
        return;
      case 'bad':
        return this.refuse(line, reading);
      case 'nothing':
        this.nothings++;
        this.blanks++;
        this.lines--;
    }
  }

  /** The file is over: what was still open is closed. */
  end(): void {
    this.isOver = true;
    this.close();
  }

  /** Hands over what was read, and begins the next chunk. */
  cut(): Chunk {
    const { events, trades, badLines, outcomes } = this;
    const minutes = this.minutes.told(this.isOver);
    [this.events, this.trades, this.badLines, this.outcomes] = [[], [], [], new Map()];
    [this.lines, this.blanks, this.bytes] = [0, 0, 0];
    return { events, trades, minutes, badLines, outcomes };
  }

  /** Why the file is not what it is read as; undefined while most of it is. */
  get fault(): string | undefined {
    const { lines, bad: wrong } = this.counts;
    const told = lines - this.nothings;
    const isWrong =
      wrong > 0 &&
      (wrong === told ? this.isOver || told >= WRONG_AFTER_ALL_OF : lines >= WRONG_AFTER_HALF_OF && wrong * 2 > told);
    if (!isWrong) return undefined;
    return `${wrong} of ${told} lines cannot be read as ${this.setup.format.name}; the first: ${this.firstBad}`;
  }

  memory(): ReadingMemory {
    const { memories, lastAtUs, open, letters, nothings, firstBad } = this;
    return { memories, lastAtUs, open, minutes: this.minutes.memory(), letters, nothings, firstBad };
  }

  private read(line: TextLine): { reading: Reading; format: string } {
    const { format, fallbackFor } = this.setup;
    const reading = this.readAs(format, line);
    if (reading.kind !== 'bad' || format.yields !== 'events') return { reading, format: format.name };
    const other = fallbackFor(line.text, format);
    if (other?.yields !== 'events' || other.name === format.name) return { reading, format: format.name };
    const again = this.readAs(other, line);
    return again.kind === 'bad' ? { reading, format: format.name } : { reading: again, format: other.name };
  }

  private readAs(format: LineFormat, { text, number, isTruncated }: TextLine): Reading {
    const { options } = this.setup;
    if (isTruncated && format.yields === 'trades') return bad('it is longer than 64 KiB');
    this.memories[format.name] ??= format.begin(options);
    return format.read(text, this.memories[format.name], options, number);
  }

  private begin({ number, isTruncated }: TextLine, told: LogLine, format: string): void {
    this.close();
    const { value, replaced } = cleanEvent(told);
    this.counts.replaced += replaced;
    const atUs = this.timeOf(value.atUs);
    const fields: Readonly<Record<string, Json>> = isTruncated ? { ...value.fields, _truncated: true } : value.fields;
    const { level, message, traceId } = value;
    const event: LogEvent = {
      line: number,
      atUs,
      ...(level === undefined ? {} : { level }),
      message,
      format,
      fields,
      ...(traceId === undefined ? {} : { traceId }),
    };
    this.open = { event, lines: 1 };
  }

  /** An event takes in so many lines; what follows them is an event of its own that says of which it goes on. */
  private fold(line: TextLine, text: string, format: string): void {
    if (!this.open) return this.begin(line, { message: text, fields: {} }, format);
    const { event, lines } = this.open;
    if (lines < FOLDED_LINES && event.message.length + 1 + text.length <= FOLDED_LENGTH) {
      this.open = { event: { ...event, message: `${event.message}\n${text}` }, lines: lines + 1 };
      return;
    }
    const first = event.fields['_continues'] ?? event.line;
    const { level } = event;
    this.begin(
      line,
      { message: text, fields: { _continues: first }, ...(level === undefined ? {} : { level }) },
      format,
    );
  }

  private refuse(
    { number, bytes, fullBytes, isTruncated }: TextLine,
    { message, column }: Extract<Reading, { kind: 'bad' }>,
  ): void {
    this.counts.bad++;
    const told = column === undefined ? message : `${message} (column ${column})`;
    this.firstBad ??= `line ${number}: ${told}`.slice(0, 500).toWellFormed();
    if (this.letters >= MOST_LETTERS) return;
    this.letters++;
    // the bytes are a view of a larger piece
    this.badLines.push({ line: number, message: told, bytes: Buffer.from(bytes), fullBytes, isTruncated });
  }

  private close(): void {
    if (!this.open) return;
    const { event } = this.open;
    this.open = null;
    this.counts.events++;
    this.minutes.count(event.atUs, event.level);
    this.events.push(event);
  }

  /** Without a time of its own an event has that of the one before it, or that of the file's coming. */
  private timeOf(atUs: number | undefined): number {
    const isTime = atUs !== undefined && Number.isSafeInteger(atUs) && atUs >= 0 && atUs <= YEAR_9999_US;
    if (isTime) this.lastAtUs = atUs;
    return this.lastAtUs ?? this.setup.options.receivedAtUs;
  }

  private note(format: string, kind: Reading['kind']): void {
    let counts = this.outcomes.get(format);
    if (!counts) this.outcomes.set(format, (counts = new Map()));
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
}
