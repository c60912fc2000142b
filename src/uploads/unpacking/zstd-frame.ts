import type { ByteQueue } from './byte-queue.js';

const DICTIONARY_BYTES = [0, 1, 2, 4] as const;
const SIZE_BYTES = [0, 2, 4, 8] as const;
const MAGIC_BYTES = 4;
const BLOCK_HEADER_BYTES = 3;
const RUN_LENGTH = 1;

/** The bytes of one frame of data in portions of up to `most`, and none of what follows it. Source: RFC 8878, section 3.1. */
export async function* zstdFrame(input: ByteQueue, most: number): AsyncGenerator<Buffer> {
  async function* portions(count: number): AsyncGenerator<Buffer> {
    for (let left = count; left > 0;) {
      const portion = await input.take(Math.min(left, most));
      if (portion.length === 0) return;
      left -= portion.length;
      yield portion;
    }
  }
  const magic = await input.exactly(MAGIC_BYTES);
  yield magic;
  const next = await input.peek(1);
  if (next.length === 0) return;
  const flags = next[0]!;
  const isSingle = (flags & 0x20) !== 0;
  const sizeBytes = flags >> 6 === 0 && isSingle ? 1 : SIZE_BYTES[(flags >> 6) as 0];
  yield* portions(1 + (isSingle ? 0 : 1) + DICTIONARY_BYTES[(flags & 3) as 0] + sizeBytes);
  for (let isLast = false; !isLast;) {
    const header = await input.exactly(BLOCK_HEADER_BYTES);
    yield header;
    if (header.length < BLOCK_HEADER_BYTES) return;
    const value = header.readUIntLE(0, BLOCK_HEADER_BYTES);
    isLast = (value & 1) === 1;
    yield* portions(((value >> 1) & 3) === RUN_LENGTH ? 1 : value >> 3);
  }
  if ((flags & 4) !== 0) yield* portions(4);
}
