import { describe, expect, it } from 'vitest';
import { News } from './news.js';

const HOUR_US = 3_600_000_000;

describe('values with a time of their own', () => {
  it('are told once each, oldest first', () => {
    const news = new News();
    const answer = [
      { value: '41', observedAtUs: 2 },
      { value: '40', observedAtUs: 1 },
    ];
    expect(news.of(answer, 10).entries).toEqual([
      { value: '40', atUs: 1 },
      { value: '41', atUs: 2 },
    ]);
    expect(news.of([{ value: '41', observedAtUs: 3 }, ...answer], 20).entries).toEqual([{ value: '41', atUs: 3 }]);
  });

  it('stand as first told when the source changes them, and each change is counted once', () => {
    const news = new News();
    const at = (value: string) => news.of([{ value, observedAtUs: 1 }], 10);
    at('40');
    expect([at('44'), at('44'), at('45'), at('40')]).toEqual([
      { entries: [], revised: 1 },
      { entries: [], revised: 0 },
      { entries: [], revised: 1 },
      { entries: [], revised: 0 },
    ]);
  });

  it('are remembered up to a bound, the latest first seen', () => {
    const news = new News();
    const all = Array.from({ length: 3000 }, (_, i) => ({ value: '1', observedAtUs: i + 1 }));
    news.of(all, 10);
    expect(news.of(all.slice(-1000), 20).entries).toEqual([]);
    expect(news.of(all.slice(0, 1), 20).entries).toHaveLength(1);
  });
});

describe('values without a time', () => {
  it('are told when they change, at the time of the answer', () => {
    const news = new News();
    expect(['1.1', '1.1', '1.2', '1.1'].map((value, at) => news.of([{ value }], at + 1).entries)).toEqual([
      [{ value: '1.1', atUs: 1 }],
      [],
      [{ value: '1.2', atUs: 3 }],
      [{ value: '1.1', atUs: 4 }],
    ]);
  });

  it('are told anew after an hour, though they stand', () => {
    const news = new News();
    expect(
      [0, HOUR_US - 1, HOUR_US, 2 * HOUR_US - 1].map((at) => news.of([{ value: '7' }], at).entries.length),
    ).toEqual([1, 0, 1, 0]);
  });
});
