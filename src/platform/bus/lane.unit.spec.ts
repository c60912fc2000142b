import { describe, expect, it } from 'vitest';
import type { Delivery } from './event.store.js';
import { Lane } from './lane.js';

const delivery = (id: number, weightBytes = 10): Delivery => ({
  eventId: String(id),
  eventAt: '',
  name: 'shop.order-paid.v1',
  data: id,
  trace: undefined,
  attempts: 1,
  weightBytes,
});
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A lane over a database of `stored` deliveries; a claim takes four, and the consumer works until it is let go on. */
function start({ batch = 2, boundBytes = 50, lingerMs = 0, claims = 4 } = {}) {
  const stored: Delivery[] = [];
  const runs: string[][] = [];
  const waiting: (() => void)[] = [];
  const looks = { count: 0, fail: false };
  let running = 0;
  let mostRunning = 0;
  const lane = new Lane(
    { batch, lingerMs, boundBytes },
    async (deliveries) => {
      runs.push(deliveries.map(({ eventId }) => eventId));
      mostRunning = Math.max(mostRunning, ++running);
      await new Promise<void>((resolve) => waiting.push(resolve));
      running--;
    },
    async () => {
      looks.count++;
      const found = looks.fail ? [] : stored.splice(0, claims); // it sees what was committed when it began
      await settled();
      if (looks.fail) throw new Error('no database');
      return found;
    },
  );
  return {
    lane,
    stored,
    runs,
    looks,
    mostRunning: () => mostRunning,
    async goOn(): Promise<void> {
      waiting.shift()?.();
      for (let n = 0; n < 3; n++) await settled();
    },
    /** Lets everything run to its end. */
    async finish(): Promise<void> {
      for (let quiet = 0; quiet < 5;) {
        const go = waiting.shift();
        if (go) quiet = 0;
        else quiet++;
        go?.();
        await settled();
      }
    },
  };
}

/** One that has looked once and found nothing: new events may come in memory. */
async function caughtUp(options?: Parameters<typeof start>[0]) {
  const started = start(options);
  started.lane.look();
  await started.lane.idle();
  return started;
}

describe('a lane', () => {
  it('is caught up when it found nothing more and has handled what it took', async () => {
    const { lane, goOn } = start();
    expect(lane.isCaughtUp).toBe(false);
    lane.look();
    await goOn();
    expect(lane.isCaughtUp).toBe(true);
    lane.offer(delivery(1));
    await settled();
    expect(lane.isCaughtUp).toBe(false);
    await goOn();
    expect(lane.isCaughtUp).toBe(true);
  });

  it('takes no new event before it has looked into the database once and found nothing more', async () => {
    const { lane, stored, runs, finish } = start();
    stored.push(delivery(1));
    expect(lane.takesNew()).toBe(false);
    lane.look();
    await finish();
    expect(runs).toEqual([['1']]);
    expect(lane.takesNew()).toBe(true);
  });

  it('hands over what it was offered in order, in batches, one at a time', async () => {
    const { lane, runs, mostRunning, finish } = await caughtUp();
    for (const id of [1, 2, 3, 4, 5]) lane.offer(delivery(id));
    await finish();
    expect(runs).toEqual([['1'], ['2', '3'], ['4', '5']]);
    expect(mostRunning()).toBe(1);
  });

  it('waits for company as long as it may linger', async () => {
    const { lane, runs, finish } = await caughtUp({ batch: 3, lingerMs: 5 });
    lane.offer(delivery(1));
    await settled();
    lane.offer(delivery(2));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(runs).toEqual([['1', '2']]);
    await finish();
  });

  it('leaves new events in the database beyond its bound, and until it has caught up with them', async () => {
    const { lane, stored, runs, finish } = await caughtUp({ boundBytes: 30 });
    for (const id of [1, 2, 3]) {
      expect(lane.takesNew()).toBe(true);
      lane.offer(delivery(id));
    }
    expect(lane.takesNew()).toBe(false);
    stored.push(delivery(4), delivery(5), delivery(6), delivery(7), delivery(8));
    await finish();
    expect(runs.flat()).toEqual(['1', '2', '3', '4', '5', '6', '7', '8']);
    expect(lane.takesNew()).toBe(true);
  });

  it('takes what it left in the database before what it let in since, though that was committed later', async () => {
    const { lane, stored, runs, finish } = start({ batch: 1 });
    expect(lane.takesNew()).toBe(false); // the event of a transaction that is under way
    lane.look();
    await lane.idle();
    expect(lane.takesNew()).toBe(true);
    lane.offer(delivery(2));
    await settled();
    lane.offer(delivery(3));
    stored.push(delivery(1));
    lane.left();
    await finish();
    expect(runs).toEqual([['2'], ['1'], ['3']]);
  });

  it('is not idle, nor caught up, before it has handled what was left in the database while it looked there', async () => {
    const { lane, stored, runs, finish } = start();
    expect(lane.takesNew()).toBe(false);
    lane.look();
    stored.push(delivery(1)); // too late for the claim under way
    lane.left();
    const idle = lane.idle();
    expect(lane.isCaughtUp).toBe(false);
    await settled();
    expect(lane.takesNew()).toBe(false);
    await finish();
    await idle;
    expect(runs).toEqual([['1']]);
    expect(lane.isCaughtUp).toBe(true);
  });

  it('looks once more when it was asked to while it looked', async () => {
    const { lane, stored, runs, finish } = await caughtUp();
    lane.look();
    stored.push(delivery(1));
    lane.look();
    await finish();
    expect(runs).toEqual([['1']]);
  });

  it('stays behind while there is more in the database, though there is room', async () => {
    const { lane, stored, goOn, finish } = start({ batch: 10, boundBytes: 1000 });
    for (let id = 1; id <= 6; id++) stored.push(delivery(id));
    lane.look();
    await goOn();
    expect(lane.takesNew()).toBe(false);
    await finish();
    expect(lane.takesNew()).toBe(true);
  });

  it('counts what is being worked on as held', async () => {
    const { lane, goOn, finish } = await caughtUp({ boundBytes: 10 });
    lane.offer(delivery(1));
    await settled();
    expect(lane.takesNew()).toBe(false);
    await goOn();
    await finish();
    expect(lane.takesNew()).toBe(true);
  });

  it('looks once for any number of requests', async () => {
    const { lane, looks, finish } = await caughtUp();
    for (let n = 0; n < 10; n++) lane.look();
    await finish();
    expect(looks.count).toBeLessThanOrEqual(3);
  });

  it('finds what is due in the database beside what comes in memory', async () => {
    const { lane, stored, runs, finish } = await caughtUp();
    lane.offer(delivery(1));
    stored.push(delivery(2));
    lane.look();
    await finish();
    expect(runs.flat().sort()).toEqual(['1', '2']);
  });

  it('claims no more while a full batch waits: what waits would outlive its lease', async () => {
    const { lane, stored, goOn, looks, finish, runs } = await caughtUp({ batch: 1, boundBytes: 1000 });
    for (let id = 1; id <= 100; id++) stored.push(delivery(id));
    const before = looks.count;
    for (let turn = 0; turn < 10; turn++) {
      lane.look();
      await goOn();
    }
    // Ten turns of one delivery each: three claims of four are enough.
    expect(looks.count - before).toBeLessThanOrEqual(4);
    for (let turn = 0; turn < 50; turn++) {
      lane.look();
      await finish();
    }
    expect(runs.map(([id]) => Number(id))).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  });

  it('outlives a claim that fails, and catches up at the next look', async () => {
    const { lane, stored, runs, looks, finish } = await caughtUp();
    looks.fail = true;
    stored.push(delivery(1));
    lane.look();
    await lane.idle();
    expect(lane.takesNew()).toBe(false);
    looks.fail = false;
    lane.look();
    await finish();
    expect(runs).toEqual([['1']]);
    expect(lane.takesNew()).toBe(true);
  });

  it('keeps what waited in memory when a claim fails', async () => {
    const { lane, runs, looks, finish } = await caughtUp();
    looks.fail = true;
    lane.look();
    lane.offer(delivery(1));
    await lane.idle();
    looks.fail = false;
    lane.look();
    await finish();
    expect(runs).toEqual([['1']]);
  });

  it('is idle when nothing waits and nothing runs, and not before', async () => {
    const { lane, goOn, finish } = await caughtUp({ batch: 1 });
    lane.offer(delivery(1));
    lane.offer(delivery(2));
    let idle = false;
    const done = lane.idle().then(() => (idle = true));
    await goOn();
    expect(idle).toBe(false);
    await finish();
    await done;
    expect(idle).toBe(true);
  });
});
