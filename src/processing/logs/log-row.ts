import { LOG_LEVELS, type LogEvent, type LogLevel } from '../../contracts/index.js';
import { searchWords } from './search-words.js';

/** Longer ones are no ids, and would not fit an index: they stay with the fields. */
export const MOST_TRACE_ID = 128;
/** What a line's number may be: it is the lower half of an id. */
const MOST_LINE = 2 ** 32 - 1;
const EARLIEST_US = Date.parse('0001-01-01T00:00:00Z') * 1000;
const LATEST_US = Date.parse('9999-12-31T23:59:59Z') * 1000;

/** A log event as it is stored. */
export type LogRow = Readonly<{
  fileId: string;
  event: LogEvent;
  /** -1: the line tells none. */
  level: number;
  fields: string;
  traceId: string | null;
  words: string;
}>;

export function logRow(fileId: string, event: LogEvent): LogRow {
  const { level, fields, traceId } = event;
  const isId = traceId !== undefined && traceId.length <= MOST_TRACE_ID;
  const told = traceId === undefined || isId ? fields : { ...fields, traceId };
  return {
    fileId,
    event,
    level: level === undefined ? -1 : rankOf(level),
    fields: JSON.stringify(told),
    traceId: isId ? traceId : null,
    words: searchWords(event.message, told),
  };
}

/** Why a log event cannot be stored whatever the database says; undefined when it can. */
export function faultOf({ line, atUs }: LogEvent): string | undefined {
  if (!Number.isInteger(line) || line < 1 || line > MOST_LINE) return `the line must be from 1 to ${MOST_LINE}`;
  if (!Number.isSafeInteger(atUs) || atUs < EARLIEST_US || atUs > LATEST_US)
    return 'the time must be of the years 1 to 9999';
  return undefined;
}

export const rankOf = (level: LogLevel): number => LOG_LEVELS.indexOf(level);
