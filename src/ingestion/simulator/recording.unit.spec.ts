import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { RecordingReader, type Recording } from './recording.js';
import { startReplay, type Replay, type ReplayOptions } from './replay.server.js';

const FOLDER = '../shared/data/market/binance-spot';
const FILES = ['ethusdt_20240808.gz', 'ethusdt_20240809.gz'].map((name) => join(FOLDER, name));
const HERE = FILES.every((file) => existsSync(file));

const open: { close(): unknown }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

describe('a recording', () => {
  const START_US = 1_723_161_254_000_000;
  /** Trade `id`, received `id` ms after the start by a clock 1.2 s slow. */
  const line = (id: number): string =>
    `${START_US + id * 1000}000 {"stream":"ethusdt@trade","data":{"e":"trade","E":${START_US / 1000 + 1200 + id},"s":"ETHUSDT","t":${id},"p":"2683.80000000","q":"0.00200000","T":${START_US / 1000 + 1200 + id},"m":true,"M":true}}`;
  it('counts lines it does not understand and leaves them out', () => {
    const recording = read([line(1), '1723161254152322667 {"lastUpdateId":1,"bids":[]}', 'nonsense', '', line(2)]);
    expect([recording.trades, recording.unknown]).toEqual([2, 2]);
    expect(() => read(['nonsense'])).toThrow('no recorded frame among 1 lines');
  });

  it('shows by REST what was received by now, and finds trades by their own time', () => {
    const tape = read([line(1), line(2), line(3)]).tape();
    expect(tape.lastId('ETHUSDT', START_US)).toBeUndefined();
    expect(tape.lastId('ETHUSDT', START_US + 2000)).toBe(2);
    expect(tape.tradesFrom('ETHUSDT', 0, 10, START_US + 2000).map(({ id }) => id)).toEqual([1, 2]);
    expect(tape.firstIdSince('ETHUSDT', START_US + 1_202_000)).toBe(2);
    expect(tape.instruments[0]).toMatchObject({ baseAsset: 'ETH', tickSize: '0.10000000', stepSize: '0.00100000' });
  });

  it('is played twice under the same ids', () => {
    const tape = read([line(1), line(2)]).tape(2);
    const frames = tape.framesAfter('ethusdt@trade', -1, 10, Infinity);
    expect(frames.map(({ trade }) => trade!.id)).toEqual([1, 2, 1, 2]);
    expect(frames.every(({ atUs }, i) => i === 0 || atUs > frames[i - 1]!.atUs)).toBe(true);
    expect(tape.session).toMatchObject({ frames: 4, trades: 4, toUs: frames[3]!.atUs });
    expect(tape.cursorAt('ethusdt@trade', frames[2]!.atUs)).toBe(2);
  });

  it('is refused when it is too large', () => {
    const reader = new RecordingReader(100);
    expect(() => reader.add(line(1))).toThrow('larger than 100 bytes');
  });

  it('keeps the pace it is given, from a plain file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tapeline-'));
    open.push({ close: () => rmSync(folder, { recursive: true }) });
    const file = join(folder, 'session.txt');
    writeFileSync(file, `${line(0)}\r\n${line(2000)}\n`);
    const replay = await start({ file, speed: 10 });
    const client = listen(replay, 'ethusdt@trade');
    await replay.finished;
    await vi.waitUntil(() => client.ids.length === 2);
    expect(client.arrivedMs[1]! - client.arrivedMs[0]!).toBeGreaterThan(100);
    expect(client.ids).toEqual([0, 2000]);
  });

  it('tells trades that nobody recorded as aggTrade, and takes microseconds', async () => {
    const replay = await start({ lines: [line(7)], speed: Infinity });
    const client = listen(replay, 'ethusdt@aggTrade&timeUnit=MICROSECOND');
    await replay.finished;
    await vi.waitUntil(() => client.texts.length === 1);
    expect(JSON.parse(client.texts[0]!).data).toMatchObject({ e: 'aggTrade', a: 7, T: START_US + 1_207_000 });
  });
});

describe.skipIf(!HERE)(`the recorded ETHUSDT session of ${FOLDER} (skipped where it is absent)`, () => {
  it('has 14,515 trades without a hole and one unknown line', async () => {
    const replay = await start({ file: FILES, speed: Infinity });
    const client = listen(replay, 'ethusdt@trade/ethusdt@bookTicker');
    const summary = await replay.finished;
    expect(summary).toMatchObject({ complete: true, trades: 14_515, unknown: 1, connections: 1, tradesSent: 14_515 });
    await vi.waitUntil(() => client.texts.length === 14_515 + 24_077 + 34_681);
    expect(client.ids).toHaveLength(14_515);
    expect(client.ids.every((id, i) => id === 1_520_538_925 + i)).toBe(true);
    expect(client.texts.filter((text) => text.includes('bookTicker'))).toHaveLength(24_077 + 34_681);
    expect(client.texts.find((text) => text.includes('@trade'))).toBe(
      '{"stream":"ethusdt@trade","data":{"e":"trade","E":1723161255612,"s":"ETHUSDT","t":1520538925,"p":"2683.80000000","q":"0.00200000","T":1723161255611,"m":true,"M":true}}',
    );
  });

  it('comes whole through five cuts, shuffling and a second playing, with REST to heal', async () => {
    const replay = await start({ file: FILES, speed: Infinity, disconnects: 5, shuffleMs: 5000, repeat: 2, seed: 3 });
    const seen = new Set<number>();
    let received = 0;
    let outOfOrder = 0;
    let cuts = 0;
    const run = (): void => {
      const client = listen(replay, 'ethusdt@trade');
      client.socket.on('close', () => {
        received += client.ids.length;
        outOfOrder += client.ids.filter((id, i) => i > 0 && id < client.ids[i - 1]!).length;
        for (const id of client.ids) seen.add(id);
        cuts++;
        if (cuts <= 5) run();
        else last.resolve();
      });
      current = client.socket;
    };
    let current: WebSocket | undefined;
    const last = { resolve: (): void => undefined };
    const ended = new Promise<void>((resolve) => {
      last.resolve = resolve;
    });
    run();
    const summary = await replay.finished;
    current!.close();
    await ended;
    expect(summary).toMatchObject({ complete: true, trades: 29_030, connections: 6, faults: { disconnect: 5 } });
    expect(received).toBeGreaterThan(14_515);
    expect(received).toBeLessThan(29_030);
    expect(outOfOrder).toBeGreaterThan(1000);

    for (let fromId = 1_520_538_925; ; fromId += 1000) {
      const url = `${replay.restUrl}/api/v3/historicalTrades?symbol=ETHUSDT&fromId=${fromId}&limit=1000`;
      const trades = (await (await fetch(url)).json()) as { id: number }[];
      if (trades.length === 0) break;
      for (const { id } of trades) seen.add(id);
    }
    expect(seen.size).toBe(14_515);
  });

  it('has holes after cuts that only REST fills', async () => {
    const replay = await start({ file: FILES, speed: Infinity, disconnects: 5, seed: 3 });
    const seen = new Set<number>();
    let healed = 0;
    let socket: WebSocket | undefined;
    const run = (): void => {
      const client = listen(replay, 'ethusdt@trade');
      socket = client.socket;
      client.socket.on('message', () => seen.add(client.ids.at(-1)!));
      client.socket.on('close', () => replay.counts.connections < 6 && run());
    };
    run();
    const { connections } = await replay.finished;
    expect(connections).toBe(6);
    expect(socket!.readyState).toBe(WebSocket.OPEN);
    const holes: number[] = [];
    for (let id = 1_520_538_925; id < 1_520_538_925 + 14_515; id++) {
      if (!seen.has(id) && (holes.length === 0 || seen.has(id - 1))) holes.push(id);
    }
    expect(holes.length).toBeGreaterThan(0);
    for (const fromId of holes) {
      const url = `${replay.restUrl}/api/v3/historicalTrades?symbol=ETHUSDT&fromId=${fromId}&limit=1000`;
      for (const { id } of (await (await fetch(url)).json()) as { id: number }[]) {
        if (!seen.has(id)) healed++;
        seen.add(id);
      }
    }
    expect(healed).toBeGreaterThan(0);
    expect(seen.size).toBe(14_515);
  });
});

function read(lines: readonly string[]): Recording {
  const reader = new RecordingReader();
  for (const line of lines) reader.add(line);
  return reader.finish();
}

async function start(options: ReplayOptions): Promise<Replay> {
  const replay = await startReplay(options);
  open.push(replay);
  return replay;
}

/** A client of combined streams. A socket that was cut says 'close'. */
function listen(replay: Replay, streams: string) {
  const socket = new WebSocket(`${replay.url}/stream?streams=${streams}`);
  open.push({ close: () => socket.terminate() });
  const client = { socket, ids: [] as number[], texts: [] as string[], arrivedMs: [] as number[] };
  socket.on('error', () => undefined);
  socket.on('message', (data) => {
    const text = String(data);
    client.texts.push(text);
    client.arrivedMs.push(performance.now());
    const id = /@trade","data":.*"t":(\d+)/.exec(text)?.[1];
    if (id) client.ids.push(Number(id));
  });
  return client;
}
