import { type Trade, TradesReceivedV1 } from '../../src/contracts/index.js';
import { Bus } from '../../src/platform/bus/index.js';
import { type RunningApp, startApp } from './app.js';
import { testDatabase, type TestDatabase } from './database.js';
import { eventually } from './eventually.js';

export type Recording = Readonly<{
  database: TestDatabase;
  app: () => RunningApp;
  /** Hands trades to recording as a feed does, and waits until every awaited consumer has had them. */
  record(trades: readonly Trade[]): Promise<void>;
  /** Waits until nothing is owed to an awaited consumer. */
  settled(): Promise<void>;
  restart(): Promise<void>;
  close(): Promise<void>;
}>;

/** Processing and aggregation over a database of their own, fed by hand. `awaited`: of which consumers, by a LIKE pattern. */
export async function startRecording(env: Record<string, string> = {}, awaited = '%'): Promise<Recording> {
  const database = await testDatabase();
  const start = async (): Promise<RunningApp> => {
    const started = await startApp(database.connection, { MODULES: 'processing,aggregation', ...env });
    await started.app.get(Bus).whenReady();
    return started;
  };
  let app = await start();
  const settled = async (): Promise<void> =>
    eventually(async () => {
      const [{ owed }] = (await database.dataSource.query(
        'select count(*)::int as owed from bus.delivery where consumer like $1',
        [awaited],
      )) as [{ owed: number }];
      if (owed > 0) throw new Error(`${owed} deliveries are owed`);
    });
  return {
    database,
    app: () => app,
    settled,
    record: async (trades) => {
      const count = async (): Promise<number> => {
        const [{ recorded }] = (await database.dataSource.query(
          'select count(*)::int as recorded from processing.trade t join processing.series s on s.id = t.series_id where (s.source, s.venue_symbol, t.trade_id) in (select * from unnest($1::text[], $2::text[], $3::bigint[]))',
          [trades.map((one) => one.source), trades.map((one) => one.venueSymbol), trades.map((one) => one.tradeId)],
        )) as [{ recorded: number }];
        return recorded;
      };
      app.app.get(Bus).emit(TradesReceivedV1, { trades });
      await eventually(async () => {
        const recorded = await count();
        if (recorded < trades.length) throw new Error(`${recorded} of ${trades.length} trades are recorded`);
      });
      await settled();
    },
    restart: async () => {
      await app.close();
      app = await start();
    },
    close: () => app.close(),
  };
}

/** A trade of the simulated venue, unless told otherwise. */
export function madeTrade(trade: Pick<Trade, 'symbol' | 'tradeId' | 'price' | 'tradedAtUs'> & Partial<Trade>): Trade {
  return {
    source: 'simulator',
    exchange: 'Simulator',
    venueSymbol: trade.symbol,
    size: '1',
    side: 'buy',
    receivedAtUs: trade.tradedAtUs + 1000,
    ...trade,
  };
}
