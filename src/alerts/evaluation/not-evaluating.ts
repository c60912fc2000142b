/** Not the fault of what was to be evaluated, which therefore is tried again. */
export class NotEvaluating extends Error {
  /** As PostgreSQL says of a transaction that another one was ahead of. */
  readonly code = '40001';

  constructor() {
    super('this process does not evaluate rules now');
  }
}
