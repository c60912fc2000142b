import { describe, expect, it } from 'vitest';
import { HOSTILE } from '../bench/hostile-conditions.js';
import { compileCondition, CONDITION_FAULTS, ConditionError } from '../src/alerts/conditions/index.js';

/** How long each takes is measured by `node dist/bench/conditions.js`. */
describe('a hostile condition is refused where it is wrong:', () => {
  it.each(HOSTILE)('%s', (_what, text, code, at) => {
    const { code: told, start, end, message } = refusal(text);
    expect([told, start]).toEqual([code, at]);
    expect(end).toBeGreaterThanOrEqual(start);
    expect(end).toBeLessThanOrEqual(text.length);
    expect(message.length).toBeLessThan(400);
    expect(message).toMatch(/^[ -~…]+$/);
  });

  it('and there is one for every fault but the one of thresholds', () => {
    const covered = new Set<string>(HOSTILE.map(([, , code]) => code));
    expect(CONDITION_FAULTS.filter((code) => !covered.has(code))).toEqual(['threshold-disagrees']);
  });
});

function refusal(text: string): ConditionError {
  try {
    compileCondition(text);
  } catch (error) {
    if (error instanceof ConditionError) return error;
    throw error;
  }
  throw new Error(`${text} is taken`);
}
