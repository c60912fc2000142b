/** How the bytes of a file are packed, by their first bytes and never by a name. */
export type Packing = 'none' | 'gzip' | 'zstd';

/** As many first bytes as tell. */
export const HEAD_BYTES = 512;

export const isGzip = (head: Buffer): boolean => head[0] === 0x1f && head[1] === 0x8b;
/** A frame of zstd that is not for whoever unpacks. */
export const isSkippable = (head: Buffer): boolean =>
  head.length >= 4 && (head.readUInt32LE(0) & 0xfffffff0) >>> 0 === 0x184d2a50;
/** A frame of data, or one to skip. */
export const isZstd = (head: Buffer): boolean =>
  head.length >= 4 && (head.readUInt32LE(0) === 0xfd2fb528 || isSkippable(head));

export function packingOf(head: Buffer): Packing {
  if (isGzip(head)) return 'gzip';
  return isZstd(head) ? 'zstd' : 'none';
}

const REFUSED: readonly (readonly [name: string, at: number, magic: readonly number[]])[] = [
  ['zip', 0, [0x50, 0x4b, 0x03, 0x04]],
  ['zip', 0, [0x50, 0x4b, 0x05, 0x06]],
  ['zip', 0, [0x50, 0x4b, 0x07, 0x08]],
  ['bzip2', 0, [0x42, 0x5a, 0x68]],
  ['xz', 0, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['7z', 0, [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]],
  ['rar', 0, [0x52, 0x61, 0x72, 0x21, 0x1a, 0x07]],
  ['lz4', 0, [0x04, 0x22, 0x4d, 0x18]],
  ['tar', 257, [0x75, 0x73, 0x74, 0x61, 0x72]],
];

/** Why an archive is not read; undefined for what is none. */
export function archiveFault(head: Buffer): string | undefined {
  const [name] = REFUSED.find(([, at, magic]) => magic.every((byte, place) => head[at + place] === byte)) ?? [];
  if (name === undefined) return undefined;
  return name === 'zip' || name === 'tar' || name === '7z' || name === 'rar'
    ? `a ${name} archive holds any number of files: upload each of them, as it is or packed with gzip or zstd`
    : `files packed with ${name} are not read: upload it as it is, or packed with gzip or zstd`;
}

/** How far a file may unpack: so much, and beyond the first 10 MB so many times as much as it came with. */
export type UnpackLimits = Readonly<{ mostBytes: number }>;
const RATIO = 200;
const FREE_BYTES = 10_000_000;

/** Why `unpacked` bytes out of `packed` are too many; undefined while they are not. */
export function limitFault(unpacked: number, packed: number, { mostBytes }: UnpackLimits): string | undefined {
  if (unpacked > mostBytes) return `unpacks to more than ${mostBytes} bytes (UPLOAD_MAX_UNPACKED_BYTES)`;
  if (unpacked > FREE_BYTES && unpacked > packed * RATIO)
    return `unpacks to more than ${RATIO} times as much: ${packed} bytes to ${unpacked} and more`;
  return undefined;
}
