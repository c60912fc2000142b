import { setImmediate as turn } from 'node:timers/promises';
import { crc32, createInflateRaw, createZstdDecompress, type InflateRaw, type ZstdDecompress } from 'node:zlib';
import { ByteQueue } from './byte-queue.js';
import { isGzip, isSkippable, isZstd, type Packing } from './packing.js';
import { zstdFrame } from './zstd-frame.js';

/** `truncated`: it ends before its end. `corrupt`: what is packed is damaged. */
export class UnpackError extends Error {
  constructor(
    readonly kind: 'truncated' | 'corrupt',
    message: string,
  ) {
    super(message);
    this.name = 'UnpackError';
  }
}

const SLICE_BYTES = 16 * 1024;
const CHUNK_BYTES = 16 * 1024;
const MOST_HEADER_BYTES = 64 * 1024;
/** Each costs a decompressor of its own: a file of nothing else would take hours. So many, and one more for each KiB. */
const FREE_MEMBERS = 10_000;
const BYTES_OF_A_MEMBER = 1024;
/** Frames that are skipped take no turn of their own. */
const SKIPPED_AT_ONCE = 64;
const [FTEXT_RESERVED, FHCRC, FEXTRA, FNAME, FCOMMENT] = [0xe0, 0x02, 0x04, 0x08, 0x10];

const endsEarly = (): UnpackError => new UnpackError('truncated', 'the packed data ends before its end');

/**
 * Unpacks a stream of any number of members, one after the other, and yields what it finds until an UnpackError says why
 * there is no more. The members are told apart here: what Node's gunzip has unpacked when it meets bytes that are no
 * member, it throws away (read in its source, Node 24).
 */
export class Unpacker {
  private readonly input: ByteQueue;
  private givenBytes = 0;
  /** Bytes after the last member that are none. */
  trailingBytes = 0;

  constructor(
    private readonly packing: Packing,
    chunks: AsyncIterable<Buffer>,
  ) {
    this.input = new ByteQueue(chunks);
  }

  /** How much of the packed bytes was taken in. */
  get takenBytes(): number {
    return this.input.takenBytes;
  }

  async *pieces(): AsyncGenerator<Buffer> {
    if (this.packing === 'none') {
      for (let chunk = await this.input.take(CHUNK_BYTES * 4); chunk.length > 0;) {
        yield chunk;
        chunk = await this.input.take(CHUNK_BYTES * 4);
      }
      return;
    }
    for (let members = 0; ; members++) {
      if (members > 0 && !(await this.isAtMember())) return;
      if (members >= FREE_MEMBERS + this.givenBytes / BYTES_OF_A_MEMBER)
        throw new UnpackError('corrupt', `it has ${members} members of less than ${BYTES_OF_A_MEMBER} bytes`);
      if (members % SKIPPED_AT_ONCE === 0) await turn();
      if (this.packing === 'gzip') yield* this.gzipMember();
      else if (isSkippable(await this.input.peek(4))) await this.skipFrame();
      else yield* this.zstdMember();
    }
  }

  /** Past the end only zeros are as good as nothing. */
  private async isAtMember(): Promise<boolean> {
    const head = await this.input.peek(4);
    if (this.packing === 'gzip' ? isGzip(head) : isZstd(head)) return true;
    for (let rest = await this.input.take(SLICE_BYTES); rest.length > 0; rest = await this.input.take(SLICE_BYTES))
      if (this.trailingBytes > 0 || this.packing === 'zstd' || rest.some((byte) => byte !== 0))
        this.trailingBytes += rest.length;
    return false;
  }

  private async *gzipMember(): AsyncGenerator<Buffer> {
    await this.skipHeader();
    let [sum, length] = [0, 0];
    const next = (): Promise<Buffer> => this.input.take(SLICE_BYTES);
    yield* this.inflated(createInflateRaw({ chunkSize: CHUNK_BYTES }), next, (piece) => {
      sum = crc32(piece, sum);
      length = (length + piece.length) % 2 ** 32;
    });
    const trailer = await this.input.exactly(8);
    if (trailer.length < 8) throw endsEarly();
    if (trailer.readUInt32LE(0) !== sum || trailer.readUInt32LE(4) !== length)
      throw new UnpackError('corrupt', 'the checksum of the packed data does not match');
  }

  private async *zstdMember(): AsyncGenerator<Buffer> {
    const frame = zstdFrame(this.input, SLICE_BYTES);
    const next = async (): Promise<Buffer> => ((await frame.next()).value as Buffer | undefined) ?? Buffer.alloc(0);
    yield* this.inflated(createZstdDecompress({ chunkSize: CHUNK_BYTES }), next, () => undefined);
  }

  /** RFC 8878, section 3.1.2. */
  private async skipFrame(): Promise<void> {
    const head = await this.input.exactly(8);
    if (head.length < 8) throw endsEarly();
    for (let left = head.readUInt32LE(4); left > 0;) {
      const part = await this.input.take(Math.min(left, SLICE_BYTES));
      if (part.length === 0) throw endsEarly();
      left -= part.length;
    }
  }

  /** RFC 1952, section 2.3. */
  private async skipHeader(): Promise<void> {
    const fixed = await this.input.exactly(10);
    if (fixed.length < 10) throw endsEarly();
    const flags = fixed[3]!;
    if (fixed[2] !== 8 || (flags & FTEXT_RESERVED) !== 0)
      throw new UnpackError('corrupt', 'the header of the packed data is damaged');
    if ((flags & FEXTRA) !== 0) {
      const size = await this.input.exactly(2);
      if (size.length < 2 || (await this.input.exactly(size.readUInt16LE(0))).length < size.readUInt16LE(0))
        throw endsEarly();
    }
    if ((flags & FNAME) !== 0) await this.skipText();
    if ((flags & FCOMMENT) !== 0) await this.skipText();
    if ((flags & FHCRC) !== 0 && (await this.input.exactly(2)).length < 2) throw endsEarly();
  }

  private async skipText(): Promise<void> {
    for (let skipped = 0; skipped < MOST_HEADER_BYTES;) {
      const part = await this.input.take(256);
      if (part.length === 0) throw endsEarly();
      const end = part.indexOf(0);
      if (end >= 0) return this.input.giveBack(part.subarray(end + 1));
      skipped += part.length;
    }
    throw new UnpackError('corrupt', 'the header of the packed data is damaged');
  }

  /** One member; what follows it goes back to the input. */
  private async *inflated(
    engine: InflateRaw | ZstdDecompress,
    next: () => Promise<Buffer>,
    seen: (piece: Buffer) => void,
  ): AsyncGenerator<Buffer> {
    let wake = (): void => undefined;
    let failure: Error | undefined;
    let [isOver, isIdle, fed] = [false, true, 0];
    let slice: Buffer = Buffer.alloc(0);
    engine.on('readable', () => wake());
    engine.on('end', () => ((isOver = true), wake()));
    engine.on('error', (error) => ((failure = error), wake()));
    try {
      for (;;) {
        const piece = engine.read() as Buffer | null;
        if (piece !== null) {
          seen(piece);
          this.givenBytes += piece.length;
          yield piece;
        } else if (isOver || engine.readableEnded) break;
        else if (failure)
          throw isCutShort(failure) ? endsEarly() : new UnpackError('corrupt', `it is damaged: ${failure.message}`);
        else if (isIdle && engine.bytesWritten === fed && !engine.writableEnded) {
          slice = await next();
          fed += slice.length;
          isIdle = false;
          if (slice.length === 0) engine.end();
          else engine.write(slice, () => ((isIdle = true), wake()));
        } else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
      // of gzip's bytes it takes in no more than its member, and says that this is over once it is offered more
      const left = fed - engine.bytesWritten;
      if (left > 0) this.input.giveBack(slice.subarray(slice.length - left));
    } finally {
      engine.on('error', () => undefined);
      engine.destroy();
    }
  }
}

const isCutShort = (error: Error): boolean => (error as NodeJS.ErrnoException).code === 'Z_BUF_ERROR';
