import type { DataSource } from 'typeorm';
import { RulesChangedV1 } from '../../contracts/index.js';
import type { Bus } from '../../platform/bus/index.js';
import { ruleOf } from './rule-body.js';
import { RuleStore } from './rule.store.js';
import { SAMPLE_RULES } from './samples.js';

/**
 * Stores the sample rules that are not there yet, and returns how many those were. The process need not run alerts: one
 * that does hears of them, now or when it starts.
 */
export function installSampleRules(bus: Bus, dataSource: DataSource): Promise<number> {
  const store = new RuleStore(dataSource);
  return bus.transaction(async (tx) => {
    const ids: string[] = [];
    for (const body of SAMPLE_RULES) {
      const read = ruleOf(body, body.id);
      if ('faults' in read) throw new Error(`The sample rule ${body.id} is wrong: ${read.faults[0]?.message}`);
      if (await store.insert(tx, read.rule)) ids.push(body.id);
    }
    if (ids.length > 0) await bus.append(tx, RulesChangedV1, { ids });
    return ids.length;
  });
}
