import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeightBudget } from './weight-budget.js';

describe('a budget of request weight', () => {
  it("gives a tenth of a minute's worth at once, then as it comes back", () => {
    const budget = new WeightBudget(600, 0);
    expect([budget.take(25, 0), budget.take(25, 0), budget.take(10, 0)]).toEqual([0, 0, 0]);
    expect(budget.take(25, 0)).toBe(2500);
    expect(budget.take(25, 0)).toBe(5000);
  });

  it('fills up again, but never beyond the tenth', () => {
    const budget = new WeightBudget(600, 0);
    budget.take(60, 0);
    expect(budget.take(60, 6000)).toBe(0);
    expect(budget.take(60, 3_600_000)).toBe(0);
    expect(budget.take(1, 3_600_000)).toBe(100);
  });

  it('holds everything back until the moment the venue named', () => {
    const budget = new WeightBudget(6000, 0);
    budget.pauseUntil(120_000);
    expect(budget.take(25, 1000)).toBe(119_000);
    expect(budget.take(25, 119_999)).toBe(1);
    expect(budget.take(25, 120_000)).toBe(0);
  });

  it('keeps the later of two such moments', () => {
    const budget = new WeightBudget(6000, 0);
    budget.pauseUntil(60_000);
    budget.pauseUntil(10_000);
    expect(budget.take(25, 0)).toBe(60_000);
  });

  it('lets no minute cost more than a minute and a tenth, whoever asks when', () => {
    const requests = fc.array(fc.tuple(fc.integer({ min: 1, max: 100 }), fc.nat(3000)), {
      minLength: 1,
      maxLength: 200,
    });
    fc.assert(
      fc.property(fc.integer({ min: 1000, max: 6000 }), requests, (perMinute, list) => {
        const budget = new WeightBudget(perMinute, 0);
        const sent: { atMs: number; weight: number }[] = [];
        let nowMs = 0;
        for (const [weight, pauseMs] of list) {
          const waitMs = budget.take(weight, nowMs);
          expect(waitMs).toBeGreaterThanOrEqual(0);
          sent.push({ atMs: nowMs + waitMs, weight });
          nowMs += pauseMs;
        }
        for (const { atMs } of sent) {
          const spent = sent
            .filter((one) => one.atMs >= atMs && one.atMs < atMs + 60_000)
            .reduce((sum, one) => sum + one.weight, 0);
          expect(spent).toBeLessThanOrEqual(perMinute * 1.1 + 100);
        }
      }),
    );
  });
});
