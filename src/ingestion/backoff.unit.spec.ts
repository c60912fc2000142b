import { describe, expect, it } from 'vitest';
import { Backoff } from './backoff.js';

/** With the most of jitter, or none. */
const most = (): Backoff => new Backoff(() => 1);

describe('the wait before the next connection', () => {
  it('doubles from failure to failure up to half a minute', () => {
    const backoff = most();
    expect([1, 2, 3, 4, 5, 6, 7, 8].map(() => backoff.waitMs(0))).toEqual([
      1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000,
    ]);
  });

  it('stays capped after a thousand failures', () => {
    const backoff = most();
    for (let n = 0; n < 1000; n++) expect(backoff.waitMs(0)).toBeLessThanOrEqual(30_000);
  });

  it('is anything between nothing and its bound, so that many clients do not come back at once', () => {
    const drawn = [0, 0.25, 0.999];
    const backoff = new Backoff(() => drawn.shift()!);
    expect([backoff.waitMs(0), backoff.waitMs(0), Math.round(backoff.waitMs(0))]).toEqual([0, 500, 3996]);
  });

  it('starts over only after a connection that lived for half a minute', () => {
    const backoff = most();
    for (let n = 0; n < 5; n++) backoff.waitMs(0);
    expect(backoff.waitMs(29_999)).toBe(30_000);
    expect(backoff.waitMs(30_000)).toBe(500);
    expect(backoff.waitMs(0)).toBe(1000);
  });

  it('grows for a server that accepts and closes at once', () => {
    const backoff = most();
    expect([200, 200, 200].map((livedMs) => backoff.waitMs(livedMs))).toEqual([1000, 2000, 4000]);
  });
});
