import { ValidateBy, ValidateIf } from 'class-validator';
import type { Expectation } from './expectation.js';

/** A field of a body that must be as expected, or, unless it is `required`, be left out; null is not left out. */
export function Field(faultOf: Expectation, required: 'required' | 'optional' = 'optional'): PropertyDecorator {
  const check = ValidateBy(
    { name: 'field', validator: { validate: (value: unknown) => faultOf(value) === undefined } },
    { message: ({ value }) => faultOf(value) ?? '' },
  );
  if (required === 'required') return check;
  const isGiven = ValidateIf((_, value) => value !== undefined);
  return (target, key) => {
    isGiven(target, key);
    check(target, key);
  };
}
