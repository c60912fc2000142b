import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ScriptedVenue } from '../../test/support/scripted-venue.js';
import { inVirtualTime, pass, settled } from '../../test/support/virtual-time.js';
import type { Trade } from '../contracts/index.js';
import type { Connector } from './connectors/connector.js';
import { CONNECTORS } from './connectors/registry.js';
import { Feed, type FeedOptions } from './feed.service.js';
import type { GapFiller } from './gap-filler.service.js';
import { VenueRest } from './venue-rest.service.js';

const FIVE_MINUTES_MS = 300_000;
/** A timer fires at the next millisecond at the earliest. */
const TIMER_LATE_MS = 2;

type Spell = Readonly<{ symbols: string[]; fromUs: number | undefined; toUs: number; reason: string }>;

let venue: ScriptedVenue;
let feed: Feed;
let trades: Trade[];
let spells: Spell[];
let changes: string[];
let oddFrames: string[];
let caughtUp: string[][];

inVirtualTime();

beforeEach(async () => {
  venue = await ScriptedVenue.start();
  [trades, spells, changes, oddFrames, caughtUp] = [[], [], [], [], []];
});

afterEach(async () => {
  await feed.stop();
  await venue.close();
});

async function begin(connector: Connector, asked: string[], options: Partial<FeedOptions> = {}): Promise<void> {
  feed = new Feed(
    { connector, wsUrl: venue.wsUrl, asked, frontier: new Map(), ...options },
    {
      trades: (received) => void trades.push(...received),
      changed: (state, reason) => void changes.push(`${state}: ${reason}`),
      badFrame: ({ raw }) => void oddFrames.push(raw),
      unknownFrame: (raw) => void oddFrames.push(raw),
      unheard: (listed, fromUs, toUs, reason) =>
        void spells.push({ symbols: listed.map(({ venueSymbol }) => venueSymbol), fromUs, toUs, reason }),
    },
  );
  feed.start();
  await settled();
}

/** Stands in for the owner of contiguity: keeps what it was asked to catch up. */
const gapFiller = () =>
  ({
    start: () => undefined,
    stop: () => Promise.resolve(),
    catchUp: (symbols: string[]) => Promise.resolve(void caughtUp.push(symbols)),
    unfilled: [{ missing: 7n }, { missing: null }],
    lastError: undefined,
  }) as unknown as GapFiller;

const symbols = (count: number): string[] => Array.from({ length: count }, (_each, i) => `S${i}USDT`);
const stateOf = (name: string) => feed.status().symbols.find(({ venueSymbol }) => venueSymbol === name)!;
const wallUs = (): number => Date.now() * 1000;

const mostWithinFiveMinutes = (attemptsMs: readonly number[]): number =>
  Math.max(
    ...attemptsMs.map(
      (from) => attemptsMs.filter((at) => at >= from && at < from + FIVE_MINUTES_MS - TIMER_LATE_MS).length,
    ),
  );

const apartMs = (): number[] => venue.attemptsMs.slice(1).map((at, i) => at - venue.attemptsMs[i]!);

describe('a venue that does not keep connections', () => {
  describe.each(['accept and close', 'refuse'] as const)('and meets them with "%s"', (handshake) => {
    it.each([
      [1, CONNECTORS.kraken],
      [3, CONNECTORS.finnhub],
      [30, CONNECTORS['coinbase-advanced']],
      [30, CONNECTORS.finnhub],
    ])('is not tried more often by %i connections than its limits allow', async (connections, connector) => {
      venue.handshake = handshake;
      await begin({ ...connector, symbolsPerConnection: 1 }, symbols(connections));
      await pass(1_800_000);
      expect(feed.status().connections).toBe(connections);
      expect(mostWithinFiveMinutes(venue.attemptsMs)).toBeLessThanOrEqual(connector.attemptsPer5Min);
      // and it is still tried: every connection once a minute, or as often as the venue allows
      const least = Math.min(connector.attemptsPer5Min, connections * 5) * 5;
      expect(venue.attemptsMs.length).toBeGreaterThan(least);
      expect(Math.min(...apartMs())).toBeGreaterThanOrEqual(200 - TIMER_LATE_MS);
    });
  });

  it('is tried by every connection in turn, and all are back soon after it keeps them again', async () => {
    venue.handshake = 'refuse';
    await begin({ ...CONNECTORS['coinbase-advanced'], symbolsPerConnection: 1, silentAfterMs: 3_600_000 }, symbols(30));
    await pass(900_000);
    venue.handshake = 'accept';
    await pass(FIVE_MINUTES_MS);
    expect(venue.open.length).toBe(30);
    expect(feed.status().state).toBe('connected');
  });
});

describe('the start of many connections', () => {
  it('is no storm: they come one after the other', async () => {
    await begin({ ...CONNECTORS.binance, symbolsPerConnection: 1 }, symbols(30));
    await pass(1000);
    expect(venue.attemptsMs.length).toBeLessThanOrEqual(6);
    expect(feed.status().state).not.toBe('connected');
    await pass(6000);
    expect(venue.open.length).toBe(30);
    expect(feed.status().state).toBe('connected');
  });

  it('is no storm either when the venue goes down and all of them move at once', async () => {
    await begin({ ...CONNECTORS.binance, symbolsPerConnection: 1 }, symbols(10));
    await pass(5000);
    venue.send('{"e":"serverShutdown","E":1770123456789}');
    await pass(12_000);
    expect(venue.attemptsMs.length).toBe(20);
    expect(Math.min(...apartMs())).toBeGreaterThanOrEqual(200 - TIMER_LATE_MS);
    expect([venue.open.length, feed.status().reconnects]).toEqual([10, 0]);
  });
});

describe('frames lost on the way', () => {
  const frame = (sequence: number): string => `{"channel":"heartbeats","sequence_num":${sequence},"events":[]}`;

  it('make the feed catch up with the symbols of that connection, and a reconnect does so once', async () => {
    await begin({ ...CONNECTORS['coinbase-advanced'], symbolsPerConnection: 2 }, ['A-USD', 'B-USD', 'C-USD', 'D-USD'], {
      gaps: gapFiller(),
    });
    await pass(2000);
    expect(caughtUp.toSorted()).toEqual([
      ['A-USD', 'B-USD'],
      ['C-USD', 'D-USD'],
    ]);
    for (const sequence of [0, 1, 3, 4]) venue.send(frame(sequence), [venue.open[1]!]);
    await settled();
    expect(caughtUp.slice(2)).toEqual([['C-USD', 'D-USD']]);
    venue.open[1]!.terminate();
    await pass(3000);
    for (const sequence of [0, 1]) venue.send(frame(sequence), [venue.open[1]!]);
    await settled();
    expect(caughtUp.slice(3)).toEqual([['C-USD', 'D-USD']]);
  });
});

describe('a symbol that the venue refuses', () => {
  const refusal = '{"method":"subscribe","success":false,"error":"Currency pair not supported BAD/USD"}';
  const traded = (symbol: string): string =>
    `{"channel":"trade","type":"update","data":[{"symbol":"${symbol}","side":"buy","price":1,"qty":1,"trade_id":1,"timestamp":"2026-03-01T12:00:00.000000Z"}]}`;
  const askedForAtS = (): number[] =>
    venue.heard
      .filter(({ text }) => text.includes('BAD/USD'))
      .map(({ atMs }) => Math.round((atMs - Date.UTC(2026, 2, 1, 12)) / 1000));

  beforeEach(async () => {
    venue.welcome = (socket) =>
      socket.on('message', (text: Buffer) => {
        if (text.includes('BAD/USD')) socket.send(refusal);
      });
    await begin({ ...CONNECTORS.kraken, silentAfterMs: 3_600_000 }, ['BAD/USD', 'BTC/USD']);
  });

  it('is asked for again after growing pauses while the others run, and says so', async () => {
    await pass(400_000);
    expect(askedForAtS()).toEqual([0, 5, 15, 35, 75, 155, 315]);
    expect(venue.heard.at(-1)!.text).not.toContain('BTC/USD');
    venue.send(traded('BTC/USD'));
    await pass(20);
    expect(stateOf('BAD/USD')).toMatchObject({ state: 'refused', reason: 'Currency pair not supported BAD/USD' });
    expect(stateOf('BTC/USD').state).toBe('trading');
    expect(feed.status()).toMatchObject({ state: 'connected', lastError: 'Currency pair not supported BAD/USD' });
  });

  it('is one again with its first trade, and is left alone then', async () => {
    await pass(16_000);
    venue.send(traded('BAD/USD'));
    await pass(600_000);
    expect(askedForAtS()).toEqual([0, 5, 15]);
    expect(stateOf('BAD/USD').state).not.toBe('refused');
    expect(stateOf('BAD/USD').trades).toBe(1);
  });

  it('is not asked for more often because the connection was lost in between', async () => {
    for (let i = 0; i < 5; i++) {
      while (venue.open.length === 0) await pass(100);
      await pass(100);
      venue.open[0]!.terminate();
      await settled();
    }
    while (venue.open.length === 0) await pass(100);
    await pass(100);
    const before = askedForAtS().length;
    expect(before).toBeGreaterThanOrEqual(6);
    await pass(100_000);
    expect(askedForAtS().length).toBe(before);
    await pass(400_000);
    expect(askedForAtS().length).toBeGreaterThan(before);
  });
});

describe('a venue that numbers no trades', () => {
  const finnhub: Connector = { ...CONNECTORS.finnhub, sendEveryMs: 0 };
  const frame = (...sizes: number[]): string =>
    JSON.stringify({
      type: 'trade',
      data: sizes.map((v) => ({ s: 'AAPL', p: 1.5, t: Math.ceil(wallUs() / 1000), v })),
    });
  const say = async (text: string): Promise<void> => {
    venue.send(text);
    await pass(20);
  };

  it('is unheard at the start until the first frame, a second after subscribing at the least', async () => {
    await begin(finnhub, ['AAPL', 'MSFT']);
    await pass(50);
    await say('{"type":"ping"}');
    const startUs = Date.UTC(2026, 2, 1, 12) * 1000;
    expect(spells).toMatchObject([{ symbols: ['AAPL', 'MSFT'], fromUs: undefined }]);
    expect(spells[0]!.toUs).toBeGreaterThanOrEqual(startUs + 1_000_000);
    expect(spells[0]!.toUs).toBeLessThan(startUs + 1_200_000);
  });

  it('is unheard once between two frames, however many attempts failed in between', async () => {
    await begin(finnhub, ['AAPL']);
    await pass(50);
    await say(frame(1));
    const lastUs = wallUs();
    venue.handshake = 'refuse';
    venue.open[0]!.terminate();
    await pass(30_000);
    venue.handshake = 'accept and close';
    await pass(60_000);
    expect(spells.length).toBe(1);
    venue.handshake = 'accept';
    while (venue.open.length === 0) await pass(500);
    await pass(5000);
    await say(frame(2));
    expect(spells.length).toBe(2);
    expect(Math.abs(spells[1]!.fromUs! - lastUs)).toBeLessThan(50_000);
    expect(Math.abs(spells[1]!.toUs - wallUs())).toBeLessThan(50_000);
    await say(frame(3));
    expect(spells.length).toBe(2);
    expect(trades.map(({ size }) => size)).toEqual(['1', '2', '3']);
  });

  it('is unheard of a symbol that it refuses, until that trades', async () => {
    await begin(finnhub, ['AAPL', 'MSFT']);
    await pass(50);
    await say(frame(1));
    const lastUs = wallUs();
    await say('{"type":"error","msg":"Invalid symbol AAPL"}');
    await pass(30_000);
    await say('{"type":"error","msg":"Invalid symbol AAPL"}');
    await say('{"type":"ping"}');
    expect(spells.length).toBe(1);
    await pass(30_000);
    await say(frame(2));
    await say(frame(3));
    expect(spells.slice(1)).toMatchObject([{ symbols: ['AAPL'] }]);
    expect(Math.abs(spells[1]!.fromUs! - lastUs)).toBeLessThan(50_000);
    expect(Math.abs(spells[1]!.toUs - wallUs())).toBeLessThan(100_000);
  });

  it('is unheard until every symbol is subscribed, whatever is heard before', async () => {
    await begin({ ...finnhub, sendEveryMs: 1000 }, ['AAPL', 'MSFT', 'TSLA']);
    await pass(5000);
    await say(frame(1));
    venue.open[0]!.terminate();
    await settled();
    while (venue.open.length === 0) await pass(100);
    await say(frame(2));
    expect(spells.length).toBe(1);
    await pass(5000);
    await say(frame(3));
    expect(spells.length).toBe(2);
    expect(Math.abs(spells[1]!.toUs - wallUs())).toBeLessThan(50_000);
  });

  it('is unheard from the last frame to the next where a frame cannot be read', async () => {
    await begin(finnhub, ['AAPL']);
    await pass(2000);
    await say(frame(1));
    const lastUs = trades[0]!.receivedAtUs;
    await pass(700);
    await say('{"type":"trade","data":');
    expect(spells.slice(1)).toMatchObject([{ fromUs: lastUs, symbols: ['AAPL'] }]);
    expect(spells[1]!.reason).toContain('could not be read');
    expect(Math.abs(spells[1]!.toUs - wallUs())).toBeLessThan(50_000);
    await say('{"type":"trade","data":[{"s":"AAPL","p":1,"t":1772366400000,"v":4},{"s":"AAPL"}]}');
    expect(spells.length).toBe(3);
    expect(spells[2]!.fromUs).toBe(spells[1]!.toUs);
    expect(trades.map(({ size }) => size)).toEqual(['1', '4']);
    expect(oddFrames.length).toBe(2);
  });

  it('never has two equal ids, in frames of one microsecond, of thousands of trades, or when the clock is set back', async () => {
    await begin(finnhub, ['AAPL']);
    await pass(2000);
    for (let i = 0; i < 50; i++) venue.send(frame(1, 1, 1));
    venue.send(frame(...Array.from({ length: 3500 }, () => 1)));
    await pass(20);
    vi.setSystemTime(Date.now() - 3_600_000);
    for (let i = 0; i < 5; i++) venue.send(frame(...Array.from({ length: 1500 }, () => 1)));
    await pass(20);
    expect(trades.length).toBe(150 + 3500 + 7500);
    expect(new Set(trades.map(({ tradeId }) => tradeId)).size).toBe(trades.length);
    const ids = trades.map(({ tradeId }) => BigInt(tradeId));
    expect(ids.every((id, i) => i === 0 || id > ids[i - 1]!)).toBe(true);
  });

  it('keeps a lost connection in sight when the clock is set back meanwhile', async () => {
    await begin(finnhub, ['AAPL']);
    await pass(2000);
    await say(frame(1));
    venue.open[0]!.terminate();
    vi.setSystemTime(Date.now() - 3_600_000);
    await pass(3000);
    await say(frame(2));
    expect(spells.length).toBe(2);
    expect(spells[1]!.toUs).toBeGreaterThan(spells[1]!.fromUs!);
  });

  it('is the only kind that is ever unheard', async () => {
    await begin({ ...CONNECTORS.kraken, silentAfterMs: 3_600_000 }, ['BTC/USD']);
    await pass(2000);
    await say('{"channel":"heartbeat"}');
    await say('not json');
    venue.open[0]!.terminate();
    await pass(3000);
    await say('{"channel":"heartbeat"}');
    expect(spells).toEqual([]);
  });
});

describe('the status of a feed', () => {
  const trade = (symbol: string, id: number): string =>
    JSON.stringify({ data: { e: 'trade', s: symbol, t: id, p: '1', q: '1', T: 1_770_000_000_000, m: true } });

  it('tells states, rates, limits and gaps', async () => {
    const rest = new VenueRest(6000);
    await begin({ ...CONNECTORS.binance, symbolsPerConnection: 2 }, ['BTCUSDT', 'ETHUSDT', 'ADAUSDT'], {
      rest,
      gaps: gapFiller(),
    });
    expect(feed.status()).toMatchObject({ source: 'binance', exchange: 'Binance', state: 'connecting', frames: 0 });
    await pass(1000);
    expect(feed.status()).toMatchObject({ state: 'connected', connections: 2, reconnects: 0, lastError: undefined });
    for (let id = 1; id <= 65; id++) {
      venue.send(trade('BTCUSDT', id), [venue.open[0]!]);
      await pass(1000);
    }
    const status = feed.status();
    expect(status).toMatchObject({ frames: 65, openGaps: 2, missingTrades: 7 });
    expect(Math.abs(status.lastFrameAtUs! - wallUs())).toBeLessThan(1_100_000);
    expect(status.limits).toEqual([
      { name: 'connection attempts in 5 minutes', used: 2, allowed: 250 },
      { name: 'symbols on one connection', used: 2, allowed: 2 },
      { name: 'request weight at once', used: 0, allowed: 600 },
    ]);
    expect(stateOf('BTCUSDT')).toMatchObject({ state: 'trading', trades: 65 });
    expect(Math.abs(stateOf('BTCUSDT').tradesPerSecond - 0.95)).toBeLessThan(0.1);
    expect(stateOf('ETHUSDT')).toMatchObject({ state: 'waiting', trades: 0, tradesPerSecond: 0 });
    await pass(60_000);
    expect(stateOf('BTCUSDT')).toMatchObject({ state: 'quiet', trades: 65, tradesPerSecond: 0 });
    await pass(FIVE_MINUTES_MS);
    expect(feed.status().limits[0]!.used).toBe(0);
  });

  it('is as bad as its worst connection, and says why', async () => {
    await begin({ ...CONNECTORS.binance, symbolsPerConnection: 1 }, ['BTCUSDT', 'ETHUSDT']);
    await pass(1000);
    const sinceUs = wallUs();
    venue.handshake = 'refuse';
    venue.open[0]!.close(1008, 'Too many requests');
    await pass(100);
    const status = feed.status();
    expect(status).toMatchObject({ state: 'waiting', reconnects: expect.any(Number) });
    expect(status.reconnects).toBeGreaterThan(0);
    expect(status.sinceUs).toBeGreaterThanOrEqual(sinceUs);
    expect(changes.some((change) => change.includes('closed with 1008 (Too many requests)'))).toBe(true);
    venue.handshake = 'accept';
    await pass(5000);
    expect(feed.status().state).toBe('connected');
    expect(changes.at(-1)).toBe('connected: the venue accepted the connection');
  });

  it('names symbols beyond what the account allows, and symbols of one series; the rest run', async () => {
    await begin(CONNECTORS.finnhub, ['AAPL', 'BINANCE:BTCUSDT', 'COINBASE:BTC-USDT', 'MSFT', 'TSLA'], {
      mostSymbols: 3,
      key: 'k',
    });
    await pass(1000);
    expect(venue.heard.map(({ text }) => (JSON.parse(text) as { symbol: string }).symbol)).toEqual([
      'AAPL',
      'BINANCE:BTCUSDT',
      'MSFT',
    ]);
    expect(stateOf('TSLA')).toMatchObject({ state: 'unknown', reason: 'beyond the 3 the account allows' });
    expect(stateOf('COINBASE:BTC-USDT').reason).toContain('is the same series as BINANCE:BTCUSDT');
    expect(feed.status().limits[1]).toEqual({ name: 'symbols on one connection', used: 3, allowed: 3 });
    expect([feed.find('btcusdt')?.venueSymbol, feed.find('TSLA')]).toEqual(['BINANCE:BTCUSDT', undefined]);
  });

  it('says that nothing can be read when no symbol is known', async () => {
    await begin(CONNECTORS.finnhub, ['AAPL'], { mostSymbols: 0 });
    await pass(1000);
    expect(feed.status()).toMatchObject({ state: 'waiting', connections: 0, limits: [{ used: 0 }, { used: 0 }] });
    expect(changes).toEqual(['waiting: none of its symbols can be read']);
    expect(venue.attemptsMs).toEqual([]);
  });
});

describe('a feed that is stopped', () => {
  it('hands over what it has, and leaves no socket and no timer', async () => {
    await begin({ ...CONNECTORS.kraken, silentAfterMs: 3_600_000 }, ['BTC/USD']);
    await pass(2000);
    venue.send('{"method":"subscribe","success":false,"error":"Currency pair not supported BTC/USD"}');
    venue.send(
      '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":1,"qty":1,"trade_id":1,"timestamp":"2026-03-01T12:00:00.000000Z"}]}',
    );
    await settled();
    expect(trades).toEqual([]);
    await feed.stop();
    expect(trades.length).toBe(1);
    await settled();
    expect(venue.connected).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
    expect(feed.status().state).toBe('stopped');
  });

  it('does not wait for what a venue answers too late, or has forbidden to ask', async () => {
    const rest = new VenueRest(6000);
    venue.answer = (_request, response) => void response.writeHead(429, { 'retry-after': '3600' }).end();
    await begin({ ...CONNECTORS.binance }, ['BTCUSDT'], { rest });
    const ask = (): Promise<string> =>
      rest.get({ url: venue.restUrl, headers: {} }, 1, 100).catch((error: Error) => error.message);
    expect(await ask()).toContain('429');
    expect(await ask()).toBe('the venue refuses requests for another 60 min');
    await feed.stop();
    expect(await ask()).toBe('the process stops');
  });
});
