import type pg from 'pg';
import { INTERVALS, type IntervalName } from '../src/contracts/index.js';
import type { Tape } from '../src/ingestion/simulator/tape.js';
import { type AppProcess, pause } from './app-process.js';
import { nineFields, oracleCandles, type OracleTrade } from './candle-oracle.js';
import type { Checks } from './checks.js';

type Row = Record<string, unknown>;
type StoredTrade = { id: number; price: string; size: string; at_us: number; maker: boolean | null };

/**
 * Compares what an application stored with what a simulated market served until its clock was stopped. A venue's
 * `BTCUSD` is the market's `BTCUSDT`.
 */
export class ServedSet {
  constructor(
    private readonly app: AppProcess,
    private readonly tape: Tape,
    private readonly frozenAtUs: number,
  ) {}

  /** Waits until everything served is stored and every event is delivered. Throws with what is missing. */
  async settled(withinMs = 120_000): Promise<void> {
    let missing = 'nothing looked at yet';
    for (const untilMs = performance.now() + withinMs; performance.now() < untilMs; await pause(500)) {
      const db = await this.app.database().catch(() => undefined);
      if (!db) continue;
      const ends = await rows(
        db,
        `select s.symbol, (select max(trade_id) from processing.trade t where t.series_id = s.id)::float8 as last from processing.series s`,
      );
      const behind = ends.filter((row) => row.last !== this.tape.lastId(onTape(row.symbol as string), this.frozenAtUs));
      const [left] = await rows(db, LEFT);
      await db.end();
      missing = JSON.stringify({ series: ends.length, behind: behind.length, ...left });
      const isDone = left!.deliveries === 0 && left!.gaps === 0 && left!.holes === 0;
      if (ends.length === this.tape.instruments.length && behind.length === 0 && isDone) return;
    }
    throw new Error(`not settled within ${withinMs / 1000} s: ${missing}`);
  }

  /** Every trade from the first one recorded on is stored once, as it was served, and every candle is right. */
  async compare(checks: Checks): Promise<void> {
    const db = await this.app.database();
    const count = { stored: 0, missing: 0, doubled: 0, different: 0, candles: 0, wrongCandles: 0 };
    for (const { symbol } of await rows(db, 'select symbol from processing.series order by symbol')) {
      const trades = await storedTrades(db, symbol as string);
      const served = this.served(onTape(symbol as string), trades[0]!.id);
      count.stored += trades.length;
      const byId = new Map(trades.map((trade) => [trade.id, trade]));
      count.doubled += trades.length - byId.size;
      for (const trade of served) {
        const found = byId.get(trade.id);
        if (!found) count.missing++;
        else if (!sameTrade(found, trade)) count.different++;
      }
      if (byId.size > served.length) count.different += byId.size - served.length;
      const candles = await this.compareCandles(symbol as string, served);
      count.candles += candles.compared;
      count.wrongCandles += candles.wrong;
    }
    console.log(`\n${count.stored} trades stored, ${count.candles} candles compared`);
    checks.check('trades missing', count.missing, 0);
    checks.check('trades stored twice', count.doubled, 0);
    checks.check('trades that differ from what was served', count.different, 0);
    checks.check('candles that differ from the recomputed ones', count.wrongCandles, 0);
    await compareEvents(db, count.stored, checks);
    await db.end();
  }

  /** Candles of the API against those worked out from trades, in all intervals. */
  async compareCandles(symbol: string, trades: readonly OracleTrade[]): Promise<{ compared: number; wrong: number }> {
    let [compared, wrong] = [0, 0];
    for (const window of Object.keys(INTERVALS) as IntervalName[]) {
      const expected = oracleCandles(trades, INTERVALS[window]);
      const answer = await fetch(`${this.app.url}/api/v1/ohlcv/${symbol}?window=${window}&limit=1000`);
      const { candles } = (await answer.json()) as { candles: Row[] };
      compared += expected.size;
      wrong += Math.abs(candles.length - expected.size);
      for (const candle of candles)
        if (expected.get(candle.openTime as string)?.join() !== nineFields(candle).join()) wrong++;
    }
    return { compared, wrong };
  }

  /** All trades of one of the tape's symbols from an id to the stop of the clock. */
  served(symbol: string, fromId: number): OracleTrade[] {
    const trades: OracleTrade[] = [];
    for (let id = fromId; ;) {
      const page = this.tape.tradesFrom(symbol, id, 10_000, this.frozenAtUs);
      for (const { tradedAtUs, ...trade } of page) trades.push({ ...trade, atUs: tradedAtUs });
      if (page.length < 10_000) return trades;
      id = page.at(-1)!.id + 1;
    }
  }
}

const LEFT = `select (select count(*) from bus.delivery)::int as deliveries,
  (select count(*) from ingestion.gap where state in ('open', 'filling'))::int as gaps,
  (select count(*) from ingestion.coverage
   where not isempty(int8multirange(int8range(from_id, upper(accounted + given_up))) - accounted - given_up))::int as holes`;

export const onTape = (symbol: string): string => (symbol.endsWith('USD') ? `${symbol}T` : symbol);

export async function storedTrades(db: pg.Client, symbol: string): Promise<StoredTrade[]> {
  return (await rows(
    db,
    `select t.trade_id::float8 as id, t.price::text, t.size::text, (extract(epoch from t.traded_at) * 1000000)::float8 as at_us, not t.taker_buys as maker
     from processing.trade t join processing.series s on s.id = t.series_id where s.symbol = $1 order by t.trade_id`,
    [symbol],
  )) as StoredTrade[];
}

export async function rows(db: pg.Client, sql: string, parameters: unknown[] = []): Promise<Row[]> {
  return (await db.query<Row>(sql, parameters)).rows;
}

export const canonical = (text: string): string => text.replace(/\.?0+$/, '');

function sameTrade(row: StoredTrade, trade: OracleTrade): boolean {
  return (
    row.price === canonical(trade.price) &&
    row.size === canonical(trade.size) &&
    row.at_us === trade.atUs &&
    row.maker === trade.buyerIsMaker
  );
}

async function compareEvents(db: pg.Client, stored: number, checks: Checks): Promise<void> {
  const [told] = await rows(
    db,
    `select sum(n)::int as told, count(distinct trade)::int as once from (
       select 1 as n, (symbol, trade_id) as trade
       from bus.event e, json_to_recordset(e.data->'series') as s(symbol text, "tradeIds" text[]), unnest("tradeIds") as trade_id
       where e.name = 'processing.trades-recorded.v1') trades`,
  );
  checks.check('trades told by events', told!.told, stored);
  checks.check('trades told once', told!.once, stored);
  const [closed] = await rows(
    db,
    `select count(*)::int as told, count(distinct (c->>'symbol', c->>'interval', c->>'openTimeUs'))::int as once,
            (select count(*) from aggregation.candle where closed)::int as stored
     from bus.event e, json_array_elements(e.data->'candles') c where e.name = 'aggregation.candles-closed.v1'`,
  );
  checks.check('closed candles told once', closed!.told, closed!.once);
  checks.check('closed candles told at all', closed!.once, closed!.stored);
  const [effects] = await rows(
    db,
    `select (select count(*) from bus.delivery)::int as deliveries,
            (select count(*) from bus.dead_letter where stage in ('process', 'store', 'deliver'))::int as letters,
            (select sum(trades) from aggregation.candle where interval_name = '1d')::int as merged`,
  );
  checks.check('deliveries left', effects!.deliveries, 0);
  checks.check('dead letters of handlers', effects!.letters, 0);
  checks.check('trades merged into day candles', effects!.merged, stored);
}
