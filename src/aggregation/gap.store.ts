import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { GapV1Data } from '../contracts/index.js';
import type { SeriesKey } from './candle.store.js';

export type OpenGap = Readonly<{ fromTradeId: bigint; toTradeId: bigint }>;

@Injectable()
export class GapStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** Notes that a gap is open or closed. Events come in any order: once closed it stays closed. */
  async note(tx: EntityManager, gap: GapV1Data, open: boolean): Promise<void> {
    await tx.query(
      `insert into aggregation.gap as g (gap_id, source, symbol, from_trade_id, to_trade_id, open) values ($1, $2, $3, $4, $5, $6)
       on conflict (gap_id) do update set open = g.open and excluded.open`,
      [gap.gapId, gap.source, gap.symbol, gap.fromTradeId, gap.toTradeId, open],
    );
  }

  async openGaps(key: SeriesKey): Promise<OpenGap[]> {
    const rows = (await this.dataSource.query(
      `select from_trade_id, to_trade_id from aggregation.gap where open and source = $1 and symbol = $2 order by from_trade_id limit 10000`,
      [key.source, key.symbol],
    )) as { from_trade_id: string; to_trade_id: string }[];
    return rows.map((row) => ({ fromTradeId: BigInt(row.from_trade_id), toTradeId: BigInt(row.to_trade_id) }));
  }
}
