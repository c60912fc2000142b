import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { inputKey } from '../conditions/index.js';
import { compileRule } from './rule.js';
import { bodyOf, faultsOfBody, ruleOf, type RuleBody } from './rule-body.js';
import { SAMPLE_RULES } from './samples.js';

const SAMPLES: readonly (RuleBody & { id: string })[] = SAMPLE_RULES;
const GROUPS = ['breakout', 'support', 'volume', 'volatility', 'anomaly', 'trend', 'sentiment'];

describe('the sample rules', () => {
  it('are fifteen, each with a name of its own, of every kind there is', () => {
    expect(new Set(SAMPLES.map(({ id }) => id)).size).toBe(15);
    expect(new Set(SAMPLES.map(({ labels }) => labels?.group))).toEqual(new Set(GROUPS));
  });

  it.each(SAMPLES.map((sample) => [sample.id, sample] as const))('%s is a rule that runs', (id, sample) => {
    expect(faultsOfBody(sample)).toEqual([]);
    const made = ruleOf(sample, id);
    if (!('rule' in made)) throw new Error(JSON.stringify(made.faults));
    const { condition, resolveCondition } = compileRule(made.rule);
    const { symbol } = sample;
    const subject = { symbol: 'BTCUSDT', source: 'simulator' };
    for (const one of [condition, ...(resolveCondition ? [resolveCondition] : [])]) {
      expect(one.inputs.map(inputKey)).not.toEqual([]);
      const memory = new Float64Array(one.memory).fill(NaN);
      expect(one.evaluate(new Float64Array(one.inputs.length).fill(NaN), memory, subject)).toBeUndefined();
    }
    expect(bodyOf(made.rule)).toMatchObject({ ...sample, symbol });
  });

  it.each(SAMPLES.filter(({ resolveCondition }) => resolveCondition).map((sample) => [sample.id, sample] as const))(
    '%s does not fire and end at once',
    (id, sample) => {
      const made = ruleOf(sample, id);
      if (!('rule' in made)) throw new Error(JSON.stringify(made.faults));
      const { condition, resolveCondition } = compileRule(made.rule);
      expect(resolveCondition!.inputs).toEqual(condition.inputs);
      const subject = { symbol: 'BTCUSDT', source: 'simulator' };
      const levels = Array.from({ length: 2001 }, (_, at) => (at - 1000) / 10);
      const { threshold = 1 } = sample;
      for (const level of [...levels, ...levels.map((part) => threshold * (1 + part / 1000))]) {
        const slots = new Float64Array(condition.inputs.length).fill(level);
        const both = [condition, resolveCondition!].map((one) => one.evaluate(slots, new Float64Array(0), subject));
        expect(both).not.toEqual([true, true]);
      }
    },
  );

  it('are those that docs/conditions.md lists', () => {
    const page = readFileSync(new URL('../../../docs/conditions.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| `(\w+)` +\| (\w+) +\| `(.+)` +\|$/gm)].filter(([, , group]) =>
      GROUPS.includes(group!),
    );
    const listed = rows.map(([, id, group, condition]) => [id, group, condition!.replaceAll('\\|', '|')]);
    expect(listed).toEqual(SAMPLES.map(({ id, labels, condition }) => [id, labels!.group, condition]));
  });
});
