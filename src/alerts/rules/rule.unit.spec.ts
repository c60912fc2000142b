import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { durationTextOf, durationUs } from './duration-text.js';
import { compileRule, fingerprintOf, type Rule, watches } from './rule.js';
import { bodyOf, faultsOfBody, type RuleBody, ruleOf } from './rule-body.js';
import { watchingOf } from './watching.js';

const BODY = { id: 'btc', symbol: 'BTCUSDT', condition: 'price > threshold', threshold: 50_000 };

function read(body: RuleBody): Rule {
  expect(faultsOfBody(body)).toEqual([]);
  const result = ruleOf(body, body.id ?? 'made');
  if ('faults' in result) throw new Error(JSON.stringify(result.faults));
  return result.rule;
}

describe('a rule', () => {
  it('has every default written out', () => {
    expect(bodyOf(read(BODY))).toEqual({
      ...BODY,
      name: 'btc',
      description: '',
      severity: 'medium',
      enabled: true,
      for: '0s',
      keepFiringFor: '0s',
      noData: 'keep',
      noDataAfter: '20s',
      cooldown: '5m',
      mode: 'every',
      labels: {},
      channels: [],
    });
  });

  it('reads back what it writes', () => {
    const full: RuleBody = {
      ...BODY,
      symbol: ['BTCUSDT', 'ETHUSDT'],
      source: 'binance',
      resolveCondition: 'price < 49500',
      for: '90s',
      keepFiringFor: '1h',
      noData: 'alert',
      noDataAfter: '1m',
      cooldown: '0s',
      mode: 'once',
      expiresAt: '2030-01-01T00:00:00Z',
      labels: { team: 'desk' },
      channels: ['ops'],
      name: 'Bitcoin',
      severity: 'critical',
      enabled: false,
    };
    expect(read(bodyOf(read(full)))).toEqual(read(full));
    expect(read({ ...full, symbol: '*' }).symbols).toBe('*');
  });

  it('is one of the seeds', () => {
    const seed = {
      id: 'btc_price_high',
      name: 'BTC Price High',
      description: 'Bitcoin above 50,000',
      symbol: 'BTCUSD',
      condition: 'price > 50000',
      threshold: 50000,
      severity: 'high',
      enabled: true,
    } as const;
    expect(bodyOf(read(seed))).toMatchObject(seed);
  });

  it('is refused where condition and threshold disagree, with the place', () => {
    const { faults } = ruleOf({ ...BODY, condition: 'price > 51000' }, 'x') as { faults: object[] };
    expect(faults).toEqual([
      expect.objectContaining({ field: 'condition', code: 'threshold-disagrees', start: 8, end: 13 }),
    ]);
  });

  it('may end at another number than the threshold', () => {
    expect(() => compileRule(read({ ...BODY, resolveCondition: 'price < 49500' }))).not.toThrow();
    expect(() => compileRule(read({ ...BODY, resolveCondition: 'price < threshold * 0.99' }))).not.toThrow();
  });

  it('tells the faults of both conditions', () => {
    const { faults } = ruleOf({ ...BODY, condition: 'prise > threshold', resolveCondition: 'price' }, 'x') as {
      faults: { field: string; start: number }[];
    };
    expect(faults.map(({ field, start }) => [field, start])).toEqual([
      ['condition', 0],
      ['resolveCondition', 0],
    ]);
  });

  it('is refused for a condition that is too long as for any other that cannot be read', () => {
    const body = { ...BODY, condition: `price > threshold${' '.repeat(984)}` };
    expect(faultsOfBody(body)).toEqual([]);
    expect(ruleOf(body, 'x')).toMatchObject({
      faults: [{ field: 'condition', code: 'too-long', start: 1000, end: 1001 }],
    });
  });

  it.each<[string, object]>([
    ['symbol', { symbol: 'btcusdt' }],
    ['symbol', { symbol: [] }],
    ['symbol', { symbol: ['BTCUSDT', 'BTCUSDT'] }],
    ['symbol', { symbol: undefined }],
    ['symbol', { source: 'custom', symbol: 'BTCUSDT' }],
    ['condition', { condition: 5 }],
    ['condition', { condition: undefined }],
    ['threshold', { threshold: null }],
    ['threshold', { threshold: '50000' }],
    ['for', { for: '5' }],
    ['for', { for: '8d' }],
    ['noDataAfter', { noDataAfter: '0s' }],
    ['noData', { noData: 'fire' }],
    ['mode', { mode: 'twice' }],
    ['expiresAt', { expiresAt: 'tomorrow' }],
    ['labels', { labels: { symbol: 'BTC' } }],
    ['labels', { labels: JSON.parse('{"__proto__":"x"}') as object }],
    ['labels', { labels: { a: 1 } }],
    ['labels', { labels: [] }],
    ['channels', { channels: 'ops' }],
    ['channels', { channels: ['ops', 'ops'] }],
    ['id', { id: 'Has Spaces' }],
    ['name', { name: 'two\nlines' }],
    ['thresold', { thresold: 1 }],
  ])('is refused for its %s: %j', (field, change) =>
    expect(faultsOfBody({ ...BODY, ...change }).map((fault) => fault.field)).toEqual([field]),
  );

  it.each<[string, object]>([
    ['symbol must be a symbol in upper case such as BTCUSDT, not "btc"', { symbol: ['BTCUSDT', 'btc'] }],
    ['symbol names "BTCUSDT" twice', { symbol: ['BTCUSDT', 'BTCUSDT'] }],
    [
      'symbol must be a symbol such as BTCUSDT, a list of 1 to 100, or "*" alone, not "*"',
      { symbol: ['BTCUSDT', '*'] },
    ],
    ['for must be a duration such as 30s, 5m or 1h, from 0s to 7d, not "8d"', { for: '8d' }],
    [
      'labels has the name "a b"; a name is a letter, then up to 39 letters, digits, - or _',
      { labels: { 'a b': 'x' } },
    ],
    ['labels must have for team a text of up to 200 characters, not 5', { labels: { team: 5 } }],
    ['channels names "Ops!", which no channel can be called', { channels: ['ops', 'Ops!'] }],
    ['channels names "ops" twice', { channels: ['ops', 'ops'] }],
    ['severity must be one of low, medium, high, critical, not "loud"', { severity: 'loud' }],
  ])('is told what was wrong and what would be right: %s', (told, change) =>
    expect(faultsOfBody({ ...BODY, ...change }).map(({ field, message }) => `${field} ${message}`)).toEqual([told]),
  );

  it.each([null, 7, 'rule', [], undefined])('is no %j', (body) => expect(faultsOfBody(body)).toHaveLength(1));

  it('keeps its states through a cosmetic edit only', () => {
    const rule = read(BODY);
    const after = (change: Partial<RuleBody>): boolean =>
      fingerprintOf(read({ ...BODY, ...change })) === fingerprintOf(rule);
    expect(
      [
        { name: 'Other' },
        { description: 'x' },
        { severity: 'low' as const },
        { labels: { a: 'b' } },
        { channels: ['ops'] },
        { cooldown: '1h' },
        { expiresAt: '2030-01-01T00:00:00Z' },
      ].map(after),
    ).not.toContain(false);
    expect(
      [
        { condition: 'price >= threshold' },
        { threshold: 50_001 },
        { symbol: 'ETHUSDT' },
        { source: 'kraken' },
        { for: '1s' },
        { keepFiringFor: '1s' },
        { resolveCondition: 'price < 1' },
        { noData: 'ok' as const },
        { noDataAfter: '30s' },
        { mode: 'once' as const },
        { enabled: false },
      ].map(after),
    ).not.toContain(true);
  });

  it('watches its symbols, of its source', () => {
    const series = { source: 'binance', symbol: 'BTCUSDT' };
    expect(watches(read(BODY), series)).toBe(true);
    expect(watches(read({ ...BODY, symbol: '*' }), series)).toBe(true);
    expect(watches(read({ ...BODY, symbol: ['ETHUSDT'] }), series)).toBe(false);
    expect(watches(read({ ...BODY, source: 'kraken' }), series)).toBe(false);
  });

  it('of every symbol watches custom series only where it says so', () => {
    const series = { source: 'custom', symbol: 'orders.open' };
    expect(watches(read({ ...BODY, symbol: '*' }), series)).toBe(false);
    expect(watches(read({ ...BODY, symbol: '*', source: 'custom' }), series)).toBe(true);
    expect(watches(read({ ...BODY, symbol: 'orders.open', source: 'custom' }), series)).toBe(true);
  });

  it('says which series it has to look at, and of what it names nothing ever came', () => {
    const heard = Map.groupBy(
      [
        { source: 'binance', symbol: 'BTCUSDT', lastUs: 5 },
        { source: 'kraken', symbol: 'BTCUSDT', lastUs: 7 },
        { source: 'kraken', symbol: 'ETHUSDT', lastUs: 3 },
      ],
      ({ symbol }) => symbol,
    );
    const seenBy = (change: Partial<RuleBody>) => watchingOf(read({ ...BODY, ...change }), heard);
    expect(seenBy({})).toEqual({ series: 2, lastValueUs: 7, unheard: [] });
    expect(seenBy({ source: 'binance' })).toEqual({ series: 1, lastValueUs: 5, unheard: [] });
    expect(seenBy({ source: 'nofeed' })).toEqual({ series: 0, lastValueUs: undefined, unheard: ['BTCUSDT'] });
    expect(seenBy({ symbol: ['ETHUSDT', 'NOPE'] })).toEqual({ series: 1, lastValueUs: 3, unheard: ['NOPE'] });
    expect(seenBy({ symbol: '*', source: 'kraken' })).toEqual({ series: 2, lastValueUs: 7, unheard: [] });
  });

  it('counts bars of the shortest interval it reads', () => {
    const barOf = (condition: string): number => read({ symbol: '*', condition }).barUs / 60e6;
    expect(barOf('price > 5')).toBe(1);
    expect(barOf('rsi(14, "4h") > 70 && sma(20, "1h") > 5')).toBe(60);
  });
});

describe('a duration', () => {
  it('reads back what it writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999_999 }), fc.constantFrom('s', 'm', 'h', 'd'), (count, unit) => {
        const us = durationUs(`${count}${unit}`)!;
        expect(durationUs(durationTextOf(us))).toBe(us);
      }),
    );
  });

  it.each(['', '5', '1.5h', '-1s', '1w', ' 1s', null, 5])('is no %j', (text) =>
    expect(durationUs(text)).toBeUndefined(),
  );
});
