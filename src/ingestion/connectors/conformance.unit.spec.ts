import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { canonicalDecimal, type Trade } from '../../contracts/index.js';
import { type Connector, FrameError, microsecondsOf, type Parsed } from './connector.js';
import { CONNECTORS } from './registry.js';

/**
 * Walks the registry: a connector needs no spec of its own, only `test/fixtures/connectors/<id>/`. In there:
 * `facts.json` (what the venue's documents promise and limit), one file a frame, one file a body in `history/`; or a file
 * `same-as` with the id of the connector whose fixtures hold for this one too.
 */
const FIXTURES = join(import.meta.dirname, '../../../test/fixtures/connectors');
const RECEIVED_AT_US = 1_786_309_548_167_634;

type ExpectedTrade = Omit<Trade, 'source' | 'exchange' | 'receivedAtUs'>;
type Expected = Readonly<{
  kind?: Parsed['kind'];
  message?: string;
  trades?: ExpectedTrade[];
  error?: FrameError['code'];
}>;
type Fixture = Readonly<{ name: string; source: string; frame: string; expect: Expected }>;
type Facts = Readonly<{
  source: string;
  contiguousIds: boolean;
  wsUrl: string;
  restUrl: string;
  urlIncludes: string[];
  /** What the venue allows at most. */
  limits: Readonly<{
    symbolsPerConnection: number;
    messagesPerSecond: number;
    lifetimeMs: number;
    attemptsPer5Min: number;
    historyPage?: number;
    weightPerMinute?: number;
  }>;
  /** Absent where the venue cannot be asked for trades by id. */
  history?: Readonly<{ symbol: string; fromId: string; url: string; headers: Record<string, string> }>;
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
    const facts = factsIn(folder);
    const known = facts!;
    const trades = (list: readonly ExpectedTrade[] = []): Trade[] =>
      list.map((one) => ({ source: id, exchange: connector.exchange, receivedAtUs: RECEIVED_AT_US, ...one }));

    it('has facts, and a fixture for everything a venue may send, each with its origin', () => {
      expect(facts, `test/fixtures/connectors/${id}/facts.json is missing`).toBeDefined();
      expect(KINDS_TO_SHOW.filter((kind) => !frames.some((one) => outcome(one.expect) === kind))).toEqual([]);
      expect([...frames, ...bodies].filter(({ source }) => !/.{10}/.test(source))).toEqual([]);
    });

    it.each(frames.filter(isGood))('reads $name', ({ frame, expect: { trades: told, ...rest } }) => {
      expect(connector.parse(frame, RECEIVED_AT_US)).toEqual({
        ...rest,
        ...(told === undefined ? {} : { trades: trades(told) }),
      });
    });

    it.each(frames.filter((one) => !isGood(one)))('refuses $name', ({ frame, expect: { error } }) => {
      const failed = failure(() => connector.parse(frame, RECEIVED_AT_US));
      expect(failed).toBeInstanceOf(FrameError);
      expect(failed).toMatchObject({ code: error, raw: frame });
    });

    it('gives canonical decimals, whole microseconds and ids as text', () => {
      const given = frames
        .filter((one) => one.expect.kind === 'trades')
        .map((one) => connector.parse(one.frame, RECEIVED_AT_US))
        .flatMap((parsed) => (parsed.kind === 'trades' ? parsed.trades : []));
      expect(given.length).toBeGreaterThan(0);
      for (const trade of given) {
        expect([trade.price, trade.size]).toEqual([canonicalDecimal(trade.price), canonicalDecimal(trade.size)]);
        expect(trade.tradeId).toMatch(/^(0|[1-9]\d*)$/);
        expect(trade.tradedAtUs).toSatisfy(
          (us: number) => Number.isSafeInteger(us) && us > Date.UTC(2009, 0) * 1000 && us < Date.UTC(2100, 0) * 1000,
        );
      }
    });

    it('fails on frames cut off anywhere, and on odd ones, with a FrameError and with nothing else', () => {
      const odd = [
        '[]',
        '[1]',
        '"text"',
        'true',
        '{"data":5}',
        '{"data":[]}',
        '{"data":{}}',
        '{"result":{}}',
        '{"error":"no"}',
      ];
      const cut = frames.flatMap(({ frame }) =>
        Array.from({ length: Math.ceil(frame.length / 7) }, (_, i) => frame.slice(0, i * 7)),
      );
      const failures = [...odd, ...cut]
        .map((frame) => failure(() => connector.parse(frame, RECEIVED_AT_US)))
        .filter((one) => one instanceof Error);
      expect(failures.length).toBeGreaterThan(0);
      expect(failures.filter((one) => !(one instanceof FrameError))).toEqual([]);
    });

    it.each([1, 200, 450])(
      'asks for %i symbols in one connection, each once, within the limits of the venue',
      (count) => {
        const symbols = Array.from({ length: count }, (_, i) => `C${String(i).padStart(3, '0')}USDT`);
        const { url, frames: sent } = connector.connection(known.wsUrl, symbols);
        expect(new URL(url).origin).toBe(new URL(known.wsUrl).origin);
        for (const part of known.urlIncludes) expect(url).toContain(part);
        expect(url.length).toBeLessThanOrEqual(4096);
        const asked = `${url} ${sent.join(' ')}`.toUpperCase();
        expect(symbols.filter((symbol) => asked.split(symbol).length !== 2)).toEqual([]);
        for (const frame of sent) expect(frame.length).toBeLessThanOrEqual(4096);
        expect(new Set(sent).size).toBe(sent.length);
        expect(count).toBeLessThanOrEqual(connector.symbolsPerConnection);
      },
    );

    it('takes a base URL with or without a slash at its end', () => {
      const plain = connector.connection('ws://127.0.0.1:9443', ['BTCUSDT']).url;
      expect(plain.startsWith('ws://127.0.0.1:9443/')).toBe(true);
      expect(connector.connection('ws://127.0.0.1:9443/', ['BTCUSDT']).url).toBe(plain);
    });

    it('stays within what the venue allows', () => {
      expect(connector.symbolsPerConnection).toBeLessThanOrEqual(known.limits.symbolsPerConnection);
      expect(1000 / connector.sendEveryMs).toBeLessThan(known.limits.messagesPerSecond);
      expect(connector.rotateAfterMs).toBeLessThan(known.limits.lifetimeMs);
      expect(connector.attemptsPer5Min).toBeLessThan(known.limits.attemptsPer5Min);
    });

    it('knows whether a missing id is a hole, and heals holes where the venue can', () => {
      expect(connector.contiguousIds).toBe(known.contiguousIds);
      expect(connector.history !== undefined).toBe(known.history !== undefined);
    });

    it.runIf(facts?.history)('asks for history by id, within the limits of the venue', () => {
      const { symbol, fromId, url, headers } = known.history!;
      const history = connector.history!;
      expect(history.request(known.restUrl, symbol, BigInt(fromId))).toEqual({ url, headers });
      expect(history.request(`${known.restUrl}/`, symbol, BigInt(fromId)).url).toBe(url);
      expect(history.request(known.restUrl, symbol, 9007199254740993n).url).toContain('9007199254740993');
      expect(history.pageTrades).toBeLessThanOrEqual(known.limits.historyPage!);
      // The budget lets a tenth through at once, on top of what a minute gives.
      expect(history.weightPerMinute * 1.1).toBeLessThanOrEqual(known.limits.weightPerMinute!);
      expect(history.weight).toBeLessThanOrEqual(history.weightPerMinute / 10);
    });

    it.runIf(facts?.history)('has bodies of history: a page, none, and one that is no list', () => {
      expect(bodies.filter((one) => one.expect.trades).length).toBeGreaterThan(1);
      expect(bodies.filter((one) => one.expect.error).length).toBeGreaterThan(1);
    });

    it.each(bodies.filter(isGood))('reads the history $name', ({ frame, expect: { trades: told } }) => {
      expect(connector.history!.parse(frame, known.history!.symbol, RECEIVED_AT_US)).toEqual(trades(told));
    });

    it.each(bodies.filter((one) => !isGood(one)))('refuses the history $name', ({ frame, expect: { error } }) => {
      expect(failure(() => connector.history!.parse(frame, known.history!.symbol, RECEIVED_AT_US))).toMatchObject({
        name: 'FrameError',
        code: error,
      });
    });
  },
);

describe('the unit of a time', () => {
  it('is told by its magnitude', () => {
    expect([microsecondsOf(1_723_161_255_611), microsecondsOf(1_723_161_255_611_987)]).toEqual([
      1_723_161_255_611_000, 1_723_161_255_611_987,
    ]);
    expect(microsecondsOf(Date.UTC(2100, 0))).toBe(Date.UTC(2100, 0) * 1000);
    expect(microsecondsOf(Date.UTC(2009, 0, 3) * 1000)).toBe(Date.UTC(2009, 0, 3) * 1000);
  });
});
