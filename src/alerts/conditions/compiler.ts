import {
  absolute,
  type Arithmetic,
  ARITHMETIC,
  both,
  COMPARE,
  COMPARE_SLOT,
  constant,
  crossed,
  crossing,
  either,
  greatest,
  least,
  MIRRORED,
  negative,
  not,
  type NumberRun,
  type Ordering,
  sameText,
  sameTruth,
  slot,
  told,
  type TextRun,
  type TruthRun,
} from './closures.js';
import { ConditionError, fault, type Range } from './condition-error.js';
import { type InputRef, inputKey, VARIABLE_NAMES } from './input-ref.js';
import { INDICATORS, inputOf, type ReadFunction, readFunction } from './reads.js';
import { nearest } from './nearest.js';
import type { Call, Node } from './syntax.js';

/** A part with its type. */
type Part = NumberPart | TruthPart | TextPart;
type NumberPart = Readonly<{
  type: 'number';
  run: NumberRun;
  /** Known now; what comes of the threshold is one as well. */
  constant?: number;
  /** An input as it is. */
  slot?: number;
}>;
type TruthPart = Readonly<{ type: 'truth'; run: TruthRun }>;
type TextPart = Readonly<{ type: 'text'; run: TextRun }>;

const CALLED = { number: 'a number', truth: 'true or false', text: 'a text' } as const;
const COUNTING = ['abs', 'min', 'max', 'crosses_above', 'crosses_below'] as const;

export const TEXT_NAMES = ['symbol', 'source'] as const;
export const FUNCTION_NAMES: readonly string[] = [
  ...COUNTING,
  'avg',
  'sum',
  'stddev',
  'change',
  'change_pct',
  ...INDICATORS.keys(),
  'anomaly',
  'custom',
];
export const NAMES: readonly string[] = [...VARIABLE_NAMES, ...TEXT_NAMES, 'threshold', 'true', 'false'];

/** Types one text and makes its closures; one a text. */
export class Compiler {
  readonly inputs: InputRef[] = [];
  /** To run before the condition, each with its cell. */
  readonly crossings: ReturnType<typeof crossing>[] = [];
  /** Numbers that are compared with what is no constant, and where they stand. */
  readonly compared: (Range & { value: number })[] = [];
  readsThreshold = false;
  private readonly slots = new Map<string, number>();

  constructor(private readonly threshold: number | undefined) {}

  /** Throws ConditionError unless it is true or false. */
  condition(node: Node): TruthRun {
    const part = this.part(node);
    if (part.type !== 'truth')
      throw fault(
        'not-a-truth',
        node,
        `a condition is true or false, and this is ${CALLED[part.type]}`,
        'a comparison',
      );
    return part.run;
  }

  private part(node: Node): Part {
    switch (node.kind) {
      case 'number':
        return this.known(node.value, node);
      case 'text':
        return { type: 'text', run: constant(node.value) };
      case 'truth':
        return { type: 'truth', run: constant(node.value) };
      case 'name':
        return this.name(node);
      case 'call':
        return this.call(node);
      case 'unary':
        return node.op === '!' ? { type: 'truth', run: not(this.truth(node.of, '!')) } : this.negated(node);
      case 'binary':
        return this.binary(node);
    }
  }

  private name(node: Node & { kind: 'name' }): Part {
    const { name } = node;
    if (name === 'symbol') return { type: 'text', run: (_s, _m, of) => of.symbol };
    if (name === 'source') return { type: 'text', run: (_s, _m, of) => of.source };
    if (name === 'threshold') return this.thresholdAt(node);
    const variable = VARIABLE_NAMES.find((one) => one === name);
    if (variable) return this.input({ kind: 'variable', name: variable });
    if (FUNCTION_NAMES.includes(name))
      throw fault('unknown-name', node, `${name} is a function: write ${name}(…)`, `${name}(…)`);
    throw unknown('unknown-name', node, name, NAMES);
  }

  private thresholdAt(node: Node): NumberPart {
    this.readsThreshold = true;
    if (this.threshold === undefined) throw fault('no-threshold', node, 'the rule has no threshold', 'a number');
    return this.known(this.threshold, node);
  }

  private call(node: Call): Part {
    const reads = readFunction(node);
    if (reads) return this.reading(node, reads);
    const { name, args, start, nameEnd } = node;
    const [first, second] = args;
    if (name === 'abs') {
      if (!first || second) throw fault('wrong-arguments', node, 'abs takes one number', 'abs(x)');
      const of = this.number(first, name);
      return of.constant === undefined
        ? { type: 'number', run: absolute(of.run) }
        : this.known(Math.abs(of.constant), node);
    }
    if (name === 'min' || name === 'max') return this.extreme(node, name);
    if (name === 'crosses_above' || name === 'crosses_below') return this.crossing(node, name === 'crosses_above');
    if (NAMES.includes(name))
      throw fault('unknown-function', { start, end: nameEnd }, `${name} is no function; write it without ()`, name);
    throw unknown('unknown-function', { start, end: nameEnd }, name, FUNCTION_NAMES);
  }

  private reading(node: Call, reads: ReadFunction): Part {
    const input = inputOf(node, reads);
    return input.kind === 'anomaly' ? { type: 'truth', run: told(this.slotOf(input)) } : this.input(input);
  }

  private extreme(node: Call, name: 'min' | 'max'): NumberPart {
    const { args } = node;
    if (args.length < 2)
      throw fault(
        'wrong-arguments',
        node,
        `${name} takes two numbers or more, or a series and a duration`,
        `${name}(a, b)`,
      );
    const parts = args.map((argument) => this.number(argument, name));
    const known = parts.map((part) => part.constant).filter((value) => value !== undefined);
    if (known.length === parts.length) return this.known(Math[name](...known), node);
    const pair = name === 'min' ? least : greatest;
    return { type: 'number', run: parts.map(({ run }) => run).reduce((left, right) => pair(left, right)) };
  }

  private crossing(node: Call, isAbove: boolean): TruthPart {
    const { name, args } = node;
    const [first, second] = args;
    if (!first || !second || args.length > 2)
      throw fault('wrong-arguments', node, `${name} takes two numbers`, `${name}(price, 50000)`);
    const [left, right] = [this.number(first, name), this.number(second, name)];
    this.compare(first, left, second, right);
    const cell = this.crossings.length;
    this.crossings.push(crossing(left.run, right.run, cell, isAbove));
    return { type: 'truth', run: crossed(cell) };
  }

  private negated(node: Node & { kind: 'unary' }): NumberPart {
    const of = this.number(node.of, '-');
    return of.constant === undefined ? { type: 'number', run: negative(of.run) } : this.known(-of.constant, node);
  }

  private binary(node: Node & { kind: 'binary' }): Part {
    const { op, left, right } = node;
    switch (op) {
      case '&&':
        return { type: 'truth', run: both(this.truth(left, op), this.truth(right, op)) };
      case '||':
        return { type: 'truth', run: either(this.truth(left, op), this.truth(right, op)) };
      case '==':
      case '!=':
        return this.sameness(node, op);
      case '<':
      case '<=':
      case '>':
      case '>=':
        return this.ordering(op, left, this.number(left, op), right, this.number(right, op));
      case '+':
      case '-':
      case '*':
      case '/':
      case '%':
        return this.arithmetic(node, op);
    }
  }

  private sameness(node: Node & { kind: 'binary' }, op: '==' | '!='): TruthPart {
    const [left, right] = [this.part(node.left), this.part(node.right)];
    const wanted = op === '==';
    if (left.type === 'number' && right.type === 'number') return this.ordering(op, node.left, left, node.right, right);
    if (left.type === 'truth' && right.type === 'truth')
      return { type: 'truth', run: sameTruth(left.run, right.run, wanted) };
    if (left.type === 'text' && right.type === 'text')
      return { type: 'truth', run: sameText(left.run, right.run, wanted) };
    throw fault(
      'wrong-type',
      node.right,
      `${op} compares like with like: this is ${CALLED[right.type]}, on the left is ${CALLED[left.type]}`,
      CALLED[left.type],
    );
  }

  private ordering(op: Ordering, leftNode: Node, left: NumberPart, rightNode: Node, right: NumberPart): TruthPart {
    this.compare(leftNode, left, rightNode, right);
    if (left.slot !== undefined && right.constant !== undefined)
      return { type: 'truth', run: COMPARE_SLOT[op](left.slot, right.constant) };
    if (right.slot !== undefined && left.constant !== undefined)
      return { type: 'truth', run: COMPARE_SLOT[MIRRORED[op]](right.slot, left.constant) };
    return { type: 'truth', run: COMPARE[op](left.run, right.run) };
  }

  private arithmetic(node: Node & { kind: 'binary' }, op: Arithmetic): NumberPart {
    const [left, right] = [this.number(node.left, op), this.number(node.right, op)];
    if (right.constant === 0 && (op === '/' || op === '%'))
      throw fault('never-data', node, 'divides by zero, so it never has a value');
    const run = ARITHMETIC[op](left.run, right.run);
    if (left.constant === undefined || right.constant === undefined) return { type: 'number', run };
    return this.known(run(NOTHING, NOTHING, NOBODY), node);
  }

  private compare(leftNode: Node, left: NumberPart, rightNode: Node, right: NumberPart): void {
    const isLeft = left.constant !== undefined;
    if (isLeft === (right.constant !== undefined)) return;
    const { start, end } = isLeft ? leftNode : rightNode;
    this.compared.push({ value: isLeft ? left.constant : right.constant!, start, end });
  }

  private number(node: Node, wantedBy: string): NumberPart {
    const part = this.part(node);
    if (part.type === 'number') return part;
    throw fault('wrong-type', node, `${wantedBy} takes numbers, and this is ${CALLED[part.type]}`, CALLED.number);
  }

  private truth(node: Node, wantedBy: string): TruthRun {
    const part = this.part(node);
    if (part.type === 'truth') return part.run;
    throw fault('wrong-type', node, `${wantedBy} takes true or false, and this is ${CALLED[part.type]}`, CALLED.truth);
  }

  private known(value: number, at: Range): NumberPart {
    if (Number.isFinite(value)) return { type: 'number', run: constant(value), constant: value };
    throw fault('never-data', at, 'is no finite number, so it never has a value');
  }

  private input(input: InputRef): NumberPart {
    const at = this.slotOf(input);
    return { type: 'number', run: slot(at), slot: at };
  }

  private slotOf(input: InputRef): number {
    const key = inputKey(input);
    const known = this.slots.get(key);
    if (known !== undefined) return known;
    const at = this.inputs.push(input) - 1;
    this.slots.set(key, at);
    return at;
  }
}

const NOTHING = new Float64Array(0);
const NOBODY = { symbol: '', source: '' };

function unknown(
  code: 'unknown-name' | 'unknown-function',
  range: Range,
  name: string,
  all: readonly string[],
): ConditionError {
  const near = nearest(name, all);
  const what = `${name.slice(0, 40)} is not a ${code === 'unknown-name' ? 'name' : 'function'} that conditions know`;
  return fault(code, range, near ? `${what}; did you mean ${near}?` : what, near ?? all.join(', '));
}
