import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { MarketKey, TradePosition } from './trade-position.js';

export type SeriesPosition = MarketKey & TradePosition;
/** The right to evaluate, held by a session of its own. `check` throws when that session does not answer. */
export type EvaluatorLease = Readonly<{ check(): Promise<void>; release(): Promise<void> }>;
export type FeedSilence = Readonly<{ sinceUs: number; notedUs: number; untilUs: number | undefined }>;

@Injectable()
export class EvaluatorStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** Begins an epoch, once the transactions of the one before are over; nothing of that is written from then on. */
  async raiseEpoch(): Promise<string> {
    const [[row]] = (await this.dataSource.query('update alerts.evaluator set epoch = epoch + 1 returning epoch')) as [
      { epoch: string }[],
    ];
    return row!.epoch;
  }

  /** Whether this is still the epoch; if so, it stays until the transaction is over. */
  async isEpoch(tx: EntityManager, epoch: string): Promise<boolean> {
    const rows = (await tx.query('select from alerts.evaluator where epoch = $1 for share', [epoch])) as unknown[];
    return rows.length > 0;
  }

  async positions(): Promise<SeriesPosition[]> {
    const rows = (await this.dataSource.query(
      'select source, symbol, traded_at_us::float8 as us, trade_id from alerts.position',
    )) as { source: string; symbol: string; us: number; trade_id: string }[];
    return rows.map(({ source, symbol, us, trade_id }) => ({ source, symbol, tradedAtUs: us, tradeId: trade_id }));
  }

  async savePositions(tx: EntityManager, positions: readonly SeriesPosition[]): Promise<void> {
    await tx.query(
      `insert into alerts.position (source, symbol, traded_at_us, trade_id)
       select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[])
       on conflict (source, symbol) do update set traded_at_us = excluded.traded_at_us, trade_id = excluded.trade_id`,
      [
        positions.map(({ source }) => source),
        positions.map(({ symbol }) => symbol),
        positions.map(({ tradedAtUs }) => tradedAtUs),
        positions.map(({ tradeId }) => tradeId),
      ],
    );
  }

  async noteSilence(tx: EntityManager, source: string, sinceUs: number, notedUs: number): Promise<void> {
    await tx.query(
      `insert into alerts.feed_silence (source, since_us, noted_us) values ($1, $2, $3)
       on conflict (source, since_us) do update set until_us = null`,
      [source, sinceUs, notedUs],
    );
  }

  async endSilences(tx: EntityManager, source: string, untilUs: number): Promise<void> {
    await tx.query(
      `update alerts.feed_silence set until_us = greatest($2::bigint, noted_us) where source = $1 and until_us is null`,
      [source, untilUs],
    );
  }

  /** Those seen within a stretch, oldest first. */
  async silences(source: string, fromUs: number, toUs: number): Promise<FeedSilence[]> {
    const rows = (await this.dataSource.query(
      `select since_us::float8 as since, noted_us::float8 as noted, until_us::float8 as until from alerts.feed_silence
       where source = $1 and noted_us < $3 and coalesce(until_us, $3) >= $2 order by noted_us limit 10000`,
      [source, fromUs, toUs],
    )) as { since: number; noted: number; until: number | null }[];
    return rows.map(({ since, noted, until }) => ({ sinceUs: since, notedUs: noted, untilUs: until ?? undefined }));
  }

  /** Feeds that were lost when that was last told. */
  async openSilences(): Promise<Readonly<{ source: string; sinceUs: number }>[]> {
    const rows = (await this.dataSource.query(
      'select source, max(since_us)::float8 as since from alerts.feed_silence where until_us is null group by source',
    )) as { source: string; since: number }[];
    return rows.map(({ source, since }) => ({ source, sinceUs: since }));
  }

  async forgetSilences(tx: EntityManager, beforeUs: number): Promise<void> {
    await tx.query('delete from alerts.feed_silence where until_us < $1', [beforeUs]);
  }

  /**
   * The one evaluator's lease: a lock of a session of its own, so it is free the moment its process or connection is gone.
   * Undefined while another process holds it. `lost` is called when the connection ends.
   */
  async lease(lost: () => void): Promise<EvaluatorLease | undefined> {
    const runner = this.dataSource.createQueryRunner();
    try {
      const connection = (await runner.connect()) as Connection;
      const [row] = (await runner.query(`select pg_try_advisory_lock(hashtext('alerts.evaluator')) as held`)) as [
        { held: boolean },
      ];
      if (!row.held) {
        await runner.release();
        return undefined;
      }
      connection.on('error', lost);
      connection.on('end', lost);
      return {
        check: () => answered(runner.query('select 1')),
        release: async () => {
          connection.off('error', lost);
          connection.off('end', lost);
          try {
            await answered(runner.query(`select pg_advisory_unlock(hashtext('alerts.evaluator'))`));
          } catch {
            void connection.end().catch(() => undefined); // nobody may get it out of the pool again
          }
          await runner.release().catch(() => undefined);
        },
      };
    } catch (error) {
      await runner.release().catch(() => undefined);
      throw error;
    }
  }
}

type Connection = Readonly<
  Record<'on' | 'off', (event: 'error' | 'end', listener: () => void) => void> & { end(): Promise<void> }
>;

const ANSWERED_WITHIN_MS = 5000;

/** A session whose other end vanished answers nothing and fails with nothing. */
async function answered(query: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the session of the lease does not answer')), ANSWERED_WITHIN_MS);
  });
  await Promise.race([query, late]).finally(() => clearTimeout(timer));
}
