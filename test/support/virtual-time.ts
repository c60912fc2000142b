import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, vi } from 'vitest';

/** Turns of the event loop after which nothing is under way on loopback any more. */
const TURNS = 30;
const MOST_NS = 5_000_000_000n;

/** Timers and clocks of each test are made up, sockets are real: `pass` lets virtual time go by. */
export function inVirtualTime(): void {
  beforeEach(() => {
    Logger.overrideLogger(false);
    vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
      now: Date.UTC(2026, 2, 1, 12),
    });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
}

/** Lets what is under way between sockets arrive. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits for I/O that takes longer, such as a request over HTTP, while virtual time stands still. */
export async function arrived(isThere: () => boolean): Promise<void> {
  const untilNs = process.hrtime.bigint() + MOST_NS;
  while (!isThere()) {
    if (process.hrtime.bigint() > untilNs) throw new Error(`it never came that ${isThere.toString()}`);
    await settled();
  }
}

/** Lets `ms` go by, timer by timer; what each of them sends has arrived before the next one fires. */
export async function pass(ms: number): Promise<void> {
  const untilMs = performance.now() + ms;
  setTimeout(() => undefined, ms); // no step goes beyond
  await settled();
  while (performance.now() < untilMs) {
    vi.advanceTimersToNextTimer();
    await settled();
  }
}
