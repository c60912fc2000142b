import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { SeriesKey } from '../candles/candle.store.js';
import type { StoredWatch, WatchState } from './series-watch.js';

@Injectable()
export class DetectorStateStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /**
   * What is stored of each of these series, in their order, undefined where nothing is; locked until the transaction
   * ends. A row is made where there is none, so that two processes cannot both begin a series.
   */
  async lock(tx: EntityManager, keys: readonly SeriesKey[]): Promise<(StoredWatch | undefined)[]> {
    const names = [keys.map((key) => key.source), keys.map((key) => key.symbol)];
    await tx.query(
      `insert into aggregation.detector_state (source, symbol)
       select * from unnest($1::text[], $2::text[]) as k (source, symbol) order by 1, 2 on conflict do nothing`,
      names,
    );
    const rows = (await tx.query(
      `select s.source, s.symbol, s.state, s.samples from aggregation.detector_state s
       where (s.source, s.symbol) in (select * from unnest($1::text[], $2::text[]))
       order by s.source, s.symbol for update`,
      names,
    )) as { source: string; symbol: string; state: WatchState | null; samples: Buffer | null }[];
    return keys.map((key) => {
      const row = rows.find(({ source, symbol }) => source === key.source && symbol === key.symbol);
      return row?.state && row.samples ? { state: row.state, samples: floatsOf(row.samples) } : undefined;
    });
  }

  /** Stores what series know, which this transaction has locked. */
  async save(tx: EntityManager, watches: readonly Readonly<{ key: SeriesKey; stored: StoredWatch }>[]): Promise<void> {
    await tx.query(
      `update aggregation.detector_state s set state = n.state, samples = n.samples, changed_at = now()
       from unnest($1::text[], $2::text[], $3::jsonb[], $4::bytea[]) as n (source, symbol, state, samples)
       where s.source = n.source and s.symbol = n.symbol`,
      [
        watches.map(({ key }) => key.source),
        watches.map(({ key }) => key.symbol),
        watches.map(({ stored }) => JSON.stringify(stored.state)),
        watches.map(({ stored }) => bytesOf(stored.samples)),
      ],
    );
  }

  /** Without the samples. */
  async stateOf(key: SeriesKey): Promise<WatchState | undefined> {
    const rows = (await this.dataSource.query(
      `select state from aggregation.detector_state where source = $1 and symbol = $2`,
      [key.source, key.symbol],
    )) as { state: WatchState | null }[];
    return rows[0]?.state ?? undefined;
  }
}

function bytesOf(samples: Float64Array): Buffer {
  const bytes = Buffer.allocUnsafe(samples.length * 8);
  samples.forEach((value, index) => bytes.writeDoubleLE(value, index * 8));
  return bytes;
}

function floatsOf(bytes: Buffer): Float64Array {
  const samples = new Float64Array(bytes.length / 8);
  for (let index = 0; index < samples.length; index++) samples[index] = bytes.readDoubleLE(index * 8);
  return samples;
}
