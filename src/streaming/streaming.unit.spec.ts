import 'reflect-metadata';
import { get, type IncomingMessage, request, type Server } from 'node:http';
import { Global, Module } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { register } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { CandlesClosedV1, CandlesUpdatedV1, FeedChangedV1, TradesRecordedV1 } from '../contracts/index.js';
import { Bus, handlersOf } from '../platform/bus/index.js';
import { Settings } from '../platform/config/index.js';
import { openApiDocument, ProblemFilter, validationPipe } from '../platform/http/index.js';
import { Fanout } from './fanout.service.js';
import { DEFAULT_LIMITS, STREAM_LIMITS, type StreamLimits } from './limits.js';
import { StreamingModule } from './streaming.module.js';

type Stored = { eventId: string; name: string; data: unknown };

/** The part of the bus that streaming reads from; `log` is what is committed. */
class FakeBus {
  log: Stored[] = [];
  beforeAnswer: (() => void | Promise<void>) | undefined;
  reads = 0;

  async whenReady(): Promise<void> {}

  async eventsAfter(eventId: string, events: readonly { name: string }[], limit: number): Promise<Stored[]> {
    this.reads++;
    const names = new Set(events.map((event) => event.name));
    const found = this.log
      .filter((one) => BigInt(one.eventId) > BigInt(eventId) && names.has(one.name))
      .sort((a, b) => Number(BigInt(a.eventId) - BigInt(b.eventId)))
      .slice(0, limit);
    await this.beforeAnswer?.();
    return found;
  }
}

const settings = new Settings();
let app: NestFastifyApplication;
let bus: FakeBus;
let fanout: Fanout;
let port: number;
const streams: { close(): void }[] = [];

async function start(limits: Partial<StreamLimits> = {}): Promise<void> {
  await app?.close();
  bus = new FakeBus();
  @Global()
  @Module({
    providers: [
      { provide: Bus, useValue: bus },
      { provide: Settings, useValue: settings },
    ],
    exports: [Bus, Settings],
  })
  class FakePlatform {}
  const module = await Test.createTestingModule({ imports: [FakePlatform, StreamingModule] })
    .overrideProvider(STREAM_LIMITS)
    .useValue({ ...DEFAULT_LIMITS, ...limits })
    .compile();
  const adapter = new FastifyAdapter({ forceCloseConnections: true });
  app = module.createNestApplication<NestFastifyApplication>(adapter, { forceCloseConnections: true, logger: false });
  app.useGlobalPipes(validationPipe());
  app.useGlobalFilters(new ProblemFilter());
  await app.listen(0, '127.0.0.1');
  port = (app.getHttpServer().address() as { port: number }).port;
  fanout = app.get(Fanout);
}

beforeEach(() => start());
afterEach(async () => {
  for (const stream of streams.splice(0)) stream.close();
  await app.close();
});

async function eventually<T>(look: () => T | undefined | false): Promise<T> {
  const deadline = Date.now() + 5000;
  for (;;) {
    const seen = look();
    if (seen !== undefined && seen !== false) return seen;
    if (Date.now() > deadline) throw new Error(`did not happen: ${look.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const AT_US = Date.UTC(2026, 7, 9, 21, 5) * 1000;

const seriesOf = (symbol: string, tradeIds: string[], source = 'binance') => ({
  source,
  exchange: 'Binance',
  symbol,
  venueSymbol: symbol,
  tradeIds,
  prices: tradeIds.map(() => '1.5'),
  sizes: tradeIds.map(() => '2'),
  sides: 'b'.repeat(tradeIds.length),
  tradedAtUs: tradeIds.map(() => AT_US),
  firstReceivedAtUs: Date.now() * 1000,
});

const candleOf = (symbol: string, interval: string, closed: boolean) => ({
  source: 'binance',
  symbol,
  interval,
  openTimeUs: AT_US,
  closeTimeUs: AT_US + 60e6,
  open: '1',
  high: '1',
  low: '1',
  close: '1',
  volume: '1',
  quoteVolume: '1',
  trades: 1,
  takerBuyVolume: '1',
  takerBuyQuoteVolume: '1',
  closed,
  revision: 0,
  incomplete: false,
});

/** Commits trades and says so. */
function recorded(eventId: string, ...series: ReturnType<typeof seriesOf>[]): void {
  const data = { series };
  bus.log.push({ eventId, name: TradesRecordedV1.name, data });
  fanout.publish(data, { eventId, name: TradesRecordedV1.name });
}

const feedSays = (reason: string): void =>
  fanout.publish({ source: 'binance', state: 'connected', reason, atUs: AT_US }, { name: FeedChangedV1.name });

/** The value of a counter or gauge, or how often a histogram was given one. */
async function metric(name: string, labels: Record<string, string>): Promise<number> {
  const values = (await register.getSingleMetric(name)!.get()).values as {
    value: number;
    labels: Record<string, unknown>;
    metricName?: string;
  }[];
  const found = values.find(
    (one) =>
      (one.metricName === undefined || one.metricName === name || one.metricName === `${name}_count`) &&
      Object.entries(labels).every(([label, wanted]) => one.labels[label] === wanted),
  );
  return found?.value ?? 0;
}

const connectionCount = (): Promise<number> =>
  new Promise((resolve, reject) => {
    (app.getHttpServer() as Server).getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });

type SseEvent = { event?: string; id?: string; data?: string; retry?: string; comment?: string };

/** Reads a stream of server-sent events; `live` once the server counts it among those it fans out to. */
class SseReader {
  readonly events: SseEvent[] = [];
  ended = false;
  private rest = '';

  private constructor(readonly response: IncomingMessage) {
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      const blocks = (this.rest + chunk).split('\n\n');
      this.rest = blocks.pop()!;
      this.events.push(...blocks.map(parseBlock));
    });
    response.on('error', () => undefined);
    response.on('close', () => (this.ended = true));
    streams.push(this);
  }

  static async open(path: string, headers: Record<string, string> = {}): Promise<SseReader> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get({ host: '127.0.0.1', port, path, headers, agent: false }, resolve).on('error', reject);
    });
    const reader = new SseReader(response);
    await eventually(() => reader.events.length > 0);
    return reader;
  }

  /** Trade ids, closed candles and other events in order of arrival. */
  get seen(): string[] {
    return this.events
      .filter(({ event }) => event !== undefined)
      .map(({ event, data }) => {
        const body = JSON.parse(data!) as { tradeId?: string; reason?: string; symbol?: string };
        return body.tradeId ?? `${event} ${body.reason ?? body.symbol}`;
      });
  }

  get lastId(): string {
    return this.events.findLast(({ id }) => id !== undefined)!.id!;
  }

  close(): void {
    this.response.destroy();
  }
}

function parseBlock(block: string): SseEvent {
  const event: Record<string, string> = {};
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    const field = colon === 0 ? 'comment' : colon < 0 ? line : line.slice(0, colon);
    event[field] = colon < 0 ? '' : line.slice(colon + 1).trim();
  }
  return event;
}

class WsReader {
  readonly messages: unknown[] = [];
  closed: { code: number; reason: string } | undefined;

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data) => this.messages.push(JSON.parse((data as Buffer).toString())));
    socket.on('close', (code, reason) => (this.closed = { code, reason: reason.toString() }));
    streams.push(this);
  }

  static async open(path: string, options: object = {}): Promise<WsReader> {
    const reader = new WsReader(new WebSocket(`ws://127.0.0.1:${port}${path}`, options));
    await new Promise((resolve, reject) => reader.socket.on('open', resolve).on('error', reject));
    return reader;
  }

  async ask(message: unknown): Promise<unknown> {
    const before = this.messages.length;
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
    return eventually(() => this.messages.slice(before).find((one) => !Array.isArray(one)));
  }

  get updates(): Record<string, unknown>[] {
    return this.messages.filter(Array.isArray).flat() as Record<string, unknown>[];
  }

  close(): void {
    this.socket.terminate();
  }
}

async function answer(path: string, headers: Record<string, string> = {}) {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, headers, agent: false }, resolve);
    asked.on('error', reject);
    asked.end();
  });
  let body = '';
  for await (const chunk of response) body += String(chunk);
  const type = response.headers['content-type'];
  return { status: response.statusCode, type, body: JSON.parse(body) as Record<string, unknown> };
}

const manySymbols = (from: number): string[] => Array.from({ length: 300 }, (_, index) => `S${from + index}`);

const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

describe('SSE', () => {
  it('says how to reconnect, then sends each update with its type, id and data', async () => {
    const reader = await SseReader.open('/stream');
    expect(reader.response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    expect(Number(reader.events[0]!.retry)).toBeGreaterThanOrEqual(1000);
    recorded('7', seriesOf('BTCUSDT', ['1']));
    feedSays('hello');
    await eventually(() => reader.events.length === 3);
    const [, trade, feed] = reader.events;
    expect(trade).toMatchObject({ event: 'trade', id: '7' });
    expect(JSON.parse(trade!.data!)).toEqual({
      symbol: 'BTCUSDT',
      source: 'binance',
      price: '1.5',
      size: '2',
      side: 'buy',
      tradeId: '1',
      tradedAt: '2026-08-09T21:05:00Z',
    });
    expect(feed).toEqual({ event: 'feed', data: expect.stringContaining('hello') as string });
  });

  it('sends only what the client asked for', async () => {
    const reader = await SseReader.open('/stream?symbols=BTCUSDT,ETHUSDT&types=trade,candle&source=binance');
    recorded('1', seriesOf('BTCUSDT', ['1']), seriesOf('SOLUSDT', ['2']), seriesOf('ETHUSDT', ['3']));
    recorded('2', seriesOf('BTCUSDT', ['4'], 'simulator'));
    feedSays('not asked for');
    fanout.publish({ candles: [candleOf('SOLUSDT', '1m', false), candleOf('BTCUSDT', '1h', false)] }, CandlesUpdatedV1);
    fanout.publish({ candles: [candleOf('BTCUSDT', '1m', true)] }, { name: CandlesClosedV1.name, eventId: '3' });
    recorded('4', seriesOf('BTCUSDT', ['5']));
    await eventually(() => reader.seen.at(-1) === '5');
    expect(reader.seen).toEqual(['1', '3', 'candle BTCUSDT', '5']);
  });

  it('sends a comment now and then', async () => {
    await start({ commentEveryMs: 5 });
    const reader = await SseReader.open('/stream');
    const comment = await eventually(() => reader.events.find((event) => event.comment !== undefined));
    expect(comment).toEqual({ comment: 'keep-alive' });
  });

  it('resumes behind the last id, then goes on live, without a repeat', async () => {
    for (let id = 1; id <= 120; id++) recorded(String(id), seriesOf('BTCUSDT', [`t${id}`]));
    let live = 120;
    bus.beforeAnswer = () => {
      if (live < 125) recorded(String(++live), seriesOf('BTCUSDT', [`t${live}`]));
    };
    const reader = await SseReader.open('/stream?symbols=BTCUSDT', { 'last-event-id': '3' });
    await eventually(() => reader.seen.length >= 117 + live - 120);
    recorded('200', seriesOf('BTCUSDT', ['end']));
    await eventually(() => reader.seen.at(-1) === 'end');
    expect(live).toBeGreaterThan(121);
    expect(reader.seen).toEqual([...Array.from({ length: live - 3 }, (_, index) => `t${index + 4}`), 'end']);
  });

  it('resumes in the middle of an event, and from the query parameter', async () => {
    recorded('1', seriesOf('BTCUSDT', ['a', 'b']), seriesOf('ETHUSDT', ['c', 'd']));
    recorded('2', seriesOf('ETHUSDT', ['e']));
    const reader = await SseReader.open('/stream?lastEventId=1.1');
    await eventually(() => reader.seen.length === 3);
    expect(reader.seen).toEqual(['c', 'd', 'e']);
    expect(reader.lastId).toBe('2');
  });

  it('gives events that committed in another order than that of their ids once each', async () => {
    const first = await SseReader.open('/stream?types=trade');
    for (const id of ['1', '3', '2', '5', '4']) recorded(id, seriesOf('BTCUSDT', [`t${id}`]));
    await eventually(() => first.seen.length === 5);
    const second = await SseReader.open('/stream?types=trade', { 'last-event-id': '2' });
    await eventually(() => second.seen.length === 2);
    const third = await SseReader.open('/stream?types=trade', { 'last-event-id': '3' });
    await eventually(() => third.seen.length === 3);
    recorded('6', seriesOf('BTCUSDT', ['t6']));
    await eventually(() => second.seen.at(-1) === 't6' && third.seen.at(-1) === 't6');
    expect(second.seen.toSorted()).toEqual(['t4', 't5', 't6']);
    expect(third.seen.toSorted()).toEqual(['t2', 't4', 't5', 't6']);
  });

  it('resumes from what an earlier process left', async () => {
    for (const eventId of ['1', '2', '3']) {
      bus.log.push({ eventId, name: TradesRecordedV1.name, data: { series: [seriesOf('BTCUSDT', [`t${eventId}`])] } });
    }
    const reader = await SseReader.open('/stream', { 'last-event-id': '1' });
    await eventually(() => reader.seen.length === 2);
    expect(reader.seen).toEqual(['t2', 't3']);
    const fromStart = await SseReader.open('/stream', { 'last-event-id': '0' });
    await eventually(() => fromStart.seen.length === 3);
  });

  it.each([
    ['yesterday', 'malformed-id'],
    ['999', 'unknown-id'],
  ])('says that it cannot resume from %s and goes on live', async (id, reason) => {
    recorded('5', seriesOf('BTCUSDT', ['old']));
    const reader = await SseReader.open('/stream', { 'last-event-id': id });
    await eventually(() => reader.seen.length === 1);
    expect(reader.events.at(-1)).toEqual({ event: 'reset', id: '', data: JSON.stringify({ reason }) });
    recorded('6', seriesOf('BTCUSDT', ['new']));
    await eventually(() => reader.seen.length === 2);
    expect(reader.seen).toEqual([`reset ${reason}`, 'new']);
  });

  it('says so when the database cannot tell what was missed', async () => {
    recorded('5', seriesOf('BTCUSDT', ['old']));
    bus.beforeAnswer = () => {
      recorded('6', seriesOf('BTCUSDT', ['meanwhile']));
      throw new Error('connection refused');
    };
    const reader = await SseReader.open('/stream', { 'last-event-id': '5' });
    await eventually(() => reader.seen.length === 2);
    expect(reader.seen).toEqual(['reset unavailable', 'meanwhile']);
  });

  it('reads for two resuming clients at a time', async () => {
    recorded('1', seriesOf('BTCUSDT', ['a']));
    recorded('2', seriesOf('BTCUSDT', ['b']));
    let open!: () => void;
    const gate = new Promise<void>((resolve) => (open = resolve));
    bus.beforeAnswer = () => gate;
    const readers = await Promise.all(
      Array.from({ length: 6 }, () => SseReader.open('/stream', { 'last-event-id': '1' })),
    );
    expect(bus.reads).toBe(2);
    recorded('3', seriesOf('BTCUSDT', ['c']));
    open();
    for (const reader of readers) {
      await eventually(() => reader.seen.length === 2);
      expect(reader.seen).toEqual(['b', 'c']);
    }
  });

  it.each([
    ['types=trade,tick', 'types', /trade, candle, candle-closed, anomaly, alert, webhook, feed, file/],
    ['symbols=btc%20usdt', 'symbols', /BTCUSDT,ETHUSDT/],
    ['source=No!', 'source', /simulator/],
    [`symbols=${Array.from({ length: 501 }, (_, index) => `S${index}`).join()}`, 'symbols', /500/],
    ['symbol=BTCUSDT', 'symbol', /not a parameter/],
  ])('answers 400 to %s', async (query, field, message) => {
    const { status, type, body } = await answer(`/stream?${query}`);
    expect(status).toBe(400);
    expect(type).toContain('application/problem+json');
    expect(body).toMatchObject({
      code: 'request.bad-parameter',
      errors: [{ field, message: expect.stringMatching(message) as string }],
    });
  });

  it('cuts a client that does not read, tells it why, and counts it', async () => {
    await start({ bufferedBytes: 256 * 1024 });
    const before = await metric('stream_cuts_total', { transport: 'sse', reason: 'too-slow' });
    const slow = await SseReader.open('/stream?types=feed');
    const quick = await SseReader.open('/stream?types=feed');
    slow.response.pause();
    const reason = 'x'.repeat(100_000);
    let said = 0;
    while ((await metric('stream_cuts_total', { transport: 'sse', reason: 'too-slow' })) === before) {
      feedSays(reason);
      said++;
      await eventually(() => quick.seen.length === said);
    }
    slow.response.resume();
    await eventually(() => slow.ended);
    expect(slow.events.at(-1)).toEqual({ event: 'bye', data: '{"reason":"too-slow"}' });
    expect(quick.ended).toBe(false);
  });

  it('destroys the connection of a client that never reads why', async () => {
    await start({ bufferedBytes: 256 * 1024, goodbyeMs: 10 });
    const slow = await SseReader.open('/stream?types=feed');
    slow.response.pause();
    let connections = 1;
    while (connections > 0) {
      feedSays('x'.repeat(100_000));
      await new Promise(setImmediate);
      connections = await connectionCount();
    }
    expect(slow.response.complete).toBe(false);
  });

  it('counts a client out when it leaves', async () => {
    const reader = await SseReader.open('/stream');
    expect(await metric('stream_clients', { transport: 'sse' })).toBe(1);
    reader.close();
    while ((await metric('stream_clients', { transport: 'sse' })) > 0) await new Promise(setImmediate);
  });

  it('has no room beyond the limit, for either transport', async () => {
    settings.STREAM_MAX_CLIENTS = 2;
    try {
      await SseReader.open('/stream');
      await WsReader.open('/ws');
      expect(await answer('/stream')).toMatchObject({ status: 503, body: { code: 'stream.too-many-clients' } });
      const refused = await answer('/ws', UPGRADE);
      expect(refused).toMatchObject({ status: 503, body: { code: 'stream.too-many-clients' } });
    } finally {
      settings.STREAM_MAX_CLIENTS = 5000;
    }
  });

  it('measures from receiving a trade to handing it over', async () => {
    const before = await metric('trade_published_seconds', { transport: 'sse' });
    const sentBefore = await metric('stream_sent_total', { transport: 'sse', type: 'trade' });
    const readers = await Promise.all([SseReader.open('/stream'), SseReader.open('/stream?types=trade')]);
    recorded('1', seriesOf('BTCUSDT', ['1', '2', '3']));
    await eventually(() => readers.every((reader) => reader.seen.length === 3));
    expect(await metric('trade_published_seconds', { transport: 'sse' })).toBeGreaterThan(before);
    expect((await metric('stream_sent_total', { transport: 'sse', type: 'trade' })) - sentBefore).toBe(6);
  });

  it('answers HEAD without a stream', async () => {
    const response = await fetch(`http://127.0.0.1:${port}/stream`, { method: 'HEAD' });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
  });
});

describe('WebSocket', () => {
  it('acknowledges, then sends arrays of what was subscribed', async () => {
    const reader = await WsReader.open('/ws');
    recorded('1', seriesOf('BTCUSDT', ['unasked']));
    const ack = await reader.ask({ action: 'subscribe', symbols: ['BTCUSDT'], types: ['trade'] });
    expect(ack).toEqual({ type: 'ack', action: 'subscribe', symbols: ['BTCUSDT'], types: ['trade'] });
    recorded('2', seriesOf('BTCUSDT', ['1', '2']), seriesOf('ETHUSDT', ['3']));
    await eventually(() => reader.updates.length === 2);
    expect(reader.messages.at(-1)).toBeInstanceOf(Array);
    expect(reader.updates[0]).toEqual({
      type: 'trade',
      symbol: 'BTCUSDT',
      source: 'binance',
      price: '1.5',
      size: '2',
      side: 'buy',
      tradeId: '1',
      tradedAt: '2026-08-09T21:05:00Z',
    });
  });

  it('sends all symbols and types to whoever names none, and less after unsubscribing', async () => {
    const reader = await WsReader.open('/ws');
    const ack = await reader.ask({ action: 'subscribe' });
    expect(ack).toEqual({
      type: 'ack',
      action: 'subscribe',
      symbols: [],
      types: ['trade', 'candle', 'candle-closed', 'anomaly', 'alert', 'webhook', 'feed', 'file'],
    });
    recorded('1', seriesOf('BTCUSDT', ['1']));
    feedSays('hello');
    await eventually(() => reader.updates.length === 2);
    await reader.ask({ action: 'unsubscribe', symbols: ['BTCUSDT'], types: ['trade'] });
    recorded('2', seriesOf('BTCUSDT', ['2']), seriesOf('ETHUSDT', ['3']));
    await eventually(() => reader.updates.length === 3);
    expect(reader.updates.at(-1)).toMatchObject({ tradeId: '3' });
    await reader.ask({ action: 'unsubscribe' });
    recorded('3', seriesOf('ETHUSDT', ['4']));
    await reader.ask({ action: 'subscribe', types: ['feed'] });
    feedSays('again');
    await eventually(() => reader.updates.length === 4);
    expect(reader.updates.at(-1)).toMatchObject({ type: 'feed', reason: 'again' });
  });

  it('collects updates that come close together into one array', async () => {
    await start({ batchMs: 200 });
    const reader = await WsReader.open('/ws/price/BTCUSDT');
    recorded('1', seriesOf('BTCUSDT', ['first']));
    await eventually(() => reader.updates.length === 1);
    for (let id = 2; id < 12; id++) {
      recorded(String(id), seriesOf('BTCUSDT', [String(id)]));
      await new Promise(setImmediate);
    }
    await eventually(() => reader.updates.length === 11);
    expect(reader.messages.map((message) => (message as unknown[]).length)).toEqual([1, 10]);
  });

  it('sends trades of one symbol on its own path', async () => {
    const reader = await WsReader.open('/ws/price/BTCUSDT?source=binance');
    recorded('1', seriesOf('ETHUSDT', ['1']), seriesOf('BTCUSDT', ['2']), seriesOf('BTCUSDT', ['3'], 'simulator'));
    recorded('2', seriesOf('BTCUSDT', ['4']));
    await eventually(() => reader.updates.at(-1)?.['tradeId'] === '4');
    expect(reader.updates.map((update) => update['tradeId'])).toEqual(['2', '4']);
    const refused = await reader.ask({ action: 'subscribe' });
    expect(refused).toMatchObject({ type: 'error', code: 'stream.bad-request' });
  });

  it('sends candles of one symbol and interval on its own path', async () => {
    const reader = await WsReader.open('/ws/ohlcv/BTCUSDT?window=5m');
    fanout.publish({ candles: [candleOf('BTCUSDT', '1m', false), candleOf('BTCUSDT', '5m', false)] }, CandlesUpdatedV1);
    fanout.publish({ candles: [candleOf('BTCUSDT', '5m', true)] }, { name: CandlesClosedV1.name, eventId: '1' });
    await eventually(() => reader.updates.length === 2);
    expect(reader.updates).toMatchObject([
      { type: 'candle', window: '5m', closed: false, vwap: '1' },
      { type: 'candle-closed', window: '5m', closed: true },
    ]);
  });

  it.each([
    ['not json', /not JSON/],
    ['{"action":"shout"}', /subscribe or unsubscribe/],
    ['{"action":"subscribe","types":["tick"]}', /trade, candle, candle-closed, anomaly, alert, webhook, feed, file/],
    [`{"action":"subscribe","symbols":["${'A'.repeat(17_000)}"]}`, /16384 are allowed/],
  ])('answers an error to %s and stays open', async (message, fault) => {
    const reader = await WsReader.open('/ws');
    const error = await reader.ask(message);
    expect(error).toEqual({
      type: 'error',
      code: 'stream.bad-request',
      message: expect.stringMatching(fault) as string,
    });
    expect(await reader.ask({ action: 'subscribe' })).toMatchObject({ type: 'ack' });
  });

  it('refuses more symbols than the limit, also one list after another', async () => {
    const reader = await WsReader.open('/ws');
    expect(await reader.ask({ action: 'subscribe', symbols: manySymbols(0) })).toMatchObject({ type: 'ack' });
    expect(await reader.ask({ action: 'subscribe', symbols: manySymbols(300) })).toMatchObject({
      type: 'error',
      message: expect.stringContaining('500') as string,
    });
  });

  it('hangs up on a frame that is far too large', async () => {
    const reader = await WsReader.open('/ws');
    reader.socket.send('x'.repeat(70_000));
    expect(await eventually(() => reader.closed)).toMatchObject({ code: 1009 });
  });

  it('answers an upgrade that cannot be with a problem', async () => {
    expect(await answer('/ws/ohlcv/BTCUSDT?window=7m', UPGRADE)).toMatchObject({
      status: 400,
      type: 'application/problem+json; charset=utf-8',
      body: {
        code: 'request.bad-parameter',
        errors: [{ field: 'window', message: 'must be one of 1m, 5m, 15m, 1h, 4h, 1d' }],
      },
    });
    expect(await answer('/ws/nothing', UPGRADE)).toMatchObject({ status: 404, body: { code: 'http.not-found' } });
  });

  it('does not open to pages of another origin on a loopback address', async () => {
    expect(await answer('/ws', { ...UPGRADE, origin: 'https://evil.example' })).toMatchObject({ status: 403 });
    await WsReader.open('/ws', { origin: `http://127.0.0.1:${port}` });
    settings.HOST = '0.0.0.0';
    try {
      await WsReader.open('/ws', { origin: 'https://dashboard.example' });
    } finally {
      settings.HOST = '127.0.0.1';
    }
  });

  it('closes a client that does not answer pings, and keeps one that does', async () => {
    await start({ pingEveryMs: 20, pongWithinMs: 60, goodbyeMs: 10 });
    const before = await metric('stream_cuts_total', { transport: 'ws', reason: 'no-pong' });
    const alive = await WsReader.open('/ws');
    let pings = 0;
    alive.socket.on('ping', () => pings++);
    const dead = await WsReader.open('/ws', { autoPong: false });
    await eventually(() => dead.closed);
    const pingsThen = pings;
    await eventually(() => pings > pingsThen + 3);
    expect(alive.closed).toBeUndefined();
    expect(await metric('stream_cuts_total', { transport: 'ws', reason: 'no-pong' })).toBe(before + 1);
  });

  it('cuts a client that does not read, and tells it why', async () => {
    await start({ bufferedBytes: 256 * 1024 });
    const slow = await WsReader.open('/ws');
    await slow.ask({ action: 'subscribe', types: ['feed'] });
    const before = await metric('stream_cuts_total', { transport: 'ws', reason: 'too-slow' });
    slow.socket.pause();
    while ((await metric('stream_cuts_total', { transport: 'ws', reason: 'too-slow' })) === before) {
      feedSays('x'.repeat(1_000_000));
      await new Promise(setImmediate);
    }
    slow.socket.resume();
    expect(await eventually(() => slow.closed)).toEqual({ code: 1008, reason: 'too slow' });
  });
});

describe('streaming', () => {
  it('says goodbye to everyone at shutdown, quickly, also to those who do not read', async () => {
    await start({ shutdownMs: 50 });
    const sse = await SseReader.open('/stream');
    const ws = await WsReader.open('/ws');
    const deaf = await WsReader.open('/ws');
    deaf.socket.pause();
    const startedMs = performance.now();
    await app.close();
    expect(performance.now() - startedMs).toBeLessThan(1000);
    await eventually(() => sse.ended && ws.closed);
    expect(sse.events.at(-1)).toEqual({ event: 'bye', data: '{"reason":"shutdown"}' });
    expect(ws.closed).toEqual({ code: 1001, reason: 'shutdown' });
  });

  it('hears every event it publishes under its own name', () => {
    const names = handlersOf(Fanout.prototype.publish).map(({ name }) => name);
    expect(names.toSorted()).toEqual([
      'streaming.publish-anomalies',
      'streaming.publish-candles',
      'streaming.publish-closed-candles',
      'streaming.publish-feeds',
      'streaming.publish-finished-files',
      'streaming.publish-fired-alerts',
      'streaming.publish-progress-of-files',
      'streaming.publish-received-files',
      'streaming.publish-resolved-alerts',
      'streaming.publish-revised-candles',
      'streaming.publish-trades',
      'streaming.publish-webhooks',
    ]);
  });

  it('is described as an event stream in the API document', () => {
    const { get: route } = openApiDocument(app, '0').paths['/stream']!;
    expect(route!.responses['200']).toMatchObject({ content: { 'text/event-stream': {} } });
    const parameters = (route!.parameters as { name: string }[]).map(({ name }) => name);
    expect(parameters.toSorted()).toEqual(['Last-Event-ID', 'lastEventId', 'source', 'symbols', 'types']);
  });
});
