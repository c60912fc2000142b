import { applyDecorators } from '@nestjs/common';
import { IsOptional, ValidateBy } from 'class-validator';
import type { Expectation } from './rules/rule-body.js';

/** A field of a body that must be as expected, or, unless it is `required`, be left out. */
export function Field(
  [message, holds]: Expectation,
  required: 'required' | 'optional' = 'optional',
): PropertyDecorator {
  const check = ValidateBy({ name: 'field', validator: { validate: holds } }, { message });
  return required === 'required' ? check : applyDecorators(IsOptional(), check);
}
