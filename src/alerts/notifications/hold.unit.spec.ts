import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SEVERITIES } from '../../contracts/index.js';
import { heldUntilUs, isRunaway } from './hold.js';
import { rankOf } from '../messages/notice.js';

const severity = fc.constantFrom(...SEVERITIES);
const kind = fc.constantFrom('fired', 'no-data');
const us = fc.integer({ min: 0, max: 1_000_000 });
const notice = fc.record({ kind, severity, cooldownUs: us });
const last = fc.option(fc.record({ kind, severity, atUs: us }), { nil: undefined });
const stop = fc.option(us, { nil: undefined });

describe('a firing', () => {
  it('that repeats waits for the cooldown as it is now, counted from what was told', () => {
    const told = { kind: 'fired', severity: 'high', atUs: 100 } as const;
    const repeat = { kind: 'fired', severity: 'high', cooldownUs: 50 } as const;
    expect(heldUntilUs(repeat, told, undefined, 120)).toBe(150);
    expect(heldUntilUs({ ...repeat, cooldownUs: 10 }, told, undefined, 120)).toBeUndefined();
    expect(heldUntilUs({ ...repeat, severity: 'critical' }, told, undefined, 120)).toBeUndefined();
    expect(heldUntilUs(repeat, { ...told, kind: 'no-data' }, undefined, 120)).toBeUndefined();
    expect(heldUntilUs({ ...repeat, kind: 'no-data' }, told, undefined, 120)).toBeUndefined();
    expect(heldUntilUs(repeat, undefined, 500, 120)).toBe(500);
  });

  it('is held only into the future, and never when it is worse', () =>
    fc.assert(
      fc.property(notice, last, stop, us, (one, told, stoppedUntilUs, nowUs) => {
        const untilUs = heldUntilUs(one, told, stoppedUntilUs, nowUs);
        if (told && rankOf(one.severity) > rankOf(told.severity)) expect(untilUs).toBeUndefined();
        if (untilUs !== undefined) {
          expect(untilUs).toBeGreaterThan(nowUs);
          expect([stoppedUntilUs, told && told.atUs + one.cooldownUs]).toContain(untilUs);
          expect(heldUntilUs(one, told, stoppedUntilUs, untilUs)).toBeUndefined();
        }
      }),
    ));
});

it('of many series is no runaway rule, but many of few are', () => {
  expect(isRunaway({ notices: 500, series: 500 }, 15)).toBe(false);
  expect(isRunaway({ notices: 15, series: 1 }, 15)).toBe(false);
  expect(isRunaway({ notices: 16, series: 1 }, 15)).toBe(true);
});
