import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { FileTradesParsedV1, LogMinutesCountedV1, RowsParsedV1 } from '../../contracts/index.js';
import { Bus, DeadLetters, type ReplayedLetter } from '../../platform/bus/index.js';
import { AppError } from '../../platform/errors/index.js';
import { NO_COUNTS, type UploadedFile } from '../file.js';
import { FileStore } from '../file.store.js';
import { LineDecoder } from './charset.js';
import { type Chunk, FileReading, START } from './file-reading.js';
import { formatNamed, type Memory, optionsOf } from './reading-run.service.js';

/** Beyond any part of a minute that reading tells: with the line it makes a key that a second replay has again. */
const REPLAYED_PARTS = 1_000_000_000;

/** Reads bad lines again, mostly as a person has put them right. */
@Injectable()
export class LineReplays {
  constructor(
    private readonly bus: Bus,
    private readonly store: FileStore,
    deadLetters: DeadLetters,
  ) {
    deadLetters.onReplay('file', (letter, tx) => this.replay(letter, tx));
  }

  /** The line keeps its number: what is recorded of it is known by that. */
  private async replay(
    { source: { id: fileId, position }, payload, isEdited }: ReplayedLetter,
    tx: EntityManager,
  ): Promise<void> {
    const file = await this.store.one(fileId, tx);
    if (!file) throw new AppError('uploads.unknown', `${fileId} is no id of a file`);
    const memory = await this.store.memoryOf(tx, fileId);
    const kept = memory === undefined ? undefined : (JSON.parse(memory) as Memory);
    const charset = isEdited ? 'utf-8' : (kept?.place.charset ?? undefined);
    const decoder = new LineDecoder(charset, file.options.charset);
    const text = decoder.decode(payload);
    const line = {
      text,
      bytes: payload,
      fullBytes: payload.length,
      number: Number(position),
      isTruncated: false, // a cut letter is replayed edited only
      replaced: decoder.replaced,
    };
    const { events, trades, minutes } = readAgain(file, line, kept?.reading.memories ?? {});
    if (events.length > 0) await this.bus.append(tx, RowsParsedV1, { fileId, events });
    if (trades.length > 0) await this.bus.append(tx, FileTradesParsedV1, { fileId, trades });
    if (minutes.length > 0) await this.bus.append(tx, LogMinutesCountedV1, { fileId, minutes });
  }
}

/**
 * As the first line of a file, and if it is none, as one after all of its lines: a header may have told columns, and
 * a year that was reckoned from the lines before must not be the last one's.
 */
function readAgain(
  file: UploadedFile,
  line: Parameters<FileReading['take']>[0],
  memories: Memory['reading']['memories'],
): Chunk {
  const format = formatNamed(file.format ?? '');
  if (!format) throw new AppError('parse.bad-line', 'the format of its file is not known');
  let chunk: Chunk | undefined;
  for (const known of [{}, memories]) {
    const setup = { format, fallbackFor: () => undefined, options: optionsOf(file) };
    const minutes = { part: REPLAYED_PARTS + line.number, open: [] };
    const reading = new FileReading(setup, { ...NO_COUNTS }, { ...START, memories: structuredClone(known), minutes });
    reading.take(line);
    reading.end();
    chunk = reading.cut();
    if (chunk.events.length + chunk.trades.length > 0) return chunk;
  }
  const [wrong] = chunk!.badLines;
  if (wrong) throw new AppError('parse.bad-line', wrong.message);
  return chunk!;
}
