import { expect, it } from 'vitest';
import { type RuleBody, ruleOf } from '../rules/rule-body.js';
import { fingerprintOf, type StoredRule } from '../rules/rule.js';
import { RuleBook } from './rule-book.js';
import type { MarketKey } from './trade-position.js';

const BTC = { source: 'binance', symbol: 'BTCUSDT' };
const ETH = { source: 'binance', symbol: 'ETHUSDT' };

function stored(id: string, body: Partial<RuleBody>, version = 1): StoredRule {
  const read = ruleOf({ symbol: 'BTCUSDT', condition: 'price > 10', ...body }, id);
  if ('faults' in read) throw new Error(JSON.stringify(read.faults));
  return { ...read.rule, version, fingerprint: fingerprintOf(read.rule), createdAtUs: 0, changedAtUs: 0 };
}

const idsAt = (book: RuleBook, key: MarketKey): string[] => book.runningAt(key).map(({ ruleId }) => ruleId);

it('runs a rule by its expiry as that reads now, whether a series is where it was or was touched meanwhile', () => {
  const book = new RuleBook();
  const firing = { phase: 'firing', sinceUs: 1, value: 11, open: 'condition', alertId: '1' } as const;
  book.load([stored('one', { expiresAt: '2026-08-09T22:00:00Z' })], []);
  const untouched = book.runningAt(ETH);
  const [before] = book.runningAt(BTC);
  expect(untouched).toEqual([]);
  const edited = stored('one', { expiresAt: '2026-08-09T23:00:00Z' }, 2);
  book.reload(['one'], [edited], []);
  expect(book.runningAt(BTC)).toEqual([before]);
  expect(before!.policy.expiresAtUs).toBe(Date.UTC(2026, 7, 9, 23) * 1000);

  const again = stored('one', { expiresAt: '2026-08-09T21:00:00Z' }, 3);
  book.reload(['one'], [again], [{ ruleId: 'one', ...BTC, state: { ...firing, version: 2 } }]);
  const [after] = book.runningAt(BTC);
  expect(after).not.toBe(before);
  expect(after).toMatchObject({ state: { phase: 'firing' }, policy: { expiresAtUs: again.expiresAtUs } });
});

it('finds the rules of a series by its symbol, through edits that move them', () => {
  const book = new RuleBook();
  book.load(
    [stored('btc', {}), stored('both', { symbol: ['BTCUSDT', 'ETHUSDT'] }), stored('all', { symbol: '*' })],
    [],
  );
  expect([idsAt(book, BTC), idsAt(book, ETH)]).toEqual([
    ['btc', 'both', 'all'],
    ['both', 'all'],
  ]);
  const { touched, gone } = book.reload(['btc'], [stored('btc', { symbol: 'ETHUSDT' }, 2)], []);
  expect([touched(BTC), touched(ETH), touched({ ...ETH, symbol: 'SOLUSDT' })]).toEqual([true, true, false]);
  expect(gone).toHaveLength(1);
  expect([idsAt(book, BTC), idsAt(book, ETH)]).toEqual([
    ['both', 'all'],
    ['both', 'btc', 'all'],
  ]);
  book.reload(['both', 'all'], [], []);
  expect([idsAt(book, BTC), idsAt(book, ETH), book.size]).toEqual([[], ['btc'], 1]);
  expect([book.isWatched(BTC), book.isWatched(ETH)]).toEqual([false, true]);
  expect(book.isWatched({ source: 'custom', symbol: 'ETHUSDT' })).toBe(false);
});

it('begins anew from what is stored where what happened in memory came to nothing', () => {
  const book = new RuleBook();
  book.load([stored('one', {})], []);
  const [before] = book.runningAt(BTC);
  before!.state = { phase: 'firing', sinceUs: 1, value: 11, open: 'condition' };
  book.reload(['one'], [stored('one', {})], []);
  expect(book.runningAt(BTC)).toEqual([before]);
  book.forget(before!);
  book.reload(['one'], [stored('one', {})], []);
  expect(book.runningAt(BTC)).toMatchObject([{ state: { phase: 'inactive' } }]);
});
