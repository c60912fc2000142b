import { once } from 'node:events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { type Face, noLimits } from './faces/face.js';
import { closeCodes, type FaultPlan, planFaults } from './faults.js';
import { simulatedMarket } from './market.js';
import { type Simulator, type SimulatorOptions, startSimulator } from './simulator.server.js';
import { startVenue } from './venue.server.js';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

const ONCE_SOON = { count: 1, over: 50 };
const STREAM = '/ws/btcusdt@trade';
const FAST = { rate: 200 };

describe('a venue that misbehaves at the handshake', () => {
  it('accepts and closes at once, with each code by turns, and counts every attempt', async () => {
    const venue = await start({ faults: { closeAtOpen: 1 } });
    const codes: number[] = [];
    for (let i = 0; i < 2 * closeCodes.length; i++) {
      const client = connect(venue, STREAM);
      codes.push((await once(client.socket, 'close'))[0] as number);
      expect(client.texts).toEqual([]);
    }
    expect(codes).toEqual([...closeCodes, ...closeCodes]);
    expect(venue.counts).toMatchObject({ attempts: 16, connections: 16, framesSent: 0 });
    expect(venue.faults.struck.closeAtOpen).toBe(16);
  });

  it('refuses with 429, 503 and 403 by turns', async () => {
    const venue = await start({ faults: { refusedHandshake: 1 } });
    const refusals = [];
    for (let i = 0; i < 4; i++) refusals.push(await refusal(venue, STREAM));
    expect(refusals).toEqual([429, 503, 403, 429]);
    expect(venue.counts).toMatchObject({ attempts: 4, connections: 0 });
  });

  it('answers late, and is closed all the same', async () => {
    const venue = await start({ faults: { slowHandshake: { often: 1, byMs: 120 } } });
    const beganMs = performance.now();
    await once(connect(venue, STREAM).socket, 'open');
    expect(performance.now() - beganMs).toBeGreaterThan(100);
    const never = await start({ faults: { slowHandshake: { often: 1, byMs: 3_600_000 } } });
    const { socket } = connect(never, STREAM);
    await until(() => never.counts.attempts === 1);
    await Promise.all([once(socket, 'error'), never.close()]);
  });

  it('refuses more attempts than its limits allow', async () => {
    const venue = await start({ limits: { attemptsPer5Min: 2 } });
    await once(connect(venue, STREAM).socket, 'open');
    expect(await refusal(venue, '/nowhere')).toBe(404);
    expect(await refusal(venue, STREAM)).toBe(429);
    expect(venue.counts.attempts).toBe(3);
  });
});

describe('a venue that misbehaves on the stream', () => {
  it('closes with each code by turns', async () => {
    const venue = await start({ ...FAST, faults: { close: 1 } });
    const codes: number[] = [];
    for (const _ of closeCodes) codes.push((await once(connect(venue, STREAM).socket, 'close'))[0] as number);
    expect(codes).toEqual(closeCodes);
    expect(venue.counts.tradesSent).toBe(0);
  });

  it('falls mute: the socket stays open, no frame comes and no ping is answered', async () => {
    const venue = await start({ ...FAST, faults: { mute: ONCE_SOON }, limits: { connectionLifeMs: 700 } });
    const client = connect(venue, STREAM);
    await until(() => venue.faults.struck.mute === 1 && client.texts.length === venue.counts.framesSent);
    const heard = client.texts.length;
    client.socket.ping();
    client.socket.send('{"method":"LIST_SUBSCRIPTIONS","id":1}');
    const polite = connect(venue, STREAM);
    await once(polite.socket, 'open');
    polite.socket.ping();
    await once(polite.socket, 'pong');
    await once(client.socket, 'close');
    expect([client.texts.length, client.pongs]).toEqual([heard, 0]);
    expect(polite.texts.length).toBeGreaterThan(0);
  });

  it('says that it goes, and goes', async () => {
    const venue = await start({ ...FAST, faults: { shutdown: { often: ONCE_SOON, afterMs: 100 } } });
    const client = connect(venue, STREAM);
    const [code] = await once(client.socket, 'close');
    const said = client.texts.findIndex((text) => text.includes('serverShutdown'));
    expect(said).toBeGreaterThan(-1);
    expect(client.texts.length).toBeGreaterThan(said + 1);
    expect(code).toBe(1001);
  });

  it('has errors and broken frames beside the trades, which all come', async () => {
    const venue = await start({ ...FAST, faults: { errorFrame: 0.1, badFrame: 0.1 } });
    const client = connect(venue, STREAM);
    await until(() => client.texts.length > 300);
    expect(client.texts.filter((text) => text.startsWith('{"code":2')).length).toBeGreaterThan(10);
    expect(client.texts.filter((text) => !text.endsWith('}')).length).toBeGreaterThan(10);
    expect(client.ids()).toEqual(client.ids().map((_, i) => client.ids()[0]! + i));
  });

  it('tells times in another unit, exactly where they are whole milliseconds', async () => {
    const venue = await start({ ...FAST, faults: { wrongUnit: 0.3 }, wholeMilliseconds: true });
    const client = connect(venue, `${STREAM}?timeUnit=MICROSECOND`);
    await until(() => client.texts.length > 100);
    const units = client.texts.map((text) => /"T":(\d+)/.exec(text)![1]!);
    expect(new Set(units.map((unit) => unit.length))).toEqual(new Set([13, 16]));
    const served = venue.tape.tradesFrom('BTCUSDT', client.ids()[0]!, units.length, Infinity);
    expect(units.map((unit) => Number(unit.padEnd(16, '0')))).toEqual(served.map(({ tradedAtUs }) => tradedAtUs));
  });

  it('refuses a symbol once and takes it the next time', async () => {
    const venue = await start({ ...FAST, faults: { refusedSymbol: 1 } });
    const client = connect(venue, '/ws');
    await once(client.socket, 'open');
    client.socket.send('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}');
    await until(() => client.texts.length === 1);
    expect(JSON.parse(client.texts[0]!)).toMatchObject({ code: 2, msg: /^Invalid request/ });
    client.socket.send('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":2}');
    await until(() => client.ids().length > 0);
    expect(client.texts[1]).toBe('{"result":null,"id":2}');
    expect(venue.faults.struck.refusedSymbol).toBe(1);
  });

  it('strikes the same trades again under the same seed', async () => {
    const faults: FaultPlan = { drop: 0.05, repeat: 0.05 };
    const lost = async (): Promise<number[]> => {
      const venue = await start({ rate: 50, faults, seed: 9, nowUs: () => nowUs });
      const client = connect(venue, STREAM);
      await until(() => venue.counts.connections === 1);
      nowUs += 10_000_000;
      await until(() => client.texts.length > 200);
      nowUs -= 10_000_000;
      return client.ids().slice(0, 200);
    };
    let nowUs = Date.UTC(2026, 7, 9) * 1000;
    const first = await lost();
    expect(await lost()).toEqual(first);
    expect(new Set(first).size).toBeLessThan(first.length);
  });
});

describe('a venue whose REST misbehaves', () => {
  const ask = (venue: Simulator, signal?: AbortSignal): Promise<Response> =>
    fetch(`${venue.restUrl}/api/v3/time`, signal ? { signal } : {});

  it('has too many requests and bans, and says until when', async () => {
    const busy = await ask(await start({ faults: { rest429: { often: 1, retryAfterS: 7 } } }));
    expect([busy.status, busy.headers.get('retry-after'), await busy.json()]).toMatchObject([
      429,
      '7',
      { code: -1003 },
    ]);
    const banned = await ask(await start({ faults: { rest418: { often: 1, retryAfterS: 120 } } }));
    expect([banned.status, banned.headers.get('retry-after')]).toEqual([418, '120']);
  });

  it('fails with 5xx by turns', async () => {
    const venue = await start({ faults: { rest5xx: 1 } });
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await ask(venue)).status);
    expect(statuses).toEqual([500, 502, 503, 504]);
  });

  it('hangs, without holding up its end', async () => {
    const venue = await start({ faults: { restHang: { count: 1, over: 1 } } });
    await expect(ask(venue, AbortSignal.timeout(100))).rejects.toThrow('timeout');
    expect((await ask(venue)).status).toBe(200);
    const hanging = await start({ faults: { restHang: 1 } });
    const asked = ask(hanging);
    await until(() => hanging.faults.struck.restHang === 1);
    await Promise.all([expect(asked).rejects.toThrow('fetch failed'), hanging.close()]);
  });

  it('counts weight in a bucket that drains', async () => {
    const venue = await start({ limits: { weightPerSecond: 50, weightBurst: 2 } });
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await ask(venue)).status);
    expect(statuses).toContain(429);
    await until(async () => (await ask(venue)).status === 200);
  });
});

describe('a venue of any protocol', () => {
  it('counts the frames of a connection, the lost ones too, and gathers trades', async () => {
    const venue = await speak({ ...TOY, gatherMs: 50 }, { drop: 0.02 });
    const client = connect(venue, '/');
    await until(() => client.texts.filter((text) => text.includes('trades')).length > 20);
    const frames = client.texts.map((text) => JSON.parse(text) as { n: number; trades?: number[] });
    expect(frames[0]).toEqual({ n: 0 });
    const told = frames.slice(1);
    const dropped = told.at(-1)!.n - told[0]!.n + 1 - told.length;
    const ids = told.flatMap(({ trades = [] }) => trades);
    expect(ids.at(-1)! - ids[0]! + 1 - ids.length).toBe(dropped);
    expect(dropped).toBeGreaterThan(0);
    expect(Math.max(...frames.map(({ trades = [] }) => trades.length))).toBeGreaterThan(3);
  });

  it('has texts that come by themselves, always or only when it is quiet', async () => {
    const beats = [
      { everyMs: 20, texts: () => ['"always"'] },
      { everyMs: 500, whenQuiet: true as const, texts: () => ['"quiet"'] },
    ];
    const lively = connect(await speak({ ...TOY, beats }), '/');
    await until(() => lively.texts.filter((text) => text === '"always"').length === 5);
    expect(lively.texts).not.toContain('"quiet"');
    const [, idle] = beats;
    const quiet = connect(await speak({ ...TOY, beats: [{ ...idle!, everyMs: 20 }] }), '/silent');
    await until(() => quiet.texts.length === 3);
  });

  it('closes whoever leaves undone what the venue wants', async () => {
    const expires: Face['expires'] = (_talk, ageMs) => (ageMs >= 30 ? { code: 4001, reason: 'too late' } : undefined);
    const client = connect(await speak({ ...TOY, expires }), '/silent');
    expect((await once(client.socket, 'close'))[0]).toBe(4001);
  });

  it('drops both when a second connection has the same key', async () => {
    const venue = await speak({ ...TOY, open: ({ pathname }) => ({ talk: 0, exclusiveKey: pathname }) });
    const [first, other] = [connect(venue, '/a'), connect(venue, '/b')];
    await Promise.all([once(first.socket, 'open'), once(other.socket, 'open')]);
    const second = connect(venue, '/a');
    await Promise.all([once(first.socket, 'close'), once(second.socket, 'close')]);
    expect(other.socket.readyState).toBe(WebSocket.OPEN);
  });

  it('has no REST where the venue has none', async () => {
    const venue = await speak(TOY);
    expect((await fetch(`${venue.restUrl}/api`)).status).toBe(404);
    expect(venue.symbols).toContain('BTC');
  });
});

/** A protocol that no venue has: all frames carry their number. */
const TOY: Face = {
  id: 'binance',
  limits: noLimits,
  spelling: (symbol) => symbol.replace('USDT', ''),
  open: ({ pathname }) => ({
    talk: 0,
    texts: [(n) => `{"n":${n}}`],
    subscribe: pathname === '/silent' ? [] : [{ stream: 'btcusdt@trade', symbol: 'BTC' }],
  }),
  hear: () => ({}),
  tell: (_talk, spoken) => [(n) => JSON.stringify({ n, trades: spoken.map(({ frame }) => frame.trade!.id) })],
  tellInWrongUnit: () => '',
  error: () => '',
};

async function speak(face: Face, faults: FaultPlan = {}) {
  const venue = await startVenue({
    face,
    tape: simulatedMarket({ rate: 100 }),
    nowUs: () => Date.now() * 1000,
    faults: planFaults(faults, 1),
  });
  const pump = setInterval(() => venue.pump(), 5);
  open.push({
    close: () => {
      clearInterval(pump);
      return venue.close();
    },
  });
  return venue;
}

async function start(options: SimulatorOptions): Promise<Simulator> {
  const venue = await startSimulator(options);
  open.push(venue);
  return venue;
}

function connect(venue: { url: string }, path: string) {
  const socket = new WebSocket(venue.url + path);
  open.push({ close: () => socket.terminate() });
  const texts: string[] = [];
  const client = {
    socket,
    texts,
    pongs: 0,
    ids: (): number[] =>
      texts.flatMap((text) => (/"t":(\d+).*\}$/.test(text) ? [Number(/"t":(\d+)/.exec(text)![1])] : [])),
  };
  socket.on('error', () => undefined);
  socket.on('message', (data) => texts.push(String(data)));
  socket.on('pong', () => client.pongs++);
  return client;
}

async function refusal(venue: Simulator, path: string): Promise<number> {
  const { socket } = connect(venue, path);
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }];
  return response.statusCode;
}

function until(condition: () => unknown): Promise<unknown> {
  return vi.waitUntil(condition, { timeout: 5000, interval: 5 });
}
