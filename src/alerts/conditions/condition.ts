import type { Subject } from './closures.js';
import { Compiler } from './compiler.js';
import { fault } from './condition-error.js';
import type { InputRef } from './input-ref.js';
import { parse } from './syntax.js';

export type Condition = Readonly<{
  text: string;
  /** Slot i holds inputs[i]; NaN there = no data. */
  inputs: readonly InputRef[];
  /** Cells that crosses_above and crosses_below keep between evaluations; each is NaN at first. */
  memory: number;
  /**
   * true, false, or undefined: no data. `memory` is written: a crossing is true in one evaluation, the one that first sees
   * the other side.
   */
  evaluate(slots: Float64Array, memory: Float64Array, of: Subject): boolean | undefined;
}>;

/**
 * Reads a condition; `threshold` is the variable of that name. A condition that does not name it, and compares with numbers
 * of its own, must compare with that one. Throws ConditionError.
 */
export function compileCondition(text: string, threshold?: number): Condition {
  const compiler = new Compiler(threshold);
  const run = compiler.condition(parse(text));
  const { inputs, crossings } = compiler;
  checkThreshold(compiler, threshold);
  if (crossings.length === 0) return { text, inputs, memory: 0, evaluate: run };
  return {
    text,
    inputs,
    memory: crossings.length,
    evaluate(slots, memory, of) {
      for (const cross of crossings) cross(slots, memory, of);
      return run(slots, memory, of);
    },
  };
}

function checkThreshold({ compared, readsThreshold }: Compiler, threshold: number | undefined): void {
  const [first] = compared;
  if (threshold === undefined || readsThreshold || !first || compared.some(({ value }) => value === threshold)) return;
  throw fault(
    'threshold-disagrees',
    first,
    `compares with ${first.value}, and the threshold of the rule is ${threshold}; write threshold, or the same number`,
    String(threshold),
  );
}
