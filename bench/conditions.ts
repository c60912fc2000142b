import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { compileCondition, type Condition, ConditionError } from '../src/alerts/conditions/index.js';
import { SAMPLE_RULES } from '../src/alerts/rules/samples.js';
import { Checks } from './checks.js';
import { cases, compared } from './condition-oracle.js';
import { HOSTILE } from './hostile-conditions.js';

/**
 * The language of conditions: random ones against another implementation of CEL, hostile ones and how long it takes to
 * refuse them, and how fast it compiles and evaluates on one core. Exits non-zero when one differs or is slow to refuse.
 */
const MOST_REFUSAL_MS = 1;
const TRIES = 21;
const MOMENTS = 1024;
const ROUND_MS = 400;
const ROUNDS = 5;
const MANY = 10_000;

const { values } = parseArgs({
  options: { expressions: { type: 'string', default: '100000' }, seed: { type: 'string' } },
});
const checks = new Checks();
compare(Number(values.expressions));
refuse();
measure();
process.exit(checks.finish());

function compare(expressions: number): void {
  const seen = { refused: 0, true: 0, false: 0, undefined: 0 };
  const startedMs = performance.now();
  const found = fc.check(
    fc.property(cases, (one) => {
      const outcome = compared(one);
      if (!outcome) seen.refused++;
      else for (const answer of outcome.answers) seen[`${answer}`]++;
    }),
    { numRuns: expressions, ...(values.seed && { seed: Number(values.seed) }) },
  );
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(`seed ${found.seed}, ${seconds} s: ${JSON.stringify(seen)}`);
  if (found.failed) console.log(String(found.errorInstance));
  checks.check('random conditions compared', found.numRuns, expressions);
  checks.check('with a difference', found.failed, false);
  checks.check('of them refused for what has no value', seen.refused, (count: number) => count < expressions / 20);
}

function refuse(): void {
  const times = HOSTILE.map(([what, text, code, start]) => {
    const ms = Array.from({ length: TRIES }, () => {
      const startedMs = performance.now();
      const told = refusal(text);
      const tookMs = performance.now() - startedMs;
      if (told?.code !== code || told.start !== start) checks.check(what, told?.message, `${code} at ${start}`);
      return tookMs;
    });
    return { what, first: ms[0]!, typical: ms.sort((a, b) => a - b)[TRIES >> 1]! };
  });
  const worst = (by: 'first' | 'typical') => times.reduce((a, b) => (a[by] > b[by] ? a : b));
  const [first, typical] = [worst('first'), worst('typical')];
  const slow = times.filter((one) => one.typical >= MOST_REFUSAL_MS).map(({ what }) => what);
  console.log(`\nslowest refusal at the first try: ${first.first.toFixed(3)} ms (${first.what})`);
  checks.check(
    `hostile conditions refused, slowest ${typical.what}, ms`,
    typical.typical.toFixed(3),
    () => slow.length === 0,
  );
}

function refusal(text: string): ConditionError | undefined {
  try {
    compileCondition(text);
    return undefined;
  } catch (error) {
    return error instanceof ConditionError ? error : undefined;
  }
}

function measure(): void {
  console.log(`\n${'per core'.padEnd(28)} compile us   evaluations M/s`);
  const shapes: readonly (readonly [what: string, text: string])[] = [
    ['simple', 'price > 50000 && change_24h < -5'],
    ['complex', 'volume > 3 * avg(volume, "20m") && (change_pct(price, "1h") > 2.5 || symbol == "BTCUSDT")'],
    ['two indicators', 'rsi(14, "1m") < 30 && price < bollinger_lower(20, 2, "5m")'],
    ['a crossing', 'crosses_above(sma(20, "1h"), sma(50, "1h"))'],
    ['200 parts', Array.from({ length: 25 }, (_, at) => `price * ${at} > volume + 1`).join(' || ')],
  ];
  for (const [what, text] of shapes) {
    const one = [compileCondition(text)];
    print(
      what,
      rate(1, () => void compileCondition(text)),
      rateOf(one),
    );
  }
  const texts = Array.from({ length: MANY }, (_, at) =>
    SAMPLE_RULES[at % SAMPLE_RULES.length]!.condition.replace(/threshold/g, `${at}`),
  );
  const many = texts.map((text) => compileCondition(text));
  let at = 0;
  print(
    `${MANY} of the samples`,
    rate(1, () => void compileCondition(texts[at++ % MANY]!)),
    rateOf(many),
  );
}

/** Evaluations per second, each condition in turn at moments that vary. */
function rateOf(conditions: readonly Condition[]): number {
  const most = Math.max(...conditions.map(({ inputs }) => inputs.length));
  const moments = Array.from({ length: MOMENTS }, (_, row) =>
    Float64Array.from({ length: most }, (_unused, column) => ((row * 7919 + column * 104_729) % 100_003) - 5_000),
  );
  const memories = conditions.map(({ memory }) => new Float64Array(memory).fill(NaN));
  const subject = { symbol: 'BTCUSDT', source: 'binance' };
  const cycle = Math.max(MOMENTS, conditions.length);
  let trueOnes = 0;
  return rate(cycle, () => {
    for (let at = 0; at < cycle; at++) {
      const which = at % conditions.length;
      if (conditions[which]!.evaluate(moments[at % MOMENTS]!, memories[which]!, subject) === true) trueOnes++;
    }
    return trueOnes;
  });
}

/** How often a second something happens that `run` does `times` times; the median of some rounds after one to warm up. */
function rate(times: number, run: () => unknown): number {
  const rates = Array.from({ length: ROUNDS + 1 }, () => {
    const startedMs = performance.now();
    let runs = 0;
    do for (let at = 0; at < 10; at++, runs++) run();
    while (performance.now() - startedMs < ROUND_MS);
    return (runs * times * 1000) / (performance.now() - startedMs);
  });
  return rates.slice(1).sort((a, b) => a - b)[ROUNDS >> 1]!;
}

function print(what: string, compilesPerSecond: number, evaluationsPerSecond: number): void {
  const [us, millions] = [1e6 / compilesPerSecond, evaluationsPerSecond / 1e6];
  console.log(`${what.padEnd(28)} ${us.toFixed(1).padStart(10)} ${millions.toFixed(1).padStart(17)}`);
}
