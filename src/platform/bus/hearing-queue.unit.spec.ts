import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HearingQueue } from './hearing-queue.js';

type Item = Readonly<{ id: number; weight: number }>;
const item = (id: number, weight = 1): Item => ({ id, weight });

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A queue in front of a hearer that works until it is let go on. */
function start(limits: { bound: number; take: number }) {
  const calls: number[][] = [];
  const dropped: number[] = [];
  const depths: number[] = [];
  const failures: unknown[] = [];
  const waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  let running = 0;
  let mostRunning = 0;
  const queue: HearingQueue<Item> = new HearingQueue<Item>(
    { ...limits, weigh: ({ weight }) => weight },
    async (batch) => {
      calls.push(batch.map(({ id }) => id));
      mostRunning = Math.max(mostRunning, ++running);
      try {
        await new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }));
      } finally {
        running--;
      }
    },
    {
      dropped: (_data, weight) => dropped.push(weight),
      depth: (weight) => depths.push(weight),
      failed: (error) => failures.push(error),
    },
  );
  return {
    queue,
    calls,
    dropped,
    depths,
    failures,
    mostRunning: () => mostRunning,
    /** Ends the call that runs. */
    async goOn(error?: Error): Promise<void> {
      const one = waiting.shift()!;
      if (error) one.reject(error);
      else one.resolve();
      await settled();
    },
    isBusy: () => waiting.length > 0,
  };
}

describe('a hearing queue', () => {
  it('hands over the first at once, and then all that waited meanwhile in one call', async () => {
    const { queue, calls, goOn } = start({ bound: 100, take: 100 });
    for (const id of [1, 2, 3, 4]) queue.offer(item(id));
    expect(calls).toEqual([[1]]);
    await goOn();
    expect(calls).toEqual([[1], [2, 3, 4]]);
  });

  it('makes one call at a time', async () => {
    const { queue, goOn, mostRunning, isBusy } = start({ bound: 100, take: 2 });
    for (let id = 0; id < 10; id++) queue.offer(item(id));
    await goOn();
    queue.offer(item(10));
    while (isBusy()) await goOn();
    expect(mostRunning()).toBe(1);
  });

  it('hands over no more than it may take, but always at least one', async () => {
    const { queue, calls, goOn } = start({ bound: 100, take: 5 });
    for (const [id, weight] of [
      [1, 1],
      [2, 3],
      [3, 2],
      [4, 1],
      [5, 9],
      [6, 1],
    ] as const)
      queue.offer(item(id, weight));
    for (let n = 0; n < 4; n++) await goOn();
    expect(calls).toEqual([[1], [2, 3], [4], [5], [6]]);
  });

  it('drops what comes beyond its bound and counts the weight, with what is still being worked on', async () => {
    const { queue, calls, dropped, goOn } = start({ bound: 5, take: 100 });
    queue.offer(item(1, 3));
    queue.offer(item(2, 2));
    queue.offer(item(3, 1));
    queue.offer(item(4, 4));
    expect(dropped).toEqual([1, 4]);
    await goOn();
    queue.offer(item(5, 3));
    queue.offer(item(6, 1));
    expect(dropped).toEqual([1, 4, 1]);
    await goOn();
    expect(calls).toEqual([[1], [2], [5]]);
  });

  it('takes a single thing that is larger than the bound when nothing else is there', () => {
    const { queue, calls, dropped } = start({ bound: 5, take: 5 });
    queue.offer(item(1, 50));
    expect([calls, dropped]).toEqual([[[1]], []]);
  });

  it('goes on after a failure, and tells it', async () => {
    const { queue, calls, failures, goOn } = start({ bound: 100, take: 100 });
    queue.offer(item(1));
    queue.offer(item(2));
    await goOn(new Error('no'));
    expect(failures).toEqual([new Error('no')]);
    expect(calls).toEqual([[1], [2]]);
    await goOn();
    queue.offer(item(3));
    expect(calls).toEqual([[1], [2], [3]]);
  });

  it('goes on after a hearer that throws before it waits', async () => {
    const heard: number[] = [];
    const failures: unknown[] = [];
    const queue = new HearingQueue<Item>(
      { bound: 10, take: 1, weigh: () => 1 },
      ([one]) => {
        heard.push(one!.id);
        throw new Error('at once');
      },
      { dropped: () => undefined, depth: () => undefined, failed: (error) => failures.push(error) },
    );
    queue.offer(item(1));
    queue.offer(item(2));
    await queue.idle();
    expect([heard, failures.length]).toEqual([[1, 2], 2]);
  });

  it('makes one call at a time even where the hearer itself offers', async () => {
    const calls: number[] = [];
    let running = 0;
    let mostRunning = 0;
    const queue: HearingQueue<Item> = new HearingQueue<Item>(
      { bound: 10, take: 1, weigh: () => 1 },
      async ([one]) => {
        mostRunning = Math.max(mostRunning, ++running);
        calls.push(one!.id);
        if (one!.id < 3) queue.offer(item(one!.id + 1));
        await new Promise((resolve) => setImmediate(resolve));
        running--;
      },
      { dropped: () => undefined, depth: () => undefined, failed: () => undefined },
    );
    queue.offer(item(1));
    await queue.idle();
    expect([calls, mostRunning]).toEqual([[1, 2, 3], 1]);
  });

  it('tells its depth, down to nothing', async () => {
    const { queue, depths, goOn } = start({ bound: 100, take: 100 });
    queue.offer(item(1, 2));
    queue.offer(item(2, 3));
    await goOn();
    await goOn();
    expect(depths).toEqual([2, 5, 3, 0]);
  });

  it('is idle when nothing waits and nothing runs, and not before', async () => {
    const { queue, goOn } = start({ bound: 100, take: 1 });
    await queue.idle();
    queue.offer(item(1));
    queue.offer(item(2));
    let idle = false;
    const done = queue.idle().then(() => (idle = true));
    await goOn();
    expect(idle).toBe(false);
    await goOn();
    await done;
    expect(idle).toBe(true);
  });

  it('hands over or drops each thing exactly once, in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined })),
        async (bound, take, steps) => {
          const { queue, calls, dropped, depths, goOn, isBusy } = start({ bound, take });
          let offered = 0;
          for (const [id, weight] of steps.entries()) {
            if (weight === undefined) {
              if (isBusy()) await goOn();
              continue;
            }
            offered++;
            queue.offer(item(id, weight));
          }
          while (isBusy()) await goOn();
          const heard = calls.flat();
          expect(heard.length + dropped.length).toBe(offered);
          expect(heard).toEqual([...new Set(heard)].sort((a, b) => a - b));
          expect(Math.max(0, ...depths)).toBeLessThanOrEqual(Math.max(bound, 8));
          expect(depths.at(-1) ?? 0).toBe(0);
        },
      ),
      { numRuns: 50 },
    );
  });
});
