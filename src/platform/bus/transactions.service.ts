import { Inject, Injectable, Logger } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';

/** Runs work in one transaction and what hangs on its commit after it. */
@Injectable()
export class Transactions {
  private readonly logger = new Logger('Transactions');
  private readonly onCommit = new WeakMap<EntityManager, (() => void)[]>();

  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  async run<T>(work: (tx: EntityManager) => Promise<T>): Promise<T> {
    const afterwards: (() => void)[] = [];
    const result = await this.dataSource.transaction(async (tx) => {
      this.onCommit.set(tx, afterwards);
      return work(tx);
    });
    for (const act of afterwards) this.attempt(act);
    return result;
  }

  /** `act` runs once the transaction of `tx` has committed, never when it rolls back. Throws outside `run`. */
  afterCommit(tx: EntityManager, act: () => void): void {
    const acts = this.onCommit.get(tx);
    if (!acts) throw new Error('This EntityManager is not in a transaction of the bus: use bus.transaction()');
    acts.push(act);
  }

  /** The transaction has committed: nothing that fails now may make it look as if it had not. */
  private attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.logger.error(`After a commit: ${(error as Error).message}`, (error as Error).stack);
    }
  }
}
