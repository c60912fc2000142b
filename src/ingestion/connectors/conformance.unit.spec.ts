import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalDecimal, comparePositive, type Trade } from '../../contracts/index.js';
import { type Connector, FrameError, microsecondsOf, type Parsed, type Product } from './connector.js';
import { decimalOfNumber } from './exact-json.js';
import { CONNECTORS } from './registry.js';

/**
 * Walks the registry: a connector needs no spec of its own, only `test/fixtures/connectors/<id>/`. In there:
 * `facts.json` (what the venue's documents promise and limit), one file a frame, one file a body in `history/` and in
 * `products/`; or a file `same-as` with the id of the connector whose fixtures hold for this one too.
 */
const FIXTURES = join(import.meta.dirname, '../../../test/fixtures/connectors');
const RECEIVED_AT_US = 1_786_309_548_167_634;
const KEY = 'a key/1&2';

type ExpectedTrade = Omit<Trade, 'source' | 'exchange' | 'receivedAtUs'>;
type Expected = Readonly<{
  kind?: Parsed['kind'];
  message?: string;
  venueSymbol?: string;
  sequence?: number;
  lastIds?: { venueSymbol: string; tradeId: string }[];
  trades?: ExpectedTrade[];
  /** `raw` of the rows that cannot be read. */
  badRows?: string[];
  products?: Product[];
  error?: FrameError['code'];
}>;
type Fixture = Readonly<{ name: string; source: string; frame: string; expect: Expected }>;
type Facts = Readonly<{
  source: string;
  contiguousIds: boolean;
  /** Whose side the venue sends. */
  side: 'maker' | 'taker' | 'none';
  isExclusive?: true;
  needsKey?: true;
  /** The venue numbers the frames of a connection. */
  countsFrames?: true;
  /** A symbol in the venue's spelling; `{}` stands for a number. */
  example: string;
  wsUrl: string;
  restUrl: string;
  urlIncludes: string[];
  frameIncludes?: string[];
  /** What a person writes, and the venue's spelling. */
  spellings: [string, string][];
  /** The venue's spelling, and the canonical symbol. */
  canonical: [string, string][];
  /** What the venue allows at most; absent where it names no limit. */
  limits: Readonly<{
    symbolsPerConnection?: number;
    messagesPerSecond: number;
    lifetimeMs?: number;
    heartbeatEveryMs?: number;
    attemptsPer5Min: number;
    historyPage?: number;
    weightPerMinute?: number;
  }>;
  /** Absent where the venue has no list that can be had. */
  products?: Readonly<{ url: string; headers: Record<string, string> }>;
  /** Absent where the venue cannot be asked for trades. */
  history?: Readonly<{
    by: 'id' | 'time';
    symbol: string;
    /** One without `from` asks for the newest. */
    requests: { from?: string; url: string }[];
    headers: Record<string, string>;
  }>;
}>;

/** What every connector must have met, whatever its venue. */
const KINDS_TO_SHOW: readonly string[] = [
  'trades',
  'alive',
  'refused',
  'unknown',
  'decode.not-json',
  'parse.bad-trade',
];

function folderOf(id: string): string {
  const link = join(FIXTURES, id, 'same-as');
  return existsSync(link) ? join(FIXTURES, readFileSync(link, 'utf8').trim()) : join(FIXTURES, id);
}

function fixturesIn(folder: string): Fixture[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.endsWith('.json') && name !== 'facts.json');
  return names.sort().map((name) => {
    const { source, frame, expect: expected } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Fixture;
    return { name: name.replace('.json', ''), source, frame, expect: expected };
  });
}

const factsIn = (folder: string): Facts | undefined =>
  existsSync(join(folder, 'facts.json'))
    ? (JSON.parse(readFileSync(join(folder, 'facts.json'), 'utf8')) as Facts)
    : undefined;

const isGood = (fixture: Fixture): boolean => fixture.expect.error === undefined;
const outcome = (expected: Expected): string => expected.error ?? expected.kind ?? 'nothing';

function failure(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error;
  }
}

/** A fixture with one value somewhere in it replaced by another, or a few of its characters. */
function damaged(fixtures: readonly Fixture[]): fc.Arbitrary<string> {
  const frames = fc.constantFrom(...fixtures.map(({ frame }) => frame));
  const odd = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom({ toString: 5 }, { length: 1 }, '__proto__'));
  const replaced = fc.tuple(frames, fc.nat(), odd).map(([frame, place, value]) => {
    let places = 0;
    const count = (_: string, one: unknown): unknown => (places++, one);
    if (failure(() => JSON.parse(frame, count)) instanceof Error) return frame;
    let at = place % places;
    return JSON.stringify(JSON.parse(frame, (_, one: unknown) => (at-- === 0 ? value : one)));
  });
  const cut = fc.tuple(frames, fc.nat(), fc.nat(8), fc.string()).map(([frame, from, length, text]) => {
    const at = from % (frame.length + 1);
    return frame.slice(0, at) + text + frame.slice(at + length);
  });
  return fc.oneof(replaced, cut, fc.json(), fc.string(), fc.constant('['.repeat(20_000) + ']'.repeat(20_000)));
}

describe('every connector', () => {
  it('is registered under its own id', () => {
    expect(Object.keys(CONNECTORS).length).toBeGreaterThan(0);
    for (const [id, connector] of Object.entries(CONNECTORS)) expect(connector.id).toBe(id);
  });

  it('has no fixtures without a connector beside it', () => {
    expect(readdirSync(FIXTURES).filter((name) => !(name in CONNECTORS))).toEqual([]);
  });
});

describe.each(Object.values(CONNECTORS).map((connector): [string, Connector] => [connector.id, connector]))(
  'the connector %s',
  (id, connector) => {
    const folder = folderOf(id);
    const frames = fixturesIn(folder);
    const bodies = fixturesIn(join(folder, 'history'));
    const lists = fixturesIn(join(folder, 'products'));
    const facts = factsIn(folder);
    const known = facts!;
    const given = frames.filter((one) => one.expect.kind === 'trades');
    const trades = (list: readonly ExpectedTrade[] = []): Trade[] =>
      list.map((one) => ({ source: id, exchange: connector.exchange, receivedAtUs: RECEIVED_AT_US, ...one }));
    const tradesIn = (frame: string, receivedAtUs = RECEIVED_AT_US): readonly Trade[] => {
      const parsed = connector.parse(frame, receivedAtUs);
      return parsed.kind === 'trades' ? parsed.trades : [];
    };

    it('has facts, and a fixture for everything a venue may send, each with its origin', () => {
      expect(facts, `test/fixtures/connectors/${id}/facts.json is missing`).toBeDefined();
      expect(KINDS_TO_SHOW.filter((kind) => !frames.some((one) => outcome(one.expect) === kind))).toEqual([]);
      expect([...frames, ...bodies, ...lists].filter(({ source }) => !/.{10}/.test(source))).toEqual([]);
      const shown = given.flatMap((one) => one.expect.trades!);
      expect(shown.map((trade) => trade.size)).toContain('0');
      expect(new Set(shown.map((trade) => trade.side))).toEqual(
        new Set(known.side === 'none' ? [undefined] : ['buy', 'sell']),
      );
    });

    it.each(frames.filter(isGood))('reads $name', ({ frame, expect: { trades: told, badRows: bad, ...rest } }) => {
      const parsed = connector.parse(frame, RECEIVED_AT_US);
      const badRows = parsed.kind === 'trades' ? parsed.badRows : undefined;
      expect(badRows?.map((error) => error.raw)).toEqual(bad);
      for (const error of badRows ?? []) expect(error).toMatchObject({ name: 'FrameError', code: 'parse.bad-trade' });
      expect(parsed).toEqual({
        ...rest,
        ...(told === undefined ? {} : { trades: trades(told) }),
        ...(badRows === undefined ? {} : { badRows }),
      });
    });

    it.each(frames.filter((one) => !isGood(one)))('refuses $name', ({ frame, expect: { error } }) => {
      const failed = failure(() => connector.parse(frame, RECEIVED_AT_US));
      expect(failed).toBeInstanceOf(FrameError);
      expect(failed).toMatchObject({ code: error, raw: frame });
    });

    it('gives canonical decimals, whole microseconds and ids as text, ascending within a symbol', () => {
      const batches = given.map((one) => tradesIn(one.frame));
      expect(batches.flat().length).toBeGreaterThan(0);
      for (const trade of batches.flat()) {
        expect([trade.price, trade.size]).toEqual([canonicalDecimal(trade.price), canonicalDecimal(trade.size)]);
        expect(trade.tradeId).toMatch(/^(0|[1-9]\d*)$/);
        expect(trade.tradedAtUs).toSatisfy(
          (us: number) => Number.isSafeInteger(us) && us > Date.UTC(2009, 0) * 1000 && us < Date.UTC(2100, 0) * 1000,
        );
      }
      for (const batch of batches) {
        for (const symbol of new Set(batch.map((trade) => trade.venueSymbol))) {
          const ids = batch.filter((trade) => trade.venueSymbol === symbol).map((trade) => trade.tradeId);
          expect(ids).toEqual([...new Set(ids)].sort(comparePositive));
        }
      }
    });

    it('keeps the ids of the venue where a missing one is a hole, and makes its own where there are none', () => {
      expect(connector.contiguousIds).toBe(known.contiguousIds);
      for (const { frame } of given) {
        const ids = (receivedAtUs: number) => tradesIn(frame, receivedAtUs).map((trade) => trade.tradeId);
        const [first, second] = [ids(RECEIVED_AT_US), ids(RECEIVED_AT_US + 1)];
        if (connector.contiguousIds) expect(second).toEqual(first);
        else expect([...first, ...second]).toEqual([...new Set([...first, ...second])].sort(comparePositive));
      }
    });

    it('gives the number of a frame where the venue counts them, whatever the frame is', () => {
      const numbered = frames.filter((one) => isGood(one) && /"sequence_num":\d+/.test(one.frame));
      const told = numbered.map((one) => connector.parse(one.frame, RECEIVED_AT_US).sequence);
      expect(told.every((sequence) => sequence !== undefined)).toBe(true);
      expect(new Set(numbered.map((one) => one.expect.kind)).size > 2).toBe(known.countsFrames === true);
    });

    it('fails on what no venue would send with a FrameError and with nothing else', () => {
      fc.assert(
        fc.property(damaged(frames), (frame) => {
          const parsed = failure(() => connector.parse(frame, RECEIVED_AT_US));
          if (parsed instanceof Error && !(parsed instanceof FrameError)) throw parsed;
        }),
        { numRuns: 2000 },
      );
    });

    it('asks for every symbol in one connection, each once, within the limits of the venue', () => {
      for (const count of [1, Math.ceil(connector.symbolsPerConnection / 3), connector.symbolsPerConnection]) {
        const symbols = Array.from({ length: count }, (_, i) => known.example.replace('{}', String(1000 + i)));
        const { url, frames: sent } = connector.connection(known.wsUrl, symbols, KEY);
        expect(new URL(url).origin).toBe(new URL(known.wsUrl).origin);
        for (const part of known.urlIncludes) expect(url).toContain(part);
        for (const part of known.frameIncludes ?? []) expect(sent.join(' ')).toContain(part);
        expect(url.length).toBeLessThanOrEqual(4096);
        const asked = `${url} ${sent.join(' ')}`.toUpperCase();
        expect(symbols.filter((symbol) => asked.split(symbol).length !== 2)).toEqual([]);
        for (const frame of sent) expect(frame.length).toBeLessThanOrEqual(4096);
        expect(new Set(sent).size).toBe(sent.length);
      }
    });

    it('takes a base URL with or without a slash at its end, and a key only where the venue wants one', () => {
      const plain = connector.connection('ws://127.0.0.1:9443', ['BTCUSDT'], KEY).url;
      expect(plain.startsWith('ws://127.0.0.1:9443')).toBe(true);
      expect(connector.connection('ws://127.0.0.1:9443/', ['BTCUSDT'], KEY).url).toBe(plain);
      expect([...new URL(plain).searchParams.values()].includes(KEY)).toBe(known.needsKey === true);
    });

    it('stays within what the venue allows', () => {
      expect(connector.symbolsPerConnection).toBeLessThanOrEqual(known.limits.symbolsPerConnection ?? 1000);
      expect(1000 / connector.sendEveryMs).toBeLessThan(known.limits.messagesPerSecond);
      expect(connector.rotateAfterMs ?? 0).toBeLessThan(known.limits.lifetimeMs ?? 1);
      expect(connector.rotateAfterMs !== undefined).toBe(known.limits.lifetimeMs !== undefined);
      expect(connector.attemptsPer5Min).toBeLessThan(known.limits.attemptsPer5Min);
      expect(connector.isExclusive).toBe(known.isExclusive);
    });

    it('knows a dead connection by its missing heartbeat, or else by its history', () => {
      const every = known.limits.heartbeatEveryMs;
      expect(connector.silentAfterMs !== undefined).toBe(every !== undefined);
      if (every === undefined) return expect(connector.history).toBeDefined();
      expect(connector.silentAfterMs).toBeGreaterThanOrEqual(2 * every);
      expect(connector.silentAfterMs).toBeLessThanOrEqual(Math.max(3 * every, 15_000));
      const beats = frames.filter(({ name }) => name.startsWith('heartbeat'));
      expect(beats.length).toBeGreaterThan(0);
      expect(beats.filter((one) => one.expect.kind !== 'alive')).toEqual([]);
    });

    it('spells symbols as the venue does, and names them canonically', () => {
      const { spellings, canonical } = known;
      expect(spellings.map(([asked]) => connector.spelling(asked))).toEqual(spellings.map(([, spelt]) => spelt));
      expect(spellings.map(([, spelt]) => connector.spelling(spelt))).toEqual(spellings.map(([, spelt]) => spelt));
      expect(canonical.map(([symbol]) => connector.canonical(symbol))).toEqual(canonical.map(([, name]) => name));
      for (const trade of given.flatMap((one) => one.expect.trades!))
        expect(connector.canonical(trade.venueSymbol)).toBe(trade.symbol);
    });

    it('heals holes where the venue can be asked, within its limits', () => {
      const { history } = connector;
      expect(history?.by).toBe(known.history?.by);
      if (!history) return;
      const { symbol, requests, headers } = known.history!;
      for (const { from, url } of requests) {
        const start = from === undefined ? undefined : BigInt(from);
        expect(history.request(known.restUrl, symbol, start)).toEqual({ url, headers });
        expect(history.request(`${known.restUrl}/`, symbol, start).url).toBe(url);
      }
      expect(new Set(requests.map(({ from }) => typeof from)).size).toBe(2);
      expect(history.pageTrades).toBeLessThanOrEqual(known.limits.historyPage!);
      // The budget lets a tenth through at once, on top of what a minute gives.
      expect(history.weightPerMinute * 1.1).toBeLessThanOrEqual(known.limits.weightPerMinute!);
      expect(history.weight).toBeLessThanOrEqual(history.weightPerMinute / 10);
      expect(bodies.filter((one) => one.expect.trades).length).toBeGreaterThan(1);
      expect(bodies.filter((one) => one.expect.error).length).toBeGreaterThan(1);
    });

    it.each(bodies.filter(isGood))('reads the history $name', ({ frame, expect: { trades: told } }) => {
      expect(connector.history!.parse(frame, known.history!.symbol, RECEIVED_AT_US)).toEqual(trades(told));
    });

    it('asks for the list of products where the venue has one', () => {
      expect(connector.products?.request(known.restUrl)).toEqual(known.products);
      if (!connector.products) return;
      // it is waited for at the start: what a minute gives at once must do
      expect(connector.products.weight).toBeLessThanOrEqual((connector.history?.weightPerMinute ?? 200) / 10);
      expect(connector.products.request(`${known.restUrl}/`)).toEqual(known.products);
      expect(lists.flatMap((one) => one.expect.products ?? []).map((one) => one.isTrading)).toContain(true);
      expect(lists.flatMap((one) => one.expect.products ?? []).map((one) => one.isTrading)).toContain(false);
      expect(lists.filter((one) => one.expect.error).length).toBeGreaterThan(0);
    });

    it.each(lists.filter(isGood))('reads the products $name', ({ frame, expect: { products } }) => {
      expect(connector.products!.parse(frame)).toEqual(products);
      for (const { venueSymbol } of products!) expect(connector.spelling(venueSymbol)).toBe(venueSymbol);
    });

    const answers: [string, Fixture[], (body: string) => unknown][] = [
      ['history', bodies, (body) => connector.history!.parse(body, known.history!.symbol, RECEIVED_AT_US)],
      ['products', lists, (body) => connector.products!.parse(body)],
    ];
    it.each(answers.filter(([, fixtures]) => fixtures.length > 0))(
      'refuses bodies of %s that cannot be read with a FrameError and with nothing else',
      (_, fixtures, parse) => {
        for (const { frame, expect: wanted } of fixtures.filter((one) => !isGood(one)))
          expect(failure(() => parse(frame))).toMatchObject({ name: 'FrameError', code: wanted.error });
        fc.assert(
          fc.property(damaged(fixtures), (body) => {
            const parsed = failure(() => parse(body));
            if (parsed instanceof Error && !(parsed instanceof FrameError)) throw parsed;
          }),
          { numRuns: 1000 },
        );
      },
    );
  },
);

describe('numbers', () => {
  it('have the unit of time that their magnitude tells', () => {
    expect([microsecondsOf(1_723_161_255_611), microsecondsOf(1_723_161_255_611_987)]).toEqual([
      1_723_161_255_611_000, 1_723_161_255_611_987,
    ]);
    expect(microsecondsOf(Date.UTC(2100, 0))).toBe(Date.UTC(2100, 0) * 1000);
    expect(microsecondsOf(Date.UTC(2009, 0, 3) * 1000)).toBe(Date.UTC(2009, 0, 3) * 1000);
  });

  it('lose their exponent and nothing else', () => {
    const written = ['1e-7', '1.5E-7', '-2.50e1', '7.712e4', '7.7125e2', '10e-1', '0e5', '1e400', '1.', 'x'];
    expect(written.map(decimalOfNumber)).toEqual(
      ['0.0000001', '0.00000015', '-25', '77120', '771.25', '1', '0', undefined, undefined, undefined], // prettier-ignore
    );
  });
});
