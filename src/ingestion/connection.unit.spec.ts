import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ScriptedVenue } from '../../test/support/scripted-venue.js';
import { inVirtualTime, pass, settled } from '../../test/support/virtual-time.js';
import { Attempts } from './attempts.js';
import { Connection } from './connection.service.js';
import type { Connector } from './connectors/connector.js';
import { CONNECTORS } from './connectors/registry.js';

const { rotateAfterMs: _, ...unrotated } = CONNECTORS.binance;
/** Binance's protocol; unless told otherwise it is never rotated. */
const venueConnector = (changes: Partial<Connector> = {}): Connector => ({ ...unrotated, ...changes });
const trade = (id: number): string =>
  JSON.stringify({ data: { e: 'trade', s: 'BTCUSDT', t: id, p: '1', q: '1', T: 1_770_000_000_000, m: true } });
const SHUTDOWN = '{"data":{"e":"serverShutdown","E":1770123456789}}';

let venue: ScriptedVenue;
let connection: Connection;
let happened: string[];
let tradeIds: string[];

inVirtualTime();

beforeEach(async () => {
  venue = await ScriptedVenue.start();
  [happened, tradeIds] = [[], []];
});

afterEach(async () => {
  connection.stop();
  await venue.close();
});

async function connected(changes: Partial<Connector> = {}): Promise<void> {
  begin(changes);
  await pass(50);
  expect(connection.state).toBe('connected');
}

function begin(changes: Partial<Connector> = {}): void {
  const connector = venueConnector(changes);
  connection = new Connection(
    { connector, wsUrl: venue.wsUrl, venueSymbols: ['BTCUSDT'], attempts: new Attempts(connector.attemptsPer5Min) },
    {
      changed: () => void happened.push(connection.state),
      subscribed: () => void happened.push('subscribed'),
      lost: () => void happened.push('lost'),
      skipped: () => void happened.push('skipped'),
      frame(raw, receivedAtUs) {
        if (raw === 'not json') return undefined;
        const parsed = connector.parse(raw, receivedAtUs);
        if (parsed.kind === 'trades') tradeIds.push(...parsed.trades.map(({ tradeId }) => tradeId));
        return parsed;
      },
    },
  );
  connection.start();
}

/** The venue trades every 100 ms, on every socket that is open. */
function trading(): { last: () => number } {
  let id = 0;
  setInterval(() => venue.send(trade(++id)), 100);
  return { last: () => id };
}

const distinct = (): number[] => [...new Set(tradeIds)].map(Number);
const upTo = (last: number): number[] => Array.from({ length: last }, (_each, i) => i + 1);
const frames = (text: string, everyMs: number) => setInterval(() => venue.send(text), everyMs);

describe('the rotation of a connection', () => {
  it('lets both sockets deliver for the overlap, misses nothing, and closes the old one', async () => {
    await connected({ rotateAfterMs: 60_000 });
    const market = trading();
    await pass(53_000);
    expect(venue.log).toEqual(['open 1']);
    while (venue.open.length < 2) await pass(100);
    expect(performance.now()).toBeLessThan(60_500);
    await pass(4800);
    expect(venue.log).toEqual(['open 1', 'open 2']);
    await pass(400);
    expect(venue.log).toEqual(['open 1', 'open 2', 'close 1']);
    const overlapTrades = tradeIds.length - distinct().length;
    expect(overlapTrades).toBeGreaterThanOrEqual(49);
    expect(overlapTrades).toBeLessThanOrEqual(51);
    await pass(10_000);
    expect(distinct()).toEqual(upTo(market.last()));
    expect(happened).not.toContain('lost');
    expect(connection.reconnects).toBe(0);
  });

  it.each(['refuse', 'accept and close'] as const)(
    'goes on delivering while the venue meets the next socket with "%s", and tries again',
    async (handshake) => {
      await connected({ rotateAfterMs: 60_000 });
      const market = trading();
      await pass(50_000);
      venue.handshake = handshake;
      await pass(180_000);
      expect(venue.attemptsMs.length).toBeGreaterThan(4);
      expect(connection.state).toBe('connected');
      expect(connection.lastError?.message).toContain('the next connection failed');
      venue.handshake = 'accept';
      await pass(40_000);
      expect(venue.log.slice(-2)).toEqual([`open ${venue.log.length / 2 + 0.5}`, 'close 1']);
      expect(venue.open.length).toBe(1);
      expect(distinct()).toEqual(upTo(market.last()));
      expect(happened).not.toContain('lost');
    },
  );

  it('happens once, however often the venue announces its shutdown', async () => {
    await connected();
    frames(SHUTDOWN, 100);
    await pass(30);
    venue.handshake = 'hold';
    await pass(5000);
    expect(venue.attemptsMs.length).toBe(2);
    venue.handshake = 'accept';
    venue.release();
    await settled();
    expect(venue.log).toEqual(['open 1', 'open 2']);
  });

  it('that was announced and fails is tried again at the pace of failures, not at that of announcements', async () => {
    await connected();
    venue.handshake = 'refuse';
    const announcing = frames(SHUTDOWN, 50);
    await pass(120_000);
    clearInterval(announcing);
    expect(venue.attemptsMs.length).toBeGreaterThan(3);
    expect(venue.attemptsMs.length).toBeLessThan(40);
  });

  it('closes first where the venue allows one connection only', async () => {
    await connected({ rotateAfterMs: 60_000, isExclusive: true });
    await pass(62_000);
    expect(venue.log).toEqual(['open 1', 'close 1', 'open 2']);
    expect(happened).toContain('lost');
  });

  it('is taken over by the next socket, still connecting, when the old one dies', async () => {
    await connected({ rotateAfterMs: 60_000 });
    await pass(50_000);
    venue.handshake = 'hold';
    await pass(10_000);
    venue.open[0]!.terminate();
    await settled();
    expect(connection.state).toBe('connecting');
    expect(happened.at(-2)).toBe('lost');
    await pass(5000);
    expect(venue.attemptsMs.length).toBe(2);
    venue.handshake = 'accept';
    venue.release();
    await settled();
    expect(connection.state).toBe('connected');
    await pass(20_000);
    expect(venue.log).toEqual(['open 1', 'close 1', 'open 2']);
    expect(venue.connected).toBe(1);
  });

  it('of a socket that took over and fails goes back to trying from the start', async () => {
    await connected({ rotateAfterMs: 60_000 });
    await pass(50_000);
    venue.handshake = 'hold';
    await pass(10_000);
    venue.open[0]!.terminate();
    await settled();
    venue.cut();
    await settled();
    expect(connection.state).toBe('waiting');
    venue.handshake = 'accept';
    await pass(2000);
    expect(connection.state).toBe('connected');
  });
});

describe('a connection that is stopped', () => {
  const states: Record<string, () => Promise<void>> = {
    'at its first attempt': async () => {
      venue.handshake = 'hold';
      begin();
      await pass(50);
      expect(venue.connected).toBe(1);
    },
    'while it waits for its next try': async () => {
      venue.handshake = 'refuse';
      begin();
      await pass(50);
      expect(connection.state).toBe('waiting');
    },
    'while the limit of attempts leaves none': async () => {
      venue.handshake = 'refuse';
      begin({ attemptsPer5Min: 1 });
      await pass(2000);
      expect(connection.reason).toContain('limits attempts');
    },
    'while connected': () => connected(),
    'while it still sends its subscriptions': () =>
      connected({ connection: (url) => ({ url, frames: ['{"id":1}', '{"id":2}', '{"id":3}'] }) }),
    'while the next socket is being opened': async () => {
      await connected();
      venue.handshake = 'hold';
      venue.send(SHUTDOWN);
      await pass(300);
      expect(venue.connected).toBe(2);
    },
    'while the next socket waits for another try': async () => {
      await connected();
      venue.handshake = 'refuse';
      venue.send(SHUTDOWN);
      await pass(300);
      expect(venue.attemptsMs.length).toBeGreaterThan(1);
    },
    'while two sockets deliver': async () => {
      await connected();
      venue.send(SHUTDOWN);
      await pass(300);
      expect(venue.open.length).toBe(2);
    },
    'after a rotation upon a rotation': async () => {
      await connected();
      venue.send(SHUTDOWN);
      await pass(300);
      venue.send(SHUTDOWN);
      await pass(300);
      expect(venue.log).toEqual(['open 1', 'open 2', 'open 3', 'close 1']);
    },
  };

  it.each(Object.entries(states))('%s leaves no socket and no timer, and says nothing more', async (_state, reach) => {
    await reach();
    const attempts = venue.attemptsMs.length;
    connection.stop();
    expect(happened.at(-1)).toBe('stopped');
    const said = happened.length;
    venue.send(trade(1));
    await settled();
    expect(venue.connected).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
    expect({ said: happened.length, attempts: venue.attemptsMs.length }).toEqual({ said, attempts });
    expect(tradeIds).toEqual([]);
  });

  it('does not wait for a venue that does not answer its close', async () => {
    await connected();
    venue.deafen();
    connection.stop();
    await pass(2000);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('the liveness of a connection', () => {
  const lostAfterMs = async (withinMs: number): Promise<number> => {
    const sinceMs = performance.now();
    while (!happened.includes('lost') && performance.now() - sinceMs < withinMs) await pass(50);
    return performance.now() - sinceMs;
  };

  it.each([300, 600, 950])('is over 30 to 31 s after the last answered ping (%i ms after a look)', async (offMs) => {
    venue.handshake = 'hold';
    begin();
    await pass(offMs);
    venue.release();
    venue.handshake = 'accept';
    await settled();
    venue.answersPings = false;
    const ms = await lostAfterMs(60_000);
    expect(ms).toBeGreaterThanOrEqual(29_900);
    expect(ms).toBeLessThanOrEqual(31_050);
    expect(connection.lastError?.message).toBe('no answer to a ping');
    venue.answersPings = true;
    await pass(2000);
    expect(connection.state).toBe('connected');
  });

  it('does not depend on a wall clock, which may be set back', async () => {
    await connected();
    venue.answersPings = false;
    vi.setSystemTime(Date.now() - 3_600_000);
    expect(await lostAfterMs(60_000)).toBeLessThanOrEqual(31_050);
    venue.answersPings = true;
    await pass(2000);
    expect(connection.state).toBe('connected');
  });

  it('ends within its bound when the heartbeats stop while pings are answered', async () => {
    await connected({ ...CONNECTORS.kraken });
    const heart = frames('{"channel":"heartbeat"}', 1000);
    await pass(60_000);
    expect(connection.reconnects).toBe(0);
    clearInterval(heart);
    const ms = await lostAfterMs(60_000);
    expect(ms).toBeGreaterThan(14_000);
    expect(ms).toBeLessThanOrEqual(16_050);
    expect(connection.lastError?.message).toContain('silent for');
  });

  it.each([
    ['heartbeats', '{"channel":"heartbeat"}'],
    ['frames that nobody knows', '{"channel":"weather"}'],
    ['frames that cannot be read', 'not json'],
    ['binary frames', Buffer.from([1])],
  ])('is kept by %s alone, in a market without a trade', async (_name, frame) => {
    await connected({ ...CONNECTORS.kraken });
    setInterval(() => venue.open.forEach((socket) => socket.send(frame)), 14_000);
    await pass(600_000);
    expect(venue.log).toEqual(['open 1']);
  });

  it('is kept by answered pings alone where the venue promises no frames', async () => {
    await connected();
    await pass(600_000);
    expect(venue.log).toEqual(['open 1']);
  });
});

describe('an address that no socket can be made of', () => {
  it.each([
    ['ws://127.0.0.1/#here', 'The URL contains a fragment identifier'],
    ['ws://127.0.0.1:99999/?token=hunter2', 'Invalid URL: ws://127.0.0.1:99999/?…'],
  ])('(%s) is why the feed waits, and is tried again', async (address, why) => {
    let url = address;
    begin({ connection: () => ({ url, frames: [] }) });
    await pass(50);
    expect(connection.state).toBe('waiting');
    expect(connection.reason).toContain(`no connection can be opened: ${why}; next try in`);
    expect(connection.lastError?.message).not.toContain('hunter2');
    await pass(60_000);
    expect(connection.state).toBe('waiting');
    url = venue.wsUrl;
    await pass(40_000);
    expect(connection.state).toBe('connected');
  });

  it('leaves the socket that is there alone', async () => {
    let url = venue.wsUrl;
    await connected({ connection: () => ({ url, frames: [] }) });
    url = 'ws://127.0.0.1/#here';
    venue.send(SHUTDOWN);
    await pass(10_000);
    expect(connection.state).toBe('connected');
    expect(connection.lastError?.message).toContain('the next connection failed: no connection can be opened');
    url = venue.wsUrl;
    await pass(40_000);
    expect(venue.log).toEqual(['open 1', 'open 2', 'close 1']);
  });
});

describe("the venue's count of frames", () => {
  const frame = (sequence: number): string => `{"channel":"heartbeats","sequence_num":${sequence},"events":[]}`;

  it('shows by a jump that frames were lost, and starts over with each connection', async () => {
    await connected({ ...CONNECTORS['coinbase-advanced'] });
    for (const sequence of [0, 1, 2]) venue.send(frame(sequence));
    await settled();
    expect(happened).not.toContain('skipped');
    venue.send(frame(4));
    venue.send(frame(5));
    await settled();
    expect(happened.filter((each) => each === 'skipped')).toEqual(['skipped']);
    venue.open[0]!.terminate();
    await pass(2000);
    expect(connection.state).toBe('connected');
    for (const sequence of [0, 1]) venue.send(frame(sequence));
    venue.send(frame(1)); // sent twice
    venue.send(frame(2));
    await settled();
    expect(happened.filter((each) => each === 'skipped')).toEqual(['skipped']);
  });

  it('is one of each socket while two deliver', async () => {
    await connected({ ...CONNECTORS['coinbase-advanced'], rotateAfterMs: 10_000, silentAfterMs: 3_600_000 });
    for (let sequence = 0; sequence <= 40; sequence++) venue.send(frame(sequence));
    await pass(10_100);
    const [old, next] = venue.open;
    for (const [on, sequence] of [
      [next!, 0],
      [old!, 41],
      [next!, 1],
      [old!, 42],
    ] as const)
      // prettier-ignore
      venue.send(frame(sequence), [on]);
    await settled();
    expect(happened).not.toContain('skipped');
  });
});
