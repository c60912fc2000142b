import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed, testDatabase, type TestDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';
import { ServedMarket } from './support/served-market.js';

type Update = { type?: string; symbol: string; tradeId: string; window: string; tradedAt: string };

let database: TestDatabase;
let market: ServedMarket;
let app: RunningApp;

beforeAll(async () => {
  database = await testDatabase();
  market = await ServedMarket.start(20);
  app = await startApp(database.connection, market.env);
});

beforeEach(() => keepWhenRed());

afterAll(async () => {
  await app?.close();
  await market?.close();
});

/** Reads a stream until `enough`; answers its events. */
async function readStream(
  path: string,
  enough: (events: { event: string; id?: string; data: Update }[]) => boolean,
  headers: Record<string, string> = {},
): Promise<{ event: string; id?: string; data: Update }[]> {
  const abort = new AbortController();
  const response = await fetch(app.url + path, { headers, signal: abort.signal });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const events: { event: string; id?: string; data: Update }[] = [];
  let rest = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop()!;
    for (const block of blocks) {
      const fields = Object.fromEntries(
        block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
      );
      if (fields.data)
        events.push({
          event: fields.event!,
          ...(fields.id ? { id: fields.id } : {}),
          data: JSON.parse(fields.data) as Update,
        });
    }
    if (enough(events)) break;
  }
  abort.abort();
  return events;
}

async function open(path: string): Promise<{ socket: WebSocket; updates: Update[]; notes: Record<string, unknown>[] }> {
  const socket = new WebSocket(app.url.replace('http', 'ws') + path);
  const updates: Update[] = [];
  const notes: Record<string, unknown>[] = [];
  socket.on('message', (data: Buffer) => {
    const said = JSON.parse(data.toString()) as Update[] | Record<string, unknown>;
    if (Array.isArray(said)) updates.push(...said);
    else notes.push(said);
  });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return { socket, updates, notes };
}

describe('live updates of the running system', () => {
  it('reach an SSE client that asked for them, and no others', async () => {
    const events = await readStream('/stream?symbols=BTCUSDT&types=trade,candle', (seen) =>
      ['trade', 'candle'].every((type) => seen.some((one) => one.event === type)),
    );
    expect(new Set(events.map((one) => one.data.symbol))).toEqual(new Set(['BTCUSDT']));
    expect(events.filter((one) => one.event === 'trade').every((one) => one.id !== undefined)).toBe(true);
  });

  it('are resumed from the outbox without loss or repetition', async () => {
    const isBtc = (one: { event: string }): boolean => one.event === 'trade';
    const before = await readStream('/stream?symbols=BTCUSDT&types=trade', (seen) => seen.length >= 10);
    const recorded = async (): Promise<string[]> =>
      (
        (await database.dataSource.query(
          `select trade_id from processing.trade t join processing.series s on s.id = t.series_id where s.symbol = 'BTCUSDT' order by 1`,
        )) as { trade_id: string }[]
      ).map((row) => row.trade_id);
    const missedFrom = (await recorded()).length;
    await eventually(async () => expect((await recorded()).length).toBeGreaterThan(missedFrom + 10));
    const after = await readStream('/stream?symbols=BTCUSDT&types=trade', (seen) => seen.length >= 20, {
      'last-event-id': before.at(-1)!.id!,
    });
    const ids = [...before, ...after].filter(isBtc).map((one) => one.data.tradeId);
    const all = await recorded();
    const from = all.indexOf(ids[0]!);
    expect(ids.toSorted()).toEqual(all.slice(from, from + ids.length));
  });

  it('reach WebSocket clients by subscription, by price and by candle', async () => {
    const [any, price, candles] = await Promise.all([
      open('/ws'),
      open('/ws/price/ETHUSDT'),
      open('/ws/ohlcv/ETHUSDT?window=5m'),
    ]);
    any.socket.send(JSON.stringify({ action: 'subscribe', symbols: ['SOLUSDT'], types: ['trade'] }));
    await eventually(() => expect(any.updates.length).toBeGreaterThan(2));
    await eventually(() => expect(price.updates.length).toBeGreaterThan(2));
    await eventually(() => expect(candles.updates.length).toBeGreaterThan(2));
    expect(any.notes).toEqual([{ type: 'ack', action: 'subscribe', symbols: ['SOLUSDT'], types: ['trade'] }]);
    expect(new Set(any.updates.map((one) => `${one.type} ${one.symbol}`))).toEqual(new Set(['trade SOLUSDT']));
    expect(new Set(price.updates.map((one) => `${one.type} ${one.symbol}`))).toEqual(new Set(['trade ETHUSDT']));
    expect(new Set(candles.updates.map((one) => `${one.symbol} ${one.window}`))).toEqual(new Set(['ETHUSDT 5m']));
    any.socket.send('not json');
    await eventually(() => expect(any.notes.at(-1)).toMatchObject({ type: 'error', code: 'stream.bad-request' }));
    for (const { socket } of [any, price, candles]) socket.close();
  });
});
