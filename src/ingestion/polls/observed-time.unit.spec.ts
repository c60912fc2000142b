import { expect, it } from 'vitest';
import { observedTime } from './observed-time.js';

const MIDNIGHT_US = Date.UTC(2019, 1, 26) * 1000;

it.each([
  ['1551139200'],
  ['1551139200.000000'],
  ['1551139200000'],
  ['1551139200000000'],
  ['1551139200000000000'],
  ['2019-02-26T00:00:00Z'],
  ['2019-02-26T01:00:00+01:00'],
  ['2019-02-26'],
])('reads %s as the midnight it is', (text) => expect(observedTime(text)).toBe(MIDNIGHT_US));

it('keeps microseconds, and cuts what is finer', () => {
  expect(observedTime('1551139200.1234567')).toBe(MIDNIGHT_US + 123_456);
  expect(observedTime('1551139200000.5')).toBe(MIDNIGHT_US + 500);
  expect(observedTime('1551139200000000999')).toBe(MIDNIGHT_US);
});

it('takes the unit it is told, whatever the magnitude', () => {
  expect(observedTime('1551139200', 's')).toBe(MIDNIGHT_US);
  expect(observedTime('1551139200', 'ms')).toBe(1_551_139_200_000);
});

it.each([['soon'], ['2019-02-30'], ['-5'], [''], ['9'.repeat(19)], ['1.5e9'], [null], [{}]])(
  'reads nothing from %s',
  (value) => expect(observedTime(value)).toBeUndefined(),
);

it('takes no date where a unit is told', () => expect(observedTime('2019-02-26', 's')).toBeUndefined());
