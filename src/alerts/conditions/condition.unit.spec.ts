import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ANOMALY_KINDS } from '../../contracts/index.js';
import { indicator, INDICATOR_DEFAULTS } from '../../platform/indicators/index.js';
import { FUNCTION_NAMES, NAMES } from './compiler.js';
import {
  compileCondition,
  type Condition,
  CONDITION_FAULTS,
  ConditionError,
  inputKey,
  VARIABLE_NAMES,
} from './index.js';
import { INDICATORS } from './reads.js';

const BTC = { symbol: 'BTCUSDT', source: 'binance' };

/** Evaluates once, its inputs in the order in which they are read. */
const of = (text: string, ...values: number[]): boolean | undefined => {
  const condition = compileCondition(text, text.includes('threshold') ? 100 : undefined);
  return condition.evaluate(Float64Array.from(values), memoryOf(condition), BTC);
};
const memoryOf = ({ memory }: Condition): Float64Array => new Float64Array(memory).fill(NaN);
const reads = (text: string): string[] => compileCondition(text).inputs.map(inputKey);
const refusal = (text: string, threshold?: number): ConditionError => {
  try {
    compileCondition(text, threshold);
  } catch (error) {
    if (error instanceof ConditionError) return error;
    throw error;
  }
  throw new Error(`${text} is taken`);
};

describe('a condition', () => {
  it.each([
    ['price > 50000', [50_001], true],
    ['price > 50000', [50_000], false],
    ['50000 < price', [50_001], true],
    ['price > 50000 && change_24h < -5', [50_001, -5.1], true],
    ['price > 1 || volume > 1 && trades > 1', [2, 0, 0], true],
    ['(price > 1 || volume > 1) && trades > 1', [2, 0, 0], false],
    ['!(price > 1) == (volume > 1)', [2, 0], true],
    ['price - 1 - 1 == 0', [2], true],
    ['price / 2 / 2 == 1', [4], true],
    ['-price % 3 == -1', [4], true],
    ['price != 2', [2], false],
    ['abs(change_24h) >= 5', [-5], true],
    ['max(price, volume, 3) == 3 && min(price, volume, 3) == 1', [1, 2], true],
    ['price > threshold * 1.1', [111], true],
    ['symbol == "BTCUSDT" && source != \'kraken\' && price > 0', [1], true],
    ['symbol == "ETHUSDT" || price > 0', [0], false],
    ['anomaly("any", "1h")', [1], true],
    ['anomaly("price-drop", "1h") != true', [0], true],
  ] as const)('%s of %j is %s', (text, values, answer) => expect(of(text, ...values)).toBe(answer));

  it.each([
    ['price > 1', [NaN], undefined],
    ['price != 1', [NaN], undefined],
    ['!(price > 1)', [NaN], undefined],
    ['price > 1', [Infinity], undefined],
    ['price == volume', [NaN, NaN], undefined],
    ['price > 1 && volume > 1', [0, NaN], false],
    ['price > 1 && volume > 1', [NaN, 0], false],
    ['price > 1 && volume > 1', [2, NaN], undefined],
    ['price > 1 && volume > 1', [NaN, 2], undefined],
    ['price > 1 || volume > 1', [2, NaN], true],
    ['price > 1 || volume > 1', [NaN, 2], true],
    ['price > 1 || volume > 1', [0, NaN], undefined],
    ['price > 1 || volume > 1', [NaN, 0], undefined],
    ['(price > 1) == (volume > 1)', [NaN, 0], undefined],
    ['min(price, volume) < 1', [NaN, 0], undefined],
    ['anomaly("any", "1h")', [NaN], undefined],
    ['price / volume > 1', [1, 0], undefined],
    ['price % volume == 0', [1, 0], undefined],
    // Not false because 1 / Infinity would be 0.
    ['1 / (price * volume) > 1', [1e308, 1e308], undefined],
    ['min(price * volume, 1) == 1', [1e308, 1e308], undefined],
  ] as const)('%s of %j, where data is missing, is %s', (text, values, answer) =>
    expect(of(text, ...values)).toBe(answer),
  );

  it('says what it reads, each input once and with its parameters', () => {
    expect(
      reads(
        `price > sma(20, "5m") && price < bollinger_upper("1h") && rsi() < 30 && rsi(14, "1m") > 10 && macd_signal(12, "1d") > 0
         && vwap("15m") > vwap(20, "15m") && avg(price, "20m") > min(price, "1h") && min(price, 2) > 1
         && change_pct(volume, "24h") > 50 && anomaly("any", "10m") && custom("orders.open") > 5 && sentiment < 20`,
      ),
    ).toEqual([
      'price',
      'indicator sma:20  5m',
      'indicator bollinger:20:2 upper 1h',
      'indicator rsi:14  1m',
      'indicator macd:12:26:9 signal 1d',
      'indicator vwap:session  15m',
      'indicator vwap:20  15m',
      'window avg price 20',
      'window min price 60',
      'window change_pct volume 1440',
      'anomaly any 10',
      'custom orders.open',
      'sentiment',
    ]);
  });

  it('can read every variable, every anomaly, and every value of every indicator', () => {
    for (const name of VARIABLE_NAMES) expect(reads(`${name} > 0`)).toEqual([name]);
    for (const kind of ANOMALY_KINDS) expect(reads(`anomaly("${kind}", "1h")`)).toEqual([`anomaly ${kind} 60`]);
    const values = INDICATOR_DEFAULTS.flatMap((name) => {
      const { outputs } = indicator(name);
      return (outputs.length > 0 ? outputs : ['']).map((output) => `${name.split(':')[0]} ${output}`);
    });
    const readable = [...INDICATORS.values()].map(([word, output]) => `${word} ${output}`);
    expect(new Set(readable)).toEqual(new Set(values));
    for (const name of INDICATORS.keys()) expect(reads(`${name}("4h") > 0`)).toHaveLength(1);
  });

  it('is a thousand characters, two hundred parts and thirty-two levels at most, and may be all of it', () => {
    expect(of('price > 1' + ' '.repeat(991), 2)).toBe(true);
    expect(of('!true' + '||true'.repeat(99))).toBe(true);
    expect(of('('.repeat(32) + 'price > 1' + ')'.repeat(32), 2)).toBe(true);
    expect(of('!'.repeat(32) + 'true')).toBe(true);
  });
});

describe('a crossing', () => {
  /** One answer an evaluation, of a condition that reads only the given inputs. */
  const answers = (text: string, ...moments: readonly (number | readonly number[])[]) => {
    const condition = compileCondition(text);
    const memory = memoryOf(condition);
    return moments.map((values) => condition.evaluate(Float64Array.from([values].flat()), memory, BTC));
  };
  const above = 'crosses_above(price, 10)';

  it('is true once, when the other side is first seen', () =>
    expect(answers(above, 9, 11, 12, 10, 11)).toEqual([false, true, false, false, true]));

  it('goes down as it goes up', () =>
    expect(answers('crosses_below(price, 10)', 11, 10, 9, 8, 10, 9)).toEqual([false, false, true, false, false, true]));

  it('has not happened at first, on whichever side it begins', () =>
    expect(answers(above, 11, 12)).toEqual([false, false]));

  it('is not known without data, and is told after a spell without', () => {
    expect(answers(above, NaN, 9, NaN, NaN, 11, NaN, 12, 9)).toEqual([
      undefined,
      false,
      undefined,
      undefined,
      true,
      undefined,
      false,
      false,
    ]);
  });

  it('is seen by what && and || leave out', () => {
    // It crosses while nothing is traded; that it is above later is no crossing.
    const text = 'volume > 1 && crosses_above(price, 10)';
    expect(answers(text, [2, 9], [0, 11], [2, 12], [2, 9], [2, 11])).toEqual([false, false, false, false, true]);
  });

  it('may be of two lines, and of several in one condition', () => {
    const condition = compileCondition('crosses_above(sma(20, "1h"), sma(50, "1h")) || crosses_below(price, volume)');
    expect(condition.memory).toBe(2);
    expect(
      answers('crosses_above(price, volume) || crosses_below(price, volume)', [1, 2], [3, 2], [3, 2], [1, 2]),
    ).toEqual([false, true, false, true]);
  });

  it('depends on nothing but the memory it is given', () => {
    const condition = compileCondition(above);
    const [one, other] = [memoryOf(condition), memoryOf(condition)];
    const at = (price: number, memory: Float64Array) => condition.evaluate(Float64Array.of(price), memory, BTC);
    expect([at(9, one), at(11, other), at(11, one), at(12, other)]).toEqual([false, false, true, false]);
  });
});

describe('the threshold', () => {
  it.each([
    ['price > 50000', 50_000],
    ['50000 < price', 50_000],
    ['change_24h < -5', -5],
    ['price > 50 * 1000', 50_000],
    ['crosses_above(price, 50000)', 50_000],
    ['price > 50000 && volume > 10', 50_000],
    ['price > sma(20, "1h")', 50_000],
    ['price > threshold && volume > 10', 50_000],
    ['price > threshold * 1.05', 50_000],
  ])('of %s may be %d', (text, threshold) => expect(compileCondition(text, threshold).text).toBe(text));

  it.each([
    ['price > 50000', 49_000, '50000'],
    ['price > 50000 && anomaly("any", "1h")', 49_000, '50000'],
    ['change_24h < -5', 5, '-5'],
    ['crosses_above(price, 50000)', 49_000, '50000'],
    ['price > 50000 && volume > 10', 49_000, '50000'],
  ])('of %s is refused as %d, at %s', (text, threshold, literal) => {
    const { code, start, end, expected } = refusal(text, threshold);
    expect([code, text.slice(start, end), expected]).toEqual(['threshold-disagrees', literal, String(threshold)]);
  });
});

describe('what is refused', () => {
  it('comes with what may have been meant', () => {
    expect(refusal('prise > 1').message).toContain('did you mean price?');
    expect(refusal('crosses_abov(price, 1)').expected).toBe('crosses_above');
    expect(refusal('price > 1 and volume > 1').message).toContain('write &&');
    expect(refusal('price = 1').expected).toBe('==');
    expect(refusal('rsi > 70').expected).toBe('rsi(…)');
    expect(refusal('rsi(14, "7m") > 1').expected).toContain('"15m"');
    expect(refusal('sma(1) > 1').expected).toBe('sma:<length 2..500>');
  });

  it('is anything that is no condition, whatever it is made of', () => {
    const scrap = fc.oneof(
      fc.constantFrom(
        ...NAMES,
        ...FUNCTION_NAMES,
        ...'|| && ! ( ) < <= > >= == != + - * / % , "1m" "BTC" 14 0.5 1e9'.split(' '),
      ),
      fc.string({ unit: 'binary', maxLength: 3 }),
    );
    const text = fc.oneof(
      fc.array(scrap, { maxLength: 40 }).map((scraps) => scraps.join(' ')),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(
        text,
        fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }), { nil: undefined }),
        (some, threshold) => {
          try {
            const condition = compileCondition(some, threshold);
            const slots = new Float64Array(condition.inputs.length).fill(1);
            expect([true, false, undefined]).toContain(condition.evaluate(slots, memoryOf(condition), BTC));
          } catch (error) {
            if (!(error instanceof ConditionError)) throw error;
            const { start, end } = error;
            expect(0 <= start && start <= end && end <= some.length).toBe(true);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('docs/conditions.md', () => {
  const page = readFileSync(new URL('../../../docs/conditions.md', import.meta.url), 'utf8');
  const firstCells = (heading: string) => {
    const section = page.split(/^## /m).find((one) => one.startsWith(heading)) ?? '';
    return [...section.matchAll(/^\| `([a-z0-9_-]+)/gm)].map(([, name]) => name!);
  };

  it('has every name, and no other', () => {
    expect(firstCells('Names').sort()).toEqual([...NAMES].sort());
    expect([...new Set(firstCells('Functions'))].sort()).toEqual([...FUNCTION_NAMES].sort());
    expect(firstCells('What is refused').sort()).toEqual([...CONDITION_FAULTS].sort());
  });

  it('shows only conditions that hold', () => {
    const shown = [...page.matchAll(/^```cel\n([\s\S]*?)^```/gm)].flatMap(([, block]) => block!.trim().split('\n'));
    expect(shown.length).toBeGreaterThan(10);
    for (const one of shown)
      expect(() => compileCondition(one, one.includes('threshold') ? 1 : undefined), one).not.toThrow();
  });
});
