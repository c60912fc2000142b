import type { Condition } from '../conditions/index.js';
import { type EpisodeState, INACTIVE, type Policy } from '../episodes/episode.js';
import { type CompiledRule, compileRule, type Rule } from '../rules/rule.js';

/** One rule over one series, and where it stands. */
export type RunningRule = {
  readonly ruleId: string;
  readonly condition: Condition;
  readonly resolveCondition: Condition | undefined;
  readonly policy: Policy;
  /** It is about the feed itself: a feed that is silent is no lack of data for it. */
  readonly readsFeedAge: boolean;
  state: EpisodeState;
  /** Of the state that is stored; live rules only. */
  storedVersion: number | undefined;
};

export function runningRule(ruleId: string, compiled: CompiledRule, state: EpisodeState = INACTIVE): RunningRule {
  const { condition, resolveCondition, policy } = compiled;
  const readsFeedAge = condition.inputs.some((input) => input.kind === 'variable' && input.name === 'feed_age_s');
  return { ruleId, condition, resolveCondition, policy, readsFeedAge, state, storedVersion: state.version };
}

/** A rule that begins to run. Throws ConditionError. */
export const startRule = (rule: Rule): RunningRule => runningRule(rule.id, compileRule(rule));
