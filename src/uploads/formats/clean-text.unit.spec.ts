import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../contracts/index.js';
import { cleanEvent, cleanJson, cleanText } from './clean-text.js';

describe('cleaning text for PostgreSQL', () => {
  it('replaces U+0000 and lone surrogates, and counts them', () => {
    expect(cleanText('a\0b\uD800c\uDC00\0')).toEqual({ value: 'a\uFFFDb\uFFFDc\uFFFD\uFFFD', replaced: 4 });
  });

  it('leaves whole pairs and a replacement character that was there', () => {
    expect(cleanText('😀\uFFFD')).toEqual({ value: '😀\uFFFD', replaced: 0 });
    expect(cleanText('😀\uFFFD\uD83D')).toEqual({ value: '😀\uFFFD\uFFFD', replaced: 1 });
  });

  it('gives back the same value where nothing was to replace', () => {
    const value = { a: ['b', { c: null }], d: 1 };
    expect(cleanJson(value).value).toBe(value);
  });

  it('cleans message, trace id, keys and values at every depth of an event', () => {
    const event = {
      message: 'm\0',
      fields: { 'k\uD800': [{ deep: 'v\0' }, 1, true, null] },
      traceId: 't\0',
      level: 'warn',
      atUs: 5,
    } as const;
    expect(cleanEvent(event)).toEqual({
      value: {
        message: 'm\uFFFD',
        fields: { 'k\uFFFD': [{ deep: 'v\uFFFD' }, 1, true, null] },
        traceId: 't\uFFFD',
        level: 'warn',
        atUs: 5,
      },
      replaced: 4,
    });
  });

  it('keeps a key named __proto__ as a key', () => {
    const fields = JSON.parse('{"__proto__":{"a":"\\u0000"}}') as Record<string, Json>;
    expect(JSON.stringify(cleanJson(fields).value)).toBe('{"__proto__":{"a":"\uFFFD"}}');
  });

  it('leaves nothing that is refused, whatever it is given', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), fc.string({ unit: 'binary' }), (json, text) => {
        const { value, replaced } = cleanJson([json as Json, `${text}\0\uDFFF`]);
        expect(textsIn(value).filter((one) => one.includes('\0') || !one.isWellFormed())).toEqual([]);
        expect(replaced).toBeGreaterThanOrEqual(2);
      }),
    );
  });
});

function textsIn(json: Json): string[] {
  if (typeof json === 'string') return [json];
  if (typeof json !== 'object' || json === null) return [];
  return Object.entries(json).flatMap(([key, value]) => [key, ...textsIn(value as Json)]);
}
