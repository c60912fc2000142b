import { createReadStream, type ReadStream } from 'node:fs';
import type { UploadedFile } from '../file.js';
import { archiveFault, HEAD_BYTES, limitFault } from '../unpacking/packing.js';
import { Unpacker, UnpackError } from '../unpacking/unpacker.service.js';
import { LineDecoder, probe, endsOf } from './charset.js';
import type { TextLine } from './file-reading.js';
import { LineSplitter, type RawLine } from './line-splitter.js';

/** Where in a file the next line begins, and how its bytes become text; JSON. */
export type Place = Readonly<{
  /** In unpacked bytes. */
  offset: number;
  line: number;
  /** Null before the first line, and while all was ASCII. */
  charset: string | null;
}>;

/** A file that is not read any further, for a reason of its own. */
export class FileFault extends Error {}

const CHUNK_BYTES = 64 * 1024;
/** As much of a file as its charset is told by. */
const PROBE_BYTES = 64 * 1024;

/** A stored file as lines of text, from a place on. */
export class TextLines {
  private readonly unpacker: Unpacker;
  private stream: ReadStream | undefined;
  private readonly from: number;
  private decoder: LineDecoder | undefined;
  private endOffset: number;
  private line: number;

  constructor(
    private readonly path: string,
    private readonly file: UploadedFile,
    private readonly start: Place | undefined,
    private readonly mostUnpackedBytes: number,
  ) {
    // packed bytes can only be read from their beginning
    this.from = file.packing === 'none' ? (start?.offset ?? 0) : 0;
    this.unpacker = new Unpacker(file.packing, this.stored());
    this.endOffset = start?.offset ?? 0;
    this.line = start?.line ?? 0;
  }

  /** Behind the last line that was given. */
  get place(): Place {
    return { offset: this.endOffset, line: this.line, charset: this.decoder?.charset ?? null };
  }

  /** Of the bytes as they came, how many were taken in. */
  get storedBytesRead(): number {
    return (this.file.packing === 'none' ? this.from : 0) + this.unpacker.takenBytes;
  }

  /** Bytes after the end of what is packed. */
  get trailingBytes(): number {
    return this.unpacker.trailingBytes;
  }

  /**
   * Lines in portions, each to be taken whole before the next. Throws FileFault and UnpackError after the last line that
   * can be had.
   */
  async *portions(): AsyncGenerator<Iterable<TextLine>> {
    try {
      const pieces = this.pieces();
      const { splitter, decoder, head, failure } = await this.begin(pieces);
      this.decoder = decoder;
      for (const piece of head) yield this.texts(splitter.push(piece), decoder);
      if (failure) throw failure;
      for await (const piece of pieces) yield this.texts(splitter.push(piece), decoder);
      const last = splitter.end();
      if (last) yield this.texts([last], decoder);
    } finally {
      this.stream?.destroy();
    }
  }

  private *texts(lines: Iterable<RawLine>, decoder: LineDecoder): Generator<TextLine> {
    for (const { bytes, fullBytes, number, isTruncated, endOffset } of lines) {
      const text = decoder.decode(bytes);
      this.endOffset = endOffset;
      this.line = number;
      yield { text, bytes, fullBytes, number, isTruncated, replaced: decoder.replaced };
    }
  }

  private async begin(pieces: AsyncGenerator<Buffer>) {
    const { charset: declared } = this.file.options;
    if (this.start) {
      const { offset, line, charset } = this.start;
      const known = charset ?? undefined;
      return {
        splitter: new LineSplitter(offset, line, endsOf(known)),
        decoder: new LineDecoder(known, declared),
        head: [],
        failure: undefined,
      };
    }
    const { head, failure } = await headOf(pieces);
    const first = Buffer.concat(head);
    const fault = archiveFault(first.subarray(0, HEAD_BYTES));
    if (fault !== undefined) throw new FileFault(fault);
    const { charset, bomBytes, ends } = probe(first.subarray(0, PROBE_BYTES), declared);
    return {
      splitter: new LineSplitter(bomBytes, 0, ends),
      decoder: new LineDecoder(charset, declared),
      head: [first.subarray(bomBytes)],
      failure,
    };
  }

  /** Opened once somebody takes from it: an error that nobody waits for would end the process. */
  private async *stored(): AsyncGenerator<Buffer> {
    this.stream = createReadStream(this.path, { start: this.from, highWaterMark: CHUNK_BYTES });
    this.stream.on('error', () => undefined); // those after the last one that is waited for
    yield* this.stream as AsyncIterable<Buffer>;
  }

  /** Unpacked bytes from the place on. */
  private async *pieces(): AsyncGenerator<Buffer> {
    const { packing } = this.file;
    let at = packing === 'none' ? this.from : 0;
    const skip = (this.start?.offset ?? 0) - at;
    let skipped = 0;
    for await (const piece of this.unpacker.pieces()) {
      at += piece.length;
      if (packing !== 'none') {
        const fault = limitFault(at, this.unpacker.takenBytes, { mostBytes: this.mostUnpackedBytes });
        if (fault !== undefined) throw new FileFault(fault);
      }
      const over = Math.min(piece.length, skip - skipped);
      skipped += over;
      if (over < piece.length) yield over === 0 ? piece : piece.subarray(over);
    }
  }
}

/** The first bytes, and why there are no more of them where they end in a fault: what came before it counts. */
async function headOf(pieces: AsyncGenerator<Buffer>): Promise<{ head: Buffer[]; failure: Error | undefined }> {
  const head: Buffer[] = [];
  let bytes = 0;
  try {
    while (bytes < PROBE_BYTES) {
      const { value, done } = await pieces.next();
      if (done) break;
      head.push(value);
      bytes += value.length;
    }
  } catch (error) {
    if (bytes === 0 || !(error instanceof UnpackError || error instanceof FileFault)) throw error;
    return { head, failure: error };
  }
  return { head, failure: undefined };
}
