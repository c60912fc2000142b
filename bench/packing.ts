import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { DataSource } from 'typeorm';
import { canonicalDecimal, type Trade } from '../src/contracts/index.js';
import { simulatedMarket } from '../src/ingestion/simulator/market.js';
import { readSettings } from '../src/platform/config/index.js';
import { dataSourceOptions, migrate, startEmbeddedPostgres } from '../src/platform/database/index.js';
import { Packer } from '../src/processing/packing/packer.service.js';
import { TradeBlockStore } from '../src/processing/packing/trade-block.store.js';
import { SeriesStore } from '../src/processing/series.store.js';
import { appendTrade, emptyColumns } from '../src/processing/trade-batch.js';
import { DAY_US, TradeDayStore } from '../src/processing/trade-day.store.js';
import { TradeHistory } from '../src/processing/trade-history.service.js';
import { TradeStore } from '../src/processing/trade.store.js';
import { seeded } from './seeded.js';

type Figures = Record<string, string | number>;
type Reading = Readonly<{ tradesPerSecond: number; pageP50Ms: number; pageP99Ms: number }>;

const HOUR_US = 3_600_000_000;
const RECORDED = join(import.meta.dirname, '../../../shared/data/market/binance-spot');
const BATCH = 2000;
const DAY_OF_RECORDED_US = Date.UTC(2024, 7, 8) * 1000;
const DAY_OF_SIMULATED_US = Date.UTC(2024, 7, 9) * 1000;
const DAY_OF_MADE_IDS_US = Date.UTC(2024, 7, 10) * 1000;

/** What packing makes of a day: bytes a trade before and after, its speed, that of reading, and what it costs recording. */
export async function packing(short: boolean): Promise<Figures> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tapeline-packing-'));
  const postgres = await startEmbeddedPostgres({ dataDir, log: () => undefined });
  const db = await new DataSource(dataSourceOptions(readSettings({}), postgres.connection)).initialize();
  try {
    await migrate(db);
    const tables = new Tables(db);
    const idle = await tables.recordingLatency(short ? 1000 : 5000);
    return {
      ...(await figuresOf('recorded ETHUSDT', tables, DAY_OF_RECORDED_US, recorded(short ? 1 : 5))),
      ...(await figuresOf(
        'ten simulated markets',
        tables,
        DAY_OF_SIMULATED_US,
        simulated(DAY_OF_SIMULATED_US, short ? 1 : 12),
      )),
      ...(await figuresOf('the same with made ids', tables, DAY_OF_MADE_IDS_US, withMadeIds(short ? 1 : 4))),
      'exact insert of 200 trades, nothing beside it, p50 / p99 / max ms': idle,
    };
  } finally {
    await db.destroy();
    await postgres.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** The stores of the application over a database of its own. */
class Tables {
  readonly days: TradeDayStore;
  readonly trades: TradeStore;
  readonly blocks: TradeBlockStore;
  readonly history: TradeHistory;
  readonly packer: Packer;
  private readonly series: SeriesStore;
  private lastId = 0;

  constructor(readonly db: DataSource) {
    this.days = new TradeDayStore(db);
    this.trades = new TradeStore(db);
    this.blocks = new TradeBlockStore(db);
    this.series = new SeriesStore(db);
    this.history = new TradeHistory(this.trades, this.blocks);
    const never = { whenReady: () => new Promise(() => undefined) } as never;
    const metric = {
      inc: () => undefined,
      dec: () => undefined,
      set: () => undefined,
      startTimer: () => () => 0,
    } as never;
    this.packer = new Packer(
      never,
      readSettings({}),
      this.days,
      this.trades,
      this.blocks,
      metric,
      metric,
      metric,
      metric,
      metric,
      metric,
    );
  }

  async record(trades: Iterable<Trade>): Promise<number> {
    let count = 0;
    let batch: Trade[] = [];
    for (const trade of trades) {
      batch.push(trade);
      count++;
      if (batch.length < BATCH) continue;
      await this.recordBatch(batch);
      batch = [];
    }
    if (batch.length > 0) await this.recordBatch(batch);
    return count;
  }

  /** Median, 99th percentile and longest of exact inserts of today's trades, one every 20 ms. */
  async recordingLatency(forMs: number, until?: Promise<unknown>): Promise<string> {
    const took: number[] = [];
    let isOver = false;
    void until?.then(() => (isOver = true));
    const startedMs = performance.now();
    while (until ? !isOver : performance.now() - startedMs < forMs) {
      const nowUs = Date.now() * 1000;
      const trades = Array.from({ length: 200 }, () => liveTrade(++this.lastId, nowUs));
      const beganMs = performance.now();
      await this.recordBatch(trades, true);
      took.push(performance.now() - beganMs);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return [percentile(took, 0.5), percentile(took, 0.99), Math.max(...took)].map((ms) => ms.toFixed(1)).join(' / ');
  }

  async bytes(relation: string): Promise<number> {
    const [row] = (await this.db.query(`select pg_total_relation_size($1) as bytes`, [relation])) as [
      { bytes: string },
    ];
    return Number(row.bytes);
  }

  async seriesIds(dayUs: number): Promise<number[]> {
    return this.days.seriesOf(new Date(dayUs / 1000).toISOString().slice(0, 10));
  }

  private async recordBatch(trades: readonly Trade[], exact = false): Promise<void> {
    await this.series.load(trades);
    await this.days.open(trades.map(({ tradedAtUs }) => tradedAtUs));
    const columns = emptyColumns();
    for (const trade of trades) appendTrade(columns, this.series.get(trade.source, trade.venueSymbol)!.id, trade);
    await this.db.transaction(async (tx) => {
      if (exact) await this.trades.recordMissing(tx, columns);
      else await this.trades.recordNew(tx, columns);
    });
  }
}

async function figuresOf(name: string, tables: Tables, dayUs: number, trades: Iterable<Trade>): Promise<Figures> {
  const partition = `processing.trade_${new Date(dayUs / 1000).toISOString().slice(0, 10).replaceAll('-', '')}`;
  const count = await tables.record(trades);
  await tables.db.query(`vacuum analyze ${partition}`);
  const seriesIds = await tables.seriesIds(dayUs);
  const before = await tables.bytes(partition);
  const blocksBefore = await tables.bytes('processing.trade_block');
  const [heap] = (await tables.db.query(`select pg_relation_size($1) as bytes`, [partition])) as [{ bytes: string }];
  const unpacked = await reading(tables, seriesIds, dayUs);
  await tables.db.query(`update processing.trade_day set recorded_at = now() - interval '8 days' where day <= $1`, [
    new Date(dayUs / 1000),
  ]);
  const [startedMs, cpu] = [performance.now(), process.cpuUsage()];
  const pass = tables.packer.pass();
  const latency = await tables.recordingLatency(0, pass);
  if (!(await pass)) throw new Error('nothing was packed');
  const seconds = (performance.now() - startedMs) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const after = (await tables.bytes('processing.trade_block')) - blocksBefore + (await tables.bytes(partition));
  const [blocks] = (await tables.db.query(
    `select count(*) as count, sum(octet_length(data)) as bytes, sum(pg_column_size(ids)) as ids from processing.trade_block
     where series_id = any($1) and first_at >= $2`,
    [seriesIds, new Date(dayUs / 1000)],
  )) as [{ count: string; bytes: string; ids: string }];
  const packed = await reading(tables, seriesIds, dayUs);
  return Object.fromEntries(
    Object.entries({
      trades: count,
      'bytes a trade before: table + indexes': `${(before / count).toFixed(1)} = ${(Number(heap.bytes) / count).toFixed(1)} + ${((before - Number(heap.bytes)) / count).toFixed(1)}`,
      'bytes a trade after: blocks + index': (after / count).toFixed(2),
      '… of it the columns, compressed': (Number(blocks.bytes) / count).toFixed(2),
      '… and the ids for look-up': (Number(blocks.ids) / count).toFixed(3),
      blocks: blocks.count,
      ratio: (before / after).toFixed(1),
      'packed trades/s, with its rests and recording beside it': Math.round(count / seconds),
      'CPU of this process meanwhile, cores': ((user + system) / 1e6 / seconds).toFixed(2),
      'exact insert of 200 trades meanwhile, p50 / p99 / max ms': latency,
      'whole hours read, trades/s, rows → blocks': `${unpacked.tradesPerSecond} → ${packed.tradesPerSecond}`,
      'page of 100 anywhere, p50 ms, rows → blocks': `${unpacked.pageP50Ms.toFixed(2)} → ${packed.pageP50Ms.toFixed(2)}`,
      'page of 100 anywhere, p99 ms, rows → blocks': `${unpacked.pageP99Ms.toFixed(2)} → ${packed.pageP99Ms.toFixed(2)}`,
    }).map(([figure, value]) => [`${name}: ${figure}`, value]),
  );
}

/** An hour of every series in pages of 1,000, as a client walks it, and pages of 100 at places drawn by lot. */
async function reading(tables: Tables, seriesIds: readonly number[], dayUs: number): Promise<Reading> {
  const fromUs = dayUs + 2 * HOUR_US;
  const lot = seeded(1);
  let read = 0;
  const startedMs = performance.now();
  for (const seriesId of seriesIds) {
    for (let position: { tradedAtUs: number; tradeId: string } | undefined; ;) {
      const page = { fromUs, toUs: fromUs + HOUR_US, direction: 'forward', position, limit: 1000 } as const;
      const trades = await tables.history.range(seriesId, page);
      read += trades.length;
      position = trades.at(-1);
      if (trades.length < page.limit) break;
    }
  }
  const tradesPerSecond = Math.round((read * 1000) / (performance.now() - startedMs));
  const took: number[] = [];
  for (let turn = 0; turn < 300; turn++) {
    const seriesId = seriesIds[Math.floor(lot() * seriesIds.length)]!;
    const at = fromUs + Math.floor(lot() * HOUR_US);
    const beganMs = performance.now();
    await tables.history.range(seriesId, { fromUs: at, toUs: dayUs + DAY_US, direction: 'forward', limit: 100 });
    took.push(performance.now() - beganMs);
  }
  return { tradesPerSecond, pageP50Ms: percentile(took, 0.5), pageP99Ms: percentile(took, 0.99) };
}

/** The recorded 10.8 minutes of ETHUSDT once in every hour of a day, so that no block repeats rows of itself, by several symbols. */
function* recorded(symbols: number): Generator<Trade> {
  const frames = recordedFrames();
  const firstMs = frames[0]!.T;
  for (let symbol = 0; symbol < symbols; symbol++) {
    for (let hour = 0; hour < 24; hour++) {
      for (const { t, p, q, T, m, lagUs } of frames) {
        const tradedAtUs = DAY_OF_RECORDED_US + hour * HOUR_US + (T - firstMs) * 1000;
        yield {
          source: 'binance',
          exchange: 'Binance',
          symbol: `ETHUSDT${symbol}`,
          venueSymbol: `ETHUSDT${symbol}`,
          tradeId: String(t + hour * frames.length),
          price: canonicalDecimal(p)!,
          size: canonicalDecimal(q)!,
          side: m ? 'sell' : 'buy',
          tradedAtUs,
          receivedAtUs: tradedAtUs + lagUs,
        };
      }
    }
  }
}

type Frame = Readonly<{ t: number; p: string; q: string; T: number; m: boolean; lagUs: number }>;

function recordedFrames(): Frame[] {
  return ['ethusdt_20240808.gz', 'ethusdt_20240809.gz']
    .flatMap((name) =>
      gunzipSync(readFileSync(join(RECORDED, name)))
        .toString()
        .split('\n'),
    )
    .filter((line) => line.includes('"e":"trade"'))
    .map((line) => {
      const { data } = JSON.parse(line.slice(line.indexOf(' ') + 1)) as { data: Omit<Frame, 'lagUs'> };
      return { ...data, lagUs: Number(line.slice(0, line.indexOf(' ') - 3)) - data.T * 1000 };
    })
    .sort((a, b) => a.t - b.t);
}

/** Ten markets for some hours from two o'clock, hour by hour. What lies between traded and received is made up: 5 ms and noise. */
function* simulated(dayUs: number, hours: number): Generator<Trade> {
  const market = simulatedMarket();
  const lot = seeded(3);
  for (const { symbol } of market.instruments) {
    for (let minute = 120; minute < 120 + hours * 60; minute++) {
      const fromUs = dayUs + minute * 60_000_000;
      const fromId = market.firstIdSince(symbol, fromUs)!;
      const trades = market.tradesFrom(symbol, fromId, 1_000_000, fromUs + 59_999_999);
      for (const { id, price, size, tradedAtUs, buyerIsMaker } of trades)
        yield {
          source: 'simulator',
          exchange: 'Simulator',
          symbol,
          venueSymbol: symbol,
          tradeId: String(id),
          price: canonicalDecimal(price)!,
          size: canonicalDecimal(size)!,
          side: buyerIsMaker ? 'sell' : 'buy',
          tradedAtUs,
          receivedAtUs: tradedAtUs + 5000 + Math.floor(lot() * lot() * 4000),
        };
    }
  }
}

/** Ids as they are made for a venue that has none: by time, so that none follows another. */
function* withMadeIds(hours: number): Generator<Trade> {
  for (const trade of simulated(DAY_OF_MADE_IDS_US, hours))
    yield { ...trade, source: 'finnhub', tradeId: `${trade.receivedAtUs}${trade.tradeId.slice(-3)}` };
}

const liveTrade = (id: number, nowUs: number): Trade => ({
  source: 'live',
  exchange: 'Live',
  symbol: 'LIVEUSDT',
  venueSymbol: 'LIVEUSDT',
  tradeId: String(id),
  price: '100.5',
  size: '0.25',
  side: 'buy',
  tradedAtUs: nowUs,
  receivedAtUs: nowUs,
});

function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
}

if (process.argv[1] === import.meta.filename)
  for (const [figure, value] of Object.entries(await packing(process.argv.includes('--short'))))
    console.log(`  ${figure.padEnd(80)} ${value}`);
