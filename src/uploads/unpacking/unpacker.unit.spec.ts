import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Unpacker, UnpackError } from './unpacker.service.js';

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

async function unpacked(kind: 'gzip' | 'zstd', bytes: Buffer, size: number) {
  const unpacker = new Unpacker(kind, inPieces(bytes, size));
  const pieces: Buffer[] = [];
  let fault: string | undefined;
  try {
    for await (const piece of unpacker.pieces()) pieces.push(piece);
  } catch (error) {
    if (!(error instanceof UnpackError)) throw error;
    fault = error.kind;
  }
  return { data: Buffer.concat(pieces), fault, trailing: unpacker.trailingBytes, taken: unpacker.takenBytes };
}

/** Nothing that packs well, and the same at each run. */
function noise(length: number): Buffer {
  let state = 42;
  return Buffer.from(Array.from({ length }, () => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) >> 16));
}

describe.each([
  ['gzip', (data: Buffer) => gzipSync(data)],
  ['zstd', (data: Buffer) => zstdCompressSync(data)],
] as const)('what %s has packed', (kind, pack) => {
  describe.each([1, 7, 1000, 16_384, 1_000_000])('in pieces of %d bytes', (size) => {
    const parts = [
      noise(size < 100 ? 500 : 100_000),
      Buffer.from('hello\n'),
      Buffer.alloc(0),
      Buffer.alloc(size < 100 ? 100 : 300_000, 'abc'),
    ];
    const content = Buffer.concat(parts);
    const packed = Buffer.concat(parts.map(pack));

    it('is unpacked, member after member', async () => {
      expect(await unpacked(kind, packed, size)).toEqual({
        data: content,
        fault: undefined,
        trailing: 0,
        taken: packed.length,
      });
    });

    it('is unpacked to its end when something else follows', async () => {
      expect(await unpacked(kind, Buffer.concat([packed, Buffer.from('rubbish')]), size)).toMatchObject({
        data: content,
        fault: undefined,
        trailing: 7,
      });
    });

    it('is unpacked as far as it goes when it ends early', async () => {
      for (const length of [packed.length - 1, packed.length - 9, Math.floor(packed.length / 2), 13, 5]) {
        const { data, fault } = await unpacked(kind, packed.subarray(0, length), size);
        expect([length, fault]).toEqual([length, 'truncated']);
        expect(content.subarray(0, data.length).equals(data)).toBe(true);
      }
    });
  });

  it('is found damaged', async () => {
    const packed = pack(Buffer.from('some text that packs somewhat, some text that does not'.repeat(50)));
    for (let at = 4; at < packed.length - (kind === 'gzip' ? 0 : 4); at += 3) {
      const damaged = Buffer.from(packed);
      damaged[at]! ^= 0x55;
      const { fault } = await unpacked(kind, damaged, 1000);
      if (kind === 'gzip' && at >= 10) expect([at, fault]).not.toEqual([at, undefined]);
    }
  });
});

/** `count` frames of zstd that are skipped, each with `length` bytes. */
const skipped = (count: number, length: number): Buffer =>
  Buffer.concat(
    Array.from({ length: count }, () =>
      Buffer.concat([Buffer.from([0x5f, 0x2a, 0x4d, 0x18, length & 0xff, length >> 8, 0, 0]), Buffer.alloc(length, 1)]),
    ),
  );

describe('frames that are to be skipped', () => {
  it.each([1, 7, 100_000])('are, wherever they stand, in pieces of %d bytes', async (size) => {
    const packed = Buffer.concat([
      skipped(2, 0),
      zstdCompressSync('one '),
      skipped(1, 20_000),
      zstdCompressSync('two'),
      skipped(1, 3),
    ]);
    const whole = { data: Buffer.from('one two'), fault: undefined, trailing: 0, taken: packed.length };
    expect(await unpacked('zstd', packed, size)).toEqual(whole);
    for (const missing of [1, 4, 6])
      expect(await unpacked('zstd', packed.subarray(0, -missing), size)).toMatchObject({
        data: whole.data,
        fault: 'truncated',
      });
  });

  it('let the event loop turn', async () => {
    let turns = 0;
    const counting = (): void => {
      turns++;
      timer = setImmediate(counting);
    };
    let timer = setImmediate(counting);
    await unpacked('zstd', skipped(8000, 0), 64_000);
    clearImmediate(timer);
    expect(turns).toBeGreaterThan(100);
  });
});

it.each([
  ['gzip', gzipSync('')],
  ['zstd', skipped(1, 0)],
] as const)('a file of hardly anything but empty members of %s is not unpacked for hours', async (kind, member) => {
  const first = kind === 'gzip' ? gzipSync('text') : zstdCompressSync('text');
  const packed = Buffer.concat([first, ...Array.from({ length: 10_001 }, () => member)]);
  expect(await unpacked(kind, packed, 100_000)).toMatchObject({ data: Buffer.from('text'), fault: 'corrupt' });
  expect(await unpacked(kind, packed.subarray(0, -3 * member.length), 100_000)).toMatchObject({ fault: undefined });
});

it('zeros after the end of gzip are nothing', async () => {
  const padded = Buffer.concat([gzipSync('a'), Buffer.alloc(100_000)]);
  expect(await unpacked('gzip', padded, 5000)).toMatchObject({ data: Buffer.from('a'), trailing: 0, fault: undefined });
});

it('a header of gzip may have a name, a comment, more fields and a checksum of its own', async () => {
  const plain = gzipSync('text');
  const header = Buffer.from([
    0x1f,
    0x8b,
    8,
    0x1e,
    0,
    0,
    0,
    0,
    0,
    3,
    4,
    0,
    1,
    2,
    3,
    4,
    ...Buffer.from('name\0comment\0'),
    9,
    9,
  ]);
  const packed = Buffer.concat([header, plain.subarray(10)]);
  for (const size of [1, 100])
    expect(await unpacked('gzip', packed, size)).toMatchObject({ data: Buffer.from('text'), fault: undefined });
});
