import { formatInstant, parseInstant, SERIES_NAME, SEVERITIES, type Severity, SYMBOL } from '../../contracts/index.js';
import { channelsUpTo } from '../channels/channel.js';
import { compileCondition, ConditionError } from '../conditions/index.js';
import { type Expectation, isLine, isMatch, isRecord, must, mustBeOneOf, shown, twice } from '../expectation.js';
import { RULE_ID } from '../names.js';
import { MATCHED_FIELDS } from '../silences/silence.js';
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

const SOURCE = /^[a-z0-9-]{1,40}$/;
const LABEL = /^[A-Za-z][\w-]{0,39}$/;
const MOST_SYMBOLS = 100;
const MOST_LABELS = 20;
const MOST_CHANNELS = 10;

export const lasting = (least: string, most: string): Expectation =>
  must(`must be a duration such as 30s, 5m or 1h, from ${least} to ${most}`, isLasting(least, most));

export const LABELS: Expectation = (value) => {
  if (!isRecord(value)) return `must be an object of texts such as {"team":"desk"}, not ${shown(value)}`;
  const entries = Object.entries(value);
  if (entries.length > MOST_LABELS) return `must be at most ${MOST_LABELS} labels, not ${entries.length}`;
  for (const [name, one] of entries) {
    if (!LABEL.test(name))
      return `has the name ${shown(name)}; a name is a letter, then up to 39 letters, digits, - or _`;
    if ((MATCHED_FIELDS as readonly string[]).includes(name))
      return `has the name ${name}, which every alert has of its own (${MATCHED_FIELDS.join(', ')}); take another`;
    if (!isLine(0, 200)(one)) return `must have for ${name} a text of up to 200 characters, not ${shown(one)}`;
  }
  return undefined;
};

export const CHANNELS = channelsUpTo(MOST_CHANNELS);

export const RULE_FIELDS: Readonly<Record<keyof RuleBody, Expectation>> = {
  id: must('must be 1 to 80 lower-case letters, digits, - or _, the first a letter or digit', isMatch(RULE_ID)),
  name: must('must be a line of 1 to 120 characters', isLine(1, 120)),
  description: must('must be a line of up to 2000 characters', isLine(0, 2000)),
  symbol: faultOfSymbols,
  source: must('must be the id of a feed such as binance, or custom', isMatch(SOURCE)),
  // one that is too long is told as any other that cannot be read: with a code and a range
  condition: must('must be a text such as price > 50000', (value) => typeof value === 'string'),
  threshold: must('must be a number', (value) => typeof value === 'number' && Number.isFinite(value)),
  resolveCondition: must('must be a text such as price < 49500', (value) => typeof value === 'string'),
  severity: mustBeOneOf(SEVERITIES),
  enabled: must('must be true or false', (value) => typeof value === 'boolean'),
  for: lasting('0s', '7d'),
  keepFiringFor: lasting('0s', '7d'),
  noData: mustBeOneOf(NO_DATA),
  noDataAfter: lasting('1s', '1d'),
  cooldown: lasting('0s', '7d'),
  mode: mustBeOneOf(MODES),
  expiresAt: must(
    'must be an RFC 3339 instant such as 2026-08-09T21:00:00Z',
    (value) => typeof value === 'string' && parseInstant(value) !== undefined,
  ),
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

export const toldFault = ({ field, message, start }: RuleFault): string =>
  start === undefined ? `${field} ${message}` : `${field}, character ${start + 1}: ${message}`;

/** What is wrong with a body, of any shape; conditions are not compiled. */
export function faultsOfBody(body: unknown): RuleFault[] {
  if (!isRecord(body)) return [{ field: 'rule', message: `must be an object, not ${shown(body)}` }];
  const given = body;
  const strays = Object.keys(given).filter((key) => !Object.hasOwn(RULE_FIELDS, key));
  const faults: RuleFault[] = strays.map((field) => ({
    field: field.slice(0, 40),
    message: 'is not a field of a rule',
  }));
  for (const [field, faultOf] of Object.entries(RULE_FIELDS)) {
    if (given[field] === undefined && field !== 'symbol' && field !== 'condition') continue;
    const message = faultOf(given[field]);
    if (message !== undefined) faults.push({ field, message });
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
  const pattern = source === 'custom' ? SERIES_NAME : SYMBOL;
  const wrong = [symbol].flat().find((one) => !pattern.test(one));
  if (wrong === undefined) return [];
  const what =
    source === 'custom' ? 'the name of a custom series such as orders.open' : 'a symbol in upper case such as BTCUSDT';
  return [{ field: 'symbol', message: `must be ${what}, not ${shown(wrong)}` }];
}

function faultOfSymbols(value: unknown): string | undefined {
  const expected = `must be a symbol such as BTCUSDT, a list of 1 to ${MOST_SYMBOLS}, or "*" alone`;
  if (value === '*') return undefined;
  if (value === undefined) return expected;
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0 || list.length > MOST_SYMBOLS) return `${expected}, not a list of ${list.length}`;
  const wrong = list.findIndex((one) => !isMatch(SYMBOL)(one) && !isMatch(SERIES_NAME)(one));
  if (wrong >= 0) return `${expected}, not ${shown(list[wrong])}`;
  return twice(list) === undefined ? undefined : `names ${shown(twice(list))} twice`;
}

function isLasting(least: string, most: string): (value: unknown) => boolean {
  const [from, to] = [durationUs(least)!, durationUs(most)!];
  return (value) => {
    const us = durationUs(value);
    return us !== undefined && us >= from && us <= to;
  };
}
