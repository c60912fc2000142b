import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../contracts/index.js';
import { searchQuery, searchWords } from './search-words.js';

describe('the words of a log event', () => {
  it.each<[message: string, fields: Record<string, Json>, words: string]>([
    ['GET /api/v1/users?id=42 -> 503', {}, 'GET api v1 users id 42 503'],
    ['a', { first: 'b.c', deep: [{ more: 'd' }, 7], flag: true, none: null }, 'a b c d 7'],
    ['', {}, ''],
    ['Größe “5 €” 日本', {}, 'Größe 5 € 日本'],
  ])('of %j %j are %s', (message, fields, words) => expect(searchWords(message, fields)).toBe(words));

  it('are bounded, in all and each, and well-formed where they are cut', () => {
    expect(searchWords('x'.repeat(70_000), {}).length).toBe(200);
    expect(searchWords('a '.repeat(40_000), { b: 'c' }).length).toBeLessThan(32_768);
    expect(searchWords('😀'.repeat(5000), {}).isWellFormed()).toBe(true);
    expect(searchWords(`${'x'.repeat(199)}😀`, {})).toBe('x'.repeat(199));
    expect(
      searchWords('short', Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`k${i}`, 'v']))).length,
    ).toBeLessThan(32_768 * 2);
  });

  it('hold no punctuation of ASCII, whatever the text, and are found by a query of any of them', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), fc.nat(), (text, pick) => {
        const found = searchWords(text, {});
        expect(found).not.toMatch(/[!-/:-@[-`{-~]/);
        const words = found.split(' ').filter((word) => word !== '');
        const word = words[pick % (words.length || 1)];
        if (word !== undefined && word.toLowerCase() !== 'or') expect(searchQuery(word)).toBe(word);
      }),
    );
  });
});

describe('a query', () => {
  it.each<[typed: string, query: string | undefined]>([
    ['timeout  Order', 'timeout Order'],
    ['api.example.com:80', '"api example com 80"'],
    ['"in a row" next', '"in a row" next'],
    ['-debug -a.b -"c d"', '-debug -"a b" -"c d"'],
    ['a or b', 'a or b'],
    ['"or"', '"or"'],
    ['or OR', undefined],
    ['"never closed', '"never closed"'],
    ['a"b c"d', 'a "b c" d'],
    ['--x', '-x'],
    ['- x', 'x'],
    ['"" - => ::', undefined],
    ['', undefined],
  ])('of %j is %j', (typed, query) => expect(searchQuery(typed)).toBe(query));

  it('is made of any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (typed) => {
        expect(searchQuery(typed) ?? 'none').not.toBe('');
      }),
    );
  });
});
