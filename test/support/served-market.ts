import type { DataSource } from 'typeorm';
import { expect } from 'vitest';
import { INTERVALS, type IntervalName } from '../../src/contracts/index.js';
import { simulatedSymbols } from '../../src/ingestion/simulator/character.js';
import { simulatedMarket } from '../../src/ingestion/simulator/market.js';
import {
  type Simulator,
  type SimulatorOptions,
  startSimulator,
} from '../../src/ingestion/simulator/simulator.server.js';
import { nineFields, oracleCandles, type OracleTrade } from '../../bench/candle-oracle.js';
import type { RunningApp } from './app.js';
import { eventually } from './eventually.js';

/** The simulated markets behind a server, whose clock can be stopped so that what was served is a finite set. */
export class ServedMarket {
  private stoppedAtUs = Infinity;

  private constructor(
    private readonly rate: number,
    private readonly simulator: () => Simulator,
  ) {}

  static async start(rate: number, options: SimulatorOptions = {}): Promise<ServedMarket> {
    let simulator: Simulator;
    const market = new ServedMarket(rate, () => simulator);
    simulator = await startSimulator({
      rate,
      nowUs: () => market.nowUs(),
      limits: { weightPerMinute: Infinity },
      ...options,
    });
    return market;
  }

  get env(): Record<string, string> {
    const { url, restUrl } = this.simulator();
    return {
      FEEDS: 'binance',
      BINANCE_SYMBOLS: simulatedSymbols.join(','),
      BINANCE_WS_URL: url,
      BINANCE_REST_URL: restUrl,
    };
  }

  get struck(): Simulator['faults']['struck'] {
    return this.simulator().faults.struck;
  }

  stopClock(): void {
    this.stoppedAtUs = Date.now() * 1000;
  }

  close(): Promise<void> {
    return this.simulator().close();
  }

  /** Every trade from the first one recorded to the stop of the clock is stored once, and every candle is right. */
  async expectStored(db: DataSource, app: RunningApp): Promise<void> {
    const market = simulatedMarket({ rate: this.rate });
    for (const symbol of simulatedSymbols) {
      const served = await eventually(async () => {
        const stored = (await db.query(
          `select t.trade_id::float8 as id, t.price::text as price, t.size::text as size
           from processing.trade t join processing.series s on s.id = t.series_id where s.symbol = $1 order by 1`,
          [symbol],
        )) as { id: number; price: string; size: string }[];
        const trades: OracleTrade[] = market
          .tradesFrom(symbol, stored[0]!.id, 1_000_000, this.stoppedAtUs)
          .map((trade) => ({ ...trade, atUs: trade.tradedAtUs }));
        expect(stored.length).toBe(trades.length);
        expect(stored.map((trade) => trade.id)).toEqual(trades.map((trade) => trade.id));
        return trades;
      }, 25_000);
      await eventually(async () => {
        for (const window of Object.keys(INTERVALS) as IntervalName[]) {
          const { body } = await app.get(`/api/v1/ohlcv/${symbol}?window=${window}&limit=1000`);
          const got = new Map(
            (body.candles as Record<string, unknown>[]).map((candle) => [candle.openTime, nineFields(candle)]),
          );
          expect(got).toEqual(oracleCandles(served, INTERVALS[window]));
        }
      }, 20_000); // longer than a lease: a commit whose answer was lost is delivered when that runs out
    }
  }

  private nowUs(): number {
    return Math.min(this.stoppedAtUs, Date.now() * 1000);
  }
}
