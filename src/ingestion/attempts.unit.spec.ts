import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Attempts } from './attempts.js';

const FIVE_MINUTES_MS = 300_000;

describe('the attempts of one venue', () => {
  it('go out at once while there are few, but never two at a time', () => {
    const attempts = new Attempts(100);
    expect([attempts.reserve(1000), attempts.reserve(1000), attempts.reserve(1000)]).toEqual([0, 200, 400]);
    expect(attempts.reserve(5000)).toBe(0);
  });

  it("wait until the venue's five minutes allow one more", () => {
    const attempts = new Attempts(2);
    attempts.reserve(1000);
    attempts.reserve(2000);
    expect(attempts.used(2000)).toBe(2);
    expect(attempts.reserve(3000)).toBe(1000 + FIVE_MINUTES_MS - 3000);
    expect(attempts.used(1000 + FIVE_MINUTES_MS)).toBe(2);
  });

  it('are never more in any five minutes than allowed, whoever asks and when', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(fc.nat(40_000), { maxLength: 60 }), (allowed, pauses) => {
        const attempts = new Attempts(allowed);
        const made: number[] = [];
        let nowMs = 0;
        for (const pauseMs of pauses) {
          nowMs += pauseMs;
          made.push(nowMs + attempts.reserve(nowMs));
        }
        const spans = made.slice(allowed).map((atMs, i) => atMs - made[i]!);
        expect(spans.filter((spanMs) => spanMs < FIVE_MINUTES_MS)).toEqual([]);
        expect(made).toEqual(made.toSorted((a, b) => a - b));
      }),
    );
  });
});
