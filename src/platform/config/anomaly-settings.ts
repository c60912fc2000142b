import { ANOMALY_SIGNALS, type AnomalySignal, type DetectorName, DETECTORS } from '../../contracts/index.js';
import { entriesOf, type Entry } from './json-list.js';

const MOST_ENTRIES = 1000;
const MOST_SYMBOLS = 1000;
const SYMBOL = /^[A-Za-z0-9][\w.:-]{0,99}$/;
const SOURCE = /^[a-z0-9-]{1,40}$/;

/** One entry of ANOMALIES: how some signals are watched. What is left out is as it was before the entry. */
export type AnomalySetting = Readonly<{
  symbols: readonly string[] | '*';
  source?: string;
  signals?: readonly AnomalySignal[];
  detector: DetectorName;
  enabled: boolean;
  threshold?: number;
  window?: number;
  warmUp?: number;
  refractory?: number;
  minMove?: number;
}>;

/** What each field may hold, in words and as a test. */
type Rule = readonly [expected: string, holds: (value: unknown) => boolean];
const RULES: Readonly<Record<keyof AnomalySetting, Rule>> = {
  symbols: [`must be "*" or a list of 1 to ${MOST_SYMBOLS} symbols such as ["BTCUSDT"]`, areSymbols],
  source: [
    'must be the id of a feed such as binance, or custom',
    (value) => typeof value === 'string' && SOURCE.test(value),
  ],
  signals: [`must be a list out of ${ANOMALY_SIGNALS.join(', ')}`, areSignals],
  detector: [`must be one of ${DETECTORS.join(', ')}`, (value) => (DETECTORS as readonly unknown[]).includes(value)],
  enabled: ['must be true or false', (value) => typeof value === 'boolean'],
  threshold: [
    'must be a number above 0, up to 1000',
    (value) => typeof value === 'number' && value > 0 && value <= 1000,
  ],
  window: ['must be 30 to 10000 samples', isWhole(30, 10_000)],
  warmUp: ['must be 10 to 10000 samples', isWhole(10, 10_000)],
  refractory: ['must be 0 to 100000 samples', isWhole(0, 100_000)],
  minMove: ['must be a number from 0 up', (value) => typeof value === 'number' && value >= 0 && Number.isFinite(value)],
};
const FIELDS = Object.keys(RULES) as (keyof AnomalySetting)[];

/** Reads ANOMALIES; every fault names its entry and field. */
export function readAnomalies(text: string | undefined): { anomalies: AnomalySetting[]; faults: string[] } {
  if (text === undefined) return { anomalies: [], faults: [] };
  const entries = entriesOf(text);
  if (!entries) return { anomalies: [], faults: ['ANOMALIES: must be a JSON list of objects'] };
  const faults: string[] = [];
  if (entries.length > MOST_ENTRIES) faults.push(`ANOMALIES: ${entries.length} entries, at most ${MOST_ENTRIES}`);
  const anomalies = entries.map((entry, at): AnomalySetting => {
    faults.push(...faultsOf(entry).map((fault) => `ANOMALIES[${at}].${fault}`));
    return { detector: 'zscore', enabled: true, ...entry } as AnomalySetting;
  });
  return { anomalies: faults.length > 0 ? [] : anomalies, faults };
}

function faultsOf(entry: Entry): string[] {
  const strays = Object.keys(entry).filter((key) => !Object.hasOwn(RULES, key));
  return [
    ...strays.map((key) => `${key.slice(0, 40)}: is none of ${FIELDS.join(', ')}`),
    ...FIELDS.filter((field) => field in entry || field === 'symbols')
      .filter((field) => !RULES[field][1](entry[field]))
      .map((field) => `${field}: ${RULES[field][0]}`),
  ];
}

function areSymbols(value: unknown): boolean {
  if (value === '*') return true;
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= MOST_SYMBOLS &&
    value.every((one) => typeof one === 'string' && SYMBOL.test(one))
  );
}

function areSignals(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((one) => (ANOMALY_SIGNALS as readonly unknown[]).includes(one))
  );
}

function isWhole(least: number, most: number): (value: unknown) => boolean {
  return (value) => Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}
