import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type pg from 'pg';
import { INTERVALS, type IntervalName } from '../src/contracts/index.js';
import { simulatedSymbols } from '../src/ingestion/simulator/character.js';
import { simulatedMarket } from '../src/ingestion/simulator/market.js';
import { startSimulator } from '../src/ingestion/simulator/simulator.server.js';
import type { Tape } from '../src/ingestion/simulator/tape.js';
import { AppProcess, pause } from './app-process.js';
import { nineFields, oracleCandles, type OracleTrade } from './candle-oracle.js';

/**
 * Kills the application and its database at random moments under load, then compares what was stored with what was
 * served. Exits non-zero when a trade is missing or doubled, a candle differs, or an event is lost or told twice.
 */
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '20' },
    'database-kills': { type: 'string', default: '5' },
    rate: { type: 'string', default: '50' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
  },
});
const kills = Number(values.kills);
const databaseKills = Number(values['database-kills']);
const rate = Number(values.rate);
const random = seeded(Number(values.seed));
let passed = 0;
let failed = 0;

console.log(
  `crash: ${kills} kills of the application, ${databaseKills} of PostgreSQL, market at rate ${rate}, seed ${values.seed}`,
);
const dataDir = mkdtempSync(join(tmpdir(), 'tapeline-crash-'));
let frozenAtUs = Infinity;
const nowUs = (): number => Math.min(frozenAtUs, Date.now() * 1000);
const simulator = await startSimulator({
  rate,
  nowUs,
  limits: { weightPerMinute: Infinity, messagesPerSecond: Infinity },
});
const app = await AppProcess.create(dataDir, {
  FEEDS: 'binance',
  BINANCE_SYMBOLS: simulatedSymbols.join(','),
  BINANCE_WS_URL: simulator.url,
  BINANCE_REST_URL: simulator.restUrl,
  LOG_LEVEL: 'warn',
});
app.start();
await app.ready();
await pause(2000);

const deeds = shuffled([...Array<string>(kills).fill('app'), ...Array<string>(databaseKills).fill('database')]);
for (const [index, deed] of deeds.entries()) {
  await pause(200 + random() * 2500);
  if (deed === 'database') {
    await app.ready(); // else there may be none to kill
    const pid = app.postmasterPid!;
    process.kill(pid, 'SIGKILL');
    console.log(`${index + 1}/${deeds.length} kill -9 of PostgreSQL (${pid})`);
    continue;
  }
  const withDatabase = random() < 0.3 ? app.postmasterPid : undefined;
  if (withDatabase !== undefined) process.kill(withDatabase, 'SIGKILL');
  await app.kill();
  console.log(
    `${index + 1}/${deeds.length} kill -9 of the application${withDatabase === undefined ? '' : ' and of PostgreSQL'}`,
  );
  app.start();
  if (random() < 0.8) await app.ready(); // else it is killed while it starts
}
await app.ready(60_000);
await pause(1000);
frozenAtUs = Date.now() * 1000;
const tape = simulatedMarket({ rate });

try {
  await settled(tape);
  await compare(tape);
} catch (error) {
  check('the system settles', String(error), 'settled');
  console.log(app.log.split('\n').slice(-30).join('\n'));
}
check('SIGTERM ends it', await app.stop(), 0);
await simulator.close();
rmSync(dataDir, { recursive: true, force: true });
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);

/** Waits until everything the market gave out is stored and every event is delivered. */
async function settled(market: Tape): Promise<void> {
  let missing = 'nothing looked at yet';
  for (const untilMs = performance.now() + 120_000; performance.now() < untilMs; await pause(250)) {
    const db = await app.database().catch(() => undefined);
    if (!db) continue;
    const ends = await rows(
      db,
      `select s.symbol, (select max(trade_id) from processing.trade t where t.series_id = s.id)::float8 as last from processing.series s`,
    );
    const behind = ends.filter((row) => row.last !== market.lastId(row.symbol as string, frozenAtUs));
    const [open] = await rows(
      db,
      `select (select count(*) from bus.delivery)::int as deliveries, (select count(*) from ingestion.gap where state in ('open', 'filling'))::int as gaps,
              (select count(*) from ingestion.coverage where accounted <> int8multirange(int8range(lower(accounted), upper(accounted))))::int as holes`,
    );
    await db.end();
    missing = JSON.stringify({ behind: behind.length, ...open });
    if (
      ends.length === simulatedSymbols.length &&
      behind.length === 0 &&
      open!.deliveries === 0 &&
      open!.gaps === 0 &&
      open!.holes === 0
    )
      return;
  }
  throw new Error(`not settled within two minutes: ${missing}`);
}

async function compare(market: Tape): Promise<void> {
  const db = await app.database();
  let stored = 0;
  let missing = 0;
  let doubled = 0;
  let different = 0;
  let candles = 0;
  let wrongCandles = 0;
  for (const symbol of simulatedSymbols) {
    const trades = await rows(
      db,
      `select t.trade_id::float8 as id, t.price::text, t.size::text, (extract(epoch from t.traded_at) * 1000000)::float8 as at_us, not t.taker_buys as maker
       from processing.trade t join processing.series s on s.id = t.series_id where s.symbol = $1 order by t.trade_id`,
      [symbol],
    );
    const first = trades[0]!.id as number;
    const served = everything(market, symbol, first);
    stored += trades.length;
    doubled += trades.length - new Set(trades.map((trade) => trade.id)).size;
    const byId = new Map(trades.map((trade) => [trade.id, trade]));
    for (const trade of served) {
      const found = byId.get(trade.id);
      if (!found) missing++;
      else if (!sameTrade(found, trade)) different++;
    }
    if (byId.size > served.length) different += byId.size - served.length;
    for (const window of Object.keys(INTERVALS) as IntervalName[]) {
      const expected = oracleCandles(served, INTERVALS[window]);
      const { candles: got } = (await (
        await fetch(`${app.url}/api/v1/ohlcv/${symbol}?window=${window}&limit=1000`)
      ).json()) as { candles: Record<string, unknown>[] };
      candles += expected.size;
      wrongCandles += Math.abs(got.length - expected.size);
      for (const candle of got)
        if (expected.get(candle.openTime as string)?.join() !== nineFields(candle).join()) wrongCandles++;
    }
  }
  console.log(`\n${stored} trades stored, ${candles} candles compared`);
  check('trades missing', missing, 0);
  check('trades stored twice', doubled, 0);
  check('trades that differ from what was served', different, 0);
  check('candles that differ from the recomputed ones', wrongCandles, 0);
  const [told] = await rows(
    db,
    `select sum(n)::int as told, count(distinct trade)::int as once from (
       select 1 as n, (s->>'symbol', trade_id) as trade
       from bus.event e, json_array_elements(e.data->'series') s, json_array_elements_text(s->'tradeIds') as ids(trade_id)
       where e.name = 'processing.trades-recorded.v1') trades`,
  );
  check('trades told by events', told!.told, stored);
  check('trades told once', told!.once, stored);
  const [closed] = await rows(
    db,
    `select count(*)::int as told, count(distinct (c->>'symbol', c->>'interval', c->>'openTimeUs'))::int as once,
            (select count(*) from aggregation.candle where closed)::int as stored
     from bus.event e, json_array_elements(e.data->'candles') c where e.name = 'aggregation.candles-closed.v1'`,
  );
  check('closed candles told once', closed!.told, closed!.once);
  check('closed candles told at all', closed!.once, closed!.stored);
  const [effects] = await rows(
    db,
    `select (select count(*) from bus.delivery)::int as deliveries, (select count(*) from bus.dead_letter)::int as letters,
            (select sum(trades) from aggregation.candle where interval_name = '1d')::int as merged`,
  );
  check('deliveries left', effects!.deliveries, 0);
  check('dead letters', effects!.letters, 0);
  check('trades merged into day candles', effects!.merged, stored);
  await db.end();
}

function everything(market: Tape, symbol: string, fromId: number): OracleTrade[] {
  const trades: OracleTrade[] = [];
  for (let id = fromId; ;) {
    const page = market.tradesFrom(symbol, id, 10_000, frozenAtUs);
    for (const trade of page)
      trades.push({
        id: trade.id,
        price: trade.price,
        size: trade.size,
        atUs: trade.tradedAtUs,
        buyerIsMaker: trade.buyerIsMaker,
      });
    if (page.length < 10_000) return trades;
    id = page.at(-1)!.id + 1;
  }
}

function sameTrade(row: Record<string, unknown>, trade: OracleTrade): boolean {
  const canonical = (text: string): string => text.replace(/\.?0+$/, '');
  return (
    row.price === canonical(trade.price) &&
    row.size === canonical(trade.size) &&
    row.at_us === trade.atUs &&
    row.maker === trade.buyerIsMaker
  );
}

async function rows(db: pg.Client, sql: string, parameters: unknown[] = []): Promise<Record<string, unknown>[]> {
  return (await db.query<Record<string, unknown>>(sql, parameters)).rows;
}

function check(what: string, got: unknown, wanted: unknown): void {
  const good = got === wanted;
  if (good) passed++;
  else failed++;
  console.log(`${good ? 'ok  ' : 'FAIL'} ${what}: ${String(got)}${good ? '' : `, wanted ${String(wanted)}`}`);
}

function shuffled<T>(items: T[]): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}

/** mulberry32: the same seed, the same run. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
