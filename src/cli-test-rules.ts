import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runRuleTests } from './alerts/evaluation/rule-test.tool.js';
import { UsageError } from './cli-arguments.js';

/** Runs files of rule tests; ends with 1 when one fails, as a pipeline wants it. */
export function runTestRules(args: string[]): void {
  const { positionals } = parseArgs({ args, allowPositionals: true });
  if (positionals.length === 0) throw new UsageError('test-rules takes at least one file');
  let failed = 0;
  for (const path of positionals) {
    const results = resultsOf(path);
    for (const { name, failures } of results) {
      console.log(`${failures.length === 0 ? 'ok  ' : 'FAIL'} ${path}: ${name}`);
      for (const failure of failures) console.log(`       ${failure}`);
      if (failures.length > 0) failed++;
    }
  }
  if (failed > 0) throw new Error(`${failed} of the tests failed`);
}

function resultsOf(path: string): ReturnType<typeof runRuleTests> {
  try {
    return runRuleTests(readFileSync(path, 'utf8'));
  } catch (error) {
    const faults = (error as Error).message.split('\n');
    throw new Error(faults.map((fault) => `${path}: ${fault}`).join('\n'), { cause: error });
  }
}
