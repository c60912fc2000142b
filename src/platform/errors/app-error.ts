import { ERRORS, type ErrorCode } from './error-codes.js';

/** `code`, `start` and `end` of a field that is a text of its own grammar: what is wrong with it, and where. */
export type FieldFault = Readonly<{ field: string; message: string; code?: string; start?: number; end?: number }>;

/** The one error class: a code of the catalogue and what exactly failed; for a request also the fields at fault. */
export class AppError extends Error {
  readonly status: number;
  readonly errors: readonly FieldFault[] | undefined;

  constructor(
    readonly code: ErrorCode,
    readonly detail: string,
    options: { cause?: unknown; errors?: readonly FieldFault[] } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.status = ERRORS[code].status;
    this.errors = options.errors;
  }
}

/** A request parameter with a wrong value: `expected` says what would be right. */
export function badParameter(field: string, expected: string): AppError {
  return new AppError('request.bad-parameter', `${field} ${expected}`, { errors: [{ field, message: expected }] });
}

/** Nothing of this symbol was ever recorded, from this source where one was named. */
export function unknownSymbol(symbol: string, source: string | undefined): AppError {
  const from = source === undefined ? '' : ` from ${source}`;
  return new AppError(
    'market.unknown-symbol',
    `nothing of ${symbol.slice(0, 60)} was recorded${from}; GET /api/v1/symbols lists what was`,
  );
}

/** Thrown by a handler when trying again cannot help: the delivery becomes a dead letter at once. */
export class PermanentError extends AppError {}
