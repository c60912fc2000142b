import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ProcessingPacking1700000000009 } from '../migrations/1700000000009-processing-packing.js';
import { type Trade, TradesReceivedV1 } from '../src/contracts/index.js';
import { CoverageStore } from '../src/ingestion/coverage.store.js';
import { Bus } from '../src/platform/bus/index.js';
import { Packer } from '../src/processing/packing/packer.service.js';
import { type Swap, TradeBlockStore } from '../src/processing/packing/trade-block.store.js';
import { TradeDayStore } from '../src/processing/trade-day.store.js';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed, testDatabase, type TestDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';

// no feed reads anything here: the spec itself says what was received
const ENV = { FEEDS: 'binance', BINANCE_WS_URL: 'ws://127.0.0.1:1', BINANCE_REST_URL: 'http://127.0.0.1:1' };
const HOUR_US = 3_600_000_000;
const NOON_US = Date.UTC(2026, 2, 1, 12) * 1000;
const DAY = '2026-03-01';

let database: TestDatabase;
let app: RunningApp;
/** A second process over the same database. */
let other: RunningApp;
/** A database in which nothing runs. */
let past: TestDatabase;

beforeAll(async () => {
  database = await testDatabase();
  past = await testDatabase();
  app = await startApp(database.connection, { ...ENV, MODULES: 'ingestion,processing' });
  other = await startApp(database.connection, { ...ENV, MODULES: 'processing' });
  for (const one of [app, other]) await one.app.get(Bus).whenReady();
});

beforeEach(() => keepWhenRed());

afterAll(async () => {
  await app?.close();
  await other?.close();
});

const query = (sql: string, values: unknown[] = []): Promise<Record<string, unknown>[]> =>
  database.dataSource.query(sql, values);

function trade(symbol: string, id: number | string, more: Partial<Trade> = {}): Trade {
  const tradedAtUs = more.tradedAtUs ?? NOON_US + Number(id) * 60_000_000;
  const base = { source: 'elsewhere', exchange: 'Elsewhere', symbol, venueSymbol: symbol, price: '10', size: '1' };
  return { ...base, tradeId: String(id), receivedAtUs: tradedAtUs + 1234, ...more, tradedAtUs };
}

/** Hands trades to a process and waits until it has dealt with them all. */
async function receive(trades: readonly Trade[], process = app): Promise<void> {
  const mark = trade('MARKUSD', ++marks, { tradedAtUs: Date.now() * 1000 });
  process.app.get(Bus).emit(TradesReceivedV1, { trades });
  process.app.get(Bus).emit(TradesReceivedV1, { trades: [mark] });
  await eventually(async () => {
    const { body } = await process.get(`/api/v1/price/MARKUSD`);
    expect(Number(body.tradeId)).toBe(marks);
  });
}
let marks = 0;

/** As if all that is recorded had been for so long. */
const age = (days: number): Promise<unknown> =>
  query(`update processing.trade_day set recorded_at = now() - $1 * interval '1 day' where dropped_at is null`, [days]);

async function pack(process = app): Promise<void> {
  await age(8);
  expect(await process.app.get(Packer).pass()).toBe(true);
}

type Stored = Readonly<{ loose: number; packed: number; blocks: number }>;
async function stored(symbol: string): Promise<Stored> {
  const [row] = await query(
    `select (select count(*) from processing.trade where series_id = s.id)::int as loose,
            (select coalesce(sum(trades), 0) from processing.trade_block where series_id = s.id)::int as packed,
            (select count(*) from processing.trade_block where series_id = s.id)::int as blocks
     from processing.series s where symbol = $1`,
    [symbol],
  );
  return row as Stored;
}

/** Every trade of a series, by the pages of a walk. */
async function walk(symbol: string, parameters: string, process = app): Promise<string[]> {
  const pages: string[] = [];
  let cursor: string | null = null;
  do {
    const response: Response = await fetch(
      `${process.url}/api/v1/trades/${symbol}?${parameters}${cursor === null ? '' : `&cursor=${cursor}`}`,
    );
    pages.push(await response.text());
    cursor = (JSON.parse(pages.at(-1)!) as { nextCursor: string | null }).nextCursor;
  } while (cursor !== null);
  return pages;
}

const idsOf = (pages: readonly string[]): string[] =>
  pages.flatMap((page) => (JSON.parse(page) as { items: { tradeId: string }[] }).items.map(({ tradeId }) => tradeId));

/** The answers to everything that can be asked about a series, as they came. */
async function answers(symbol: string, process = app): Promise<string[][]> {
  return [...(await walks(symbol, RANGES, process)), ...(await latest(symbol, process))];
}

/** What a step that fails could spoil, in fewer requests. */
const fewAnswers = (symbol: string): Promise<string[][]> =>
  walks(symbol, ['limit=20', 'from=2026-01-01T00:00:00Z&limit=20'], app);

const walks = (symbol: string, ranges: readonly string[], process: RunningApp): Promise<string[][]> =>
  Promise.all(ranges.map((range) => walk(symbol, range, process)));

async function latest(symbol: string, process: RunningApp): Promise<string[][]> {
  const price = await (await fetch(`${process.url}/api/v1/price/${symbol}`)).text();
  const { body } = await process.get('/api/v1/symbols');
  return [[price], body.items.filter((item: { symbol: string }) => item.symbol === symbol)];
}

const at = (us: number): string => new Date(us / 1000).toISOString();
const RANGES = [
  'limit=1',
  'limit=7',
  'limit=20',
  'limit=1000',
  'from=2026-01-01T00:00:00Z&limit=1',
  'from=2026-01-01T00:00:00Z&limit=7',
  'from=2026-01-01T00:00:00Z&limit=20',
  ...[NOON_US, NOON_US + 1000, NOON_US + HOUR_US, NOON_US + HOUR_US - 1000, NOON_US + HOUR_US / 3].flatMap((us) => [
    `from=${at(us)}&limit=5`,
    `to=${at(us)}&limit=5`,
    `from=${at(us)}&to=${at(us + HOUR_US)}&limit=3`,
    `from=${at(us)}&to=${at(us + 60_000_000)}`,
  ]),
];

/** Trades over two days and several hours with all that can be odd about them. */
function oddTrades(symbol: string): Trade[] {
  const sides = ['buy', 'sell', undefined] as const;
  return Array.from({ length: 90 }, (_, index): Trade => {
    const side = sides[index % 3];
    return trade(symbol, 1000 + index * 3, {
      tradedAtUs: NOON_US + Math.floor(index / 4) * 1_100_000_001 + (index % 2), // four of nearly one instant
      price: index % 10 === 0 ? `${'9'.repeat(30)}.${'1'.repeat(30)}` : `${2000 + index}.${index + 1}`,
      size: index % 7 === 0 ? '0' : `0.${index + 1}`,
      ...(side ? { side } : {}),
    });
  });
}

describe('packed trades', () => {
  it('are answered byte for byte as before, on every page, by this process and by one that starts', async () => {
    await receive(oddTrades('ODDUSD'));
    const before = await answers('ODDUSD');
    expect(idsOf(before[1]!)).toHaveLength(90);
    await pack();
    expect(await stored('ODDUSD')).toEqual({ loose: 0, packed: 90, blocks: 7 });
    expect(await answers('ODDUSD')).toEqual(before);
    const fresh = await startApp(database.connection, { ...ENV, MODULES: 'processing' });
    try {
      await fresh.app.get(Bus).whenReady();
      expect(await answers('ODDUSD', fresh)).toEqual(before);
    } finally {
      await fresh.close();
    }
    const emptied = await query(`select pg_relation_size('processing.trade_20260301')::int as bytes`);
    expect(emptied).toEqual([{ bytes: 0 }]);
    expect(
      await query(`select packed_at is not null as packed from processing.trade_day where day = $1`, [DAY]),
    ).toEqual([{ packed: true }]);
  });

  it('are not recorded again, by a process that recorded them, by one that did not, or by one that starts', async () => {
    const trades = oddTrades('AGAINUSD');
    await receive([trades[0]!], other); // its high water stays behind
    await receive(trades);
    await pack();
    const fresh = await startApp(database.connection, { ...ENV, MODULES: 'processing' });
    try {
      await fresh.app.get(Bus).whenReady();
      for (const process of [app, other, fresh]) await receive(trades, process);
    } finally {
      await fresh.close();
    }
    expect(await stored('AGAINUSD')).toMatchObject({ loose: 0, packed: 90 });
  });

  it('take in late ones: in place at once, into their block with the next pass', async () => {
    const trades = oddTrades('LATEUSD');
    const late = [
      trade('LATEUSD', 5, { tradedAtUs: NOON_US - 1 }), // an hour without a block
      trade('LATEUSD', 1001, { tradedAtUs: trades[10]!.tradedAtUs }), // beside others of its instant
      trade('LATEUSD', 9001, { tradedAtUs: trades[0]!.tradedAtUs }),
      trade('LATEUSD', 9000, { tradedAtUs: trades.at(-1)!.tradedAtUs + 1 }),
    ];
    await receive(trades);
    await pack();
    await receive([...late, ...trades]);
    expect(await stored('LATEUSD')).toMatchObject({ loose: 4, packed: 90 });
    const order = [...trades, ...late]
      .sort((a, b) => a.tradedAtUs - b.tradedAtUs || Number(a.tradeId) - Number(b.tradeId))
      .map(({ tradeId }) => tradeId);
    const before = await answers('LATEUSD');
    expect(idsOf(before[4]!)).toEqual(order);
    await pack(other);
    expect(await stored('LATEUSD')).toEqual({ loose: 0, packed: 94, blocks: 8 });
    expect(await answers('LATEUSD')).toEqual(before);
    await receive([...late, ...trades]);
    expect(await stored('LATEUSD')).toMatchObject({ loose: 0, packed: 94 });
  });

  it('of an hour that is larger than a block are several blocks, and late ones go into the right one', async () => {
    const count = 40_000;
    const trades = Array.from({ length: count }, (_, index) =>
      trade('BIGUSD', 2 * index, {
        tradedAtUs: NOON_US + Math.floor(index / 3) * 1000,
        price: String(100 + (index % 17)),
      }),
    );
    await receive(trades);
    const before = await walk('BIGUSD', 'from=2026-03-01T00:00:00Z&limit=1000');
    await pack();
    expect(await stored('BIGUSD')).toEqual({ loose: 0, packed: count, blocks: 3 });
    expect(await walk('BIGUSD', 'from=2026-03-01T00:00:00Z&limit=1000')).toEqual(before);
    await receive([1, 40_001, 79_999].map((id) => ({ ...trades[(id - 1) / 2]!, tradeId: String(id) })));
    await pack();
    expect(await stored('BIGUSD')).toMatchObject({ loose: 0, packed: count + 3 });
    const { body } = await app.get(`/api/v1/trades/BIGUSD?from=2026-03-01T12:00:06.666Z&limit=4`);
    expect(body.items.map((item: { tradeId: string }) => item.tradeId)).toEqual(['39996', '39998', '40000', '40001']);
  });

  it('may have ids that do not follow each other, up to the largest there is', async () => {
    const largest = (2n ** 63n - 2n).toString();
    const ids = [
      ...Array.from({ length: 50 }, (_, index) => String(10n ** 17n + BigInt(index * index * 1001))),
      largest,
    ];
    const sparse = (id: string, index: number): Trade => trade('SPARSEUSD', id, { tradedAtUs: NOON_US + index });
    const trades = ids.map(sparse);
    await receive(trades);
    const before = await walk('SPARSEUSD', 'limit=10');
    await pack();
    expect(await stored('SPARSEUSD')).toEqual({ loose: 0, packed: 51, blocks: 1 });
    await receive([...trades, sparse('100000000000000001', 60)]);
    expect(await stored('SPARSEUSD')).toMatchObject({ loose: 1, packed: 51 });
    expect(idsOf(await walk('SPARSEUSD', 'limit=100'))).toEqual([...ids, '100000000000000001']);
    expect(before).toHaveLength(6);
  });
});

describe('packing', () => {
  it('waits until the day ended and was first recorded here for long enough', async () => {
    await receive([trade('YOUNGUSD', 1), trade('YOUNGUSD', 2, { tradedAtUs: Date.now() * 1000 })]);
    await query(`update processing.trade_day set recorded_at = now() where dropped_at is null`);
    expect(await app.app.get(Packer).pass()).toBe(true);
    expect(await stored('YOUNGUSD')).toMatchObject({ loose: 2, packed: 0 });
    await pack();
    expect(await stored('YOUNGUSD')).toMatchObject({ loose: 1, packed: 1 });
  });

  it('that dies at any step loses nothing, doubles nothing and is gone on with', async () => {
    const trades = oddTrades('DIESUSD');
    let died = 0;
    for (let fatal = 1; ; fatal++) {
      const symbol = `DIES${fatal}USD`;
      const of = (list: readonly Trade[]): Trade[] => list.map((one) => ({ ...one, symbol, venueSymbol: symbol }));
      await receive(of(trades.slice(0, 60)));
      await pack();
      await receive(of(trades.slice(20)));
      await age(8);
      const before = await fewAnswers(symbol);
      const dies = dyingAt(fatal);
      const end = await dies.packer.pass().then(
        () => 'ended',
        (error: Error) => error.message,
      );
      const { loose, packed } = await stored(symbol);
      expect([fatal, loose + packed]).toEqual([fatal, 90]);
      expect(await fewAnswers(symbol)).toEqual(before);
      await receive(of(trades));
      expect((await stored(symbol)).loose + (await stored(symbol)).packed).toBe(90);
      await pack();
      expect(await stored(symbol)).toMatchObject({ loose: 0, packed: 90 });
      expect(await fewAnswers(symbol)).toEqual(before);
      if (end === 'ended' && !dies.struck()) break;
      died++;
    }
    expect(died).toBeGreaterThan(15);
  });

  it('leaves everything as it was when its transaction fails at the very end', async () => {
    await receive(oddTrades('COMMITUSD'));
    await query(
      `create function processing.refuse() returns trigger language plpgsql as $$ begin raise 'no commit'; end $$`,
    );
    await query(
      `create constraint trigger refuse after insert on processing.trade_block deferrable initially deferred for each row execute function processing.refuse()`,
    );
    const before = await answers('COMMITUSD');
    await pack();
    expect(await stored('COMMITUSD')).toEqual({ loose: 90, packed: 0, blocks: 0 });
    expect(await answers('COMMITUSD')).toEqual(before);
    await query('drop function processing.refuse cascade');
    await pack();
    expect(await stored('COMMITUSD')).toMatchObject({ loose: 0, packed: 90 });
  });

  it('steps back while trades are being recorded that it does not see yet', async () => {
    const trades = oddTrades('RACEUSD');
    await receive(trades.slice(1));
    const session = database.dataSource.createQueryRunner();
    await session.startTransaction();
    await session.query(`select pg_advisory_xact_lock_shared(hashtext('processing.trade_block'))`);
    await pack();
    expect(await stored('RACEUSD')).toMatchObject({ loose: 89, packed: 0 });
    await session.commitTransaction();
    await session.release();
    await receive(trades);
    await pack();
    expect(await stored('RACEUSD')).toMatchObject({ loose: 0, packed: 90 });
  });

  it('steps back when a late trade comes among those that it has read', async () => {
    const trades = oddTrades('AMONGUSD');
    const late = trade('AMONGUSD', 5, { tradedAtUs: trades[1]!.tradedAtUs });
    await receive(trades);
    await age(8);
    const store = app.app.get(TradeBlockStore);
    const meddled = new Proxy(store, {
      get: (target, name) =>
        name === 'swap'
          ? async (swap: Swap) => {
              await receive([late]);
              return target.swap(swap);
            }
          : (Reflect.get(target, name) as () => unknown).bind(target),
    });
    await packerWith({ blocks: meddled }).pass();
    expect(await stored('AMONGUSD')).toEqual({ loose: 91, packed: 0, blocks: 0 });
    await pack();
    expect(await stored('AMONGUSD')).toMatchObject({ loose: 0, packed: 91 });
  });

  it('is waited for by a repeat, which then finds the block and not the rows', async () => {
    const trades = oddTrades('WAITUSD');
    await receive(oddTrades('TWINUSD'));
    await pack();
    await receive(trades);
    const session = database.dataSource.createQueryRunner();
    await session.startTransaction();
    await session.query(`select pg_advisory_xact_lock(hashtext('processing.trade_block'))`);
    const repeated = receive(trades, other);
    await eventually(async () =>
      expect(
        await query(`select count(*)::int as waiting from pg_locks where locktype = 'advisory' and not granted`),
      ).toEqual([{ waiting: 1 }]),
    );
    await session.query(
      `insert into processing.trade_block (first_at, first_id, last_at, last_id, min_id, max_id, series_id, trades, ids, data)
       select first_at, first_id, last_at, last_id, min_id, max_id, (select id from processing.series where symbol = 'WAITUSD'), trades, ids, data
       from processing.trade_block where series_id = (select id from processing.series where symbol = 'TWINUSD')`,
    );
    await session.query(
      `delete from processing.trade where series_id = (select id from processing.series where symbol = 'WAITUSD')`,
    );
    await session.commitTransaction();
    await session.release();
    await repeated;
    expect(await stored('WAITUSD')).toMatchObject({ loose: 0, packed: 90 });
  });

  it('by two processes at once, beside the same trades again and again, keeps each trade once', async () => {
    const trades = oddTrades('TWOUSD');
    await receive(trades.slice(0, 45));
    await age(8);
    const done = new AbortController();
    const passes = [app, other].map(async (process) => {
      while (!done.signal.aborted) await process.app.get(Packer).pass();
    });
    for (let round = 0; round < 12; round++)
      await Promise.all([
        receive(trades.slice(round * 3), round % 2 === 0 ? app : other),
        walk('TWOUSD', 'from=2026-01-01T00:00:00Z&limit=1000').then((pages) => {
          const ids = idsOf(pages);
          expect(new Set(ids).size).toBe(ids.length);
          expect(ids.length).toBeGreaterThanOrEqual(45);
        }),
      ]);
    done.abort();
    await Promise.all(passes);
    await pack();
    expect(await stored('TWOUSD')).toMatchObject({ loose: 0, packed: 90 });
    expect(idsOf(await walk('TWOUSD', 'from=2026-01-01T00:00:00Z&limit=1000'))).toHaveLength(90);
  });

  it('goes on with other series when a block of one cannot be read', async () => {
    await receive([...oddTrades('BADUSD'), ...oddTrades('FINEUSD')]);
    await pack();
    await query(
      `update processing.trade_block set data = 'TB?' where series_id = (select id from processing.series where symbol = 'BADUSD')`,
    );
    await receive(['BADUSD', 'FINEUSD'].map((symbol) => trade(symbol, 5, { tradedAtUs: NOON_US })));
    await pack();
    expect(await stored('BADUSD')).toMatchObject({ loose: 1, packed: 90 });
    expect(await stored('FINEUSD')).toMatchObject({ loose: 0, packed: 91 });
    await query(
      `delete from processing.trade_block where series_id = (select id from processing.series where symbol = 'BADUSD')`,
    );
  });
});

/** The packer of the process, with other stores. */
const packerWith = (stores: Partial<{ days: TradeDayStore; blocks: TradeBlockStore }>): Packer =>
  Object.assign(Object.create(Packer.prototype) as Packer, app.app.get(Packer), stores);

/** A packer whose n-th call of the tables fails, before it or just after it. */
function dyingAt(fatal: number): { packer: Packer; struck: () => boolean } {
  let calls = 0;
  let struck = false;
  const dying = <T extends object>(store: T): T =>
    new Proxy(store, {
      get: (target, name) => {
        const member = Reflect.get(target, name) as unknown;
        if (typeof member !== 'function' || name === 'alone')
          return typeof member === 'function' ? member.bind(target) : member;
        return async (...given: unknown[]): Promise<unknown> => {
          if (++calls === fatal) {
            struck = true;
            throw Object.assign(new Error('killed'), { code: '57P01' });
          }
          const answer: unknown = await (member as (...args: unknown[]) => unknown).apply(target, given);
          if (++calls === fatal) {
            struck = true;
            throw Object.assign(new Error('killed'), { code: '57P01' });
          }
          return answer;
        };
      },
    });
  const packer = packerWith({
    days: dying(app.app.get(TradeDayStore)),
    blocks: dying(app.app.get(TradeBlockStore)),
  });
  return { packer, struck: () => struck };
}

describe('a day that was dropped', () => {
  const metric = async (name: string): Promise<number> => {
    const line = (await (await fetch(`${app.url}/metrics`)).text()).split('\n').find((one) => one.startsWith(name));
    return Number(line?.slice(line.lastIndexOf(' ') + 1) ?? 0);
  };
  const OLD_US = Date.UTC(2026, 0, 10, 12) * 1000;
  const old = (id: number): Trade => trade('GONEUSD', id, { tradedAtUs: OLD_US + id * 1_000_000, source: 'kraken' });

  it('is gone once it is old in both ways, and its trades are refused in every process, so that gaps close', async () => {
    await receive([1, 2, 3, 8, 9].map(old));
    await receive([10, 11].map(old), other); // this process knows the day, too
    await pack();
    await receive([old(12)], other);
    const coverage = app.app.get(CoverageStore);
    const holes = async (): Promise<string[]> =>
      (await coverage.holes('kraken'))
        .filter(({ symbol }) => symbol === 'GONEUSD')
        .map(({ from, to }) => `${from}-${to}`);
    await eventually(async () => expect(await holes()).toEqual(['4-7']));

    await app.app.get(Packer).pass();
    expect(await stored('GONEUSD')).toMatchObject({ loose: 0, packed: 8 }); // recorded 8 days ago
    await receive([old(14)]);
    await query(`update processing.trade_day set recorded_at = now() - interval '31 days' where day = '2026-01-10'`);
    const droppedBefore = await metric('trade_days_dropped_total');
    await app.app.get(Packer).pass();
    expect(await stored('GONEUSD')).toEqual({ loose: 0, packed: 0, blocks: 0 });
    expect(await metric('trade_days_dropped_total')).toBe(droppedBefore + 1);
    expect(JSON.parse((await walk('GONEUSD', 'limit=5'))[0]!)).toMatchObject({ items: [], nextCursor: null });

    const expiredBefore = await metric('trades_expired_total');
    for (const process of [app, other])
      await receive([...[3, 4, 5, 6, 7, 13].map(old), trade('KEPTUSD', process === app ? 1 : 2)], process);
    expect(await stored('GONEUSD')).toEqual({ loose: 0, packed: 0, blocks: 0 });
    expect(await stored('KEPTUSD')).toMatchObject({ loose: 2 });
    expect(await metric('trades_expired_total')).toBe(expiredBefore + 12); // one registry for both
    expect(await query('select code, message from bus.dead_letter')).toEqual([]);
    await eventually(async () => expect(await holes()).toEqual([]));
    expect(await query(`select to_regclass('processing.trade_20260110') as partition`)).toEqual([{ partition: null }]);
  });

  it('counts from the migration on where it was recorded before there was one', async () => {
    const migration = new ProcessingPacking1700000000009();
    const runner = past.dataSource.createQueryRunner();
    await migration.down(runner);
    await runner.query(
      `create table processing.trade_20240808 partition of processing.trade for values from ('2024-08-08T00:00:00Z') to ('2024-08-09T00:00:00Z')`,
    );
    await migration.up(runner);
    expect(
      await runner.query(
        `select day::text, recorded_at > now() - interval '1 minute' as young, dropped_at from processing.trade_day`,
      ),
    ).toEqual([{ day: '2024-08-08', young: true, dropped_at: null }]);
    await runner.release();
  });

  it('stays while something reads it, and nobody who records waits for that', async () => {
    const day = (id: number): Trade => trade('HELDUSD', id, { tradedAtUs: Date.UTC(2026, 0, 11) * 1000 + id });
    await receive([1, 2].map(day));
    await query(`update processing.trade_day set recorded_at = now() - interval '31 days' where day = '2026-01-11'`);
    const reader = database.dataSource.createQueryRunner();
    await reader.startTransaction();
    await reader.query('select count(*) from processing.trade');
    await app.app.get(Packer).pass();
    await receive([day(3)]);
    const held = await stored('HELDUSD');
    expect(held.loose + held.packed).toBe(3);
    await reader.commitTransaction();
    await reader.release();
    await app.app.get(Packer).pass();
    expect(await stored('HELDUSD')).toMatchObject({ loose: 0, packed: 0 });
  });
});
