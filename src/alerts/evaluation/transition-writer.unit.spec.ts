import { Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Bus } from '../../platform/bus/index.js';
import type { Episodes, Recording } from '../episodes/episodes.service.js';
import { INACTIVE } from '../episodes/episode.js';
import type { RuleStateStore } from '../episodes/rule-state.store.js';
import { ruleOf } from '../rules/rule-body.js';
import { fingerprintOf, type StoredRule } from '../rules/rule.js';
import type { RuleStore } from '../rules/rule.store.js';
import { type RunningRule, startRule } from './running-rule.js';
import { TransitionWriter } from './transition-writer.service.js';

const TX = {} as EntityManager;
const FIRED = { kind: 'fired', atUs: 1, value: 106, reason: 'condition' } as const;

beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Logger.overrideLogger(['error']));

/** What is written ends in a list; rules that are `refused` cannot be. */
function writerOf(refused: readonly string[] = []) {
  const recorded: string[] = [];
  const given: string[] = [];
  const episodes = {
    recordAll: async (_: unknown, all: readonly Recording[]) => {
      for (const { rule } of all) if (refused.includes(rule.id)) throw new Error('refused');
      recorded.push(...all.map(({ rule }) => rule.id));
      return all.map(({ before, result }) => ({ ...result.state, version: (before.version ?? 0) + 1 }));
    },
  } as unknown as Episodes;
  const writer = new TransitionWriter(
    { savepoint: (_: unknown, work: () => Promise<unknown>) => work() } as unknown as Bus,
    episodes,
    {
      current: async (_: unknown, rules: readonly StoredRule[]) => new Set(rules.map(({ id }) => id)),
    } as unknown as RuleStore,
    {
      versions: async (_: unknown, keys: readonly unknown[]) => keys.map(() => undefined),
    } as unknown as RuleStateStore,
    { observe: () => {} } as never,
    { inc: ({ reason }: { reason: string }) => given.push(reason) } as never,
  );
  const fire = (id: string): RunningRule => {
    const read = ruleOf({ symbol: 'BTCUSDT', condition: 'price > 105' }, id);
    if ('faults' in read) throw new Error(JSON.stringify(read.faults));
    const rule = { ...read.rule, version: 1, fingerprint: fingerprintOf(read.rule), createdAtUs: 0, changedAtUs: 0 };
    const running = startRule(rule);
    writer.began(running);
    running.state = { phase: 'firing', sinceUs: 1, value: 106, open: 'condition' };
    const transition = { rule: running, before: INACTIVE, after: running.state, transitions: [FIRED] };
    writer.add(rule, { source: 'binance', symbol: 'BTCUSDT' }, transition);
    return running;
  };
  return { writer, fire, recorded, given };
}

it('knows at which version a state is once it is written, and no more where that is rolled back', async () => {
  const { writer, fire, recorded } = writerOf();
  const running = fire('one');
  expect(await writer.write(TX)).toEqual([]);
  expect(running.storedVersion).toBe(1);
  writer.settle(false);
  expect(running.storedVersion).toBeUndefined();
  expect(await writer.write(TX)).toEqual([]);
  writer.settle(true);
  expect([running.storedVersion, writer.isEmpty, recorded]).toEqual([1, true, ['one', 'one']]);
});

it('gives up what cannot be written, says which rules that leaves nowhere, and writes the others', async () => {
  const { writer, fire, recorded, given } = writerOf(['bad']);
  const [bad, good] = [fire('bad'), fire('good')];
  for (let attempt = 0; attempt < 2; attempt++) {
    await expect(writer.write(TX)).rejects.toThrow('refused');
    writer.settle(false);
  }
  expect(await writer.write(TX)).toEqual([bad]);
  writer.settle(true);
  expect({ recorded, given, version: good.storedVersion }).toEqual({
    recorded: ['good'],
    given: ['refused'],
    version: 1,
  });
  expect(writer.isEmpty).toBe(true);
});
