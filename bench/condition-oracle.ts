import { Environment } from '@marcbachmann/cel-js';
import fc from 'fast-check';
import { compileCondition, ConditionError, inputKey } from '../src/alerts/conditions/index.js';

/**
 * Random conditions, held against another implementation of CEL. Both get the same operators, parentheses and spaces. What
 * is read differs in spelling only: an input is a variable of the oracle, left out where it has no data, so that its rules
 * for errors are ours for no data; numbers are doubles with a point; a crossing is a variable whose value a model finds.
 */
export type Case = Readonly<{ expression: Truth; moments: readonly Moment[] }>;
/** What every input has at one evaluation; NaN or infinite: no data. */
export type Moment = Readonly<{ values: readonly number[]; symbol: string; source: string }>;

type Layout = Readonly<{ wraps: boolean; space: string }>;
type Numeric = Layout &
  (
    | Readonly<{ kind: 'literal'; value: number }>
    | Readonly<{ kind: 'input'; input: number }>
    | Readonly<{ kind: 'threshold' }>
    | Readonly<{ kind: 'negative'; of: Numeric }>
    | Readonly<{ kind: 'function'; name: 'abs' | 'min' | 'max'; args: readonly Numeric[] }>
    | Readonly<{ kind: 'arithmetic'; op: string; left: Numeric; right: Numeric }>
  );
type Truth = Layout &
  (
    | Readonly<{ kind: 'truth'; value: boolean }>
    | Readonly<{ kind: 'anomaly' }>
    | Readonly<{ kind: 'text'; left: string; op: string; right: string }>
    | Readonly<{ kind: 'crossing'; isAbove: boolean; left: Numeric; right: Numeric }>
    | Readonly<{ kind: 'not'; of: Truth }>
    | Readonly<{ kind: 'compare'; op: string; left: Numeric; right: Numeric }>
    | Readonly<{ kind: 'logic'; op: string; left: Truth; right: Truth }>
  );

/** As a condition reads it, and the key it must have; the last is true or false. */
const INPUTS = [
  ['price', 'price'],
  ['volume', 'volume'],
  ['change_24h', 'change_24h'],
  ['sentiment', 'sentiment'],
  ['rsi("1m")', 'indicator rsi:14  1m'],
  ['macd_signal(12, 26, "1h")', 'indicator macd:12:26:9 signal 1h'],
  ['avg(volume, "20m")', 'window avg volume 20'],
  ['min(price, "1h")', 'window min price 60'],
  ["custom('orders.open')", 'custom orders.open'],
  ['anomaly("any", "10m")', 'anomaly any 10'],
] as const;
const ANOMALY = INPUTS.length - 1;
const THRESHOLD = 2;
const SYMBOLS = ['BTCUSDT', 'ETHUSDT'];
const MOMENTS = 4;

const PRECEDENCE: Readonly<Record<string, number>> = {
  '||': 1,
  '&&': 2,
  '<': 3,
  '<=': 3,
  '>': 3,
  '>=': 3,
  '==': 3,
  '!=': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
  '%': 5,
};
const UNARY = 6;
const PRIMARY = 7;

/** Few values, so that they meet; some so large that products of them are not finite. */
const number = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(-2, -1, 0, 1, 2, 3, 0.5, 2.5) },
  { weight: 1, arbitrary: fc.constantFrom(1e200, 1e-200, -1e308) },
);
const layout = { wraps: fc.nat(9).map((draw) => draw === 0), space: fc.constantFrom('', ' ', ' ', '  ', '\n') };

const { truth } = fc.letrec<{ numeric: Numeric; truth: Truth }>((tie) => ({
  numeric: fc.oneof(
    { maxDepth: 4, depthSize: 'medium', withCrossShrink: true },
    { weight: 4, arbitrary: fc.record({ ...layout, kind: fc.constant('input' as const), input: fc.nat(ANOMALY - 1) }) },
    { weight: 3, arbitrary: fc.record({ ...layout, kind: fc.constant('literal' as const), value: literal() }) },
    { weight: 1, arbitrary: fc.record({ ...layout, kind: fc.constant('threshold' as const) }) },
    { weight: 1, arbitrary: fc.record({ ...layout, kind: fc.constant('negative' as const), of: tie('numeric') }) },
    {
      weight: 1,
      arbitrary: fc.record({
        ...layout,
        kind: fc.constant('function' as const),
        name: fc.constantFrom('min' as const, 'max' as const),
        args: fc.array(tie('numeric'), { minLength: 2, maxLength: 3 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        ...layout,
        kind: fc.constant('function' as const),
        name: fc.constant('abs' as const),
        args: tie('numeric').map((of) => [of]),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        ...layout,
        kind: fc.constant('arithmetic' as const),
        op: fc.constantFrom('+', '-', '*', '/', '%'),
        left: tie('numeric'),
        right: tie('numeric'),
      }),
    },
  ),
  truth: fc.oneof(
    { maxDepth: 5, depthSize: 'medium', withCrossShrink: true },
    {
      weight: 1,
      arbitrary: fc.record({
        ...layout,
        kind: fc.constant('compare' as const),
        op: fc.constantFrom('<', '<=', '>', '>='),
        left: fc.record({ ...layout, kind: fc.constant('input' as const), input: fc.nat(ANOMALY - 1) }),
        right: fc.record({ ...layout, kind: fc.constant('literal' as const), value: literal() }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ ...layout, kind: fc.constant('anomaly' as const) }) },
    { weight: 1, arbitrary: fc.record({ ...layout, kind: fc.constant('truth' as const), value: fc.boolean() }) },
    {
      weight: 1,
      arbitrary: fc.record({
        ...layout,
        kind: fc.constant('text' as const),
        left: fc.constantFrom('symbol', 'source', '"BTCUSDT"'),
        op: fc.constantFrom('==', '!='),
        right: fc.constantFrom('"BTCUSDT"', "'ETHUSDT'", '"binance"', 'symbol'),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        ...layout,
        kind: fc.constant('compare' as const),
        op: fc.constantFrom('<', '<=', '>', '>=', '==', '!='),
        left: tie('numeric'),
        right: tie('numeric'),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        ...layout,
        kind: fc.constant('crossing' as const),
        isAbove: fc.boolean(),
        left: tie('numeric'),
        right: tie('numeric'),
      }),
    },
    { weight: 2, arbitrary: fc.record({ ...layout, kind: fc.constant('not' as const), of: tie('truth') }) },
    {
      weight: 9,
      arbitrary: fc.record({
        ...layout,
        kind: fc.constant('logic' as const),
        op: fc.constantFrom('||', '&&', '||', '&&', '==', '!='),
        left: tie('truth'),
        right: tie('truth'),
      }),
    },
  ),
}));

function literal(): fc.Arbitrary<number> {
  return number.map(Math.abs);
}

const moment: fc.Arbitrary<Moment> = fc.record({
  values: fc.tuple(
    ...INPUTS.map((_, at) =>
      fc.oneof(
        { weight: 7, arbitrary: at === ANOMALY ? fc.constantFrom(0, 1) : number },
        { weight: 1, arbitrary: fc.constantFrom(NaN, NaN, Infinity) },
      ),
    ),
  ),
  symbol: fc.constantFrom(...SYMBOLS),
  source: fc.constantFrom('binance', 'kraken'),
});

export const cases: fc.Arbitrary<Case> = fc.record({
  expression: truth as fc.Arbitrary<Truth>,
  moments: fc.array(moment, { minLength: MOMENTS, maxLength: MOMENTS }),
});

/** How a tree is written: what stands for numbers, inputs and crossings, and what is put around arithmetic. */
type Style = Readonly<{
  literal: (value: number) => string;
  input: (at: number) => string;
  crossing: (crossing: Truth & { kind: 'crossing' }) => string;
  around: (arithmetic: string) => string;
}>;

/** The shortest form of a whole number, as people write it. */
const OURS: Style = {
  literal: String,
  input: (at) => INPUTS[at]![0],
  crossing: ({ isAbove, left, right }) =>
    `crosses_${isAbove ? 'above' : 'below'}(${written(left, OURS)}, ${written(right, OURS)})`,
  around: (arithmetic) => arithmetic,
};
const asDouble = (value: number): string => (/^\d+$/.test(String(value)) ? `${value}.0` : String(value));

function written(node: Numeric | Truth, style: Style): string {
  const text = bare(node, style);
  return node.wraps ? `(${node.space}${text})` : text;
}

function bare(node: Numeric | Truth, style: Style): string {
  switch (node.kind) {
    case 'literal':
      return style.literal(node.value);
    case 'input':
      return style.input(node.input);
    case 'threshold':
      return 'threshold';
    case 'anomaly':
      return style.input(ANOMALY);
    case 'truth':
      return String(node.value);
    case 'text':
      return `${node.left}${node.space}${node.op}${node.space}${node.right}`;
    case 'crossing':
      return style.crossing(node);
    case 'function':
      return `${node.name}(${node.args.map((argument) => written(argument, style)).join(`,${node.space}`)})`;
    case 'negative':
      return `-${operand(node.of, UNARY, style)}`;
    case 'not':
      return `!${operand(node.of, UNARY, style)}`;
    default: {
      const binds = PRECEDENCE[node.op]!;
      const [left, right] = [operand(node.left, binds, style), operand(node.right, binds + 1, style)];
      const text = `${left}${node.space}${node.op}${node.space}${right}`;
      return node.kind === 'arithmetic' ? style.around(text) : text;
    }
  }
}

/** In parentheses where it would bind otherwise. */
function operand(node: Numeric | Truth, least: number, style: Style): string {
  const text = written(node, style);
  return node.wraps || bindingOf(node) >= least ? text : `(${text})`;
}

function bindingOf(node: Numeric | Truth): number {
  if (node.kind === 'negative' || node.kind === 'not') return UNARY;
  return 'op' in node ? PRECEDENCE[node.op]! : PRIMARY;
}

class NoData extends Error {}
const environment = new Environment()
  .registerVariable('symbol', 'string')
  .registerVariable('source', 'string')
  .registerVariable('threshold', 'double')
  .registerOperator('double % double', (left: number, right: number) => left % right)
  .registerFunction('abs(double): double', Math.abs)
  .registerFunction('finite(double): double', (value: number) => {
    if (Number.isFinite(value)) return value;
    throw new NoData('not finite');
  });
for (const name of ['min', 'max'] as const)
  for (const types of ['double, double', 'double, double, double'])
    environment.registerFunction(`${name}(${types}): double`, Math[name]);
for (const at of INPUTS.keys()) environment.registerVariable(`in${at}`, at === ANOMALY ? 'bool' : 'double');
const MOST_CROSSINGS = 64;
for (let at = 0; at < MOST_CROSSINGS; at++) environment.registerVariable(`crossing${at}`, 'bool');

type Context = Record<string, number | boolean | string>;

/** What the oracle says; undefined where an error is left, which must be one of no data. */
function asked(parsed: (context: Context) => unknown, context: Context): unknown {
  try {
    return parsed(context);
  } catch (error) {
    if (error instanceof NoData || (error instanceof Error && /^Unknown variable: (in|crossing)\d/.test(error.message)))
      return undefined;
    throw error;
  }
}

function parsedBy(text: string) {
  const parsed = environment.parse(text);
  const { valid, error } = parsed.check();
  if (!valid) throw new Error(`the oracle refuses ${text}`, { cause: error });
  return (context: Context): unknown => parsed(context);
}

/** Texts of one case, the oracle's two, and its crossings in the order in which they are written. */
function texts({ expression }: Case) {
  const crossings: (Truth & { kind: 'crossing' })[] = [];
  const oracle = (around: Style['around']): Style => ({
    literal: asDouble,
    input: (at) => `in${at}`,
    crossing: (node) => {
      const known = crossings.indexOf(node);
      return `crossing${known >= 0 ? known : crossings.push(node) - 1}`;
    },
    around,
  });
  const checking = oracle((arithmetic) => `finite(${arithmetic})`);
  return {
    ours: written(expression, OURS),
    plain: written(
      expression,
      oracle((arithmetic) => arithmetic),
    ),
    checking: written(expression, checking),
    crossings: crossings.map(({ isAbove, left, right }) => ({
      isAbove,
      left: parsedBy(written(left, checking)),
      right: parsedBy(written(right, checking)),
    })),
  };
}

type Compile = typeof compileCondition;
export type Outcome = Readonly<{ text: string; answers: readonly (boolean | undefined)[] }>;

/**
 * Evaluates one case at each of its moments, here and by the oracle; undefined where the condition is refused because
 * something constant in it has no value, or because it is too long. Throws where they differ. The oracle is asked twice: with arithmetic that makes
 * an error of what is not finite, which must agree wholly, and as CEL has it, which must agree where we have an answer.
 */
export function compared(one: Case, compile: Compile = compileCondition): Outcome | undefined {
  const { ours, plain, checking, crossings } = texts(one);
  const condition = compiled(ours, compile);
  if (!condition) return undefined;
  const places = condition.inputs.map((input) => INPUTS.findIndex(([, key]) => key === inputKey(input)));
  if (places.includes(-1)) throw new Error(`${ours} reads what it does not say`);
  const [asIs, finite] = [parsedBy(plain), parsedBy(checking)];
  const memory = new Float64Array(condition.memory).fill(NaN);
  const wasBeyond: (boolean | undefined)[] = crossings.map(() => undefined);

  const answers = one.moments.map(({ values, symbol, source }) => {
    const context: Context = { symbol, source, threshold: THRESHOLD };
    for (const [at, value] of values.entries())
      if (Number.isFinite(value)) context[`in${at}`] = at === ANOMALY ? value === 1 : value;
    for (const [at, { isAbove, left, right }] of crossings.entries()) {
      const [a, b] = [asked(left, context) as number | undefined, asked(right, context) as number | undefined];
      if (a === undefined || b === undefined) continue;
      const isBeyond = isAbove ? a > b : a < b;
      context[`crossing${at}`] = isBeyond && wasBeyond[at] === false;
      wasBeyond[at] = isBeyond;
    }
    const slots = Float64Array.from(places, (place) => values[place]!);
    const answer = condition.evaluate(slots, memory, { symbol, source });
    const [checked, cel] = [asked(finite, context), asked(asIs, context)];
    if (answer !== checked || (answer !== undefined && answer !== cel))
      throw new Error(
        `${ours}\nwith ${JSON.stringify(context)}\nhere ${answer}, oracle ${String(checked)} (${String(cel)})`,
      );
    return answer;
  });
  return { text: ours, answers };
}

function compiled(text: string, compile: Compile): ReturnType<Compile> | undefined {
  try {
    return compile(text, text.includes('threshold') ? THRESHOLD : undefined);
  } catch (error) {
    const mayBe = ['never-data', 'too-long', 'too-many-parts'];
    if (error instanceof ConditionError && mayBe.includes(error.code)) return undefined;
    throw error;
  }
}
