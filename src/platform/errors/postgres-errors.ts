/**
 * SQLSTATE classes that go away by themselves: connection (08), resources such as a full disk (53), operator
 * intervention such as a restart (57P), internal I/O (58), serialization and deadlock (40).
 */
const TRANSIENT_SQLSTATE = /^(08|53|57P|58|40)/;
const TRANSIENT_SYSTEM = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOENT',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
]);
const DRIVER_MESSAGES =
  /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|not queryable|is not initialized|Cannot use a pool after|Driver not Connected/i;

/** The code of a PostgreSQL or socket error, wherever TypeORM put it. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, driverError, cause } = error as { code?: unknown; driverError?: unknown; cause?: unknown };
  if (typeof code === 'string') return code;
  return errorCode(driverError) ?? errorCode(cause);
}

/** True when the database, not the data, is at fault, so the same work may succeed later. */
export function isTransientDatabaseError(error: unknown): boolean {
  const code = errorCode(error);
  if (code !== undefined && (TRANSIENT_SQLSTATE.test(code) || TRANSIENT_SYSTEM.has(code))) return true;
  return error instanceof Error && DRIVER_MESSAGES.test(error.message);
}

export const UNIQUE_VIOLATION = '23505';

/** True when PostgreSQL refused a value itself (data exception 22, integrity 23): the same data will never do. */
export const isDataError = (error: unknown): boolean => /^2[23]...$/.test(errorCode(error) ?? '');
