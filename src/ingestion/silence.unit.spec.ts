import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Silence } from './silence.js';

const feed = (everyMs: number, times: number): { silence: Silence; lastMs: number } => {
  const silence = new Silence(0);
  for (let n = 1; n <= times; n++) silence.heard(n * everyMs);
  return { silence, lastMs: times * everyMs };
};

describe('silence on a connection', () => {
  it('is overdue a minute after opening when nothing ever came', () => {
    const silence = new Silence(5000);
    expect(silence.overdueMs(5000 + 60_000)).toBe(0);
    expect(silence.overdueMs(5000 + 60_001)).toBe(1);
  });

  it('of a busy market is overdue after half a minute, not sooner', () => {
    const { silence, lastMs } = feed(10, 5000);
    expect(silence.overdueMs(lastMs + 29_999)).toBeLessThan(0);
    expect(silence.overdueMs(lastMs + 30_001)).toBeGreaterThan(0);
  });

  it('of a quiet market is borne for fifty times its usual pause', () => {
    const { silence, lastMs } = feed(10_000, 2000);
    expect(silence.overdueMs(lastMs + 400_000)).toBeLessThan(0);
    expect(silence.overdueMs(lastMs + 501_000)).toBeGreaterThan(0);
  });

  it('is never borne for more than a quarter of an hour', () => {
    const { silence, lastMs } = feed(3_600_000, 50);
    expect(silence.overdueMs(lastMs + 15 * 60_000 + 1)).toBe(1);
  });

  it('ends with the next frame', () => {
    const { silence, lastMs } = feed(10, 100);
    silence.heard(lastMs + 100_000);
    expect(silence.overdueMs(lastMs + 100_001)).toBeLessThan(0);
  });

  it('is borne the longer the slower the market has become, by and by', () => {
    const { silence, lastMs } = feed(10, 1000);
    let nowMs = lastMs;
    const bound = (): number => -silence.overdueMs(nowMs);
    const before = bound();
    for (let n = 0; n < 300; n++) silence.heard((nowMs += 5000));
    expect(before).toBe(30_000);
    expect(bound()).toBeGreaterThan(200_000);
  });

  it('is measured against a bound between half a minute and a quarter of an hour, whatever came', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(10_000_000), { minLength: 1, maxLength: 50 }), (pauses) => {
        const silence = new Silence(0);
        let nowMs = 0;
        for (const pauseMs of pauses) silence.heard((nowMs += pauseMs));
        const boundMs = -silence.overdueMs(nowMs);
        expect(boundMs).toBeGreaterThanOrEqual(30_000);
        expect(boundMs).toBeLessThanOrEqual(900_000);
      }),
    );
  });
});
