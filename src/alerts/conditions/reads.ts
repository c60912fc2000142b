import {
  ANOMALY_KINDS,
  type AnomalyKind,
  INTERVAL_NAMES,
  type IntervalName,
  SERIES_NAME,
} from '../../contracts/index.js';
import { indicator, IndicatorNameError } from '../../platform/indicators/index.js';
import { fault } from './condition-error.js';
import { type InputRef, WINDOW_FNS, type WindowFn } from './input-ref.js';
import type { Call, Node } from './syntax.js';

/** Name in a condition, and which value of which indicator it is. */
export const INDICATORS: ReadonlyMap<string, readonly [word: string, output: string]> = new Map([
  ['sma', ['sma', '']],
  ['ema', ['ema', '']],
  ['wma', ['wma', '']],
  ['rsi', ['rsi', '']],
  ['macd', ['macd', 'macd']],
  ['macd_signal', ['macd', 'signal']],
  ['macd_histogram', ['macd', 'histogram']],
  ['bollinger_upper', ['bollinger', 'upper']],
  ['bollinger_middle', ['bollinger', 'middle']],
  ['bollinger_lower', ['bollinger', 'lower']],
  ['atr', ['atr', '']],
  ['stochastic_k', ['stochastic', 'k']],
  ['stochastic_d', ['stochastic', 'd']],
  ['obv', ['obv', '']],
  ['vwap', ['vwap', '']],
  ['twap', ['twap', '']],
]);
const WINDOWS: ReadonlySet<string> = new Set(WINDOW_FNS);
const DEFAULT_INTERVAL: IntervalName = '1m';
const ANOMALIES = [...ANOMALY_KINDS, 'any'];
const UNIT_MINUTES = { m: 1, h: 60 } as const;
const DAY_MINUTES = 1440;
const DURATION = '"1m" to "1440m", or "1h" to "24h"';

export type ReadFunction = 'indicator' | 'window' | 'anomaly' | 'custom';

/** Which kind of input a call reads; undefined for a function that counts. `min(price, "5m")` is a window, `min(a, b)` is not. */
export function readFunction({ name, args }: Call): ReadFunction | undefined {
  if (INDICATORS.has(name)) return 'indicator';
  if (name === 'anomaly' || name === 'custom') return name;
  if (!WINDOWS.has(name)) return undefined;
  return (name === 'min' || name === 'max') && !args.some(({ kind }) => kind === 'text') ? undefined : 'window';
}

/** The input that a call reads; its arguments are literals. Throws ConditionError. */
export function inputOf(call: Call, kind: ReadFunction): InputRef {
  switch (kind) {
    case 'indicator':
      return indicatorOf(call);
    case 'window':
      return windowOf(call);
    case 'anomaly':
      return anomalyOf(call);
    case 'custom':
      return customOf(call);
  }
}

function indicatorOf(call: Call): InputRef {
  const [word, output] = INDICATORS.get(call.name)!;
  const last = call.args.at(-1);
  const hasInterval = last?.kind === 'text';
  const parameters = (hasInterval ? call.args.slice(0, -1) : call.args).map((argument) => {
    if (argument.kind === 'number') return argument.value;
    throw fault(
      'wrong-arguments',
      argument,
      `${call.name} takes numbers as they are written, then an interval`,
      'a number',
    );
  });
  const interval = hasInterval ? intervalOf(last) : DEFAULT_INTERVAL;
  try {
    return { kind: 'indicator', spec: indicator([word, ...parameters].join(':')).name, output, interval };
  } catch (error) {
    if (!(error instanceof IndicatorNameError)) throw error;
    throw fault(
      'bad-indicator',
      call,
      `${call.name} has no such parameters; expected ${error.expected}`,
      error.expected,
    );
  }
}

function intervalOf(argument: Node & { kind: 'text' }): IntervalName {
  const interval = INTERVAL_NAMES.find((one) => one === argument.value);
  const expected = INTERVAL_NAMES.map((one) => `"${one}"`).join(', ');
  if (!interval) throw fault('bad-interval', argument, `is no interval; expected one of ${expected}`, expected);
  return interval;
}

function windowOf(call: Call): InputRef {
  const [series, duration] = call.args;
  const form = `${call.name}(price, "5m") or ${call.name}(volume, "5m")`;
  if (call.args.length !== 2) throw fault('wrong-arguments', call, `expected ${form}`, form);
  if (series?.kind !== 'name' || (series.name !== 'price' && series.name !== 'volume'))
    throw fault('wrong-arguments', series!, `a window is of price or of volume; expected ${form}`, 'price or volume');
  return { kind: 'window', fn: call.name as WindowFn, of: series.name, minutes: minutesOf(duration!) };
}

function anomalyOf(call: Call): InputRef {
  const [what, duration] = call.args;
  const form = 'anomaly("price-spike", "10m")';
  if (call.args.length !== 2) throw fault('wrong-arguments', call, `expected ${form}`, form);
  const anomaly = what?.kind === 'text' ? ANOMALIES.find((one) => one === what.value) : undefined;
  const expected = ANOMALIES.map((one) => `"${one}"`).join(', ');
  if (!anomaly) throw fault('bad-anomaly', what!, `is no anomaly; expected one of ${expected}`, expected);
  return { kind: 'anomaly', anomaly: anomaly as AnomalyKind | 'any', minutes: minutesOf(duration!) };
}

function customOf(call: Call): InputRef {
  const [name] = call.args;
  const form = 'custom("orders.open")';
  if (call.args.length !== 1) throw fault('wrong-arguments', call, `expected ${form}`, form);
  if (name?.kind !== 'text' || !SERIES_NAME.test(name.value))
    throw fault(
      'bad-series',
      name!,
      `is no name of a series; expected one such as ${form}`,
      '1 to 80 of a-z 0-9 . _ -',
    );
  return { kind: 'custom', name: name.value };
}

function minutesOf(argument: Node): number {
  const [, count, unit] = (argument.kind === 'text' && /^(\d{1,4})([mh])$/.exec(argument.value)) || [];
  const minutes = Number(count) * UNIT_MINUTES[unit as keyof typeof UNIT_MINUTES];
  if (minutes >= 1 && minutes <= DAY_MINUTES) return minutes;
  throw fault('bad-duration', argument, `is no duration in whole minutes; expected ${DURATION}`, DURATION);
}
