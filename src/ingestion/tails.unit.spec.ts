import { describe, expect, it } from 'vitest';
import { Tails } from './tails.js';

const frontier = (lastId: bigint) => new Map([['BTCUSDT', { symbol: 'BTCUSDT', lastId }]]);
const next = (id: bigint) => new Map([['BTCUSDT', id]]);

describe('the tail of a series', () => {
  it('is no hole while it is on its way', () => {
    const tails = new Tails();
    expect(tails.stuck(next(10n), frontier(12n), 0)).toEqual([]);
    expect(tails.stuck(next(10n), frontier(15n), 2900)).toEqual([]);
    expect(tails.stuck(next(16n), frontier(15n), 3500)).toEqual([]);
  });

  it('is a hole once the series stands still: up to what had been received when it stopped', () => {
    const tails = new Tails();
    tails.stuck(next(10n), frontier(12n), 0);
    expect(tails.stuck(next(10n), frontier(15n), 3000)).toEqual([{ venueSymbol: 'BTCUSDT', from: 10n, to: 12n }]);
  });

  it('is none while a backlog moves, however far behind it is', () => {
    const tails = new Tails();
    for (let second = 0n; second < 20n; second++) {
      expect(tails.stuck(next(10n + second), frontier(1000n + second), Number(second) * 1000)).toEqual([]);
    }
  });

  it('is counted from the moment something was received and not recorded, not from the last trade before', () => {
    const tails = new Tails();
    tails.stuck(next(10n), frontier(9n), 0);
    expect(tails.stuck(next(10n), frontier(11n), 60_000)).toEqual([]);
    expect(tails.stuck(next(10n), frontier(11n), 63_000)).toEqual([{ venueSymbol: 'BTCUSDT', from: 10n, to: 11n }]);
  });

  it('says nothing of a series that was never recorded', () => {
    const tails = new Tails();
    tails.stuck(new Map(), frontier(11n), 0);
    expect(tails.stuck(new Map(), frontier(11n), 9000)).toEqual([]);
  });
});
