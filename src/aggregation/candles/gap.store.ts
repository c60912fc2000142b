import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { formatInstant, type GapV1Data } from '../../contracts/index.js';
import type { SeriesKey } from './candle.store.js';

/** A hole in ids, or, where the venue numbers no trades, in time (epoch microseconds). */
export type OpenGap = Readonly<{ fromTradeId: bigint; toTradeId: bigint; fromUs?: number; toUs?: number }>;

@Injectable()
export class GapStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** Notes that a gap is open or closed. Events come in any order: once closed it stays closed, and it only shrinks. */
  async note(tx: EntityManager, gap: GapV1Data, open: boolean): Promise<void> {
    await tx.query(
      `insert into aggregation.gap as g (gap_id, source, symbol, from_trade_id, to_trade_id, open, from_at, to_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8)
       on conflict (gap_id) do update set
         open = g.open and excluded.open,
         from_trade_id = greatest(g.from_trade_id, excluded.from_trade_id),
         to_trade_id = least(g.to_trade_id, excluded.to_trade_id)`,
      [
        gap.gapId,
        gap.source,
        gap.symbol,
        gap.fromTradeId,
        gap.toTradeId,
        open,
        gap.fromUs === undefined ? null : formatInstant(gap.fromUs),
        gap.toUs === undefined ? null : formatInstant(gap.toUs),
      ],
    );
  }

  async openGaps(key: SeriesKey): Promise<OpenGap[]> {
    const rows = (await this.dataSource.query(
      `select from_trade_id, to_trade_id, (extract(epoch from from_at) * 1000000)::bigint as from_us, (extract(epoch from to_at) * 1000000)::bigint as to_us
       from aggregation.gap where open and source = $1 and symbol = $2 order by from_trade_id limit 10000`,
      [key.source, key.symbol],
    )) as { from_trade_id: string; to_trade_id: string; from_us: string | null; to_us: string | null }[];
    return rows.map((row) => ({
      fromTradeId: BigInt(row.from_trade_id),
      toTradeId: BigInt(row.to_trade_id),
      ...(row.from_us !== null && { fromUs: Number(row.from_us) }),
      ...(row.to_us !== null && { toUs: Number(row.to_us) }),
    }));
  }
}
