import { type ArgumentMetadata, ValidationPipe, type ValidationError } from '@nestjs/common';
import { AppError, badParameter } from '../errors/index.js';

/** Checks every DTO; unknown parameters are refused, because a misspelt one would be silently ignored. */
export function validationPipe(): ValidationPipe {
  return new StrictPipe({
    transform: true,
    whitelist: true,
    forbidNonWhitelisted: true,
    exceptionFactory: (faults: ValidationError[]) => {
      const errors = faults.map((fault) => ({ field: fault.property, message: expectationOf(fault) }));
      return new AppError('request.bad-parameter', errors.map((one) => `${one.field} ${one.message}`).join('; '), {
        errors,
      });
    },
  });
}

class StrictPipe extends ValidationPipe {
  override async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    // class-validator takes names that every object has, such as constructor, for declared ones
    const stray = Object.keys(value ?? {}).find((name) => name in Object.prototype);
    if (metadata.type === 'query' && stray !== undefined) throw badParameter(stray, 'is not a parameter of this route');
    try {
      return (await super.transform(value, metadata)) as unknown;
    } catch (error) {
      if (error instanceof RangeError) throw new AppError('http.bad-request', 'The body is nested too deeply');
      throw error;
    }
  }
}

/** What would be right, in words. A value of the wrong type is told that, and not every bound it misses as well. */
export function expectationOf({ property, constraints = { nested: 'is malformed' } }: ValidationError): string {
  if (constraints.whitelistValidation !== undefined) return 'is not a parameter of this route';
  const texts = constraints.isInt !== undefined ? [constraints.isInt] : Object.values(constraints);
  return [
    ...new Set(texts.map((text) => (text.startsWith(`${property} `) ? text.slice(property.length + 1) : text))),
  ].join(' and ');
}
