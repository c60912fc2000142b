import { durable, volatile } from './event.js';
import type { LogEvent, LogLevel } from './log.js';
import type { Trade } from './trade.js';

export const FILE_STATUSES = ['received', 'processing', 'processed', 'processed_with_errors', 'failed'] as const;
export type FileStatus = (typeof FILE_STATUSES)[number];

/** What became of a file so far. */
export type FileData = Readonly<{
  fileId: string;
  /** As the client called it: a label, never a path. */
  name: string;
  status: FileStatus;
  /** The declared format, or the one most lines were read as; null until known. */
  format: string | null;
  /** Of the bytes as they came, lower-case hex. */
  sha256: string;
  duplicateOf: string | null;
  counts: Readonly<{
    /** As they came; and of them unpacked, read so far. */
    bytes: number;
    readBytes: number;
    lines: number;
    events: number;
    trades: number;
    bad: number;
    truncated: number;
    replaced: number;
  }>;
  /** How much of it is read, in percent with one decimal. */
  percent: number;
  /** Why it failed, or what of it was left out. */
  error: string | null;
  receivedAtUs: number;
  finishedAtUs: number | null;
}>;

/** A file lies whole on disk and waits to be read. */
export const FileReceivedV1 = durable<FileData>('uploads.file-received.v1');
/** How far the reading is, at most a few times a second. */
export const FileProgressedV1 = volatile<FileData>('uploads.file-progressed.v1');
/** The reading ended: processed, processed_with_errors or failed. Sent once per reading. */
export const FileFinishedV1 = durable<FileData>('uploads.file-finished.v1');

/** Log events of one chunk of a file; told in the transaction of its checkpoint, so each exactly once. */
export type RowsParsedV1Data = Readonly<{ fileId: string; events: readonly LogEvent[] }>;
export const RowsParsedV1 = durable<RowsParsedV1Data>('uploads.rows-parsed.v1');

/** Trades of one chunk of a file, unchecked; those recorded before are recognised by their identity. */
export type FileTradesParsedV1Data = Readonly<{ fileId: string; trades: readonly Trade[] }>;
export const FileTradesParsedV1 = durable<FileTradesParsedV1Data>('uploads.trades-parsed.v1');

/**
 * Lines by level of minutes that a file has passed: all levels of a minute that has any line, also those with none. A
 * minute that a file comes back to is told again with a higher `part`, with what was added.
 */
export type LogMinutesCountedV1Data = Readonly<{
  fileId: string;
  minutes: readonly Readonly<{ minuteUs: number; part: number; lines: Readonly<Record<LogLevel, number>> }>[];
}>;
export const LogMinutesCountedV1 = durable<LogMinutesCountedV1Data>('uploads.log-minutes-counted.v1');
