import { Atr } from './atr.js';
import { ema, emaMemory, Sma, wilderMemory, Wma } from './averages.js';
import { Bollinger } from './bollinger.js';
import { OfCloses, type IndicatorSpec } from './indicator.js';
import { Macd } from './macd.js';
import { Obv } from './obv.js';
import { Rsi } from './rsi.js';
import { eraStartUs, sessionStartUs } from './sessions.js';
import { Stochastic } from './stochastic.js';
import { Twap } from './twap.js';
import { RollingVwap, SessionVwap } from './vwap.js';

export type Parameter = Readonly<{
  name: string;
  least: number;
  most: number;
  /** A parameter without one must be given. */
  byDefault?: number;
  decimals?: true;
}>;

export type Kind = Readonly<{
  parameters: readonly Parameter[];
  /** What the parameters must keep beyond their ranges. */
  law?: Readonly<{ text: string; holds: (values: readonly number[]) => boolean }>;
  spec: (values: readonly number[]) => Omit<IndicatorSpec, 'name'>;
}>;

const MOST = 500;

const whole = (name: string, least: number, byDefault?: number): Parameter => ({
  name,
  least,
  most: MOST,
  ...(byDefault !== undefined && { byDefault }),
});

/** A kind whose `spec` takes one number a parameter. */
const kind = <const P extends readonly Parameter[]>(
  parameters: P,
  spec: (...values: { -readonly [K in keyof P]: number }) => Omit<IndicatorSpec, 'name'>,
  law?: Kind['law'],
): Kind => ({
  parameters,
  spec: (values) => spec(...(values as { -readonly [K in keyof P]: number })),
  ...(law && { law }),
});

type Create = IndicatorSpec['create'];

/** A window forgets what was before it. */
const windowed = (warmUp: number, create: Create, outputs: readonly string[] = []) => ({
  warmUp,
  settle: warmUp,
  outputs,
  create,
});
const recursive = (warmUp: number, memory: number, create: Create, outputs: readonly string[] = []) => ({
  warmUp,
  settle: warmUp + memory,
  outputs,
  create,
});
const anchored = (at: NonNullable<IndicatorSpec['anchored']>, create: Create) => ({
  ...windowed(1, create),
  anchored: at,
});

/** Every indicator there is, by the word its names begin with. The least lengths are TA-Lib's. */
export const KINDS: ReadonlyMap<string, Kind> = new Map([
  ['sma', kind([whole('length', 2, 20)], (length) => windowed(length, () => new OfCloses(new Sma(length))))],
  [
    'ema',
    kind([whole('length', 2, 20)], (length) => recursive(length, emaMemory(length), () => new OfCloses(ema(length)))),
  ],
  ['wma', kind([whole('length', 2, 20)], (length) => windowed(length, () => new OfCloses(new Wma(length))))],
  [
    'rsi',
    kind([whole('length', 2, 14)], (length) =>
      recursive(length + 1, wilderMemory(length), () => new OfCloses(new Rsi(length))),
    ),
  ],
  [
    'macd',
    kind(
      [whole('fast', 2, 12), whole('slow', 2, 26), whole('signal', 2, 9)],
      (fast, slow, signal) =>
        recursive(slow + signal - 1, emaMemory(slow) + emaMemory(signal), () => new Macd(fast, slow, signal), [
          'macd',
          'signal',
          'histogram',
        ]),
      { text: 'fast below slow', holds: ([fast, slow]) => fast! < slow! },
    ),
  ],
  [
    'bollinger',
    kind(
      [whole('length', 2, 20), { name: 'multiplier', least: 0.1, most: 10, byDefault: 2, decimals: true }],
      (length, multiplier) => windowed(length, () => new Bollinger(length, multiplier), ['upper', 'middle', 'lower']),
    ),
  ],
  [
    'atr',
    kind([whole('length', 1, 14)], (length) => recursive(length + 1, wilderMemory(length), () => new Atr(length))),
  ],
  [
    'stochastic',
    kind([whole('length', 1, 14), whole('slowing', 1, 3), whole('smoothing', 1, 3)], (length, slowing, smoothing) =>
      windowed(length + slowing + smoothing - 2, () => new Stochastic(length, slowing, smoothing), ['k', 'd']),
    ),
  ],
  ['obv', kind([], () => anchored(eraStartUs, (interval) => new Obv(interval)))],
  ['vwap:session', kind([], () => anchored(sessionStartUs, (interval) => new SessionVwap(interval)))],
  ['vwap', kind([whole('length', 1)], (length) => windowed(length, () => new RollingVwap(length)))],
  ['twap', kind([whole('length', 1, 20)], (length) => windowed(length, (interval) => new Twap(length, interval)))],
]);
