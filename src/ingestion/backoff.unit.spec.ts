import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Backoff } from './backoff.js';

const FIVE_MINUTES_MS = 300_000;
/** With the most of jitter, or none. */
const most = (attemptsPer5Min = 1000): Backoff => new Backoff(attemptsPer5Min, () => 1);

describe('the wait before the next connection', () => {
  it('doubles from failure to failure up to half a minute', () => {
    const backoff = most();
    expect([1, 2, 3, 4, 5, 6, 7, 8].map((n) => backoff.waitMs(0, n))).toEqual([
      1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000,
    ]);
  });

  it('stays capped after a thousand failures', () => {
    const backoff = most();
    for (let n = 0; n < 1000; n++) expect(backoff.waitMs(0, n)).toBeLessThanOrEqual(30_000);
  });

  it('is anything between nothing and its bound, so that many clients do not come back at once', () => {
    const drawn = [0, 0.25, 0.999];
    const backoff = new Backoff(1000, () => drawn.shift()!);
    expect([backoff.waitMs(0, 1), backoff.waitMs(0, 2), Math.round(backoff.waitMs(0, 3))]).toEqual([0, 500, 3996]);
  });

  it('starts over only after a connection that lived for half a minute', () => {
    const backoff = most();
    for (let n = 0; n < 5; n++) backoff.waitMs(0, n);
    expect(backoff.waitMs(29_999, 10)).toBe(30_000);
    expect(backoff.waitMs(30_000, 11)).toBe(500);
    expect(backoff.waitMs(0, 12)).toBe(1000);
  });

  it('grows for a server that accepts and closes at once', () => {
    const backoff = most();
    expect([200, 200, 200].map((livedMs, n) => backoff.waitMs(livedMs, n))).toEqual([1000, 2000, 4000]);
  });

  it("lasts until the venue's five minutes allow one more attempt", () => {
    const backoff = new Backoff(2, () => 0);
    backoff.attempted(1000);
    expect(backoff.waitMs(0, 1500)).toBe(0);
    backoff.attempted(2000);
    expect(backoff.waitMs(0, 2500)).toBe(1000 + FIVE_MINUTES_MS - 2500);
    expect(backoff.waitMs(0, 1000 + FIVE_MINUTES_MS)).toBe(0);
  });

  it('counts attempts made without asking, as a rotation makes them', () => {
    const backoff = new Backoff(2, () => 0);
    for (const atMs of [1000, 2000, 3000]) backoff.attempted(atMs);
    expect(backoff.waitMs(0, 4000)).toBe(2000 + FIVE_MINUTES_MS - 4000);
  });

  it('never lets more attempts into any five minutes than the venue allows', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.tuple(fc.nat(40_000), fc.double({ min: 0, max: 1, noNaN: true })), { maxLength: 60 }),
        (limit, lives) => {
          let drawn = 0;
          const backoff = new Backoff(limit, () => drawn);
          const attempts: number[] = [];
          let nowMs = 0;
          for (const [livedMs, random] of lives) {
            backoff.attempted(nowMs);
            attempts.push(nowMs);
            nowMs += livedMs;
            drawn = random;
            nowMs += backoff.waitMs(livedMs, nowMs);
          }
          const spans = attempts.slice(limit).map((atMs, i) => atMs - attempts[i]!);
          expect(spans.filter((spanMs) => spanMs < FIVE_MINUTES_MS - 0.001)).toEqual([]);
        },
      ),
    );
  });
});
