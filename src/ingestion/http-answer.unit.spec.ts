import { describe, expect, it } from 'vitest';
import { BodyTooLarge, pauseAskedMs, textOf, whyUnanswered } from './http-answer.js';

const DAY_MS = 86_400_000;

describe('Retry-After', () => {
  const NOW_MS = Date.UTC(2026, 7, 9, 12);

  it.each([
    ['120', 120_000],
    ['0', 0],
    ['Sun, 09 Aug 2026 12:00:30 GMT', 30_000],
    ['Sun, 09 Aug 2026 11:00:00 GMT', 0],
    ['99999999999', DAY_MS],
    ['soon', 0],
    ['-5', 0],
    ['', 0],
    [null, 0],
  ])('of %s asks for %d ms', (header, ms) => expect(pauseAskedMs(header, NOW_MS, DAY_MS)).toBe(ms));
});

describe('the body of an answer', () => {
  it('is text whatever the chunks it came in, up to the bytes that are allowed', async () => {
    const chunks = [...Buffer.from('8,5 €')].map((byte) => Uint8Array.of(byte));
    const answer = (): Response => new Response(ReadableStream.from(chunks));
    expect(await textOf(answer(), 7)).toBe('8,5 €');
    await expect(textOf(answer(), 6)).rejects.toThrow(new BodyTooLarge(6));
    expect(await textOf(new Response(null), 0)).toBe('');
  });
});

describe('a request that failed', () => {
  it('is told in the words of what happened', () => {
    const failed = new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') });
    expect(whyUnanswered(failed)).toBe('connect ECONNREFUSED');
    expect(whyUnanswered(new TypeError('fetch failed', { cause: new Error('') }))).toBe('fetch failed');
  });
});
