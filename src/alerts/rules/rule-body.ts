import { formatInstant, parseInstant, SEVERITIES, type Severity } from '../../contracts/index.js';
import { compileCondition, ConditionError } from '../conditions/index.js';
import { durationTextOf, durationUs } from './duration-text.js';
import { barUsOf, compileResolve, type Rule } from './rule.js';

/** A rule as people write it: durations are texts such as `30s`, what is left out has a default. */
export type RuleBody = Readonly<{
  id?: string;
  name?: string;
  description?: string;
  symbol: string | readonly string[];
  source?: string;
  condition: string;
  threshold?: number;
  resolveCondition?: string;
  severity?: Severity;
  enabled?: boolean;
  for?: string;
  keepFiringFor?: string;
  noData?: Rule['noData'];
  noDataAfter?: string;
  cooldown?: string;
  mode?: Rule['mode'];
  expiresAt?: string;
  labels?: Readonly<Record<string, string>>;
  channels?: readonly string[];
}>;

export const NO_DATA = ['keep', 'alert', 'ok'] as const;
export const MODES = ['every', 'once', 'once-per-bar'] as const;
export const RULE_ID = /^[a-z0-9][a-z0-9_-]{0,79}$/;
/** What a silence can match besides labels, so no label may be called so. */
export const MATCHED_FIELDS = ['alert', 'rule', 'source', 'symbol', 'severity'] as const;

const SYMBOL = /^[A-Z0-9.-]{1,40}$/;
const SERIES = /^[a-z][a-z0-9._-]{0,79}$/;
const SOURCE = /^[a-z0-9-]{1,40}$/;
const LABEL = /^[A-Za-z][\w-]{0,39}$/;
const CHANNEL = /^[A-Za-z0-9][\w.-]{0,79}$/;
const MOST_SYMBOLS = 100;
const MOST_LABELS = 20;
const MOST_CHANNELS = 10;
const MOST_CONDITION = 1000;

/** What a field may hold, in words and as a test. */
export type Expectation = readonly [expected: string, holds: (value: unknown) => boolean];

const text = (least: number, most: number) => (value: unknown) =>
  typeof value === 'string' && value.length >= least && value.length <= most && !/\p{Cc}/u.test(value);
const matching = (pattern: RegExp) => (value: unknown) => typeof value === 'string' && pattern.test(value);
const oneOf = (values: readonly string[]): Expectation => [
  `must be one of ${values.join(', ')}`,
  (value) => typeof value === 'string' && values.includes(value),
];
function lasting(least: string, most: string): Expectation {
  const [from, to] = [durationUs(least)!, durationUs(most)!];
  const holds = (value: unknown): boolean => {
    const us = durationUs(value);
    return us !== undefined && us >= from && us <= to;
  };
  return [`must be a duration such as 30s, 5m or 1h, from ${least} to ${most}`, holds];
}

export const LABELS: Expectation = [
  `must be an object of up to ${MOST_LABELS} texts of up to 200 characters, under names such as team, none of them ${MATCHED_FIELDS.join(', ')}`,
  areLabels,
];
export const CHANNELS: Expectation = [
  `must be a list of up to ${MOST_CHANNELS} names of channels, none twice`,
  (value) => isListOf(value, matching(CHANNEL), 0, MOST_CHANNELS),
];

export const RULE_FIELDS: Readonly<Record<keyof RuleBody, Expectation>> = {
  id: ['must be 1 to 80 lower-case letters, digits, - or _', matching(RULE_ID)],
  name: ['must be a text of 1 to 120 characters', text(1, 120)],
  description: ['must be a text of up to 2000 characters', text(0, 2000)],
  symbol: [`must be a symbol such as BTCUSDT, a list of up to ${MOST_SYMBOLS}, or "*"`, areSymbols],
  source: ['must be the id of a feed such as binance, or custom', matching(SOURCE)],
  condition: [
    `must be a text of up to ${MOST_CONDITION} characters such as price > 50000`,
    (value) => typeof value === 'string' && value.length <= MOST_CONDITION,
  ],
  threshold: ['must be a number', (value) => typeof value === 'number' && Number.isFinite(value)],
  resolveCondition: [
    `must be a text of up to ${MOST_CONDITION} characters such as price < 49500`,
    (value) => typeof value === 'string' && value.length <= MOST_CONDITION,
  ],
  severity: oneOf(SEVERITIES),
  enabled: ['must be true or false', (value) => typeof value === 'boolean'],
  for: lasting('0s', '7d'),
  keepFiringFor: lasting('0s', '7d'),
  noData: oneOf(NO_DATA),
  noDataAfter: lasting('1s', '1d'),
  cooldown: lasting('0s', '7d'),
  mode: oneOf(MODES),
  expiresAt: [
    'must be an RFC 3339 instant such as 2026-08-09T21:00:00Z',
    (value) => typeof value === 'string' && parseInstant(value) !== undefined,
  ],
  labels: LABELS,
  channels: CHANNELS,
};

export type RuleFault = Readonly<{
  field: string;
  message: string;
  /** Of a condition: what is wrong with it, and where, in UTF-16 units from its start. */
  code?: string;
  start?: number;
  end?: number;
}>;

/** What is wrong with a body, of any shape; conditions are not compiled. */
export function faultsOfBody(body: unknown): RuleFault[] {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return [{ field: 'rule', message: 'must be an object' }];
  const given = body as Record<string, unknown>;
  const strays = Object.keys(given).filter((key) => !Object.hasOwn(RULE_FIELDS, key));
  const faults: RuleFault[] = strays.map((field) => ({
    field: field.slice(0, 40),
    message: 'is not a field of a rule',
  }));
  for (const [field, [message, holds]] of Object.entries(RULE_FIELDS)) {
    const isMissing = given[field] === undefined;
    if (isMissing ? field === 'symbol' || field === 'condition' : !holds(given[field])) faults.push({ field, message });
  }
  if (faults.length === 0) faults.push(...seriesFaults(body as RuleBody));
  return faults;
}

/** The rule that a body without faults describes, or what is wrong with its conditions. */
export function ruleOf(body: RuleBody, id: string): { rule: Rule } | { faults: RuleFault[] } {
  const { threshold, source, resolveCondition } = body;
  const faults: RuleFault[] = [];
  const attempt = <T>(field: string, compile: () => T): T | undefined => {
    try {
      return compile();
    } catch (error) {
      if (!(error instanceof ConditionError)) throw error;
      const { code, message, start, end } = error;
      faults.push({ field, message, code, start, end });
      return undefined;
    }
  };
  const condition = attempt('condition', () => compileCondition(body.condition, threshold));
  if (resolveCondition !== undefined) attempt('resolveCondition', () => compileResolve(resolveCondition, threshold));
  if (!condition || faults.length > 0) return { faults };
  return {
    rule: {
      id,
      name: body.name ?? id,
      description: body.description ?? '',
      symbols: body.symbol === '*' ? '*' : typeof body.symbol === 'string' ? [body.symbol] : body.symbol,
      ...(source !== undefined && { source }),
      condition: body.condition,
      ...(threshold !== undefined && { threshold }),
      ...(resolveCondition !== undefined && { resolveCondition }),
      severity: body.severity ?? 'medium',
      enabled: body.enabled ?? true,
      forUs: durationUs(body.for ?? '0s')!,
      keepFiringForUs: durationUs(body.keepFiringFor ?? '0s')!,
      noData: body.noData ?? 'keep',
      noDataAfterUs: durationUs(body.noDataAfter ?? '20s')!,
      cooldownUs: durationUs(body.cooldown ?? '5m')!,
      mode: body.mode ?? 'every',
      barUs: barUsOf(condition),
      ...(body.expiresAt !== undefined && { expiresAtUs: parseInstant(body.expiresAt)! }),
      labels: body.labels ?? {},
      channels: body.channels ?? [],
    },
  };
}

/** Every field, defaults written out. */
export function bodyOf(rule: Rule) {
  const { id, name, description, symbols, source, condition, threshold, resolveCondition, severity, enabled } = rule;
  return {
    id,
    name,
    description,
    symbol: symbols === '*' || symbols.length > 1 ? symbols : symbols[0]!,
    ...(source !== undefined && { source }),
    condition,
    ...(threshold !== undefined && { threshold }),
    ...(resolveCondition !== undefined && { resolveCondition }),
    severity,
    enabled,
    for: durationTextOf(rule.forUs),
    keepFiringFor: durationTextOf(rule.keepFiringForUs),
    noData: rule.noData,
    noDataAfter: durationTextOf(rule.noDataAfterUs),
    cooldown: durationTextOf(rule.cooldownUs),
    mode: rule.mode,
    ...(rule.expiresAtUs !== undefined && { expiresAt: formatInstant(rule.expiresAtUs) }),
    labels: rule.labels,
    channels: rule.channels,
  } satisfies RuleBody;
}

/** Names of custom series are in lower case; a symbol in lower case would match nothing, for ever. */
function seriesFaults({ symbol, source }: RuleBody): RuleFault[] {
  if (symbol === '*') return [];
  const pattern = source === 'custom' ? SERIES : SYMBOL;
  const wrong = [symbol].flat().find((one) => !pattern.test(one));
  if (wrong === undefined) return [];
  const what = source === 'custom' ? 'the name of a custom series' : 'a symbol in upper case such as BTCUSDT';
  return [{ field: 'symbol', message: `${wrong} is not ${what}` }];
}

function areSymbols(value: unknown): boolean {
  if (value === '*') return true;
  const isName = (one: unknown): boolean => typeof one === 'string' && (SYMBOL.test(one) || SERIES.test(one));
  return isName(value) || isListOf(value, isName, 1, MOST_SYMBOLS);
}

function areLabels(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const entries = Object.entries(value);
  return (
    entries.length <= MOST_LABELS &&
    entries.every(
      ([name, one]) => LABEL.test(name) && !(MATCHED_FIELDS as readonly string[]).includes(name) && text(0, 200)(one),
    )
  );
}

function isListOf(value: unknown, holds: (one: unknown) => boolean, least: number, most: number): boolean {
  return (
    Array.isArray(value) &&
    value.length >= least &&
    value.length <= most &&
    new Set(value).size === value.length &&
    value.every(holds)
  );
}
