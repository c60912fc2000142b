import { expect, it } from 'vitest';
import { observedValue } from './observed-value.js';

it.each([
  ['1.0850', '1.085'],
  ['1e3', '1000'],
  ['1.5e-7', '0.00000015'],
  ['12.5E+1', '125'],
  ['0.0012e2', '0.12'],
  ['007', '7'],
  ['100000000000000000000000e-23', '1'],
])('reads %s as %s', (text, plain) => expect(observedValue(text)).toBe(plain));

it.each([
  ['0'],
  ['-0.0'],
  ['0e10'],
  ['-2.5'],
  ['1e999999999'],
  ['1e90'],
  [''],
  ['abc'],
  ['1,5'],
  ['+1'],
  ['0x10'],
  [' 1'],
  ['.5'],
  [true],
  [null],
  [{}],
])('reads nothing from %s', (value) => expect(observedValue(value)).toBeUndefined());
