import { describe, expect, it } from 'vitest';
import { Pace } from './pace.service.js';

/** A bus that tells these numbers of chunks that wait, one after the other, and how often it was asked. */
function paceOver(waiting: readonly number[]) {
  let asked = 0;
  const bus = { undelivered: () => Promise.resolve(waiting[asked++] ?? 0) };
  return { pace: new Pace(bus as never), asked: () => asked };
}
const reading = (chunks: number) => ({ chunks, letThroughMs: performance.now() });
const goOn = (): void => undefined;

describe('the pace of reading', () => {
  it('lets chunks through while fewer than 24 wait, and asks for every eighth', async () => {
    const { pace, asked } = paceOver([23]);
    await pace.letThrough(reading(8), goOn);
    await pace.letThrough(reading(9), goOn);
    expect(asked()).toBe(1);
  });

  it('waits while 24 chunks wait', async () => {
    const { pace, asked } = paceOver([24, 24, 23]);
    await pace.letThrough(reading(0), goOn);
    expect(asked()).toBe(3);
  });

  it('waits beside market data until nothing waits, at every chunk', async () => {
    const { pace, asked } = paceOver([2, 1, 0, 1, 0]);
    pace.onTradesReceived();
    await pace.letThrough(reading(1), goOn);
    expect(asked()).toBe(3);
    await pace.letThrough(reading(2), goOn);
    expect(asked()).toBe(5);
  });

  it('is not held up for long by one that waits to be tried again', async () => {
    const { pace, asked } = paceOver(Array.from({ length: 1000 }, () => 1));
    pace.onTradesReceived();
    await pace.letThrough(reading(1), goOn);
    expect(asked()).toBeLessThan(1000);
  });

  it('rests beside market data for a part of what the last chunk took', async () => {
    const { pace } = paceOver([]);
    pace.onTradesReceived();
    const one = { chunks: 1, letThroughMs: performance.now() - 100 };
    const startedMs = performance.now();
    await pace.letThrough(one, goOn);
    expect(performance.now() - startedMs).toBeGreaterThan(45);
    expect(one.letThroughMs).toBeGreaterThan(startedMs);
  });

  it('ends at once when the reading stops', async () => {
    const { pace } = paceOver(Array.from({ length: 1000 }, () => 24));
    const stop = new Error('stopped');
    const stopping = pace.letThrough(reading(0), () => {
      throw stop;
    });
    await expect(stopping).rejects.toBe(stop);
  });
});
