import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { PassThrough, type Readable } from 'node:stream';
import { AppError } from '../../platform/errors/index.js';
import { archiveFault, HEAD_BYTES, limitFault, type Packing, packingOf } from '../unpacking/packing.js';
import { Unpacker, UnpackError } from '../unpacking/unpacker.service.js';
import { asProblem, type UploadFolder } from '../upload-folder.service.js';

export type Stored = Readonly<{ bytes: number; sha256: string; unpackedSha256: string | null; packing: Packing }>;

/** How often the room on the disk is looked at. */
const LOOK_EVERY_BYTES = 64 * 2 ** 20;

/**
 * Writes a file to disk as it comes, and hashes its bytes on the way: those of a packed one unpacked as well, which
 * tells x.log.gz from x.log no more, and a bomb before it is taken. Throws the problem that is at hand.
 */
export async function storeFile(
  source: Readable,
  target: FileHandle,
  folder: UploadFolder,
  mostUnpackedBytes: number,
): Promise<Stored> {
  const hash = createHash('sha256');
  let [bytes, lookedAt] = [0, 0];
  let head: Buffer = Buffer.alloc(0);
  let unpacking: Unpacking | undefined;
  let waiting: Buffer[] = [];
  const begin = (): void => {
    const fault = archiveFault(head);
    if (fault !== undefined) throw new AppError('uploads.unsupported-archive', fault);
    unpacking = new Unpacking(packingOf(head), mostUnpackedBytes);
  };
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      hash.update(chunk);
      if (unpacking) await unpacking.take(chunk);
      else {
        waiting.push(chunk);
        head = Buffer.concat([head, chunk.subarray(0, HEAD_BYTES - head.length)]);
        if (head.length === HEAD_BYTES) begin();
        if (unpacking) for (const one of waiting.splice(0)) await (unpacking as Unpacking).take(one);
      }
      await writeAll(target, chunk);
      bytes += chunk.length;
      if (bytes - lookedAt >= LOOK_EVERY_BYTES) {
        lookedAt = bytes;
        await folder.ensureRoom(LOOK_EVERY_BYTES);
      }
    }
    if (!unpacking) begin();
    for (const one of waiting) await unpacking!.take(one);
    waiting = [];
    await target.sync();
    const sha256 = hash.digest('hex');
    const unpacked = await unpacking!.end();
    return { bytes, sha256, unpackedSha256: unpacked === 'same' ? sha256 : unpacked, packing: unpacking!.packing };
  } catch (error) {
    unpacking?.stop();
    throw asProblem(error);
  }
}

/** FileHandle.write may write less than it is given. */
async function writeAll(target: FileHandle, chunk: Buffer): Promise<void> {
  for (let from = 0; from < chunk.length;) from += (await target.write(chunk, from, chunk.length - from)).bytesWritten;
}

/** The hash of what packed bytes unpack to, taken beside the upload. */
class Unpacking {
  private readonly input = new PassThrough({ highWaterMark: 256 * 1024 });
  private readonly hashed: Promise<string | null> | undefined;
  private packedBytes = 0;
  private failure: unknown;
  private isOver = false;
  private wake = (): void => undefined;

  constructor(
    readonly packing: Packing,
    private readonly mostBytes: number,
  ) {
    if (packing === 'none') return;
    this.input.on('drain', () => this.wake());
    this.hashed = this.hash()
      .catch((error: unknown) => {
        this.failure = error;
        this.input.destroy();
        throw error;
      })
      .finally(() => {
        this.isOver = true;
        this.wake();
      });
    this.hashed.catch(() => undefined);
  }

  /** Throws once it is known that the file unpacks too far. */
  async take(chunk: Buffer): Promise<void> {
    if (!this.hashed) return;
    if (this.failure) throw this.failure;
    if (this.isOver) return; // damaged: its hash will never be known
    this.packedBytes += chunk.length;
    if (this.input.write(chunk)) return;
    await new Promise<void>((resolve) => {
      this.wake = resolve;
    });
    if (this.failure) throw this.failure;
  }

  async end(): Promise<string | null> {
    if (!this.hashed) return 'same';
    this.input.end();
    return this.hashed;
  }

  stop(): void {
    this.input.on('error', () => undefined);
    this.input.destroy();
  }

  private async hash(): Promise<string | null> {
    const hash = createHash('sha256');
    const unpacker = new Unpacker(this.packing, this.input);
    let bytes = 0;
    try {
      for await (const piece of unpacker.pieces()) {
        hash.update(piece);
        bytes += piece.length;
        const fault = limitFault(bytes, this.packedBytes, { mostBytes: this.mostBytes });
        if (fault !== undefined) throw new AppError('uploads.unpacks-too-far', fault);
      }
      return hash.digest('hex');
    } catch (error) {
      if (error instanceof UnpackError) return null; // whoever reads it says so
      throw error;
    }
  }
}
