import type { DataSource, EntityManager } from 'typeorm';
import { AppError, type ErrorCode, errorCode } from '../errors/index.js';
import { Gate } from '../http/index.js';

/** query_canceled */
const CANCELED = '57014';
const MOST_AT_ONCE = 3;
const MOST_WAITING = 20;
const WAIT_MS = 2000;
const gates = new WeakMap<DataSource, Gate>();

/** What a search that takes too long is answered. */
export type SearchBound = Readonly<{ withinMs: number; code: ErrorCode; advice: string }>;

/**
 * Runs a search that its parameters may make costly in a transaction of its own. A few run at a time, of all that come here, so
 * that the others of the pool stay for what must not wait; throws `http.busy` beyond, and `code` when its time is over.
 */
export async function boundedSearch<T>(
  dataSource: DataSource,
  { withinMs, code, advice }: SearchBound,
  search: (tx: EntityManager) => Promise<T>,
): Promise<T> {
  try {
    return await gateOf(dataSource).run(() =>
      dataSource.transaction(async (tx) => {
        await tx.query(`set local statement_timeout = ${withinMs}`);
        return search(tx);
      }),
    );
  } catch (error) {
    if (errorCode(error) !== CANCELED) throw error;
    throw new AppError(code, `not found out within ${withinMs / 1000} s: ${advice}`, { cause: error });
  }
}

function gateOf(dataSource: DataSource): Gate {
  let gate = gates.get(dataSource);
  if (!gate) {
    const { poolSize = 10 } = dataSource.options as { poolSize?: number };
    const most = Math.max(1, Math.min(MOST_AT_ONCE, Math.floor(poolSize / 4)));
    gates.set(dataSource, (gate = new Gate('searches', most, MOST_WAITING, WAIT_MS)));
  }
  return gate;
}
