import { Injectable, Logger } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter, Histogram } from 'prom-client';
import type { EntityManager } from 'typeorm';
import { Bus } from '../../platform/bus/index.js';
import { isTransientDatabaseError } from '../../platform/errors/index.js';
import { nowUs } from '../../platform/observability/index.js';
import type { EpisodeState, Transition } from '../episodes/episode.js';
import { Episodes, type Recording, StaleStateError } from '../episodes/episodes.service.js';
import { RuleStateStore } from '../episodes/rule-state.store.js';
import type { StoredRule } from '../rules/rule.js';
import { RuleStore } from '../rules/rule.store.js';
import type { RuleTransition, RunningRule } from './running-rule.js';
import { keyText, type MarketKey } from './trade-position.js';

/** Of one rule and series: what happened in memory since the last commit. */
type Unwritten = {
  readonly rule: StoredRule;
  readonly key: MarketKey;
  readonly before: EpisodeState;
  state: EpisodeState;
  readonly transitions: Transition[];
};

/**
 * What evaluation decided and the database does not know yet. Evaluation goes on in memory ahead of the transaction; one that
 * rolls back leaves its transitions here, for the next one to write. So a trade is evaluated once, whatever the database
 * does, and a crash goes on from the last commit.
 */
@Injectable()
export class TransitionWriter {
  private readonly logger = new Logger('TransitionWriter');
  private readonly unwritten = new Map<RunningRule, Unwritten>();
  /** States that the transaction at hand has written. */
  private written = new Map<RunningRule, EpisodeState>();
  /** As they are stored. */
  private readonly stored = new WeakMap<RunningRule, EpisodeState>();
  private failures = 0;

  constructor(
    private readonly bus: Bus,
    private readonly episodes: Episodes,
    private readonly rules: RuleStore,
    private readonly states: RuleStateStore,
    @InjectMetric('alert_fired_latency_seconds') private readonly latency: Histogram,
    @InjectMetric('alert_evaluation_failures_total') private readonly failed: Counter<'reason'>,
  ) {}

  get isEmpty(): boolean {
    return this.unwritten.size === 0;
  }

  /** Says what is stored of a rule that begins to run. */
  began(running: RunningRule): void {
    if (!this.stored.has(running)) this.stored.set(running, running.state);
  }

  add(rule: StoredRule, key: MarketKey, { rule: running, before, after, transitions }: RuleTransition): void {
    const known = this.unwritten.get(running);
    if (!known) {
      const stored = this.stored.get(running) ?? before;
      this.unwritten.set(running, { rule, key, before: stored, state: after, transitions: [...transitions] });
      return;
    }
    known.state = after;
    known.transitions.push(...transitions);
  }

  clear(): void {
    this.unwritten.clear();
    this.written.clear();
  }

  /** What was decided of a rule that no longer runs as it did is void. */
  forget(running: RunningRule): void {
    this.unwritten.delete(running);
  }

  /**
   * Writes what there is. Returns those whose transitions are void, since somebody changed the rule or its state meanwhile or
   * since they cannot be written: they must begin anew from what is stored.
   */
  async write(tx: EntityManager): Promise<RunningRule[]> {
    this.written = new Map();
    if (this.unwritten.size === 0) return [];
    const stale = await this.stale(tx);
    for (const running of stale) this.unwritten.delete(running);
    const batch = [...this.unwritten];
    if (this.failures > 1) return [...stale, ...(await this.writeCarefully(tx, batch))];
    await this.writeAll(tx, batch);
    return [...stale];
  }

  /** The transaction is over. */
  settle(isCommitted: boolean): void {
    if (!isCommitted) {
      for (const running of this.written.keys()) running.storedVersion = this.stored.get(running)?.version;
    } else {
      const now = nowUs();
      for (const [running, state] of this.written) {
        this.stored.set(running, state);
        for (const { kind, atUs } of this.unwritten.get(running)?.transitions ?? [])
          if (kind === 'fired') this.latency.observe(Math.max(0, now - atUs) / 1e6);
        this.unwritten.delete(running);
      }
      if (this.written.size > 0) this.failures = 0;
    }
    this.written = new Map();
  }

  private async writeAll(tx: EntityManager, batch: readonly (readonly [RunningRule, Unwritten])[]): Promise<void> {
    try {
      const states = await this.episodes.recordAll(
        tx,
        batch.map(([, one]) => recordingOf(one)),
      );
      for (const [index, [running]] of batch.entries()) this.wrote(running, states[index]!);
    } catch (error) {
      if (!isTransientDatabaseError(error)) this.failures++;
      throw error;
    }
  }

  /** As it is stored once the transaction commits. */
  private wrote(running: RunningRule, state: EpisodeState): void {
    this.written.set(running, state);
    running.storedVersion = state.version;
  }

  /** One that cannot be written must not hold up the others: it is given up, in sight. Returns those. */
  private async writeCarefully(
    tx: EntityManager,
    batch: readonly (readonly [RunningRule, Unwritten])[],
  ): Promise<RunningRule[]> {
    const givenUp: RunningRule[] = [];
    for (const [running, one] of batch) {
      try {
        const [state] = await this.bus.savepoint(tx, () => this.episodes.recordAll(tx, [recordingOf(one)]));
        this.wrote(running, state!);
      } catch (error) {
        if (isTransientDatabaseError(error)) throw error;
        const reason = error instanceof StaleStateError ? 'stale' : 'refused';
        this.failed.inc({ reason });
        this.logger.error(`Transitions of ${one.rule.id} at ${keyText(one.key)} are lost: ${(error as Error).message}`);
        this.unwritten.delete(running);
        givenUp.push(running);
      }
    }
    return givenUp;
  }

  /** Those whose rule was edited or whose state a person changed; the rows of the others are locked from here on. */
  private async stale(tx: EntityManager): Promise<Set<RunningRule>> {
    const all = [...this.unwritten];
    const rules = new Map(all.map(([, { rule }]) => [rule.id, rule]));
    const current = await this.rules.current(tx, [...rules.values()]);
    const versions = await this.states.versions(
      tx,
      all.map(([, { rule, key }]) => ({ ruleId: rule.id, ...key })),
    );
    const isStale = ({ rule, before }: Unwritten, index: number): boolean =>
      !current.has(rule.id) || versions[index] !== before.version;
    return new Set(all.filter(([, one], index) => isStale(one, index)).map(([running]) => running));
  }
}

const recordingOf = ({ rule, key, before, state, transitions }: Unwritten): Recording => ({
  rule,
  key,
  before,
  result: { state, transitions },
});
