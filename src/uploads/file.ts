import type { FileData, FileStatus } from '../contracts/index.js';
import type { Packing } from './unpacking/packing.js';

/** What a client says of a file besides its bytes. All is JSON. */
export type UploadOptions = Readonly<{
  format?: string;
  /** Minutes east of UTC. */
  offsetMinutes?: number;
  year?: number;
  charset?: string;
  symbol?: string;
  source?: string;
}>;

export type Counts = FileData['counts'];

/** A file as its row tells it. */
export type UploadedFile = Readonly<{
  id: string;
  /** Larger is newer. */
  seq: string;
  name: string;
  status: FileStatus;
  packing: Packing;
  options: UploadOptions;
  format: string | null;
  sha256: string;
  /** Null where it cannot be unpacked to its end. */
  unpackedSha256: string | null;
  duplicateOf: string | null;
  /** Whether its bytes are still kept. */
  isStored: boolean;
  storedBytesRead: number;
  counts: Counts;
  error: string | null;
  receivedAtUs: number;
  finishedAtUs: number | null;
}>;

export const NO_COUNTS: Omit<Counts, 'bytes'> = {
  readBytes: 0,
  lines: 0,
  events: 0,
  trades: 0,
  bad: 0,
  truncated: 0,
  replaced: 0,
};

export function dataOf(file: UploadedFile): FileData {
  const { id, name, status, format, sha256, duplicateOf, counts, error, receivedAtUs, finishedAtUs } = file;
  return {
    fileId: id,
    name,
    status,
    format,
    sha256,
    duplicateOf,
    counts,
    percent: percentOf(file),
    error,
    receivedAtUs,
    finishedAtUs,
  };
}

function percentOf({ status, storedBytesRead, counts: { bytes } }: UploadedFile): number {
  if (status === 'processed' || status === 'processed_with_errors') return 100;
  return bytes === 0 ? 0 : Math.min(100, Math.floor((storedBytesRead / bytes) * 1000) / 10);
}

const LONGEST_NAME = 255;
/** Controls, what turns the direction of writing, and line ends that are no controls. */
const INVISIBLE = /[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu;

/** A client's name for a file as a label: one line of text, and never a path. */
export function labelOf(name: string | undefined): string {
  const bare = (name ?? '')
    .slice(0, 4 * LONGEST_NAME)
    .toWellFormed()
    .replaceAll(INVISIBLE, '')
    .trim();
  const last = bare.slice(Math.max(bare.lastIndexOf('/'), bare.lastIndexOf('\\')) + 1);
  const label = [...last].slice(0, LONGEST_NAME).join('');
  return label === '' || label === '.' || label === '..' ? 'unnamed' : label;
}
