import { expect, it } from 'vitest';
import { untilNextTurnMs } from './schedule.js';

it('keeps to its turns, however long one takes', () => {
  expect(untilNextTurnMs(1000, 60_000, 1000)).toBe(60_000);
  expect(untilNextTurnMs(1000, 60_000, 16_000)).toBe(45_000);
});

it('leaves out the turns that were missed', () => expect(untilNextTurnMs(0, 60_000, 150_000)).toBe(30_000));

it('waits a whole turn when the clock was set back', () => expect(untilNextTurnMs(5000, 60_000, 0)).toBe(60_000));
