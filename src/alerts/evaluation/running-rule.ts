import type { Condition, InputRef, VariableName } from '../conditions/index.js';
import { type EpisodeState, INACTIVE, type Policy, type Transition } from '../episodes/episode.js';
import { type CompiledRule, compileRule, type Rule } from '../rules/rule.js';

/** One rule over one series, and where it stands. */
export type RunningRule = {
  readonly ruleId: string;
  readonly condition: Condition;
  readonly resolveCondition: Condition | undefined;
  policy: Policy;
  /** It reads more than what is told beside the market. */
  readonly readsMarket: boolean;
  /** A feed that is silent is a lack of data for it; for one about the age of the feed it is not. */
  readonly needsFeed: boolean;
  state: EpisodeState;
  /** Of the state that is stored; live rules only. */
  storedVersion: number | undefined;
};

/** What one look at a rule, or the passing of time, changed. */
export type RuleTransition = Readonly<{
  rule: RunningRule;
  before: EpisodeState;
  after: EpisodeState;
  transitions: readonly Transition[];
}>;

export function runningRule(ruleId: string, compiled: CompiledRule, state: EpisodeState = INACTIVE): RunningRule {
  const { condition, resolveCondition, policy } = compiled;
  const inputs = [...condition.inputs, ...(resolveCondition?.inputs ?? [])];
  const readsMarket = inputs.some((input) => input.kind !== 'custom' && !isVariable(input, 'sentiment'));
  const needsFeed = readsMarket && !condition.inputs.some((input) => isVariable(input, 'feed_age_s'));
  return { ruleId, condition, resolveCondition, policy, readsMarket, needsFeed, state, storedVersion: state.version };
}

const isVariable = (input: InputRef, name: VariableName): boolean => input.kind === 'variable' && input.name === name;

/** A rule that begins to run. Throws ConditionError. */
export const startRule = (rule: Rule): RunningRule => runningRule(rule.id, compileRule(rule));
