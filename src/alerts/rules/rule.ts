import { CUSTOM_SOURCE, INTERVALS, type Severity } from '../../contracts/index.js';
import { compileCondition, type Condition, inputKey, type InputRef } from '../conditions/index.js';
import type { Policy } from '../episodes/episode.js';

/** What is watched, and what comes of it. Plain JSON; `rule-body.ts` reads and writes the form people send. */
export type Rule = Readonly<{
  id: string;
  name: string;
  description: string;
  /** Canonical symbols, or every one. */
  symbols: readonly string[] | '*';
  /** One feed only; absent: every feed that has the symbol, each on its own. */
  source?: string;
  condition: string;
  threshold?: number;
  resolveCondition?: string;
  severity: Severity;
  enabled: boolean;
  labels: Readonly<Record<string, string>>;
  channels: readonly string[];
}> &
  Omit<Policy, 'hysteresis'>;

export type StoredRule = Rule &
  Readonly<{
    /** Another one with every edit; the ETag. */
    version: number;
    /** Of the fields that decide when it fires: while it stays the same, states are kept. */
    fingerprint: string;
    createdAtUs: number;
    changedAtUs: number;
  }>;

export type CompiledRule = Readonly<{ condition: Condition; resolveCondition?: Condition; policy: Policy }>;

/** The distinct inputs of these rules. */
export function inputsOf(
  rules: readonly Readonly<{ condition: Condition; resolveCondition?: Condition | undefined }>[],
): InputRef[] {
  const all = rules.flatMap(({ condition, resolveCondition }) => [
    ...condition.inputs,
    ...(resolveCondition?.inputs ?? []),
  ]);
  return [...new Map(all.map((input) => [inputKey(input), input])).values()];
}

/** Throws ConditionError. */
export function compileRule(rule: Rule): CompiledRule {
  const { condition, resolveCondition, threshold } = rule;
  return {
    condition: compileCondition(condition, threshold),
    ...(resolveCondition !== undefined && { resolveCondition: compileResolve(resolveCondition, threshold) }),
    policy: policyOf(rule),
  };
}

export function policyOf(rule: Rule): Policy {
  return {
    forUs: rule.forUs,
    keepFiringForUs: rule.keepFiringForUs,
    noData: rule.noData,
    noDataAfterUs: rule.noDataAfterUs,
    mode: rule.mode,
    barUs: rule.barUs,
    cooldownUs: rule.cooldownUs,
    hysteresis: rule.resolveCondition !== undefined,
    ...(rule.expiresAtUs !== undefined && { expiresAtUs: rule.expiresAtUs }),
  };
}

/** Whether it watches a series; custom ones are watched only by rules that say so. */
export const watches = (rule: Rule, series: Readonly<{ source: string; symbol: string }>): boolean =>
  (rule.symbols === '*' || rule.symbols.includes(series.symbol)) &&
  (rule.source === undefined ? series.source !== CUSTOM_SOURCE : rule.source === series.source);

/** An edit that leaves this as it was keeps what is pending and firing. */
export const fingerprintOf = (rule: Rule): string =>
  JSON.stringify([
    rule.enabled,
    rule.symbols,
    rule.source ?? null,
    rule.condition,
    rule.threshold ?? null,
    rule.resolveCondition ?? null,
    rule.forUs,
    rule.keepFiringForUs,
    rule.noData,
    rule.noDataAfterUs,
    rule.mode,
  ]);

/** The bars of `once-per-bar`: of the shortest interval that the condition reads indicators of; without one, minutes. */
export function barUsOf({ inputs }: Condition): number {
  const lengths = inputs.flatMap((input) => (input.kind === 'indicator' ? INTERVALS[input.interval] : []));
  return Math.min(...lengths, lengths.length === 0 ? INTERVALS['1m'] : Infinity) * 1000;
}

/** The threshold is a variable of it; a literal of its own is meant to differ from the threshold. */
export const compileResolve = (text: string, threshold: number | undefined): Condition =>
  compileCondition(text, /\bthreshold\b/.test(text) ? threshold : undefined);
