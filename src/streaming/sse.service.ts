import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { type BeforeApplicationShutdown, Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { Bus } from '../platform/bus/index.js';
import { Audiences } from './audiences.js';
import { type Filter, matches } from './filter.js';
import { HeardOrder } from './heard-order.js';
import { STREAM_LIMITS, type StreamLimits } from './limits.js';
import { parsePosition, type Position } from './position.js';
import { durableEvents, type Publication, publicationOf } from './published.js';
import { Replay } from './replay.js';
import { type CutReason, StreamClients } from './stream-clients.service.js';

const PAGE_EVENTS = 50;
/** Reading for clients that resume must not keep the database from recording trades. */
const READS_AT_ONCE = 2;
const LONG_FLUSH_MS = 5;
/** A process that has just started may still be migrating. */
const READY_WITHIN_MS = 10_000;
const RETRY_MS = { least: 1000, spread: 2000 };

/** Why a client cannot get what it missed and has to load its state anew. */
type ResetReason = 'malformed-id' | 'unknown-id' | 'unavailable' | 'too-much';

type SseClient = { readonly response: ServerResponse; readonly filter: Filter; replay?: Replay };

/** Server-sent events: each text is made and encoded once and written to all who want it. */
@Injectable()
export class SseClients implements OnModuleInit, BeforeApplicationShutdown {
  private readonly logger = new Logger('Sse');
  private readonly clients = new Set<SseClient>();
  private readonly replaying = new Set<SseClient>();
  private readonly heardOrder = new HeardOrder();
  private readonly audiences = new Audiences<SseClient>(
    (group) => group.sse(),
    (clients, texts, counts) => this.deliver(clients, texts, counts),
  );
  private flushDue = false;
  private flushTookMs = 0;
  private oldestReceivedUs = Infinity;
  private tradesSent = false;
  private comments: NodeJS.Timeout | undefined;
  private reads = 0;
  private readonly waitingReads: (() => void)[] = [];

  constructor(
    private readonly bus: Bus,
    private readonly live: StreamClients,
    @Inject(STREAM_LIMITS) private readonly limits: StreamLimits,
  ) {}

  onModuleInit(): void {
    this.comments = setInterval(() => {
      const comment = Buffer.from(': keep-alive\n\n');
      for (const client of this.clients) this.write(client, comment);
    }, this.limits.commentEveryMs).unref();
  }

  get isEmpty(): boolean {
    return this.clients.size === 0;
  }

  /** Writes the head of the answer; from here on the response belongs to this service. */
  open(
    response: ServerResponse,
    filter: Filter,
    lastEventId: string | undefined,
    headers: Record<string, string>,
  ): void {
    const client: SseClient = { response, filter };
    this.clients.add(client);
    this.live.opened('sse');
    response.on('close', () => this.remove(client));
    response.on('error', () => this.remove(client));
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-store, no-transform',
      'x-accel-buffering': 'no',
      ...headers,
    });
    // spread, so that the clients of a restarted process do not all come back in one second
    response.write(`retry: ${RETRY_MS.least + Math.floor(Math.random() * RETRY_MS.spread)}\n\n`);
    if (lastEventId === undefined) this.audiences.join(client, filter);
    else this.resume(client, lastEventId);
  }

  /** Keeps the order of durable events, which resuming needs also when nobody is connected. */
  note(eventId: string): void {
    this.heardOrder.note(eventId);
  }

  offer(publication: Publication): void {
    for (const client of this.replaying) {
      if (publication.eventId === undefined) this.send(client, publication);
      else client.replay!.hold(publication);
    }
    this.audiences.offer(publication.groups);
    if (publication.receivedUs !== undefined) {
      this.oldestReceivedUs = Math.min(this.oldestReceivedUs, publication.receivedUs);
    }
    this.flushSoon();
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.comments);
    this.flush();
    this.live.takeNoMore();
    await Promise.all([...this.clients].map((client) => this.cut(client, 'shutdown')));
  }

  /** At once; but where writing takes long, as long again is left to everything else. */
  private flushSoon(): void {
    if (this.flushDue) return;
    this.flushDue = true;
    if (this.flushTookMs < LONG_FLUSH_MS) setImmediate(() => this.flush());
    else setTimeout(() => this.flush(), this.flushTookMs).unref();
  }

  private flush(): void {
    const startedMs = performance.now();
    this.flushDue = false;
    this.audiences.flush();
    // after the sockets, which write on the next tick
    process.nextTick(() => (this.flushTookMs = performance.now() - startedMs));
    if (this.tradesSent) this.live.published('sse', this.oldestReceivedUs);
    this.oldestReceivedUs = Infinity;
    this.tradesSent = false;
  }

  private deliver(
    clients: ReadonlySet<SseClient>,
    texts: readonly string[],
    counts: ReadonlyMap<string, number>,
  ): void {
    const chunk = Buffer.from(texts.join(''));
    this.live.sent('sse', counts, clients.size);
    if (counts.has('trade')) this.tradesSent = true;
    for (const client of clients) this.write(client, chunk);
  }

  /** One event to one client, as it is when it catches up. */
  private send(client: SseClient, { eventId, groups }: Publication): void {
    const had = client.replay?.hadItem(eventId) ?? -1;
    const counts = new Map<string, number>();
    let text = '';
    for (const group of groups) {
      if (!matches(client.filter, group.subject)) continue;
      text += had < 0 ? group.sse() : group.sseAfter(had);
      counts.set(group.subject.type, (counts.get(group.subject.type) ?? 0) + group.count);
    }
    if (text === '') return;
    this.live.sent('sse', counts, 1);
    this.write(client, text);
  }

  private write(client: SseClient, chunk: string | Buffer): void {
    if (!this.clients.has(client)) return;
    if (client.response.writableLength > this.limits.bufferedBytes) void this.cut(client, 'too-slow');
    else client.response.write(chunk);
  }

  /** Ends a stream with a reason, and the connection with it, read or not. */
  private async cut(client: SseClient, reason: CutReason): Promise<void> {
    this.remove(client);
    this.live.cut('sse', reason);
    const { response } = client;
    const { socket } = response;
    const written = new Promise<void>((resolve) => {
      response.once('close', resolve);
      response.end(`event: bye\ndata: ${JSON.stringify({ reason })}\n\n`, () => {
        socket?.destroySoon();
        resolve();
      });
    });
    await withinMs(reason === 'shutdown' ? this.limits.shutdownMs : this.limits.goodbyeMs, written);
    response.destroy();
  }

  private remove(client: SseClient): void {
    if (!this.clients.delete(client)) return;
    this.replaying.delete(client);
    this.audiences.leave(client);
    this.live.closed('sse');
  }

  private resume(client: SseClient, lastEventId: string): void {
    const position = parsePosition(lastEventId);
    const events = durableEvents([...client.filter.symbolsOf.keys()]);
    if (!position || events.length === 0) {
      if (!position) this.reset(client, 'malformed-id');
      this.audiences.join(client, client.filter);
      return;
    }
    client.replay = new Replay(position);
    this.replaying.add(client);
    this.catchUp(client, client.replay, position, events)
      .catch((error: Error) => {
        this.logger.warn(`Missed events could not be read: ${error.message}`);
        return 'unavailable' as const;
      })
      .then((fault) => {
        if (!this.clients.has(client)) return;
        if (fault) this.reset(client, fault);
        for (const publication of client.replay!.rest()) this.send(client, publication);
        this.replaying.delete(client);
        delete client.replay;
        this.audiences.join(client, client.filter);
      })
      .catch((error: Error) => this.logger.error(error.message, error.stack));
  }

  /** Sends page after page of what was missed; nothing may be awaited after the last. */
  private async catchUp(
    client: SseClient,
    replay: Replay,
    position: Position,
    events: ReturnType<typeof durableEvents>,
  ): Promise<ResetReason | undefined> {
    if (!(await withinMs(READY_WITHIN_MS, this.bus.whenReady()))) return 'unavailable';
    const known = this.heardOrder.upTo(position.eventId);
    if (known) replay.startAfter(known.after, known.had);
    else if (await this.isKept(position.eventId)) replay.startAfter(BigInt(position.eventId));
    else return 'unknown-id';
    for (;;) {
      const page = await this.reading(async () => {
        if (!this.clients.has(client)) return [];
        for (const passed of replay.beforeRead()) this.send(client, passed);
        return this.bus.eventsAfter(replay.after.toString(), events, PAGE_EVENTS);
      });
      for (const event of page) {
        if (replay.read(event.eventId)) this.send(client, publicationOf(event.name, event.data, event.eventId));
      }
      if (replay.overflowed) return 'too-much';
      if (page.length < PAGE_EVENTS || !this.clients.has(client)) return undefined;
      if (!(await this.drained(client))) void this.cut(client, 'too-slow');
    }
  }

  /** Whether everything after this event is still there, which it is as long as the event itself is; `0` is the start. */
  private async isKept(eventId: string): Promise<boolean> {
    if (eventId === '0') return true;
    const before = (BigInt(eventId) - 1n).toString();
    const [first] = await this.reading(() => this.bus.eventsAfter(before, durableEvents(), 1));
    return first?.eventId === eventId;
  }

  private async reading<T>(read: () => Promise<T>): Promise<T> {
    if (this.reads >= READS_AT_ONCE) await new Promise<void>((resolve) => this.waitingReads.push(resolve));
    else this.reads++;
    try {
      return await read();
    } finally {
      const next = this.waitingReads.shift();
      if (next) next();
      else this.reads--;
    }
  }

  private async drained({ response }: SseClient): Promise<boolean> {
    if (!response.writableNeedDrain) return true;
    const drain = new Promise<void>((resolve) => {
      response.once('drain', resolve);
      response.once('close', resolve);
    });
    return withinMs(this.limits.drainMs, drain);
  }

  private reset(client: SseClient, reason: ResetReason): void {
    // the empty id makes an EventSource forget the one that cannot be resumed from
    this.write(client, `event: reset\nid\ndata: ${JSON.stringify({ reason })}\n\n`);
  }
}

async function withinMs(ms: number, work: Promise<void>): Promise<boolean> {
  const timer = new AbortController();
  const late = wait(ms, false, { signal: timer.signal, ref: false }).catch(() => false);
  const inTime = await Promise.race([work.then(() => true), late]);
  timer.abort();
  return inTime;
}
