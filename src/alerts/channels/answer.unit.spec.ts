import { expect, it } from 'vitest';
import { askedPauseMs } from './answer.js';

it.each([
  [undefined, 0],
  ['120', 120_000],
  ['Thu, 01 Jan 1970 00:01:40 GMT', 99_000],
  ['0', 0],
  ['999999', 3_600_000],
  ['-5', 0],
  ['soon', 0],
  ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
])('reads a Retry-After of %s', (header, ms) => expect(askedPauseMs(header, 1000)).toBe(ms));
