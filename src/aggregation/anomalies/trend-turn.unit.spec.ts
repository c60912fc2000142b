import { describe, expect, it } from 'vitest';
import type { Finding } from './detector.js';
import { TrendTurn, type TrendState } from './trend-turn.js';
import { optionsOf } from './watched.js';

const OPTIONS = optionsOf('trend', 'zscore');

/** Log returns: so many minutes a leg, each with its drift a minute, with a wobble of both signs on top. */
function path(...legs: [minutes: number, drift: number][]): number[] {
  return legs.flatMap(([minutes, drift]) =>
    Array.from({ length: minutes }, (_, at) => drift + (at % 2 === 0 ? 1e-4 : -1e-4)),
  );
}

function turns(values: readonly number[], one = TrendTurn.fresh(OPTIONS)): (Finding & { minute: number })[] {
  return values.flatMap((value, minute) => {
    const finding = one.add(value);
    return finding ? [{ ...finding, minute }] : [];
  });
}

describe('the turn of a trend', () => {
  it('is told once when a rise of hours becomes a fall', () => {
    const found = turns(path([400, 0.0002], [200, -0.0004]));
    expect(found).toMatchObject([{ direction: 'down', expected: 0 }]);
    const [{ value, lower, minute }] = found as [(typeof found)[0]];
    expect(value).toBeLessThanOrEqual(lower);
    expect(minute).toBeGreaterThan(400);
    expect(minute).toBeLessThan(480);
  });

  it('is told when a fall becomes a rise', () => {
    expect(turns(path([400, -0.0002], [200, 0.0004]))).toMatchObject([{ direction: 'up' }]);
  });

  it('is none when the move is too small to matter, or the trend was short', () => {
    expect(turns(path([400, 0.00002], [200, -0.00004]))).toEqual([]);
    expect(turns(path([200, -0.0001], [40, 0.001], [100, -0.001]))).toHaveLength(1);
  });

  it('is rare in a random walk', () => {
    let seed = 11;
    const walk = Array.from({ length: 20_000 }, () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return (seed / 2 ** 31 - 0.5) * 0.003;
    });
    expect(turns(walk).length).toBeLessThan(20_000 / 1440);
  });

  it('is still told after a bad tick', () => {
    const values = path([300, 0.0002], [100, 0.0002], [200, -0.0004]);
    values[300]! += Math.log(1e4);
    values[301]! -= Math.log(1e4);
    expect(turns(values).filter(({ minute }) => minute > 400)).toMatchObject([{ direction: 'down' }]);
  });

  it('goes on to the same bits when it is stored and restored', () => {
    const values = path([200, 0.0002], [200, 0.0003], [200, -0.0004]);
    for (const cut of [0, 1, 150, 401]) {
      const first = TrendTurn.fresh(OPTIONS);
      turns(values.slice(0, cut), first);
      const resumed = TrendTurn.restore(OPTIONS, JSON.parse(JSON.stringify(first.state)) as TrendState | null);
      const live = TrendTurn.fresh(OPTIONS);
      turns(values, live);
      turns(values.slice(cut), resumed);
      expect(resumed.state).toEqual(live.state);
    }
  });

  it('says that it warms up', () => {
    const one = TrendTurn.fresh(OPTIONS);
    expect(one.last.state).toBe('warming-up');
    turns(path([119, 0.001]), one);
    expect(one.last).toMatchObject({ state: 'warming-up', reason: '119 of 120 samples' });
    turns(path([1, 0.001]), one);
    expect(one.last.state).toBe('normal');
  });
});
