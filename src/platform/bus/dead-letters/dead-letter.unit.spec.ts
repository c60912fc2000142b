import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type DeadLetter, fingerprintOf, messageText, MOST_PAYLOAD_BYTES, storedPayload } from './dead-letter.js';

const letter = (message: string, id = 'binance'): DeadLetter => ({
  stage: 'parse',
  code: 'parse.bad-trade',
  message,
  source: { kind: 'feed', id },
  attempts: 1,
  payload: '',
});

describe('a fingerprint', () => {
  it('is one for what failed alike, whatever the numbers and the quoted values', () => {
    const prints = ['price "-1" at 17 is wrong', 'price "abc" at 99999 is wrong'].map((text) =>
      fingerprintOf(letter(text)),
    );
    expect(new Set(prints).size).toBe(1);
    expect(prints[0]).toMatch(/^[0-9a-f]{16}$/);
  });

  it('differs by message, code and source', () => {
    const prints = [
      letter('a'),
      letter('b'),
      letter('a', 'kraken'),
      { ...letter('a'), code: 'decode.not-json' } as const,
    ].map(fingerprintOf);
    expect(new Set(prints).size).toBe(4);
  });

  it('is one for a fault in many files', () => {
    const prints = ['0b0e', '1f7a'].map((id) => fingerprintOf({ ...letter('a'), source: { kind: 'file', id } }));
    expect(new Set(prints).size).toBe(1);
  });

  it('takes no time worth the name over hostile messages', () => {
    const startedMs = performance.now();
    for (const text of ['"'.repeat(64_000), `'"\``.repeat(20_000), '1a'.repeat(32_000), `"${'a'.repeat(64_000)}`])
      fingerprintOf(letter(text));
    expect(performance.now() - startedMs).toBeLessThan(50);
  });
});

describe('a payload', () => {
  it('is kept as it came, bytes that are no text too', () => {
    const bytes = Buffer.from([0, 255, 128, 10]);
    expect(storedPayload(bytes)).toMatchObject({ bytes, fullBytes: 4 });
  });

  it('is cut at its bound, and told whole', () => {
    const whole = Buffer.alloc(MOST_PAYLOAD_BYTES + 1, 'x');
    const { bytes, fullBytes, sha256 } = storedPayload(whole);
    expect([bytes.length, fullBytes]).toEqual([MOST_PAYLOAD_BYTES, MOST_PAYLOAD_BYTES + 1]);
    expect(sha256).toBe(createHash('sha256').update(whole).digest('hex'));
    expect(storedPayload('é'.repeat(10), 5).bytes).toHaveLength(5);
  });
});

it('a message is bounded and can be stored', () => {
  expect(messageText(`a\0b\ud800${'x'.repeat(5000)}`)).toMatch(/^a\u2400b\ufffdx{1996}$/);
});
