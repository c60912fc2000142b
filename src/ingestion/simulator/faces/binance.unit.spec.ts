import { once } from 'node:events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { simulatedMarket } from '../market.js';
import { startSimulator, type Simulator, type SimulatorOptions } from '../simulator.server.js';

type Frame = {
  stream?: string;
  data?: Record<string, unknown>;
  result?: unknown;
  code?: number;
  [key: string]: unknown;
};

const open: { close(): unknown }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

describe('the simulator speaks Binance', () => {
  it('streams every trade once, and its history by REST is the same', async () => {
    const venue = await start({ rate: 200 });
    const client = await connect(venue, '/stream?streams=btcusdt@trade/atomusdt@trade');
    await until(() => client.trades('BTCUSDT').length > 300 && client.trades('ATOMUSDT').length > 20);
    for (const symbol of ['BTCUSDT', 'ATOMUSDT']) {
      const streamed = client.trades(symbol);
      const first = Number(streamed[0]!['t']);
      expect(streamed.map(({ t }) => t)).toEqual(streamed.map((_, i) => first + i));
      const history = await get(venue, `/api/v3/historicalTrades?symbol=${symbol}&fromId=${first}&limit=1000`);
      const asFrames = (history.body as Record<string, unknown>[])
        .slice(0, streamed.length)
        .map(({ id, price, qty, time, isBuyerMaker }) => ({ t: id, p: price, q: qty, T: time, m: isBuyerMaker }));
      expect(asFrames).toEqual(streamed.slice(0, 1000).map(({ t, p, q, T, m }) => ({ t, p, q, T, m })));
    }
  });

  it('has frames of the venue’s form, combined and raw, in milliseconds and microseconds', async () => {
    const venue = await start({ rate: 50 });
    const combined = await connect(venue, '/stream?streams=btcusdt@trade&timeUnit=MICROSECOND');
    const raw = await connect(venue, '/ws/btcusdt%40aggTrade');
    await until(() => combined.frames.length > 0 && raw.frames.length > 0);
    const [trade] = combined.frames;
    expect(trade!.stream).toBe('btcusdt@trade');
    expect(Object.keys(trade!.data!)).toEqual(['e', 'E', 's', 't', 'p', 'q', 'T', 'm', 'M']);
    expect(String(trade!.data!['T'])).toHaveLength(16);
    expect(Object.keys(raw.frames[0]!)).toEqual(['e', 'E', 's', 'a', 'p', 'q', 'f', 'l', 'T', 'm', 'M']);
    expect(String(raw.frames[0]!['T'])).toHaveLength(13);
    expect(raw.frames[0]!['f']).toBe(raw.frames[0]!['a']);
  });

  it('takes control frames and answers them as documented', async () => {
    const venue = await start({ rate: 50, limits: { messagesPerSecond: 100 } });
    const client = await connect(venue, '/ws');
    const ask = async (text: unknown): Promise<Frame> => {
      const before = client.frames.length;
      client.socket.send(typeof text === 'string' ? text : JSON.stringify(text));
      return until(() => client.frames.slice(before).find((frame) => 'result' in frame || 'code' in frame));
    };
    expect(await ask({ method: 'SUBSCRIBE', params: ['btcusdt@trade', 'nousdt@trade'], id: 1 })).toEqual({
      result: null,
      id: 1,
    });
    expect(await ask({ method: 'LIST_SUBSCRIPTIONS', id: 'a' })).toEqual({
      result: ['btcusdt@trade', 'nousdt@trade'],
      id: 'a',
    });
    expect(await ask({ method: 'SET_PROPERTY', params: ['combined', true], id: 2 })).toEqual({ result: null, id: 2 });
    await until(() => client.frames.find(({ stream }) => stream === 'btcusdt@trade'));
    expect(await ask({ method: 'GET_PROPERTY', params: ['combined'], id: 3 })).toEqual({ result: true, id: 3 });
    expect(await ask({ method: 'UNSUBSCRIBE', params: ['btcusdt@trade'], id: 4 })).toEqual({ result: null, id: 4 });
    expect(await ask({ method: 'LIST_SUBSCRIPTIONS', id: null })).toEqual({ result: ['nousdt@trade'], id: null });

    expect(await ask('{"method":')).toEqual({ code: 3, msg: 'Invalid JSON: expected value at line 1 column 1' });
    expect(await ask({ method: 'SUBSCRIBES', id: 1 })).toMatchObject({ code: 2, msg: /unknown variant `SUBSCRIBES`/ });
    expect(await ask({ id: 1 })).toMatchObject({ code: 2, msg: /missing field `method`/ });
    expect(await ask({ method: 'LIST_SUBSCRIPTIONS', id: {} })).toMatchObject({ code: 2, msg: /request ID/ });
    expect(await ask({ method: 'SET_PROPERTY', params: ['other', true], id: 9 })).toEqual({
      code: 0,
      msg: 'Unknown property',
      id: 9,
    });
    expect(await ask({ method: 'SET_PROPERTY', params: ['combined', 1], id: 9 })).toEqual({
      code: 1,
      msg: 'Invalid value type: expected Boolean',
    });
    expect(client.trades('NOUSDT')).toEqual([]);
  });

  it('closes a connection that says more than five things a second', async () => {
    const client = await connect(await start(), '/ws');
    const closed = once(client.socket, 'close');
    for (let i = 0; i < 6; i++) client.socket.send(`{"method":"LIST_SUBSCRIPTIONS","id":${i}}`);
    const [code, reason] = await closed;
    expect([code, String(reason)]).toEqual([1008, 'Too many requests']);
    expect(client.frames).toHaveLength(5);
  });

  it('refuses more than 1024 streams and unknown paths', async () => {
    const venue = await start();
    const names = Array.from({ length: 1025 }, (_, i) => `s${i}usdt@trade`);
    await expect(connect(venue, `/stream?streams=${names.join('/')}`)).rejects.toThrow('400');
    await expect(connect(venue, '/stream2')).rejects.toThrow('404');
    await expect(connect(venue, '//')).rejects.toThrow('404');
    const client = await connect(venue, '/ws');
    client.socket.send(JSON.stringify({ method: 'SUBSCRIBE', params: names, id: 1 }));
    expect((await until(() => client.frames[0])).code).toBe(2);
  });

  it('pings, cuts whoever does not answer, and everyone of age', async () => {
    const venue = await start({ limits: { pingEveryMs: 20, pongWithinMs: 500, messagesPerSecond: 1000 } });
    const mute = await connect(venue, '/ws', { autoPong: false });
    const polite = await connect(venue, '/ws');
    await once(polite.socket, 'ping');
    await once(mute.socket, 'close');
    expect(polite.socket.readyState).toBe(WebSocket.OPEN);
    const ageing = await connect(await start({ limits: { connectionLifeMs: 30 } }), '/ws');
    await once(ageing.socket, 'close');
  });

  it('announces that it is about to go', async () => {
    const venue = await start();
    const client = await connect(venue, '/stream?streams=btcusdt@trade');
    venue.announceShutdown();
    const said = await until(() => client.frames.find(({ stream }) => stream === '!serverShutdown'));
    expect(said.data!['e']).toBe('serverShutdown');
  });

  it('answers errors with the venue’s codes', async () => {
    const venue = await start();
    const errors = [
      ['historicalTrades?symbol=NOUSDT', -1121],
      ['historicalTrades', -1102],
      ['historicalTrades?symbol=BTCUSDT&fromId=x', -1100],
      ['aggTrades?symbol=BTCUSDT&fromId=1&startTime=1', -1128],
      ['klines?symbol=BTCUSDT&interval=7m', -1120],
      ['klines?symbol=BTCUSDT&interval=1d&limit=1000', -1127],
    ] as const;
    for (const [path, code] of errors) {
      expect(await get(venue, `/api/v3/${path}`)).toMatchObject({ status: 400, body: { code } });
    }
    expect((await get(venue, '/api/v3/nothing')).status).toBe(404);
    const info = await get(venue, '/api/v3/exchangeInfo?symbols=["BTCUSDT"]');
    expect(info.body).toMatchObject({ symbols: [{ symbol: 'BTCUSDT', status: 'TRADING', baseAsset: 'BTC' }] });
  });

  it('counts request weight and answers 429 above the limit', async () => {
    const venue = await start({ limits: { weightPerMinute: 60 } });
    const answers = [];
    for (let i = 0; i < 3; i++) answers.push(await get(venue, '/api/v3/trades?symbol=BTCUSDT&limit=1'));
    expect(answers[1]!.headers.get('x-mbx-used-weight-1m')).toBe('50');
    expect(answers[2]).toMatchObject({ status: 429, body: { code: -1003 } });
    expect(Number(answers[2]!.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it('shows nothing by REST that has not happened yet', async () => {
    let nowUs = Date.UTC(2026, 7, 9) * 1000;
    const venue = await start({ nowUs: () => nowUs });
    const latest = async (): Promise<number> =>
      ((await get(venue, '/api/v3/trades?symbol=BTCUSDT&limit=1')).body as { id: number }[])[0]!.id;
    const first = await latest();
    const ahead = `/api/v3/historicalTrades?symbol=BTCUSDT&fromId=${first + 1}`;
    expect((await get(venue, ahead)).body).toEqual([]);
    nowUs += 60_000_000;
    expect((await get(venue, ahead)).body).toHaveLength((await latest()) - first);
  });

  it('gives klines that are the exact sums of its trades, flat where there were none, the last one open', async () => {
    const nowUs = Date.UTC(2026, 7, 9, 12, 0, 30) * 1000;
    const venue = await start({ nowUs: () => nowUs, rate: 0.2, seed: 4 });
    const query = 'klines?symbol=ATOMUSDT&interval=1s&limit=90';
    const { body } = await get(venue, `/api/v3/${query}`, { 'X-MBX-TIME-UNIT': 'MICROSECOND' });
    const rows = body as [number, ...string[]][];
    expect(rows).toHaveLength(90);
    const tape = simulatedMarket({ rate: 0.2, seed: 4 });
    const first = tape.firstIdSince('ATOMUSDT', nowUs - 89_000_000)!;
    const trades = tape.tradesFrom('ATOMUSDT', first, 1000, nowUs);
    let close = tape.tradesFrom('ATOMUSDT', first - 1, 1, nowUs)[0]!.price;
    for (const row of rows) {
      const within = trades.filter(({ tradedAtUs }) => tradedAtUs >= row[0] && tradedAtUs < row[0] + 1_000_000);
      const sum = (list: typeof trades, of: (trade: (typeof trades)[number]) => bigint): bigint =>
        list.reduce((total, trade) => total + of(trade), 0n);
      const size = ({ size: text }: (typeof trades)[number]): bigint => units(text);
      const quote = ({ size: q, price }: (typeof trades)[number]): bigint => (units(q) * units(price)) / 100_000_000n;
      const bought = within.filter(({ buyerIsMaker }) => !buyerIsMaker);
      const prices = within.map(({ price }) => price).sort((a, b) => Number(a) - Number(b));
      expect([row[1], row[2], row[3], row[4]]).toEqual([
        within[0]?.price ?? close,
        prices.at(-1) ?? close,
        prices[0] ?? close,
        within.at(-1)?.price ?? close,
      ]);
      expect([row[5], row[7], row[9], row[10]].map((text) => units(text!))).toEqual([
        sum(within, size),
        sum(within, quote),
        sum(bought, size),
        sum(bought, quote),
      ]);
      expect([row[6], row[8], row[11]]).toEqual([row[0] + 999_999, within.length, '0']);
      close = row[4]!;
    }
    expect(rows.at(-1)![0]).toBe(nowUs);
  });

  it('does harm as planned, and REST still has what the stream lost', async () => {
    const faults = { drop: 0.1, repeat: 0.1, badFrame: 0.05, negative: 0.05, reorder: { often: 0.2, withinMs: 50 } };
    const venue = await start({ rate: 200, faults });
    const client = await connect(venue, '/stream?streams=btcusdt@trade');
    await until(() => client.frames.length > 600);
    const real = client
      .trades('BTCUSDT')
      .filter(({ p }) => p !== '-1.0')
      .slice(0, 400);
    const ids = real.map(({ t }) => Number(t));
    const known = new Set(ids);
    expect(known.size).toBeLessThan(ids.length);
    expect(Math.max(...ids) - Math.min(...ids) + 1).toBeGreaterThan(known.size);
    expect(ids.some((id, i) => i > 0 && id < ids[i - 1]!)).toBe(true);
    expect(client.broken).toBeGreaterThan(0);
    expect(client.trades('BTCUSDT').filter(({ t }) => Number(t) > 9e15).length).toBeGreaterThan(0);
    expect(venue.faults.struck.drop).toBeGreaterThan(0);
    const history = await get(venue, `/api/v3/historicalTrades?symbol=BTCUSDT&fromId=${Math.min(...ids)}&limit=1000`);
    for (const { id } of history.body as { id: number }[]) known.add(id);
    const healed = [...known].sort((a, b) => a - b);
    expect(healed.at(-1)! - healed[0]! + 1).toBe(healed.length);
  });

  it('cuts and stalls: the first loses what came meanwhile, the second brings it late', async () => {
    const cut = await connect(
      await start({ rate: 200, faults: { disconnect: { count: 1, over: 100 } } }),
      '/ws/btcusdt@trade',
    );
    await once(cut.socket, 'close');
    expect(cut.frames.length).toBeLessThan(100);

    const faults = { stall: { often: { count: 1, over: 100 }, forMs: 300 } };
    const stalled = await connect(await start({ rate: 200, faults }), '/ws/btcusdt@trade');
    await until(() => stalled.frames.length > 300);
    expect(stalled.longestSilenceMs()).toBeGreaterThan(250);
    const ids = stalled.frames.map(({ t }) => Number(t));
    expect(ids).toEqual(ids.map((_, i) => ids[0]! + i));
  });
});

async function start(options: SimulatorOptions = {}): Promise<Simulator> {
  const venue = await startSimulator(options);
  open.push(venue);
  return venue;
}

async function connect(venue: Simulator, path: string, options: { autoPong?: boolean } = {}) {
  const socket = new WebSocket(venue.url + path, options);
  open.push({ close: () => socket.terminate() });
  const frames: Frame[] = [];
  const arrivedMs: number[] = [];
  const client = {
    socket,
    frames,
    broken: 0,
    trades: (symbol: string): Record<string, unknown>[] =>
      frames.flatMap(({ data }) => (data?.['e'] === 'trade' && data['s'] === symbol ? [data] : [])),
    longestSilenceMs: (): number => Math.max(...arrivedMs.slice(1).map((at, i) => at - arrivedMs[i]!)),
  };
  socket.on('message', (data) => {
    arrivedMs.push(performance.now());
    try {
      frames.push(JSON.parse(String(data)) as Frame);
    } catch {
      client.broken++;
    }
  });
  await once(socket, 'open');
  return client;
}

async function get(venue: Simulator, path: string, headers: Record<string, string> = {}) {
  const response = await fetch(venue.restUrl + path, { headers });
  return { status: response.status, headers: response.headers, body: (await response.json()) as unknown };
}

/** What the condition gives once it gives something. */
function until<T>(condition: () => T): Promise<NonNullable<Exclude<T, false>>> {
  return vi.waitUntil(condition, { timeout: 5000, interval: 5 }) as Promise<NonNullable<Exclude<T, false>>>;
}

function units(text: string): bigint {
  return BigInt(text.replace('.', ''));
}
