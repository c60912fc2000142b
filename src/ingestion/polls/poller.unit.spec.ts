import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { Counter, Gauge, Registry } from 'prom-client';
import { Logger } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FeedState, Trade } from '../../contracts/index.js';
import { readSettings } from '../../platform/config/index.js';
import { PollFeed, pollFeed } from './poll-feed.service.js';
import { PollMetrics } from './poll-metrics.service.js';
import type { PollTimes } from './poller.service.js';
import { POLLS } from './registry.js';

const START_MS = Date.UTC(2026, 7, 9, 12);
const EVERY_MS = 10_000;

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
let handle: Handler;
const requests: IncomingMessage[] = [];
const server = createServer((request, response) => {
  requests.push(request);
  handle(request, response);
});
let url: string;

beforeAll(async () => {
  Logger.overrideLogger(false);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/rates?key=hunter2`;
});
afterAll(async () => {
  Logger.overrideLogger(['error', 'warn']);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** A clock that only moves when told, with one turn pending at a time. */
class HandTimes implements PollTimes {
  nowMs = START_MS;
  answerWithinMs = 2000;
  pending: { delayMs: number; run: () => void } | undefined;
  private planned = (): void => undefined;

  nowUs = (): number => this.nowMs * 1000;
  random = (): number => 1;
  after = (delayMs: number, run: () => void): (() => void) => {
    this.pending = { delayMs, run };
    this.planned();
    return () => (this.pending = undefined);
  };

  /** Lets the pending turn happen when it is due; returns how long the next one then waits. */
  async turn(): Promise<number> {
    const { delayMs, run } = this.pending!;
    this.nowMs += delayMs;
    const planned = new Promise<void>((resolve) => (this.planned = resolve));
    run();
    await planned;
    return this.pending!.delayMs;
  }
}

let times: HandTimes;
let feed: PollFeed;
let trades: Trade[];
let faults: string[];
let states: [FeedState, string][];
let registry: Registry;

beforeEach(() => {
  requests.length = 0;
  times = new HandTimes();
  [trades, faults, states, registry] = [[], [], [], new Registry()];
  const entry = { symbol: 'EURUSD', url, value: '$.usd', time: '$.at', every: '10s', headers: { 'X-Key': 'hunter2' } };
  feed = feedOf([entry]);
  feed.start();
});
afterEach(() => feed.stop());

function feedOf(entries: object[]): PollFeed {
  return new PollFeed(
    'poll',
    POLLS.poll(readSettings({ FEEDS: 'poll', POLLS: JSON.stringify(entries) })),
    deps(),
    times,
  );
}

function deps() {
  registry.clear();
  const of = <T extends string>(name: string, ...labelNames: T[]) => ({
    name,
    help: name,
    labelNames,
    registers: [registry],
  });
  return {
    publish: (_source: string, some: readonly Trade[]) => void trades.push(...some),
    keepFrame: (_source: string, { code }: { code: string }) => void faults.push(code),
    changed: (_source: string, state: FeedState, reason: string) => void states.push([state, reason]),
    watchCircuit: () => undefined,
    metrics: new PollMetrics(
      new Counter(of('polls_total', 'source', 'outcome')),
      new Gauge(of('poll_circuit_state', 'source', 'symbol')),
      new Gauge(of('poll_last_success_timestamp_seconds', 'source', 'symbol')),
      new Counter(of('poll_revisions_ignored_total', 'source')),
    ),
  };
}

const answers = (body: string, headers: Record<string, string> = {}, status = 200): Handler => {
  return (_request, response) => response.writeHead(status, headers).end(body);
};
const quote = (usd: string, atS: number, headers: Record<string, string> = {}): Handler =>
  answers(`{"usd":${usd},"at":${atS}}`, headers);
const metric = async (name: string, outcome?: string): Promise<number> => {
  const { values } = (await registry.getSingleMetric(name)!.get()) as {
    values: { labels: Record<string, unknown>; value: number }[];
  };
  return values.find(({ labels }) => outcome === undefined || labels['outcome'] === outcome)?.value ?? 0;
};
const header = (name: string): string | string[] | undefined => requests.at(-1)!.headers[name];

describe('a poll that is answered', () => {
  it('becomes an entry of size 0 at the time of the source, and keeps to its schedule', async () => {
    handle = (request, response) => {
      times.nowMs += 1500; // the answer takes its time
      quote('1.0850', 1_786_276_800)(request, response);
    };
    expect(await times.turn()).toBe(EVERY_MS - 1500);
    expect(trades).toEqual([
      {
        source: 'poll',
        exchange: '127.0.0.1',
        symbol: 'EURUSD',
        venueSymbol: 'EURUSD',
        tradeId: '1786276800000000',
        price: '1.085',
        size: '0',
        tradedAtUs: 1_786_276_800_000_000,
        receivedAtUs: (START_MS + 1500) * 1000,
      },
    ]);
    expect(header('x-key')).toBe('hunter2');
    expect(feed.status()).toMatchObject({ state: 'connected', frames: 1, connections: 1, lastError: undefined });
    expect(feed.status().symbols).toMatchObject([{ symbol: 'EURUSD', state: 'trading', trades: 1 }]);
    expect(await metric('poll_last_success_timestamp_seconds')).toBe((START_MS + 1500) / 1000);
  });

  it('asks for news only, and takes 304 for good', async () => {
    handle = quote('1.1', 1_786_276_800, { etag: 'W/"1"', 'last-modified': 'Sun, 09 Aug 2026 11:00:00 GMT' });
    await times.turn();
    expect(header('if-none-match')).toBeUndefined();
    handle = answers('', {}, 304);
    expect(await times.turn()).toBe(EVERY_MS);
    expect([header('if-none-match'), header('if-modified-since')]).toEqual(['W/"1"', 'Sun, 09 Aug 2026 11:00:00 GMT']);
    expect(feed.status()).toMatchObject({ state: 'connected', frames: 2, reconnects: 0 });
    expect([trades.length, await metric('polls_total', 'not-modified')]).toEqual([1, 1]);
  });

  it('forgets what it knew of the last answer when the next one says nothing of it', async () => {
    handle = quote('1.1', 1_786_276_800, { etag: '"1"' });
    await times.turn();
    handle = quote('1.2', 1_786_276_810);
    await times.turn();
    await times.turn();
    expect(header('if-none-match')).toBeUndefined();
  });

  it('tells a repeated value once, and counts a changed one under the same time as an ignored revision', async () => {
    for (const usd of ['1.1', '1.1', '1.3']) {
      handle = quote(usd, 1_786_276_800);
      await times.turn();
    }
    expect(trades.map(({ price }) => price)).toEqual(['1.1']);
    expect(await metric('polls_total', 'no-news')).toBe(2);
    expect(await metric('poll_revisions_ignored_total')).toBe(1);
  });

  it('stays good when a value is none, and reports that', async () => {
    handle = quote('-4', 1_786_276_800);
    expect(await times.turn()).toBe(EVERY_MS);
    expect([faults, trades, feed.status().state]).toEqual([['parse.bad-trade'], [], 'connected']);
  });

  it('has its body unpacked', async () => {
    handle = (_request, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{"usd":2,"at":1786276800}'));
    await times.turn();
    expect(trades.map(({ price }) => price)).toEqual(['2']);
  });
});

describe('a poll that fails', () => {
  const failures: [what: string, outcome: string, reason: RegExp, handler: Handler][] = [
    ['answers 500', 'status', /^answered 500;/, answers('boom', {}, 500)],
    ['answers 304 unasked', 'status', /^answered 304;/, answers('', {}, 304)],
    ['redirects', 'redirect', /^answered 302, a redirect/, answers('', { location: 'http://127.0.0.1:1/' }, 302)],
    ['closes at once', 'unreachable', /other side closed|socket/, (request) => request.socket.destroy()],
    ['sends broken JSON', 'bad-answer', /JSON/, answers('{"usd":')],
    ['sends a page', 'bad-answer', /JSON/, answers('<html>maintenance</html>')],
    ['lacks the value', 'bad-answer', /\$\.usd finds nothing/, answers('{"error":"limit"}')],
    ['sends more than 1 MiB', 'too-large', /larger than 1048576/, answers(' '.repeat(1024 * 1024) + '{"usd":1}')],
    [
      'packs more than 1 MiB into little',
      'too-large',
      /larger/,
      (_request, response) =>
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(64 * 1024 * 1024, 32))),
    ],
  ];

  it.each(failures)('because the source %s waits and says so', async (_what, outcome, reason, handler) => {
    handle = handler;
    expect(await times.turn()).toBe(2000);
    const status = feed.status();
    expect(status).toMatchObject({ state: 'waiting', frames: 0 });
    expect(status.reason).toMatch(reason);
    expect(status.lastError).toMatch(reason.source.endsWith(';') ? /^answered/ : reason);
    expect(await metric('polls_total', outcome)).toBe(1);
    expect(faults.length).toBe(outcome === 'bad-answer' ? 1 : 0);
    expect(JSON.stringify([status, states])).not.toContain('hunter2');
  });

  it('because nothing listens there waits and says so', async () => {
    await feed.stop();
    feed = feedOf([{ symbol: 'X', url: 'http://127.0.0.1:1/?key=hunter2', value: '$', every: '10s' }]);
    feed.start();
    await times.turn();
    expect(feed.status()).toMatchObject({ state: 'waiting', reason: expect.not.stringContaining('hunter2') });
  });

  it.each([
    ['never answers', () => undefined],
    ['never ends its answer', (_request: IncomingMessage, response: ServerResponse) => void response.write('{')],
  ])('because the source %s is given up in time', async (_what, handler: Handler) => {
    times.answerWithinMs = 100;
    handle = handler;
    await times.turn();
    expect(feed.status().lastError).toBe('no answer within 100 ms');
    expect(await metric('polls_total', 'timeout')).toBe(1);
  });

  it('waits as long as the source asks for', async () => {
    handle = answers('', { 'retry-after': '120' }, 429);
    expect(await times.turn()).toBe(120_000);
    expect(feed.status().reason).toBe('answered 429; asked again in 120 s');
  });

  it('does not take up what an unusable answer said of itself', async () => {
    handle = answers('{', { etag: '"broken"' });
    await times.turn();
    await times.turn();
    expect(header('if-none-match')).toBeUndefined();
  });

  it('is asked on schedule again once it is answered, and the loss is counted', async () => {
    for (const handler of [quote('1', 1_786_276_800), answers('', {}, 503), quote('2', 1_786_276_900)]) {
      handle = handler;
      await times.turn();
    }
    expect(times.pending!.delayMs).toBe(EVERY_MS - 2000);
    expect(states.map(([state]) => state)).toEqual(['connecting', 'connected', 'waiting', 'connected']);
    expect(feed.status()).toMatchObject({ reconnects: 1, lastError: 'answered 503' });
  });
});

describe('the circuit', () => {
  const circuit = () => metric('poll_circuit_state');

  it('opens after five failures in a row, lets one probe through, and closes when that is answered', async () => {
    handle = answers('', {}, 500);
    const delays = [];
    for (let i = 0; i < 5; i++) delays.push(await times.turn());
    // never more patient than the schedule itself, until the circuit opens
    expect(delays).toEqual([2000, 4000, 8000, 10_000, 60_000]);
    expect([requests.length, await circuit()]).toEqual([5, 2]);
    expect(feed.status().reason).toBe('answered 500; circuit open, asked again in 60 s');
    expect(feed.status().limits).toMatchObject([{ used: 5, allowed: 5 }]);
    let duringProbe = NaN;
    handle = (request, response) =>
      void circuit().then((level) => {
        duringProbe = level;
        quote('1', 1_786_276_800)(request, response);
      });
    await times.turn();
    expect([duringProbe, await circuit(), requests.length]).toEqual([1, 0, 6]);
    expect(feed.status().state).toBe('connected');
  });

  it('opens for longer after a probe that fails', async () => {
    handle = answers('', {}, 500);
    for (let i = 0; i < 5; i++) await times.turn();
    expect([await times.turn(), await times.turn()]).toEqual([120_000, 240_000]);
    expect(await circuit()).toBe(2);
  });
});

describe('a polled source', () => {
  it('stops while a source hangs, and asks no more', async () => {
    const asked = new Promise<void>((resolve) => (handle = () => resolve()));
    times.pending!.run();
    times.pending = undefined;
    await asked;
    await feed.stop();
    expect(feed.status()).toMatchObject({ state: 'stopped' });
    expect(times.pending).toBeUndefined();
    expect(faults).toEqual([]);
  });

  it('is good while one of its polls is answered, and names one that is not', async () => {
    await feed.stop();
    const started: { delayMs: number; run: () => void }[] = [];
    times.after = (delayMs, run) => {
      started.push({ delayMs, run });
      return () => undefined;
    };
    feed = feedOf(
      ['GOOD', 'BAD'].map((symbol) => ({ symbol, url: url.replace('rates', symbol), value: '$.usd', every: '1m' })),
    );
    handle = (request, response) =>
      (request.url!.includes('GOOD') ? quote('1', 0) : answers('', {}, 500))(request, response);
    feed.start();
    expect(started.map(({ delayMs }) => delayMs)).toEqual([0, 100]);
    for (const { run } of started.slice()) run();
    await expect.poll(() => started.length).toBe(4);
    expect(feed.status()).toMatchObject({
      state: 'connected',
      reason: '1 of 2 polls are answered; BAD: answered 500; asked again in 2 s',
      connections: 1,
      lastError: 'answered 500',
    });
    expect(feed.status().symbols.map(({ symbol, state }) => `${symbol} ${state}`)).toEqual([
      'GOOD trading',
      'BAD waiting',
    ]);
    expect(trades).toMatchObject([{ symbol: 'GOOD', tradedAtUs: START_MS * 1000 }]);
  });

  it('is made of the settings', async () => {
    const index = pollFeed('fear-greed', readSettings({ FEEDS: 'fear-greed' }), deps());
    expect(index.status()).toMatchObject({
      source: 'fear-greed',
      exchange: 'alternative.me',
      state: 'connecting',
      symbols: [{ symbol: 'FEARGREED', state: 'waiting', reason: 'not asked yet' }],
    });
    await index.stop();
  });
});
