import { describe, expect, it } from 'vitest';
import { FeedWatch } from './feed-watch.js';

const MS = 1000;
const SECOND = 1_000_000;
const START = 1_700_000_000 * SECOND;

function lively(): FeedWatch {
  const watch = new FeedWatch();
  for (let i = 0; i <= 100; i++) watch.heard('binance', START - (100 - i) * 100 * MS, true);
  return watch;
}

describe('a feed', () => {
  it('is lost when it says so and brings nothing for five seconds, and back when it brings something', () => {
    const watch = new FeedWatch();
    watch.heard('binance', START, true);
    watch.changed('binance', false, START + SECOND);
    expect(watch.look(START + 4 * SECOND)).toEqual([]);
    expect(watch.look(START + 5 * SECOND)).toEqual([{ source: 'binance', sinceUs: START, isLost: true }]);
    expect(watch.look(START + 6 * SECOND)).toEqual([]);
    watch.heard('binance', START + 7 * SECOND, true);
    expect(watch.look(START + 7 * SECOND)).toMatchObject([{ isLost: false }]);
  });

  it('is lost when it is silent for far longer than it ever is, though connected', () => {
    const watch = lively();
    watch.changed('binance', true, START);
    expect(watch.look(START + 4 * SECOND)).toEqual([]);
    expect(watch.look(START + 5 * SECOND)).toMatchObject([{ sinceUs: START, isLost: true }]);
  });

  it('is not lost where it trades once in a while', () => {
    const watch = new FeedWatch();
    for (let i = 0; i < 100; i++) watch.heard('quiet', START + i * 20 * SECOND, true);
    expect(watch.look(START + (99 * 20 + 300) * SECOND)).toEqual([]);
    expect(watch.look(START + (99 * 20 + 401) * SECOND)).toMatchObject([{ isLost: true }]);
  });

  it('has no pace where it is polled', () => {
    const watch = new FeedWatch();
    for (let i = 0; i < 100; i++) watch.heard('fear-greed', START + i * SECOND, false);
    watch.changed('fear-greed', true, START);
    expect(watch.look(START + 86_400 * SECOND)).toEqual([]);
  });

  it('has the delay of its newest trade', () => {
    const watch = new FeedWatch();
    watch.traded('binance', [{ tradedAtUs: START - 80 * MS }, { tradedAtUs: START - 90 * MS }], START);
    watch.traded('binance', [{ tradedAtUs: START - 60 * SECOND }], START + 10 * MS); // found later
    expect(watch.delayUs('binance')).toBe(80 * MS);
    expect(watch.delayUs('kraken')).toBeUndefined();
  });
});
