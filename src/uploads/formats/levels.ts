import type { LogLevel } from '../../contracts/index.js';

const WORDS: Readonly<Record<LogLevel, string>> = {
  trace: 'trace trc t finest finer verbose silly v',
  debug: 'debug dbg d fine http',
  info: 'info information informational inf i notice note log config system',
  warn: 'warn warning wrn w',
  error: 'error err eror e severe',
  fatal: 'fatal ftl f critical crit c alert a emergency emerg panic dpanic',
};

const LEVEL_OF_WORD = new Map(
  Object.entries(WORDS).flatMap(([level, words]) => words.split(' ').map((word) => [word, level as LogLevel])),
);
const LONGEST_WORD = 14;

/**
 * The level that a word means in any dialect, whatever its case; undefined for other words. Grades of one level are that
 * level: `DEBUG5` (PostgreSQL), `trace8` (Apache), `ERROR3` (OpenTelemetry).
 */
export function levelOfWord(word: string): LogLevel | undefined {
  if (word.length > LONGEST_WORD || word === '') return undefined;
  const lower = word.toLowerCase();
  const level = LEVEL_OF_WORD.get(lower);
  if (level !== undefined || word.length < 5) return level;
  const last = lower.charCodeAt(lower.length - 1);
  return last >= 0x31 && last <= 0x38 ? LEVEL_OF_WORD.get(lower.slice(0, -1)) : undefined;
}

const SYSLOG: readonly LogLevel[] = ['fatal', 'fatal', 'fatal', 'error', 'warn', 'info', 'info', 'debug'];

/** Of a syslog severity, 0 (emergency) to 7 (debug). */
export const levelOfSyslog = (severity: number): LogLevel => SYSLOG[severity] ?? 'info';

const STEPS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

/**
 * Of a number under a level's name, told by its size: 0 to 7 syslog (GELF, journald), 10 to 99 pino and bunyan, 300 to
 * 1,000 java.util.logging, 5,000 to 50,000 log4j. Undefined for other numbers.
 */
export function levelOfNumber(value: number): LogLevel | undefined {
  if (Number.isInteger(value) && value >= 0 && value <= 7) return levelOfSyslog(value);
  if (value >= 10 && value < 100) return STEPS[Math.min(Math.floor(value / 10), 6) - 1];
  if (value >= 300 && value <= 1000) return STEPS[[500, 700, 900, 1000].filter((from) => value >= from).length];
  if (value >= 5000 && value <= 50_000) return STEPS[Math.floor(value / 10_000)];
  return undefined;
}

/** Of Python's `levelno`, which is a step lower than pino's numbers: 10 debug, 20 info, 30 warn, 40 error, 50 fatal. */
export const levelOfPython = (value: number): LogLevel | undefined =>
  value >= 0 && value < 100 ? STEPS[Math.min(Math.floor(value / 10), 5)] : undefined;

/** Of OpenTelemetry's severity number: 1 to 24, four to a level. */
export const levelOfTelemetry = (value: number): LogLevel | undefined =>
  value >= 1 && value <= 24 ? STEPS[Math.floor((value - 1) / 4)] : undefined;
