import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ReadOptions } from './format.js';
import { instantOf, leadingStamp, timeOfEpoch, timeOfValue, type TimeMemory, yearFor } from './timestamps.js';

const us = (iso: string): number => Date.parse(iso) * 1000;
const options: ReadOptions = { receivedAtUs: us('2024-08-10T12:00:00Z'), offsetMinutes: 0 };
const read = (text: string, given: Partial<ReadOptions> = {}, memory: TimeMemory = {}): number | undefined => {
  const stamp = leadingStamp(text);
  return stamp && instantOf(stamp, { ...options, ...given }, memory);
};

describe('times at the head of a line', () => {
  const at = us('2024-08-09T00:05:04Z');

  it.each([
    ['2024-08-09T00:05:04Z', 0],
    ['2024-08-09T00:05:04.123Z', 123_000],
    ['2024-08-09T00:05:04,123+0000', 123_000],
    ['2024-08-09 00:05:04,123', 123_000],
    ['2024-08-09 00:05:04.123456789', 123_456],
    ['2024-08-09T02:05:04.1+02:00', 100_000],
    ['2024-08-08T18:35:04-0530', 0],
    ['2024-08-09 02:05:04+02', 0],
    ['2024-08-09 02:05:04 CEST [123]', 0],
    ['2024-08-08 20:05:04 EDT', 0],
    ['2024-08-09 00:05:04 UTC [1234]', 0],
    ['2024/08/09 00:05:04', 0],
    ['2024/08/09 00:05:04.000123 main.go:3: up', 123],
    ['2024.08.09 00:05:04', 0],
    ['2024-8-9 0:5:4', 0],
    ['2024-08-09_00:05:04.5', 500_000],
    ['2024-08-09 00:05:04 -5 degrees', 0],
    ['2024-08-09 00:05:04 GET /', 0],
    ['24/08/09 00:05:04 INFO x', 0],
    ['09.08.2024 00:05:04', 0],
    ['09/Aug/2024:00:05:04 +0000', 0],
    ['09/Aug/2024:02:05:04 +0200]', 0],
    ['09 Aug 2024 00:05:04,123', 123_000],
    ['09-Aug-2024 00:05:04.123 INFO', 123_000],
    ['20240809-00:05:04:123|x', 123_000],
    ['20240809-0:5:4:7', 700_000],
    ['20240809 00:05:04', 0],
    ['20240809T000504Z', 0],
    ['08-09 00:05:04.123  17  23 D x', 123_000],
    ['1723161904 x', 0],
    ['1723161904.123456', 123_456],
    ['1723161904123] x', 123_000],
    ['1723161904123456: x', 123_456],
    ['1723161904123456789', 123_456],
    ['Fri Aug  9 00:05:04 2024', 0],
    ['Fri Aug 09 00:05:04.123456 2024] x', 123_456],
    ['Fri Aug  9 02:05:04 CEST 2024', 0],
    ['Fri, 09 Aug 2024 00:05:04 GMT', 0],
    ['Aug  9 00:05:04 host x', 0],
    ['Aug 09 2024 00:05:04: %ASA', 0],
    ['I0809 00:05:04.123456    1234 f.go:1] x', 123_456],
    ['13/08/2024 00:05:04', 4 * 86_400_000_000],
    ['08-13-2024 12:05:04 AM', 4 * 86_400_000_000],
    ['08/13/2024, 12:05:04 PM', 4.5 * 86_400_000_000],
  ])('reads %s', (text, microseconds) => expect(read(text)).toBe(at + microseconds));

  it('reads minutes without seconds, and a leap second as the one after it', () => {
    expect(read('2024-08-09 00:05 x')).toBe(at - 4_000_000);
    expect(read('2016-12-31T23:59:60Z')).toBe(us('2017-01-01T00:00:00Z'));
  });

  it.each([
    'hello',
    '',
    '2024-08-09',
    '2024-13-09 00:05:04',
    '2024-02-30 00:05:04',
    '2023-02-29 00:05:04',
    '2024-08-09 24:05:04',
    '2024-08-09T00:05:04abc',
    '24/13/09 00:05:04',
    '31/32/2024 00:05:04',
    '17231619 x',
    '17231619041 x',
    '1723161904abc',
    'Foo  9 00:05:04',
    'Aug 32 00:05:04',
    'I1309 00:05:04',
    '192.168.1.1 - -',
  ])('finds none in %s', (text) => expect(leadingStamp(text)).toBeUndefined());

  it('finds a time of day, which is no instant', () => {
    expect(leadingStamp('00:05:04.123 [main]')).toEqual({ kind: 'clock', end: 12 });
    expect(read('00:05:04.123 [main]')).toBeUndefined();
  });

  it('takes local times at the offset it is told, and those with a zone at theirs', () => {
    expect(read('2024-08-09 02:05:04', { offsetMinutes: 120 })).toBe(at);
    expect(read('2024-08-09 00:05:04Z', { offsetMinutes: 120 })).toBe(at);
  });

  it('refuses a date whose order cannot be told, until a line of the file shows it', () => {
    const memory: TimeMemory = {};
    expect(read('08/09/2024 00:05:04', {}, memory)).toBeUndefined();
    expect(read('07/07/2024 00:05:04', {}, memory)).toBe(us('2024-07-07T00:05:04Z'));
    read('31/08/2024 00:05:04', {}, memory);
    expect(read('08/09/2024 00:05:04', {}, memory)).toBe(us('2024-09-08T00:05:04Z'));
    read('08/31/2024 00:05:04', {}, memory);
    expect(read('08/09/2024 00:05:04', {}, memory)).toBe(at);
  });

  it('holds no instant before 1970 or after what microseconds can be exact for', () => {
    expect(read('0001-01-01T00:00:00Z')).toBeUndefined();
    expect(read('0099-01-01T00:00:00Z')).toBeUndefined();
    expect(read('1970-01-01T00:00:00Z')).toBe(0);
    expect(read('2255-06-05T23:47:34Z')).toBe(us('2255-06-05T23:47:34Z'));
    expect(read('2256-01-01T00:00:00Z')).toBeUndefined();
  });
});

describe('the year of a line that tells none', () => {
  const years = (days: readonly (readonly [number, number])[], given: Partial<ReadOptions> = {}): number[] => {
    const memory: TimeMemory = {};
    return days.map(([month, day]) => yearFor(month, day, { ...options, ...given }, memory));
  };

  it('is the last in which the day is not after the file came', () => {
    expect(years([[8, 10]])).toEqual([2024]);
    expect(years([[8, 11]])).toEqual([2024]); // a zone may be ahead
    expect(years([[8, 12]])).toEqual([2023]);
    expect(years([[12, 31]], { receivedAtUs: us('2024-01-02T00:00:00Z') })).toEqual([2023]);
    expect(years([[2, 29]], { receivedAtUs: us('2023-06-01T00:00:00Z') })).toEqual([2020]);
  });

  it('is the one the client told for the first line', () => {
    expect(years([[8, 12], [9, 1]], { year: 2019 })).toEqual([2019, 2019]); // prettier-ignore
  });

  it('rises where the months run backwards, and not for a line that came late', () => {
    expect(years([[11, 30], [12, 31], [1, 1], [12, 31], [1, 1], [3, 1]], { year: 2019 })).toEqual([
      2019, 2019, 2020, 2019, 2020, 2020,
    ]); // prettier-ignore
    expect(years([[8, 31], [9, 1], [8, 31], [9, 1]], { year: 2019 })).toEqual([2019, 2019, 2019, 2019]); // prettier-ignore
    expect(years([[2, 1], [9, 1], [3, 1], [1, 1]], { year: 2019 })).toEqual([2019, 2019, 2020, 2021]); // prettier-ignore
  });
});

describe('times as values', () => {
  it('tells the unit of an epoch number by its size', () => {
    const at = us('2024-08-09T00:05:04Z');
    expect(timeOfValue(1_723_161_904, options)).toBe(at);
    expect(timeOfValue(1_723_161_904.123456, options)).toBe(at + 123_456);
    expect(timeOfValue(1_723_161_904_123, options)).toBe(at + 123_000);
    expect(timeOfValue('1723161904123.5', options)).toBe(at + 123_500);
    expect(timeOfValue('1723161904123456', options)).toBe(at + 123_456);
    expect(timeOfValue('1723161904123456789', options)).toBe(at + 123_456);
  });

  it('reads a day, and text that is a time as a whole', () => {
    expect(timeOfValue('2024-08-09', options)).toBe(us('2024-08-09T00:00:00Z'));
    expect(timeOfValue(' 2024-08-09T00:05:04Z ', options)).toBe(us('2024-08-09T00:05:04Z'));
    expect(timeOfValue('2024-08-09T00:05:04Z and more', options)).toBeUndefined();
  });

  it.each([
    12,
    99_999_999,
    -1_723_161_904,
    NaN,
    1e21,
    'soon',
    '',
    '12',
    'x'.repeat(70_000),
    null,
    {},
    [],
    true,
    '12:00:00',
  ])('takes %j for no time', (value) => expect(timeOfValue(value, options)).toBeUndefined());

  it('gives back any instant of 1973 to 2255 in each unit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1e14, max: Number.MAX_SAFE_INTEGER }), (instant) => {
        const seconds = `${String(instant).slice(0, -6)}.${String(instant).slice(-6)}`;
        expect(timeOfEpoch(seconds)).toBe(instant);
        expect(timeOfEpoch(String(instant))).toBe(instant);
        expect(timeOfEpoch(`${instant}789`)).toBe(instant);
        const iso = new Date(Math.floor(instant / 1000)).toISOString().replace('Z', `${String(instant).slice(-3)}Z`);
        expect(timeOfValue(iso, options)).toBe(instant);
      }),
    );
  });
});
