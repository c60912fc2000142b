import { describe, expect, it } from 'vitest';
import { planFaults, type FaultPlan } from './faults.js';

const PLAN: FaultPlan = {
  drop: 0.01,
  repeat: 0.02,
  reorder: { often: 0.05, withinMs: 2000 },
  stall: { often: 0.001, forMs: 500 },
  gap: { often: 0.001, trades: 12 },
  disconnect: 0.0005,
  badFrame: 0.01,
  negative: 0.01,
};

describe('planned faults', () => {
  it('strike the same frames again under the same seed, in whatever order they are asked', () => {
    const first = run(PLAN, 42);
    const second = planFaults(PLAN, 42);
    const backward = Array.from({ length: 10_000 }, (_, i) => second.strike('btcusdt@trade', 9999 - i, i)).toReversed();
    expect(backward).toEqual(first);
    expect(run(PLAN, 43)).not.toEqual(first);
  });

  it('strike about as often as the probability says, and count it', () => {
    const faults = planFaults(PLAN, 5);
    for (let i = 0; i < 100_000; i++) faults.strike('ethusdt@trade', i, i);
    expect(faults.seed).toBe(5);
    expect(faults.struck.drop / 1000).toBeCloseTo(1, 0);
    expect(faults.struck.reorder / 1000).toBeCloseTo(5, 0);
    expect(faults.struck.disconnect).toBeGreaterThan(25);
    expect(faults.struck.disconnect).toBeLessThan(80);
  });

  it('strike other frames of another stream', () => {
    const faults = planFaults({ drop: 0.5 }, 1);
    const pattern = (stream: string): string =>
      Array.from({ length: 64 }, (_, i) => faults.strike(stream, i, i).length).join('');
    expect(pattern('btcusdt@trade')).not.toBe(pattern('ethusdt@trade'));
  });

  it('carry how late, how long and how many', () => {
    const faults = planFaults(
      { reorder: { often: 1, withinMs: 5000 }, stall: { often: 1, forMs: 7 }, gap: { often: 1, trades: 3 } },
      1,
    );
    const late = Array.from({ length: 1000 }, (_, i) => faults.strike('a@trade', i, i)[0]!).map((fault) =>
      fault.kind === 'reorder' ? fault.lateUs : -1,
    );
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...late)).toBeLessThan(5_000_000);
    expect(Math.max(...late) - Math.min(...late)).toBeGreaterThan(4_500_000);
    expect(faults.strike('a@trade', 0, 0).slice(1)).toEqual([
      { kind: 'stall', forMs: 7 },
      { kind: 'gap', trades: 3 },
    ]);
  });

  it('come exactly as often as counted, one in each part of the session', () => {
    const places = struckPlaces({ disconnect: { count: 5 } }, 9, 1000);
    expect(places).toHaveLength(5);
    expect(places.map((place) => Math.floor(place / 200))).toEqual([0, 1, 2, 3, 4]);
    expect(struckPlaces({ disconnect: { count: 5 } }, 9, 1000)).toEqual(places);
  });

  it('wait for the next frame when nobody was there at their place', () => {
    const faults = planFaults({ disconnect: { count: 2 } }, 9, 1000);
    const kinds = [999, 1000, 1001].map((place) => faults.strike('a@trade', place, place).length);
    expect(kinds).toEqual([1, 1, 0]);
  });

  it('strike handshakes, symbols and requests by their own count, alike under the same seed', () => {
    const plan: FaultPlan = {
      refusedHandshake: 0.3,
      slowHandshake: { often: { count: 2, over: 10 }, byMs: 9 },
      rest5xx: 1,
    };
    const draw = (): unknown[] => {
      const faults = planFaults(plan, 6);
      return Array.from({ length: 10 }, () => faults.strikeNext('handshake'));
    };
    expect(draw()).toEqual(draw());
    expect(
      draw()
        .flat()
        .filter((fault) => (fault as { byMs?: number }).byMs === 9),
    ).toHaveLength(2);
    const faults = planFaults(plan, 6);
    expect(faults.strike('a@trade', 0, 0)).toEqual([]);
    expect(faults.strikeNext('symbol')).toEqual([]);
    const statuses = Array.from({ length: 5 }, () => faults.strikeNext('request')[0]);
    expect(statuses).toEqual([500, 502, 503, 504, 500].map((status) => ({ kind: 'rest5xx', status })));
    expect(faults.struck).toMatchObject({ rest5xx: 5, refusedHandshake: 0, drop: 0 });
  });

  it('are refused when a count has nothing to be spread over or a probability is none', () => {
    expect(() => planFaults({ drop: { count: 3 } }, 1)).toThrow('needs "over"');
    expect(() => planFaults({ restHang: { count: 3 } }, 1, 1000)).toThrow('needs "over"');
    expect(struckPlaces({ drop: { count: 3, over: 30 } }, 1)).toHaveLength(3);
    expect(() => planFaults({ gap: { often: 1.5, trades: 2 } }, 1)).toThrow('fault gap: probability is 1.5');
  });
});

function run(plan: FaultPlan, seed: number): unknown[] {
  const faults = planFaults(plan, seed);
  return Array.from({ length: 10_000 }, (_, i) => faults.strike('btcusdt@trade', i, i));
}

function struckPlaces(plan: FaultPlan, seed: number, sessionFrames?: number): number[] {
  const faults = planFaults(plan, seed, sessionFrames);
  return Array.from({ length: 1000 }, (_, place) => place).filter(
    (place) => faults.strike('a@trade', place, place).length > 0,
  );
}
