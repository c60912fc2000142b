import { Inject, Injectable, Logger } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';

/** Runs work in one transaction and what hangs on its commit after it. */
@Injectable()
export class Transactions {
  private readonly logger = new Logger('Transactions');
  private readonly onCommit = new WeakMap<EntityManager, (() => void)[]>();
  private readonly onEnd = new WeakMap<EntityManager, ((isCommitted: boolean) => void)[]>();

  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  async run<T>(work: (tx: EntityManager) => Promise<T>): Promise<T> {
    const afterwards: (() => void)[] = [];
    const atEnd: ((isCommitted: boolean) => void)[] = [];
    let isCommitted = false;
    try {
      const result = await this.dataSource.transaction(async (tx) => {
        this.onCommit.set(tx, afterwards);
        this.onEnd.set(tx, atEnd);
        return work(tx);
      });
      isCommitted = true;
      for (const act of afterwards) this.attempt(act);
      return result;
    } finally {
      for (const act of atEnd) this.attempt(() => act(isCommitted));
    }
  }

  /** Part of the transaction of `tx`: when it fails, it alone is undone, with what hangs on the commit of it. */
  async savepoint<T>(tx: EntityManager, work: () => Promise<T>): Promise<T> {
    const acts = this.actsOf(tx, this.onCommit);
    const before = acts.length;
    try {
      return await tx.transaction(work);
    } catch (error) {
      acts.length = before;
      throw error;
    }
  }

  /** `act` runs once the transaction of `tx` has committed, never when it rolls back. Throws outside `run`. */
  afterCommit(tx: EntityManager, act: () => void): void {
    this.actsOf(tx, this.onCommit).push(act);
  }

  /** `act` runs once the transaction of `tx` is over. Without an answer of the database it counts as rolled back. */
  afterEnd(tx: EntityManager, act: (isCommitted: boolean) => void): void {
    this.actsOf(tx, this.onEnd).push(act);
  }

  private actsOf<Act>(tx: EntityManager, all: WeakMap<EntityManager, Act[]>): Act[] {
    const acts = all.get(tx);
    if (!acts) throw new Error('This EntityManager is not in a transaction of the bus: use bus.transaction()');
    return acts;
  }

  /** The transaction is over: nothing that fails now may make it look otherwise. */
  private attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.logger.error(`After a commit: ${(error as Error).message}`, (error as Error).stack);
    }
  }
}
