import { describe, expect, it } from 'vitest';
import { Pace } from './pace.js';

/** A pace that heard a trade every `everyMs`, the last one at the returned instant. */
function regular(everyMs: number, times = 500): { pace: Pace; lastMs: number } {
  const pace = new Pace(0);
  for (let n = 1; n <= times; n++) pace.heard(n * everyMs);
  return { pace, lastMs: times * everyMs };
}

describe('the pace of a symbol', () => {
  it('is suspicious of half a minute of silence where many trades a second are usual', () => {
    const { pace, lastMs } = regular(100);
    expect(pace.suspicion(lastMs + 29_000)).toBeLessThan(1);
    expect(pace.suspicion(lastMs + 31_000)).toBeGreaterThan(1);
  });

  it('takes an hour for granted where a trade an hour is usual, and no more than an hour anywhere', () => {
    const { pace, lastMs } = regular(3_500_000, 20);
    expect(pace.suspicion(lastMs + 3_500_000)).toBeLessThan(1);
    expect(pace.suspicion(lastMs + 3_700_000)).toBeGreaterThan(1);
  });

  it('asks after a minute where nothing was heard yet', () => {
    const pace = new Pace(1000);
    expect(pace.suspicion(60_000)).toBeLessThan(1);
    expect(pace.suspicion(61_001)).toBeGreaterThan(1);
  });

  it('is told that the market is quiet, and asks again after twice the time', () => {
    const { pace, lastMs } = regular(100);
    pace.explained(lastMs + 40_000);
    expect(pace.isExplained).toBe(true);
    expect(pace.suspicion(lastMs + 79_000)).toBeLessThan(1);
    expect(pace.suspicion(lastMs + 81_000)).toBeGreaterThan(1);
    pace.heard(lastMs + 90_000);
    expect(pace.isExplained).toBe(false);
  });

  it('counts a silence from the start of the connection that should have broken it', () => {
    const { pace, lastMs } = regular(100);
    pace.restart(lastMs + 100_000);
    expect(pace.suspicion(lastMs + 120_000)).toBeLessThan(1);
    expect(pace.suspicion(lastMs + 131_000)).toBeGreaterThan(1);
  });
});
