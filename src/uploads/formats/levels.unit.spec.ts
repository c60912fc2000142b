import { describe, expect, it } from 'vitest';
import { LOG_LEVELS } from '../../contracts/index.js';
import { levelOfNumber, levelOfPython, levelOfSyslog, levelOfTelemetry, levelOfWord } from './levels.js';

describe('levels', () => {
  it.each([
    ['trace', ['trace', 'TRACE', 'trc', 'FINEST', 'finer', 'Verbose', 'silly', 'trace8', 'V', 'TRACE4']],
    ['debug', ['debug', 'DBG', 'Debug', 'DEBUG5', 'fine', 'http', 'D']],
    ['info', ['info', 'INFO', 'Information', 'informational', 'INF', 'notice', 'Note', 'LOG', 'CONFIG', 'I', 'INFO2']],
    ['warn', ['warn', 'WARNING', 'wrn', 'W', 'WARN3']],
    ['error', ['error', 'ERR', 'eror', 'SEVERE', 'E', 'ERROR4']],
    ['fatal', ['fatal', 'FTL', 'critical', 'CRIT', 'alert', 'emerg', 'EMERGENCY', 'panic', 'dpanic', 'F', 'FATAL2']],
  ] as const)('reads the words for %s of every dialect', (level, words) => {
    expect(words.map((word) => levelOfWord(word))).toEqual(words.map(() => level));
  });

  it.each(['', 'banana', 'errors', 'x'.repeat(70_000), 'warn0', 'warn9', 'd1', '__proto__', 'constructor', '5'])(
    'knows no level for other text: %.12s',
    (word) => expect(levelOfWord(word)).toBeUndefined(),
  );

  it('has its own words among them', () => {
    expect(LOG_LEVELS.map((level) => levelOfWord(level))).toEqual(LOG_LEVELS);
  });

  it('tells the scale of a number by its size', () => {
    expect([0, 1, 2, 3, 4, 5, 6, 7].map(levelOfSyslog)).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map(levelOfNumber));
    expect([0, 2, 3, 4, 5, 6, 7].map(levelOfNumber)).toEqual([
      'fatal',
      'fatal',
      'error',
      'warn',
      'info',
      'info',
      'debug',
    ]);
    expect([10, 20, 30, 35, 40, 50, 60, 70].map(levelOfNumber)).toEqual([
      'trace',
      'debug',
      'info',
      'info',
      'warn',
      'error',
      'fatal',
      'fatal',
    ]);
    expect([300, 400, 500, 700, 800, 900, 1000].map(levelOfNumber)).toEqual([
      'trace',
      'trace',
      'debug',
      'info',
      'info',
      'warn',
      'error',
    ]);
    expect([5000, 10_000, 20_000, 30_000, 40_000, 50_000].map(levelOfNumber)).toEqual(LOG_LEVELS);
    expect([-1, 8, 9, 9.5, 0.5, 100, 299, 1001, 60_000, NaN, Infinity].map(levelOfNumber)).toEqual(
      Array.from({ length: 11 }, () => undefined),
    );
  });

  it('reads the numbers of Python and OpenTelemetry by their own scales', () => {
    expect([10, 20, 30, 40, 50].map(levelOfPython)).toEqual(['debug', 'info', 'warn', 'error', 'fatal']);
    expect([1, 5, 9, 13, 17, 21, 24].map(levelOfTelemetry)).toEqual([...LOG_LEVELS, 'fatal']);
    expect([0, 25, NaN].map(levelOfTelemetry)).toEqual([undefined, undefined, undefined]);
  });
});
