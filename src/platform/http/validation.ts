import { ValidationPipe, type ValidationError } from '@nestjs/common';
import { AppError } from '../errors/index.js';

/** Checks every DTO; unknown parameters are refused, because a misspelt one would be silently ignored. */
export function validationPipe(): ValidationPipe {
  return new ValidationPipe({
    transform: true,
    whitelist: true,
    forbidNonWhitelisted: true,
    exceptionFactory: (faults: ValidationError[]) => {
      const errors = faults.map((fault) => ({
        field: fault.property,
        message: Object.values(fault.constraints ?? { nested: 'is malformed' })
          .map((text) =>
            text
              .replace(`property ${fault.property} should not exist`, 'is not a parameter of this route')
              .replace(`${fault.property} `, ''),
          )
          .join(' and '),
      }));
      return new AppError('request.bad-parameter', errors.map((one) => `${one.field} ${one.message}`).join('; '), {
        errors,
      });
    },
  });
}
