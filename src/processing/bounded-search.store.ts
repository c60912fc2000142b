import type { DataSource, EntityManager } from 'typeorm';
import { AppError, errorCode } from '../platform/errors/index.js';

const WITHIN_MS = 5000;
/** query_canceled */
const CANCELED = '57014';

/** Runs a search that its parameters may make costly; throws `search.too-slow`, with what to do about it, beyond its time. */
export async function withinTime<T>(
  dataSource: DataSource,
  advice: string,
  search: (tx: EntityManager) => Promise<T>,
): Promise<T> {
  try {
    return await dataSource.transaction(async (tx) => {
      await tx.query(`set local statement_timeout = ${WITHIN_MS}`);
      return search(tx);
    });
  } catch (error) {
    if (errorCode(error) !== CANCELED) throw error;
    throw new AppError('search.too-slow', `not found out within ${WITHIN_MS / 1000} s: ${advice}`, { cause: error });
  }
}
