import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { FileTradesParsedV1, type FileTradesParsedV1Data, type Trade } from '../contracts/index.js';
import { Bus, ConsumesBatch } from '../platform/bus/index.js';
import { isDataError } from '../platform/errors/index.js';
import { nowUs } from '../platform/observability/index.js';
import { RecordedBatch } from './trade-batch.js';
import { TradeLedger } from './trade-ledger.service.js';
import { type RejectedTrade, siftTrades } from './trade-rules.js';

/** About a thousand trades a statement: beyond, it is not faster, and what it hinders waits longer. */
const BATCH_CHUNKS = 4;

/** Records trades of files where live ones go, each once: what a feed has recorded before is recognised by its id. */
@Injectable()
export class FileTradeRecorder {
  constructor(
    private readonly bus: Bus,
    private readonly ledger: TradeLedger,
  ) {}

  @ConsumesBatch(FileTradesParsedV1, 'processing.record-file-trades', { batch: BATCH_CHUNKS })
  async onTradesParsed(chunks: readonly FileTradesParsedV1Data[], tx: EntityManager): Promise<void> {
    const valid: Trade[] = [];
    const rejected: RejectedTrade[] = [];
    const now = nowUs();
    for (const { trades } of chunks) siftTrades(trades, now, valid, rejected);
    const due = await this.ledger.prepare(valid);
    const recorded = new RecordedBatch();
    await this.recordOrSplit(tx, due.lasting, recorded, rejected);
    await this.ledger.refuse(tx, rejected, due.expired, true);
    await this.ledger.tell(tx, recorded);
    this.bus.afterCommit(tx, () => {
      this.ledger.raiseHighWaters(due.lasting);
      this.ledger.count(due, recorded.series);
    });
  }

  /** One trade that PostgreSQL refuses must not hold up the others: halve until it stands alone, then reject it. */
  private async recordOrSplit(
    tx: EntityManager,
    trades: readonly Trade[],
    recorded: RecordedBatch,
    rejected: RejectedTrade[],
  ): Promise<void> {
    try {
      await tx.transaction((savepoint) => this.ledger.insertMissing(savepoint, trades, recorded));
    } catch (error) {
      if (this.ledger.hasLostDay(error) || !isDataError(error)) throw error;
      const [alone] = trades;
      if (trades.length === 1 && alone) {
        rejected.push({ trade: alone, fault: { code: 'store.refused', message: (error as Error).message } });
        return;
      }
      const middle = trades.length >> 1;
      await this.recordOrSplit(tx, trades.slice(0, middle), recorded, rejected);
      await this.recordOrSplit(tx, trades.slice(middle), recorded, rejected);
    }
  }
}
