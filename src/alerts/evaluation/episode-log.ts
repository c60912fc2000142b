import type { AlertReason } from '../../contracts/index.js';
import type { Transition } from '../episodes/episode.js';
import { heldUntilUs, type LastTold } from '../notifications/hold.js';
import type { Rule } from '../rules/rule.js';
import type { MarketKey } from './trade-position.js';
import type { RuleTransition } from './running-rule.js';

/** One alert as it would have been. */
export type BacktestEpisode = MarketKey &
  Readonly<{
    openedBy: AlertReason;
    pendingSinceUs: number | undefined;
    startedAtUs: number;
    resolvedAtUs: number | undefined;
    resolution: AlertReason | undefined;
    value: number | null;
    resolvedValue: number | null;
    /** How often it began to recover and did not. */
    refired: number;
    /** Whether its firing would have been sent at once, or held back by the cooldown. */
    firing: 'sent' | 'held';
    transitions: readonly Transition[];
  }>;

const MOST_TRANSITIONS = 100;

/** Puts transitions of one rule and series together to episodes, as recording does with alerts. */
export class EpisodeLog {
  private open: BacktestEpisode | undefined;
  private told: LastTold | undefined;

  constructor(
    private readonly rule: Rule,
    private readonly key: MarketKey,
  ) {}

  /** The episode that is open; none of its end is known. */
  get unresolved(): BacktestEpisode | undefined {
    return this.open;
  }

  /** Episodes that ended with these. */
  add(all: readonly RuleTransition[]): BacktestEpisode[] {
    return all.flatMap(({ transitions }) => transitions.flatMap((transition) => this.next(transition) ?? []));
  }

  private next(transition: Transition): BacktestEpisode | undefined {
    const { kind, atUs, value, reason } = transition;
    if (kind === 'fired') {
      this.open = this.opened(transition);
      return undefined;
    }
    if (!this.open) return undefined;
    const { transitions, refired } = this.open;
    this.open = {
      ...this.open,
      refired: refired + (kind === 'refired' ? 1 : 0),
      transitions: transitions.length < MOST_TRANSITIONS ? [...transitions, transition] : transitions,
    };
    if (kind !== 'resolved') return undefined;
    const ended = { ...this.open, resolvedAtUs: atUs, resolution: reason, resolvedValue: value };
    this.open = undefined;
    return ended;
  }

  private opened(fired: Transition): BacktestEpisode {
    const { atUs, value, reason = 'condition', pendingSinceUs } = fired;
    const kind = reason === 'no-data' || reason === 'error' ? ('no-data' as const) : ('fired' as const);
    const { severity, cooldownUs } = this.rule;
    const isHeld = heldUntilUs({ kind, severity, cooldownUs }, this.told, undefined, atUs) !== undefined;
    if (!isHeld) this.told = { atUs, kind, severity };
    return {
      ...this.key,
      openedBy: reason,
      pendingSinceUs,
      startedAtUs: atUs,
      resolvedAtUs: undefined,
      resolution: undefined,
      value,
      resolvedValue: null,
      refired: 0,
      firing: isHeld ? 'held' : 'sent',
      transitions: [fired],
    };
  }
}
