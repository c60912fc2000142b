import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { toUnits } from '../decimal8.js';
import { type FaultPlan, planFaults } from '../faults.js';
import { simulatedMarket } from '../market.js';
import { bunched } from '../retimed.js';
import type { Tape, TapeTrade } from '../tape.js';
import { startVenue, type Venue, type VenueOptions } from '../venue.server.js';
import type { FaceId } from './face.js';
import { FACES } from './registry.js';

type Row = Record<string, unknown>;
/** A trade as any venue told it; id and taker's side where it has them. */
type Told = Readonly<{ symbol: string; id?: number; price: bigint; size: bigint; buys?: boolean; atUs: number }>;

const START_MS = Date.UTC(2026, 7, 9, 14, 0, 0);
const open: { close(): unknown }[] = [];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: START_MS });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
  vi.useRealTimers();
});

const DIALECTS: Record<Exclude<FaceId, 'binance'>, Dialect> = {
  coinbase: {
    path: '/',
    subscribe: (symbols) => [{ type: 'subscribe', product_ids: symbols, channels: ['matches', 'heartbeat'] }],
    read: (frame) =>
      ['match', 'last_match'].includes(String(frame['type'])) ? [coinbaseTrade(frame, frame['product_id'])] : [],
    wrongTimes: /^.{19}(\.\d{9})?Z$/,
    timesIn: ({ type, time }) => (type === 'match' ? [time] : []),
  },
  'coinbase-advanced': {
    path: '/',
    subscribe: (symbols) => [
      { type: 'subscribe', product_ids: symbols, channel: 'market_trades' },
      { type: 'subscribe', channel: 'heartbeats' },
    ],
    read: (frame) => advancedRows(frame).map((row) => coinbaseTrade(row, row['product_id'])),
    wrongTimes: /^.{19}(\.\d{9})?Z$/,
    timesIn: (frame) => advancedRows(frame).map(({ time }) => time),
  },
  kraken: {
    path: '/v2',
    subscribe: (symbols) => [{ method: 'subscribe', params: { channel: 'trade', symbol: symbols }, req_id: 7 }],
    read: (frame) => krakenRows(frame).map(krakenTrade),
    wrongTimes: /^.{19}(\.\d{9})?Z$/,
    timesIn: (frame) => krakenRows(frame).map(({ timestamp }) => timestamp),
  },
  finnhub: {
    path: '/?token=key',
    subscribe: (symbols) => symbols.map((symbol) => ({ type: 'subscribe', symbol })),
    read: (frame) => (frame['type'] === 'trade' ? (frame['data'] as Row[]).map(finnhubTrade) : []),
    wrongTimes: /^(\d{10}|\d{16})$/,
    timesIn: (frame) => (frame['type'] === 'trade' ? (frame['data'] as Row[]).map(({ t }) => t) : []),
  },
};

describe.each(Object.entries(DIALECTS) as [FaceId, Dialect][])('the simulator speaks %s', (id, dialect) => {
  const [btc, atom] = [FACES[id].spelling('BTCUSDT')!, FACES[id].spelling('ATOMUSDT')!];

  it('tells every trade once, exactly as the tape has it', async () => {
    const { venue, tape, pass } = await start(id, { rate: 100 });
    const client = await connect(venue, dialect);
    await client.say(...dialect.subscribe([btc, atom]));
    const ahead = client.trades().length;
    for (let i = 0; i < 8; i++) await pass(250, client);
    for (const [symbol, tapeSymbol] of [
      [btc, 'BTCUSDT'],
      [atom, 'ATOMUSDT'],
    ] as const) {
      const told = client.trades(ahead).filter((trade) => trade.symbol === symbol);
      const first = tape.lastId(tapeSymbol, START_MS * 1000)! + 1;
      const traded = tape.tradesFrom(tapeSymbol, first, 10_000, Date.now() * 1000);
      expect(traded.length).toBeGreaterThan(20);
      expect(inOrder(told)).toEqual(traded.map((trade) => likeTold(trade, symbol, told[0]!)));
    }
  });

  it('puts a burst of 735 trades at one instant into frames as any other', async () => {
    const { venue, tape, pass } = await start(id, { bunches: true });
    const client = await connect(venue, dialect);
    await client.say(...dialect.subscribe([btc]));
    const ahead = client.trades().length;
    for (let i = 0; i < 40; i++) await pass(250, client);
    const burst = Object.values(Object.groupBy(client.trades(ahead), ({ atUs }) => atUs)).find(
      (each) => each!.length >= 735,
    )!;
    const first = tape.firstIdSince('BTCUSDT', START_MS * 1000)!;
    const times = tape.tradesFrom('BTCUSDT', first, 10_000, Date.now() * 1000).map(({ tradedAtUs }) => tradedAtUs);
    const atUs = id === 'finnhub' ? times.map((us) => us - (us % 1000)) : times;
    expect(burst).toHaveLength(atUs.filter((us) => us === burst[0]!.atUs).length);
  });

  it('tells the same instant in another unit when that fault strikes', async () => {
    const { venue, pass } = await start(id, { rate: 20, faults: { wrongUnit: 1 } });
    const client = await connect(venue, dialect);
    await client.say(...dialect.subscribe([btc]));
    const frames = client.frames.length;
    for (let i = 0; i < 4; i++) await pass(250, client);
    const times = client.frames.slice(frames).flatMap((frame) => dialect.timesIn(frame));
    expect(times.length).toBeGreaterThan(20);
    for (const time of times) expect(String(time)).toMatch(dialect.wrongTimes);
  });

  it('takes a broken frame and an unknown one without falling over', async () => {
    const { venue, pass } = await start(id, { rate: 20 });
    const client = await connect(venue, dialect);
    await client.say('{"type":', null, [], 'text', { type: 7 }, { type: 'subscribe', method: 'subscribe' });
    await client.say(...dialect.subscribe([btc]));
    const ahead = client.trades().length;
    await pass(1000, client);
    expect(client.trades(ahead).length).toBeGreaterThan(20);
  });

  it('refuses a path that there is not', async () => {
    const { venue } = await start(id);
    await expect(connect(venue, { ...dialect, path: '/nothing?token=key' })).rejects.toThrow('404');
    expect((await get(venue, '/nothing')).status).toBe(404);
  });
});

describe('coinbase', () => {
  const subscribe = (products: string[], channels: unknown[] = ['matches']) => ({
    type: 'subscribe',
    product_ids: products,
    channels,
  });

  it('answers a subscription with errors, the last match of each product, and then its state', async () => {
    const { venue, tape } = await start('coinbase');
    const client = await connect(venue, DIALECTS.coinbase);
    await client.say(
      subscribe(['BTC-USD', 'X-USD'], ['matches', { name: 'heartbeat', product_ids: ['ETH-USD'] }, 'tick']),
    );
    const last = tape.lastId('BTCUSDT', START_MS * 1000);
    expect(client.frames).toMatchObject([
      { type: 'error', message: 'Failed to subscribe', reason: 'X-USD is not a valid product' },
      { type: 'error', message: 'Failed to subscribe', reason: 'tick is not a valid channel' },
      { type: 'last_match', trade_id: last, product_id: 'BTC-USD' },
      {
        type: 'subscriptions',
        channels: [
          { name: 'matches', product_ids: ['BTC-USD'], account_ids: null },
          { name: 'heartbeat', product_ids: ['BTC-USD', 'ETH-USD'] },
        ],
      },
    ]);
    await client.say({ ...subscribe(['BTC-USD']), type: 'unsubscribe' });
    expect(client.frames.at(-1)).toMatchObject({ channels: [{ name: 'heartbeat' }] });
  });

  it('has a heartbeat a second with the last id, and a sequence that rises with holes', async () => {
    const { venue, pass } = await start('coinbase', { rate: 20 });
    const client = await connect(venue, DIALECTS.coinbase);
    await client.say(subscribe(['BTC-USD'], ['matches', 'heartbeat']));
    for (let i = 0; i < 3; i++) await pass(1000, client);
    const heartbeats = client.frames.filter(({ type }) => type === 'heartbeat');
    expect(heartbeats).toHaveLength(3);
    expect(heartbeats.at(-1)!['last_trade_id']).toBe(client.trades().at(-1)!.id);
    const sequences = client.frames.flatMap(({ sequence }) => (sequence === undefined ? [] : Number(sequence)));
    const steps = sequences.slice(1).map((sequence, i) => sequence - sequences[i]!);
    expect(Math.min(...steps)).toBeGreaterThan(0);
    expect(new Set(steps).size).toBeGreaterThan(1);
  });

  it('closes a connection that has subscribed to nothing within five seconds', async () => {
    const { venue, pass } = await start('coinbase');
    const [idle, busy] = [await connect(venue, DIALECTS.coinbase), await connect(venue, DIALECTS.coinbase)];
    await busy.say(subscribe(['BTC-USD']));
    const closed = once(idle.socket, 'close');
    await pass(5000, busy);
    await closed;
    expect(busy.socket.readyState).toBe(WebSocket.OPEN);
  });

  it('pages through its history by id, newest first', async () => {
    const { venue, tape } = await start('coinbase', { rate: 100 });
    const last = tape.lastId('BTCUSDT', START_MS * 1000)!;
    const newest = await get(venue, '/products/BTC-USD/trades?limit=100');
    const older = await get(venue, `/products/BTC-USD/trades?limit=100&after=${newest.headers.get('cb-after')}`);
    const rows = [...(newest.body as Row[]), ...(older.body as Row[])];
    const traded = tape.tradesFrom('BTCUSDT', last - 199, 200, START_MS * 1000);
    const told = rows.map((row) => coinbaseTrade(row, 'BTC-USD'));
    expect(told.toReversed()).toEqual(traded.map((trade) => likeTold(trade, 'BTC-USD', told[0]!)));
    expect(newest.headers.get('cb-before')).toBe(String(last));
    const ahead = await get(venue, `/products/BTC-USD/trades?after=${last + 500}&before=${last - 3}`);
    expect((ahead.body as Row[]).map(({ trade_id }) => trade_id)).toEqual([last, last - 1, last - 2]);
    expect(await get(venue, '/products/X-USD/trades')).toMatchObject({ status: 404, body: { message: 'NotFound' } });
    expect((await get(venue, '/products/BTC-USD/trades?after=x')).status).toBe(400);
  });

  it('lists its products, and answers 429 above ten requests a second', async () => {
    const { venue } = await start('coinbase');
    const { body } = await get(venue, '/products');
    expect(body).toHaveLength(10);
    expect(body).toContainEqual(expect.objectContaining({ id: 'BTC-USD', quote_increment: '0.01' }));
    const answers = await Promise.all(Array.from({ length: 30 }, () => get(venue, '/products/BTC-USD')));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThanOrEqual(10);
    expect(refused[0]!.body).toEqual({ message: 'Public rate limit exceeded' });
  });
});

describe('coinbase-advanced', () => {
  it('starts with a snapshot of a hundred, newest first, and counts every frame of the connection', async () => {
    const { venue, tape, pass } = await start('coinbase-advanced', { rate: 20 });
    const client = await connect(venue, DIALECTS['coinbase-advanced']);
    await client.say({ type: 'subscribe', product_ids: ['BTC-USDC', 'ETH-USD'], channel: 'market_trades' });
    await client.say({ type: 'subscribe', channel: 'heartbeats' });
    expect(client.frames.map(({ channel }) => channel)).toEqual([
      'market_trades',
      'market_trades',
      'subscriptions',
      'subscriptions',
    ]);
    expect(client.frames.at(-1)!['events']).toEqual([
      { subscriptions: { market_trades: ['BTC-USD', 'ETH-USD'], heartbeats: ['heartbeats'] } },
    ]);
    for (let i = 0; i < 12; i++) await pass(250, client);
    expect(client.frames.map(({ sequence_num }) => sequence_num)).toEqual(client.frames.map((_, i) => i));
    expect(client.frames.filter(({ channel }) => channel === 'heartbeats')).toHaveLength(3);
    const ids = client.frames.map((frame) => advancedRows(frame).map(({ trade_id }) => Number(trade_id)));
    const last = tape.lastId('BTCUSDT', START_MS * 1000)!;
    expect(ids[0]).toEqual(Array.from({ length: 100 }, (_, i) => last - i));
    for (const each of ids) expect(each).toEqual(each.toSorted((a, b) => b - a));
    const updates = ids.slice(4).flat();
    expect(updates.length).toBeGreaterThan(client.frames.length);
    expect(Math.min(...updates.filter((id) => id > last))).toBe(last + 1);
  });

  it('cuts zeros off its times, names the maker’s side in capitals, and counts no errors', async () => {
    const { venue } = await start('coinbase-advanced');
    const client = await connect(venue, DIALECTS['coinbase-advanced']);
    await client.say({ type: 'subscribe', product_ids: ['BTC-USD', 'X-USD'], channel: 'market_trades' });
    expect(client.frames[1]).toEqual({ type: 'error', message: 'failure to subscribe' });
    expect(client.frames.map(({ sequence_num }) => sequence_num)).toEqual([0, undefined, 1]);
    const rows = advancedRows(client.frames[0]!);
    for (const { time, side } of rows) {
      expect(time).toMatch(/:\d\d(\.\d{0,5}[1-9])?Z$/);
      expect(side).toMatch(/^(BUY|SELL)$/);
    }
    expect(rows.some(({ time }) => String(time).length < 27)).toBe(true);
  });

  it('closes a connection without heartbeats after 90 s without updates', async () => {
    const { venue, pass } = await start('coinbase-advanced', { rate: 0.001 });
    const [quiet, busy] = [
      await connect(venue, DIALECTS['coinbase-advanced']),
      await connect(venue, DIALECTS['coinbase-advanced']),
    ];
    await quiet.say({ type: 'subscribe', product_ids: ['ATOM-USD'], channel: 'market_trades' });
    await busy.say({ type: 'subscribe', channel: 'heartbeats' });
    const closed = once(quiet.socket, 'close');
    for (let i = 0; i < 90; i++) await pass(1000, busy);
    await closed;
    expect(busy.socket.readyState).toBe(WebSocket.OPEN);
  });
});

describe('kraken', () => {
  const subscribe = (symbols: string[], more: object = {}) => ({
    method: 'subscribe',
    params: { channel: 'trade', symbol: symbols, ...more },
    req_id: 3,
  });

  it('greets with its status, answers each symbol, and replays the last fifty trades', async () => {
    const { venue, tape } = await start('kraken');
    const client = await connect(venue, DIALECTS.kraken);
    await client.say(subscribe(['BTC/USD', 'XBT/USD']), { method: 'ping', req_id: 9 });
    expect(client.frames).toMatchObject([
      { channel: 'status', data: [{ system: 'online', api_version: 'v2' }] },
      {
        method: 'subscribe',
        result: { channel: 'trade', symbol: 'BTC/USD', snapshot: true },
        success: true,
        req_id: 3,
      },
      { channel: 'trade', type: 'snapshot' },
      { method: 'subscribe', success: false, error: 'Currency pair not supported XBT/USD', req_id: 3 },
      { method: 'pong', req_id: 9 },
    ]);
    const last = tape.lastId('BTCUSDT', START_MS * 1000)!;
    expect(client.trades().map(({ id }) => id)).toEqual(Array.from({ length: 50 }, (_, i) => last - 49 + i));
    expect(client.texts[2]).toMatch(/"price":\d+\.\d+,"qty":\d+\.\d+,/);
    await client.say(subscribe(['ETH/USD'], { snapshot: false }));
    expect(client.trades()).toHaveLength(50);
  });

  it('has several trades a frame, and heartbeats only while it is subscribed and quiet', async () => {
    const { venue, pass } = await start('kraken', { rate: 0.001 });
    const [quiet, unsubscribed] = [await connect(venue, DIALECTS.kraken), await connect(venue, DIALECTS.kraken)];
    await quiet.say(subscribe(['ATOM/USD']));
    for (let i = 0; i < 3; i++) await pass(1000, quiet);
    await unsubscribed.say();
    expect(quiet.frames.filter(({ channel }) => channel === 'heartbeat')).toHaveLength(3);
    expect(unsubscribed.frames.filter(({ channel }) => channel === 'heartbeat')).toHaveLength(0);

    const busy = await start('kraken', { rate: 100 });
    const client = await connect(busy.venue, DIALECTS.kraken);
    await client.say(subscribe(['BTC/USD']));
    for (let i = 0; i < 20; i++) await busy.pass(100, client);
    expect(client.frames.filter(({ channel }) => channel === 'heartbeat')).toHaveLength(0);
    expect(client.frames.filter((frame) => frame['type'] === 'update').length).toBeLessThan(client.trades().length / 5);
  });

  it('pages through its history by `last`, and loses nothing where a page ends within one instant', async () => {
    const { venue, tape } = await start('kraken', { bunches: true });
    const [from, atUs] = [tape.lastId('BTCUSDT', START_MS * 1000)! - 3000, START_MS * 1000];
    const [first] = tape.tradesFrom('BTCUSDT', from, 1, atUs);
    const rows: unknown[][] = [];
    for (let since = `${BigInt(first!.tradedAtUs) * 1000n - 1n}`, before = ''; since !== before;) {
      const { body } = await get(venue, `/0/public/Trades?pair=XBTUSD&since=${since}&count=500`);
      const { result } = body as { result: { XXBTZUSD: unknown[][]; last: string } };
      rows.push(...result.XXBTZUSD);
      [before, since] = [since, result.last];
    }
    const fromId = tape.firstIdSince('BTCUSDT', first!.tradedAtUs)!;
    const traded = tape.tradesFrom('BTCUSDT', fromId, 10_000, atUs);
    expect(rows.map(([, , , , , , id]) => id)).toEqual(traded.map(({ id }) => id));
    expect(rows.map(([price, size, , side]) => [toUnits(String(price)), toUnits(String(size)), side])).toEqual(
      traded.map((trade) => [toUnits(trade.price), toUnits(trade.size), trade.buyerIsMaker ? 's' : 'b']),
    );
    expect(rows.map(([, , time]) => Math.round(Number(time) * 1e6))).toEqual(traded.map((trade) => trade.tradedAtUs));
  });

  it('names pairs by their older names, and refuses in an error list', async () => {
    const { venue } = await start('kraken', { limits: { weightPerSecond: 1, weightBurst: 5 } });
    const { body } = await get(venue, '/0/public/AssetPairs');
    expect(body).toMatchObject({
      error: [],
      result: { XXBTZUSD: { altname: 'XBTUSD', wsname: 'XBT/USD', status: 'online', pair_decimals: 2 }, ADAUSD: {} },
    });
    expect(await get(venue, '/0/public/AssetPairs?pair=XBTUSD,NOUSD')).toMatchObject(unknown);
    expect(await get(venue, '/0/public/Trades?pair=BTCUSDT')).toMatchObject(unknown);
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => get(venue, '/0/public/Trades?pair=XBTUSD&count=1')),
    );
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 200));
    expect(answers.at(-1)!.body).toEqual({ error: ['EAPI:Rate limit exceeded'] });
  });
  const unknown = { status: 200, body: { error: ['EQuery:Unknown asset pair'] } };
});

describe('finnhub', () => {
  it('wants its key, and drops both connections of one', async () => {
    const { venue } = await start('finnhub', { key: 'key' });
    for (const path of ['/', '/?token=', '/?token=other'])
      await expect(connect(venue, { ...DIALECTS.finnhub, path })).rejects.toThrow('401');
    const first = await connect(venue, DIALECTS.finnhub);
    const closed = once(first.socket, 'close');
    const second = await connect(venue, DIALECTS.finnhub);
    await Promise.all([closed, second.closed]);
    expect(venue.counts.attempts).toBe(5);
  });

  it('acknowledges nothing, names an unknown symbol, and refuses one too many', async () => {
    const { venue } = await start('finnhub', { limits: { streamsPerConnection: 2 } });
    const client = await connect(venue, DIALECTS.finnhub);
    const [btc, eth, ada] = ['BINANCE:BTCUSDT', 'BINANCE:ETHUSDT', 'BINANCE:ADAUSDT'];
    await client.say(...DIALECTS.finnhub.subscribe([btc!, 'BINANCE:NOUSDT', eth!, ada!]));
    expect(client.frames).toEqual([
      { type: 'error', msg: 'Invalid symbol BINANCE:NOUSDT' },
      { type: 'error', msg: 'Subscribing to too many symbols' },
    ]);
    await client.say({ type: 'unsubscribe', symbol: btc }, { type: 'subscribe', symbol: ada });
    expect(client.frames).toHaveLength(2);
  });

  it('puts trades of several symbols into one frame, pings each minute, and sends prices without a size', async () => {
    const { venue, pass } = await start('finnhub', { rate: 20, faults: { priceOnly: 0.2 } });
    const client = await connect(venue, DIALECTS.finnhub);
    await client.say(...DIALECTS.finnhub.subscribe(['BINANCE:BTCUSDT', 'BINANCE:ETHUSDT']));
    await pass(60_000, client);
    expect(client.frames.filter(({ type }) => type === 'ping')).toHaveLength(1);
    const rows = client.frames.flatMap(({ type, data }) => (type === 'trade' ? [data as Row[]] : []));
    expect(rows.some((each) => new Set(each.map(({ s }) => s)).size === 2)).toBe(true);
    expect(rows.flat().filter(({ v }) => v === 0).length).toBeGreaterThan(10);
    expect(Object.keys(rows[0]![0]!)).toEqual(['c', 'p', 's', 't', 'v']);
    expect(rows[0]![0]!['c']).toBeNull();
  });
});

type Dialect = Readonly<{
  path: string;
  subscribe(symbols: readonly string[]): object[];
  read(frame: Row): Told[];
  wrongTimes: RegExp;
  timesIn(frame: Row): unknown[];
}>;

type Client = Awaited<ReturnType<typeof connect>>;

/** A venue whose clock stands until `pass` moves it. */
async function start(
  id: FaceId,
  {
    rate = 1,
    bunches = false,
    faults = {},
    limits,
    ...rest
  }: { rate?: number; bunches?: boolean; faults?: FaultPlan } & Pick<VenueOptions, 'limits' | 'key'> = {},
) {
  const market = simulatedMarket({ rate: bunches ? 100 : rate });
  const tape: Tape = bunches ? bunched(market, { everyTrades: 1000, trades: 735 }) : market;
  const venue = await startVenue({
    face: FACES[id],
    tape,
    nowUs: () => Date.now() * 1000,
    faults: planFaults(faults, 1),
    limits: { messagesPerSecond: Infinity, ...limits },
    ...rest,
  });
  open.push(venue);
  const pass = async (ms: number, client: Client): Promise<void> => {
    vi.setSystemTime(Date.now() + ms);
    while (venue.pump().behind > 0 && FACES[id].gatherMs === undefined);
    await client.say();
  };
  return { venue, tape, pass };
}

async function connect(venue: Venue, { path, read }: Dialect) {
  const socket = new WebSocket(venue.url + path);
  open.push({ close: () => socket.terminate() });
  const frames: Row[] = [];
  const texts: string[] = [];
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('message', (data) => {
    texts.push(String(data));
    frames.push(JSON.parse(String(data)) as Row);
  });
  await once(socket, 'open');
  return {
    socket,
    frames,
    texts,
    closed,
    trades: (seen = 0): Told[] => frames.flatMap(read).slice(seen),
    /** Sends, and waits until all that was answered until then has come. */
    async say(...messages: unknown[]): Promise<void> {
      for (const each of messages) socket.send(typeof each === 'string' ? each : JSON.stringify(each));
      const settled = once(socket, 'pong');
      socket.ping();
      await settled;
    },
  };
}

async function get(venue: Venue, path: string) {
  const response = await fetch(venue.restUrl + path);
  return { status: response.status, headers: response.headers, body: (await response.json()) as unknown };
}

function likeTold(trade: TapeTrade, symbol: string, { id, buys }: Told): Told {
  return {
    symbol,
    ...(id !== undefined && { id: trade.id }),
    price: toUnits(trade.price),
    size: toUnits(trade.size),
    ...(buys !== undefined && { buys: !trade.buyerIsMaker }),
    atUs: id === undefined ? trade.tradedAtUs - (trade.tradedAtUs % 1000) : trade.tradedAtUs,
  };
}

function inOrder(told: readonly Told[]): Told[] {
  return told.toSorted((a, b) => (a.id ?? 0) - (b.id ?? 0));
}

/** Of both feeds and REST: the side is the maker's. */
function coinbaseTrade(row: Row, product: unknown): Told {
  return {
    symbol: String(product),
    id: Number(row['trade_id']),
    price: toUnits(String(row['price'])),
    size: toUnits(String(row['size'])),
    buys: String(row['side']).toLowerCase() === 'sell',
    atUs: instant(row['time']),
  };
}

function advancedRows({ channel, events }: Row): Row[] {
  return channel === 'market_trades' ? (events as { trades: Row[] }[]).flatMap(({ trades }) => trades) : [];
}

function krakenRows({ channel, data }: Row): Row[] {
  return channel === 'trade' ? (data as Row[]) : [];
}

function krakenTrade({ symbol, trade_id, price, qty, side, timestamp }: Row): Told {
  const [id, buys] = [Number(trade_id), side === 'buy'];
  return {
    symbol: String(symbol),
    id,
    price: toUnits(String(price)),
    size: toUnits(String(qty)),
    buys,
    atUs: instant(timestamp),
  };
}

function finnhubTrade({ p, s, t, v }: Row): Told {
  return { symbol: String(s), price: toUnits(String(p)), size: toUnits(String(v)), atUs: Number(t) * 1000 };
}

function instant(text: unknown): number {
  const [, seconds, fraction = ''] = /^(.{19})(?:\.(\d+))?Z$/.exec(String(text))!;
  return Date.parse(`${seconds}Z`) * 1000 + Number(fraction.slice(0, 6).padEnd(6, '0'));
}
