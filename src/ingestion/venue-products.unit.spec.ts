import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ScriptedVenue } from '../../test/support/scripted-venue.js';
import { arrived, inVirtualTime, pass, settled } from '../../test/support/virtual-time.js';
import { CONNECTORS } from './connectors/registry.js';
import { Feed } from './feed.service.js';
import { VenueProducts } from './venue-products.service.js';
import { VenueRest } from './venue-rest.service.js';

const LIST = JSON.stringify({
  symbols: [
    { symbol: 'BTCUSDT', status: 'TRADING' },
    { symbol: 'OLDUSDT', status: 'BREAK' },
  ],
});

let venue: ScriptedVenue;
let feed: Feed;
let lists: ServerResponse[];

inVirtualTime();

beforeEach(async () => {
  venue = await ScriptedVenue.start();
  lists = [];
  vi.spyOn(AbortSignal, 'timeout').mockImplementation(() => new AbortController().signal);
});

afterEach(async () => {
  await feed.stop();
  vi.restoreAllMocks();
  await venue.close();
});

/** A feed of three symbols; the venue answers each request for its list as told, or keeps it in `lists`. */
async function begin(answer: (response: ServerResponse) => unknown = () => undefined): Promise<void> {
  const connector = CONNECTORS.binance;
  venue.answer = (_request, response) => {
    lists.push(response);
    answer(response);
  };
  const rest = new VenueRest(6000);
  const products = new VenueProducts(connector, venue.restUrl, rest);
  const nothing = (): void => undefined;
  feed = new Feed(
    { connector, wsUrl: venue.wsUrl, asked: ['BTCUSDT', 'OLDUSDT', 'NOTUSDT'], frontier: new Map(), rest, products },
    { trades: nothing, changed: nothing, badFrame: nothing, unknownFrame: nothing, unheard: nothing },
  );
  feed.start();
  await asked(1);
}

const asked = (times: number) => arrived(() => lists.length === times);
const problems = (): string[] => feed.status().symbols.map(({ state, reason }) => `${state}: ${reason}`);
const isConnected = (): boolean => feed.status().state === 'connected';

describe("the venue's own list of symbols", () => {
  it('leaves out what the venue does not know or trade, and names it', async () => {
    await begin((response) => response.end(LIST));
    await arrived(() => feed.status().connections === 1);
    await pass(1000);
    expect(isConnected()).toBe(true);
    expect(problems()).toEqual([
      'waiting: no trade heard yet',
      'unknown: listed by the venue, but not traded now',
      "unknown: not on the venue's list of symbols",
    ]);
  });

  it('is waited for 5 s; symbols that a late one does not know are named then', async () => {
    await begin();
    await pass(4900);
    expect(feed.status()).toMatchObject({ state: 'connecting', reason: "reading the venue's list of symbols" });
    expect(venue.attemptsMs).toEqual([]);
    await pass(1000);
    expect(isConnected()).toBe(true);
    expect(problems()).toEqual(Array.from({ length: 3 }, () => 'waiting: no trade heard yet'));
    lists[0]!.end(LIST);
    await arrived(() => problems()[2] === "refused: not on the venue's list of symbols");
    expect(problems()[0]).toBe('waiting: no trade heard yet');
    expect(isConnected()).toBe(true);
    expect(venue.log).toEqual(['open 1']);
  });

  it.each([
    ['an error', (response: ServerResponse) => response.writeHead(503).end('maintenance')],
    ['no list', (response: ServerResponse) => response.end('<html>')],
    ['an empty list', (response: ServerResponse) => response.end('{"symbols":[]}')],
    ['rows of another shape', (response: ServerResponse) => response.end('{"symbols":[{"name":"BTCUSDT"}]}')],
    ['a cut connection', (response: ServerResponse) => response.destroy()],
  ])('is asked for again every minute after %s, while every symbol is tried', async (_what, answer) => {
    await begin(answer);
    await pass(50_000);
    expect(lists.length).toBe(1);
    expect(isConnected()).toBe(true);
    await pass(11_000);
    await asked(2);
    await settled();
    venue.answer = (_request, response) => {
      lists.push(response);
      response.end(LIST);
    };
    await pass(61_000);
    await asked(3);
    await arrived(() => problems()[2]!.includes("not on the venue's list"));
    await pass(200_000);
    expect(lists.length).toBe(3);
  });

  it('is not asked for any more when the feed is stopped', async () => {
    await begin((response) => response.writeHead(503).end());
    await pass(10_000);
    await feed.stop();
    await settled();
    expect(vi.getTimerCount()).toBe(0);
    await pass(600_000);
    expect(lists.length).toBe(1);
  });

  it('does not start a feed that was stopped while it was waited for', async () => {
    await begin();
    await feed.stop();
    await pass(60_000);
    expect(venue.attemptsMs).toEqual([]);
    expect(lists.length).toBe(1);
  });
});
