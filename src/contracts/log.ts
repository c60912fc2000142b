/** Severities of log lines, from the least. Every format's own words and numbers are brought to these. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** One log event as every format is normalised to. Text holds neither U+0000 nor half surrogates. */
export type LogEvent = Readonly<{
  /** Line on which it begins, from 1. With the file it is the event's identity. */
  line: number;
  /** Event time, epoch microseconds UTC; of a line without a time: of the event before it, else when the file came. */
  atUs: number;
  /** Absent where the line tells none. */
  level?: LogLevel;
  message: string;
  /** Which parser read it: `json`, `logfmt`, `syslog-5424`. */
  format: string;
  fields: Readonly<Record<string, Json>>;
  traceId?: string;
}>;
