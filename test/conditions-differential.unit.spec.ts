import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cases, compared } from '../bench/condition-oracle.js';
import { compileCondition } from '../src/alerts/conditions/index.js';

/** `node dist/bench/conditions.js` runs 100,000. */
const EXPRESSIONS = 3_000;

const OPERAND = String.raw`(?:[a-z]\w*(?:\([^()]*\))?|\d+(?:\.\d+)?)(?![\w.(])`;
const SUBTRACTED_TWICE = new RegExp(String.raw`(?<![\w.])(${OPERAND}\s*)-(\s*${OPERAND}\s*-\s*${OPERAND})`, 'g');
/** Planted faults are found by the same cases every time. */
const SEED = 1;

describe('random conditions', () => {
  it('say what another implementation of CEL says, at every moment', () => {
    const seen = { refused: 0, true: 0, false: 0, undefined: 0, crossings: 0, longest: 0 };
    fc.assert(
      fc.property(cases, (one) => {
        const outcome = compared(one);
        if (!outcome) return void seen.refused++;
        for (const answer of outcome.answers) seen[`${answer}`]++;
        if (outcome.text.includes('crosses_')) seen.crossings++;
        seen.longest = Math.max(seen.longest, outcome.text.length);
      }),
      { numRuns: EXPRESSIONS },
    );
    // Nothing is proven by cases that are all alike.
    const answers = seen.true + seen.false + seen.undefined;
    expect(seen.refused).toBeLessThan(EXPRESSIONS / 5);
    for (const answer of ['true', 'false', 'undefined'] as const) expect(seen[answer]).toBeGreaterThan(answers / 10);
    expect(seen.crossings).toBeGreaterThan(EXPRESSIONS / 50);
    expect(seen.longest).toBeGreaterThan(150);
  }, 120_000);

  it.each([
    ['<= taken for <', (text: string) => text.replaceAll('<=', '<')],
    ['&& taken for ||', (text: string) => text.replaceAll('&&', '||')],
    ['a difference taken for a sum', (text: string) => text.replaceAll(' - ', ' + ')],
    ['a crossing the wrong way', (text: string) => text.replaceAll('crosses_above', 'crosses_below')],
    ['operators that bind from the right', (text: string) => text.replaceAll(SUBTRACTED_TWICE, '$1-($2)')],
    ['one input taken for another', (text: string) => text.replaceAll('change_24h', 'sentiment')],
  ])('would show %s', (_fault, mistaken) => {
    const found = fc.check(
      fc.property(cases, (one) => void compared(one, (text, threshold) => compileCondition(mistaken(text), threshold))),
      { numRuns: EXPRESSIONS * 10, endOnFailure: true, seed: SEED },
    );
    expect(String(found.errorInstance)).toMatch(/here .*, oracle /);
  });

  it('would show a difference in what no data does', () => {
    const careless: typeof compileCondition = (text, threshold) => {
      const condition = compileCondition(text, threshold);
      return { ...condition, evaluate: (...given) => condition.evaluate(...given) ?? false };
    };
    const found = fc.check(
      fc.property(cases, (one) => void compared(one, careless)),
      { numRuns: EXPRESSIONS, endOnFailure: true, seed: SEED },
    );
    expect(String(found.errorInstance)).toMatch(/here false, oracle undefined/);
  });
});
