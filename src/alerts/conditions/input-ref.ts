import type { AnomalyKind, IntervalName } from '../../contracts/index.js';

/** Numbers that need no argument. docs/conditions.md has the unit of each. */
export const VARIABLE_NAMES = [
  'price',
  'size',
  'volume',
  'quote_volume',
  'trades',
  'change_24h',
  'high_24h',
  'low_24h',
  'volume_24h',
  'quote_volume_24h',
  'trades_24h',
  'sentiment',
  'feed_age_s',
] as const;
/** `price` and `size` are of the last trade; `volume`, `quote_volume`, `trades` of the open minute; `change_24h` in percent. */
export type VariableName = (typeof VARIABLE_NAMES)[number];

export const WINDOW_FNS = ['avg', 'min', 'max', 'sum', 'stddev', 'change', 'change_pct'] as const;
export type WindowFn = (typeof WINDOW_FNS)[number];

/** What a condition reads; each distinct one is a slot. */
export type InputRef =
  | Readonly<{ kind: 'variable'; name: VariableName }>
  | Readonly<{
      kind: 'indicator';
      /** Canonical name of platform/indicators: `rsi:14`. */
      spec: string;
      /** Which of its values: `signal`, `upper`, `k`; empty where it has one. */
      output: string;
      interval: IntervalName;
    }>
  | Readonly<{ kind: 'window'; fn: WindowFn; of: 'price' | 'volume'; minutes: number }>
  | Readonly<{ kind: 'custom'; name: string }>
  /** 1 where one was told within the last minutes, else 0. */
  | Readonly<{ kind: 'anomaly'; anomaly: AnomalyKind | 'any'; minutes: number }>;

/** The same text for the same input, and for no other. */
export function inputKey(input: InputRef): string {
  switch (input.kind) {
    case 'variable':
      return input.name;
    case 'indicator':
      return `indicator ${input.spec} ${input.output} ${input.interval}`;
    case 'window':
      return `window ${input.fn} ${input.of} ${input.minutes}`;
    case 'custom':
      return `custom ${input.name}`;
    case 'anomaly':
      return `anomaly ${input.anomaly} ${input.minutes}`;
  }
}
