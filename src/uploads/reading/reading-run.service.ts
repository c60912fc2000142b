import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter } from 'prom-client';
import type { EntityManager } from 'typeorm';
import {
  FileFinishedV1,
  FileProgressedV1,
  type FileStatus,
  FileTradesParsedV1,
  LogMinutesCountedV1,
  RowsParsedV1,
} from '../../contracts/index.js';
import { Bus, DeadLetters } from '../../platform/bus/index.js';
import { Settings } from '../../platform/config/index.js';
import { errorCode, isTransientDatabaseError } from '../../platform/errors/index.js';
import { dataOf, type UploadedFile } from '../file.js';
import { type ClaimedFile, FileStore } from '../file.store.js';
import type { LineFormat, ReadOptions } from '../formats/format.js';
import { detectFormat, fallbackFor, FORMATS } from '../formats/registry.js';
import { UnpackError } from '../unpacking/unpacker.service.js';
import { UploadFolder } from '../upload-folder.service.js';
import { type Chunk, FileReading, type ReadingMemory } from './file-reading.js';
import { letterOf } from './line-letter.js';
import { Pace, type Paced } from './pace.service.js';
import { FileFault, type Place, TextLines } from './text-lines.service.js';

/** Another reader has the file, or it was deleted: nothing more may be written for it. */
export class ReadingLost extends Error {}
/** The process stops: what is read is noted. */
class Stopped extends Error {}

/** How long one turn of the event loop may be held up by reading. */
const SLICE_MS = 2;
/** A look at the clock costs about as much as a short line: one for so many, or for as much text. */
const LOOK_EVERY_LINES = 16;
const BYTES_OF_A_LINE = 512;
export const LEASE_MS = 30_000;
const PROGRESS_EVERY_MS = 250;
/** What a file without a declared format is told by. */
const SAMPLE_LINES = 100;
const SAMPLE_LENGTH = 256 * 1024;
/** Bytes of lines without text, which tell nothing. */
const SAMPLE_BLANKS = 2 ** 20;

/** JSON: all that a reader needs to go on where another one stopped. */
export type Memory = Readonly<{ place: Place; format: string; isDeclared: boolean; reading: ReadingMemory }>;

/** One claimed file on its way to its end. */
type Run = Paced & {
  readonly claimed: ClaimedFile;
  readonly lines: TextLines;
  readonly mayGoOn: () => boolean;
  format: LineFormat | undefined;
  isDeclared: boolean;
  /** Whether it is counted as one. */
  isAttempt: boolean;
  reading: FileReading | undefined;
  linesNoted: number;
  sliceMs: number;
  progressMs: number;
};

/** Reads files to their end, chunk by chunk, each in one transaction with what it tells and where it ends. */
@Injectable()
export class ReadingRun {
  constructor(
    private readonly bus: Bus,
    private readonly deadLetters: DeadLetters,
    private readonly store: FileStore,
    private readonly folder: UploadFolder,
    private readonly pace: Pace,
    private readonly settings: Settings,
    @InjectMetric('upload_lines_total') private readonly lines: Counter<'format' | 'outcome'>,
  ) {}

  /** Returns with the finished file; undefined when it was stopped before. Throws ReadingLost, and what may pass. */
  async read(claimed: ClaimedFile, mayGoOn: () => boolean): Promise<UploadedFile | undefined> {
    const run = this.runOf(claimed, mayGoOn);
    try {
      return await this.toTheEnd(run);
    } catch (error) {
      if (error instanceof Stopped) return undefined;
      const fault = faultOf(error, run);
      if (fault === undefined) throw error;
      return this.finish(run, 'failed', fault);
    }
  }

  /** Ends the file of a reader that never comes any further. */
  giveUp(claimed: ClaimedFile, error: string): Promise<UploadedFile | undefined> {
    const run = this.runOf(claimed, () => true);
    return this.finish(run, 'failed', `${error}; line ${run.linesNoted + 1} was next`);
  }

  private runOf(claimed: ClaimedFile, mayGoOn: () => boolean): Run {
    const { file, memory: text } = claimed;
    const memory = text === undefined ? undefined : (JSON.parse(text) as Memory);
    const declared = file.options.format;
    const name = memory?.format ?? declared;
    const format = name === undefined ? undefined : formatNamed(name);
    const run: Run = {
      claimed,
      lines: new TextLines(this.folder.pathOf(file.id), file, memory?.place, this.settings.UPLOAD_MAX_UNPACKED_BYTES),
      mayGoOn,
      format,
      isDeclared: memory?.isDeclared ?? declared !== undefined,
      isAttempt: file.packing === 'none' || memory === undefined,
      reading: undefined,
      linesNoted: file.counts.lines,
      sliceMs: performance.now(),
      chunks: 0,
      letThroughMs: performance.now(),
      progressMs: -Infinity,
    };
    if (format) run.reading = readingOf(run, format, memory?.reading);
    return run;
  }

  private async toTheEnd(run: Run): Promise<UploadedFile | undefined> {
    const format = run.format ?? (await this.detect(run));
    const reading = (run.reading ??= readingOf(run, format));
    let since = 0;
    for await (const portion of run.lines.portions()) {
      await this.reached(run);
      for (const line of portion) {
        reading.take(line);
        const { fault } = reading;
        if (fault !== undefined) throw new FileFault(fault);
        if (reading.isFull) await this.commit(run, reading.cut());
        since += 1 + line.bytes.length / BYTES_OF_A_LINE;
        if (since < LOOK_EVERY_LINES) continue;
        since = 0;
        await rest(run);
      }
    }
    return this.end(run, reading);
  }

  /** Packed bytes are unpacked again up to their place, which may take long: the attempt counts from there on. */
  private async reached(run: Run): Promise<void> {
    if (run.isAttempt) return;
    const { file, token } = run.claimed;
    await this.store.noteAttempt(file.id, token);
    run.isAttempt = true;
  }

  /** The format that the first lines look like most. */
  private async detect(run: Run): Promise<LineFormat> {
    const { file } = run.claimed;
    const lines = new TextLines(this.folder.pathOf(file.id), file, undefined, this.settings.UPLOAD_MAX_UNPACKED_BYTES);
    const { sample, isWhole } = await sampleOf(lines, run);
    const format = detectFormat(sample);
    if (!format && (sample.length > 0 || !isWhole))
      throw new FileFault('its first lines are of no known format: say which by format when you upload it again');
    run.format = format;
    return format ?? FORMATS[0]!;
  }

  private async end(run: Run, reading: FileReading): Promise<UploadedFile | undefined> {
    reading.end();
    const { fault, counts } = reading;
    if (fault !== undefined) throw new FileFault(fault);
    const { trailingBytes } = run.lines;
    const hasErrors = counts.bad > 0 || counts.truncated > 0 || trailingBytes > 0;
    const note = trailingBytes > 0 ? `${trailingBytes} bytes after the end of what is packed were left out` : null;
    return this.finish(run, hasErrors ? 'processed_with_errors' : 'processed', note);
  }

  /** The last chunk, and how it ended, in one transaction. */
  private async finish(run: Run, status: FileStatus, error: string | null): Promise<UploadedFile | undefined> {
    run.reading?.end();
    const chunk = run.reading?.cut();
    return this.commit(run, chunk, { status, error });
  }

  /**
   * Writes what a chunk tells, what of it is bad, and where it ends. While the database is away it is tried again: a
   * commit whose answer was lost is known by the lines that are noted.
   */
  private async commit(
    run: Run,
    chunk: Chunk | undefined,
    ended?: Readonly<{ status: FileStatus; error: string | null }>,
  ): Promise<UploadedFile | undefined> {
    if (!ended) await this.letThrough(run);
    for (let waitMs = 100; ; waitMs = Math.min(waitMs * 2, 2000)) {
      try {
        const file = await this.bus.transaction((tx) => this.write(tx, run, chunk, ended));
        this.committed(run, chunk, ended === undefined);
        return file;
      } catch (error) {
        if (!isTransientDatabaseError(error)) throw error;
        if (!run.mayGoOn()) throw new Stopped();
        await pause(waitMs);
        if (!ended && (await this.isNoted(run))) return this.committed(run, chunk, true);
      }
    }
  }

  private async write(
    tx: EntityManager,
    run: Run,
    chunk: Chunk | undefined,
    ended: Readonly<{ status: FileStatus; error: string | null }> | undefined,
  ): Promise<UploadedFile | undefined> {
    const { claimed, reading, format, lines, linesNoted: linesBefore } = run;
    const { file, token } = claimed;
    const fileId = file.id;
    if (reading && chunk) {
      const memory: Memory = {
        place: lines.place,
        format: format?.name ?? '',
        isDeclared: run.isDeclared,
        reading: reading.memory(),
      };
      const checkpoint = {
        format: format?.name ?? null,
        counts: { ...reading.counts, readBytes: lines.place.offset },
        storedBytesRead: lines.storedBytesRead,
        memory: JSON.stringify(memory),
      };
      if (!(await this.store.checkpoint(tx, { id: fileId, token, linesBefore }, checkpoint, LEASE_MS)))
        throw new ReadingLost();
      const { events, trades, minutes, badLines } = chunk;
      if (events.length > 0) await this.bus.append(tx, RowsParsedV1, { fileId, events });
      if (trades.length > 0) await this.bus.append(tx, FileTradesParsedV1, { fileId, trades });
      if (minutes.length > 0) await this.bus.append(tx, LogMinutesCountedV1, { fileId, minutes });
      await this.deadLetters.keepAll(
        tx,
        badLines.map((line) => letterOf(fileId, line)),
      );
    }
    if (!ended) return undefined;
    const finished = await this.store.finish(tx, fileId, token, ended);
    if (!finished) throw new ReadingLost();
    await this.bus.append(tx, FileFinishedV1, dataOf(finished));
    return finished;
  }

  private committed(run: Run, chunk: Chunk | undefined, isUnfinished: boolean): undefined {
    if (run.reading) run.linesNoted = run.reading.counts.lines;
    run.chunks++;
    for (const [format, outcomes] of chunk?.outcomes ?? [])
      for (const [outcome, count] of outcomes) this.lines.inc({ format, outcome }, count);
    if (!isUnfinished || performance.now() - run.progressMs < PROGRESS_EVERY_MS) return;
    run.progressMs = performance.now();
    this.bus.emit(FileProgressedV1, dataOf(standingOf(run)));
  }

  private async isNoted({ claimed: { file, token }, reading }: Run): Promise<boolean> {
    try {
      return (await this.store.linesNoted(file.id, token)) === reading?.counts.lines;
    } catch {
      return false;
    }
  }

  private async letThrough(run: Run): Promise<void> {
    const check = (): void => {
      if (!run.mayGoOn()) throw new Stopped();
    };
    check();
    try {
      await this.pace.letThrough(run, check);
    } catch (error) {
      if (!isTransientDatabaseError(error)) throw error; // else the commit waits
    }
  }
}

/** Lets the event loop turn when this reading has held it for its time. */
async function rest(run: Run): Promise<void> {
  if (performance.now() - run.sliceMs < SLICE_MS) return;
  await turn();
  run.sliceMs = performance.now();
}

function readingOf({ claimed: { file }, isDeclared }: Run, format: LineFormat, memory?: ReadingMemory): FileReading {
  const { bytes: _bytes, ...counts } = file.counts;
  const setup = { format, fallbackFor: isDeclared ? () => undefined : fallbackFor, options: optionsOf(file) };
  return new FileReading(setup, { ...counts }, memory);
}

export function optionsOf({ name, options, receivedAtUs }: UploadedFile): ReadOptions {
  const { offsetMinutes = 0, year, symbol, source } = options;
  return {
    receivedAtUs,
    offsetMinutes,
    name,
    ...(year === undefined ? {} : { year }),
    ...(symbol === undefined ? {} : { symbol }),
    ...(source === undefined ? {} : { source }),
  };
}

/** The first lines with text; `isWhole`: there are no others that can be read. */
async function sampleOf(lines: TextLines, run: Run): Promise<{ sample: string[]; isWhole: boolean }> {
  const sample: string[] = [];
  let [length, blanks, seen] = [0, 0, 0];
  try {
    for await (const portion of lines.portions())
      for (const { text, bytes } of portion) {
        if (text.trim() === '') {
          blanks += bytes.length + 1;
          if (blanks >= SAMPLE_BLANKS) return { sample, isWhole: false };
        } else {
          sample.push(text);
          length += text.length;
          if (sample.length >= SAMPLE_LINES || length >= SAMPLE_LENGTH) return { sample, isWhole: false };
        }
        if (++seen % LOOK_EVERY_LINES === 0) await rest(run);
      }
  } catch (error) {
    if (!(error instanceof UnpackError)) throw error; // the reading itself comes to it
  }
  return { sample, isWhole: true };
}

export const formatNamed = (name: string): LineFormat | undefined => FORMATS.find((one) => one.name === name);

/** The file as it stands after the chunk that was noted last. */
function standingOf({ claimed: { file }, format, lines, reading }: Run): UploadedFile {
  return {
    ...file,
    format: format?.name ?? null,
    storedBytesRead: lines.storedBytesRead,
    counts: { bytes: file.counts.bytes, ...(reading?.counts ?? file.counts), readBytes: lines.place.offset },
  };
}

/** What of an error is the file's own fault; undefined for what may pass, and for what is ours. */
function faultOf(error: unknown, run: Run): string | undefined {
  const line = run.reading?.counts.lines ?? 0;
  if (error instanceof FileFault) return error.message;
  if (error instanceof UnpackError) return `${error.message}, after line ${line}; what was read until there is kept`;
  if (errorCode(error) === 'ENOENT' && (error as NodeJS.ErrnoException).syscall === 'open')
    return `its bytes are no longer on the disk of this process, after line ${line}`;
  return undefined;
}
