import { type ArgumentMetadata, ValidationPipe, type ValidationError } from '@nestjs/common';
import { AppError, badParameter } from '../errors/index.js';

/** Checks every DTO; unknown parameters are refused, because a misspelt one would be silently ignored. */
export function validationPipe(): ValidationPipe {
  return new StrictPipe({
    transform: true,
    whitelist: true,
    forbidNonWhitelisted: true,
    exceptionFactory: (faults: ValidationError[]) => {
      const errors = faults.flatMap((fault) => faultsOf(fault, ''));
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
    refuseUnstorable(value, metadata);
    try {
      return (await super.transform(value, metadata)) as unknown;
    } catch (error) {
      if (error instanceof RangeError) throw new AppError('http.bad-request', 'The body is nested too deeply');
      throw error;
    }
  }
}

/** PostgreSQL holds neither U+0000 nor half a surrogate pair: no text of a request may have them, at any depth. */
function refuseUnstorable(value: unknown, { type, data = '' }: ArgumentMetadata): void {
  if (type !== 'body' && type !== 'param') return;
  const isUnstorable = (text: string): boolean => text.includes('\0') || !text.isWellFormed();
  const waiting: [field: string, value: unknown][] = [[data, value]];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const [field, one] = next;
    if (typeof one === 'string' && isUnstorable(one)) {
      if (type === 'param') throw new AppError('http.not-found', `There is nothing whose ${field} has such characters`);
      throw badParameter(field, 'must hold no U+0000 and no half of a surrogate pair');
    }
    if (typeof one !== 'object' || one === null) continue;
    for (const [name, each] of Object.entries(one)) {
      const below = Array.isArray(one) ? `${field}[${name}]` : field === '' ? name : `${field}.${name}`;
      waiting.push([field === '' ? 'body' : field, name], [below, each]);
    }
  }
}

/** Of what is nested, the field that is at fault itself, by its path. */
function faultsOf(fault: ValidationError, path: string): { field: string; message: string }[] {
  const field = path + fault.property;
  if (fault.constraints !== undefined || !fault.children?.length) return [{ field, message: expectationOf(fault) }];
  return fault.children.flatMap((child) => faultsOf(child, `${field}.`));
}

/** What would be right, in words. A value of the wrong type is told that, and not every bound it misses as well. */
export function expectationOf({ property, constraints = { nested: 'is malformed' } }: ValidationError): string {
  if (constraints.whitelistValidation !== undefined) return 'is not a parameter of this route';
  const texts = constraints.isInt !== undefined ? [constraints.isInt] : Object.values(constraints);
  return [
    ...new Set(texts.map((text) => (text.startsWith(`${property} `) ? text.slice(property.length + 1) : text))),
  ].join(' and ');
}
