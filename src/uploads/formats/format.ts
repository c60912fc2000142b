import type { Json, LogLevel, Trade } from '../../contracts/index.js';

/** What a client says of a file, and what is known of it before its first line. All is JSON. */
export type ReadOptions = Readonly<{
  /** Epoch microseconds: stands in for the year that a syslog line does not tell, and for missing times. */
  receivedAtUs: number;
  /** The year of a file's first line, where its times tell none; else it is reckoned back from `receivedAtUs`. */
  year?: number;
  /** Offset of local times without a zone, minutes east of UTC; 0 unless told. */
  offsetMinutes: number;
  /** Of trades: canonical or venue spelling, and where they are from. */
  symbol?: string;
  source?: string;
  /** As the client called the file: archives of trades tell their symbol there. */
  name?: string;
}>;

/** What a line says, before it has a place in a file. */
export type LogLine = Readonly<{
  /** Absent where the line tells no time. */
  atUs?: number;
  level?: LogLevel;
  message: string;
  fields: Readonly<Record<string, Json>>;
  traceId?: string;
}>;

/** What one line turned out to be. */
export type Reading =
  | Readonly<{ kind: 'event'; event: LogLine }>
  /** Belongs to the event before it: a stack trace, a folded message. */
  | Readonly<{ kind: 'continuation'; text: string }>
  | Readonly<{ kind: 'trade'; trade: Trade }>
  /** Blank, a comment or a header. */
  | Readonly<{ kind: 'nothing' }>
  /** `column` counts characters from 1. */
  | Readonly<{ kind: 'bad'; message: string; column?: number }>;

/**
 * One way to read lines. `read` is linear in the line's length, whatever the line; it never throws. What a format carries
 * from line to line (a header's columns, the year) lives in its memory, which is JSON and is kept with the checkpoint.
 */
export type LineFormat<Memory = unknown> = Readonly<{
  /** As the API names it: `json`, `logfmt`, `binance-trades`. */
  name: string;
  /** What it yields. */
  yields: 'events' | 'trades';
  begin: (options: ReadOptions) => Memory;
  /** `line` is the line's number, from 1; the text has no line end, at most 64 KiB, and no U+0000. */
  read: (text: string, memory: Memory, options: ReadOptions, line: number) => Reading;
  /**
   * How surely a line is of this format: 0 not at all, 1 for certain. Cheap; used on a file's first lines, and to find
   * another format for a line that the file's own cannot read.
   */
  likeness: (text: string) => number;
  /** The same of a file's first lines together, where a single one does not tell: a table's header does. */
  likenessOfFirst?: (lines: readonly string[]) => number;
}>;

export const NOTHING: Reading = { kind: 'nothing' };
export const bad = (message: string, column?: number): Reading => ({
  kind: 'bad',
  message,
  ...(column === undefined ? {} : { column }),
});
