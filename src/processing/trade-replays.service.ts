import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Trade } from '../contracts/index.js';
import { Bus, DeadLetters, type ReplayedLetter } from '../platform/bus/index.js';
import { AppError } from '../platform/errors/index.js';
import { nowUs } from '../platform/observability/index.js';
import { RecordedBatch } from './trade-batch.js';
import { TradeLedger } from './trade-ledger.service.js';
import { checkTrade } from './trade-rules.js';

/** Records trades that were refused, as they are or as a person has edited them: once, by their identity. */
@Injectable()
export class TradeReplays {
  constructor(
    private readonly bus: Bus,
    private readonly ledger: TradeLedger,
    deadLetters: DeadLetters,
  ) {
    deadLetters.onReplay(
      'trade',
      (letter, tx) => this.record(letter, tx),
      (letter) => this.prepare(letter),
    );
  }

  /** Makes its day and series, which it then finds made. */
  private async prepare({ payload }: ReplayedLetter): Promise<void> {
    const checked = checkTrade(tradeOf(payload), nowUs());
    if (!('code' in checked)) await this.ledger.prepare([checked]);
  }

  private async record({ payload }: ReplayedLetter, tx: EntityManager): Promise<void> {
    const checked = checkTrade(tradeOf(payload), nowUs());
    if ('code' in checked) throw new AppError(checked.code, checked.message);
    const due = await this.ledger.prepare([checked]);
    if (due.expired.length > 0) throw new Error('the trades of its day were dropped');
    const recorded = new RecordedBatch();
    await this.ledger.insertMissing(tx, due.lasting, recorded);
    await this.ledger.tell(tx, recorded);
    this.bus.afterCommit(tx, () => {
      this.ledger.raiseHighWaters(due.lasting);
      this.ledger.count(due, recorded.series);
    });
  }
}

/** Of a payload that a person may have edited; what checkTrade looks at it sees to itself. */
function tradeOf(payload: Buffer): Trade {
  const trade = JSON.parse(payload.toString()) as Record<keyof Trade, unknown> | null;
  const texts = ['source', 'exchange', 'symbol', 'venueSymbol'] as const;
  if (typeof trade !== 'object' || trade === null) throw new Error('the payload is no trade');
  for (const name of texts)
    if (typeof trade[name] !== 'string' || trade[name] === '') throw new Error(`the trade lacks its ${name}`);
  if (!Number.isSafeInteger(trade.receivedAtUs)) throw new Error('the trade lacks receivedAtUs, in microseconds');
  if (trade.side !== undefined && trade.side !== 'buy' && trade.side !== 'sell')
    throw new Error('the side of the trade must be buy or sell, or absent');
  return trade as Trade;
}
