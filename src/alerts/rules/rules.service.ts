import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { type AlertReason, RulesChangedV1 } from '../../contracts/index.js';
import { Bus } from '../../platform/bus/index.js';
import { AppError, badParameter } from '../../platform/errors/index.js';
import { nowUs } from '../../platform/observability/index.js';
import { unknownChannelsText } from '../channels/channel.js';
import { ChannelStore } from '../channels/channel.store.js';
import { AlertStore } from '../episodes/alert.store.js';
import { close, rescheduled } from '../episodes/episode.js';
import { Episodes } from '../episodes/episodes.service.js';
import { HistoryStore } from '../episodes/history.store.js';
import { RuleStateStore } from '../episodes/rule-state.store.js';
import { Notifications } from '../notifications/notifications.service.js';
import { Silences } from '../silences/silences.service.js';
import { fingerprintOf, policyOf, type Rule, type StoredRule } from './rule.js';
import { type RuleBody, type RuleFault, ruleOf, toldFault } from './rule-body.js';
import { RuleStore } from './rule.store.js';

const MOST_RULES = 20_000;

/** Rules are changed here: what an edit ends is resolved with a reason in the same transaction. */
@Injectable()
export class Rules {
  constructor(
    private readonly bus: Bus,
    private readonly store: RuleStore,
    private readonly channels: ChannelStore,
    private readonly states: RuleStateStore,
    private readonly episodes: Episodes,
    private readonly alerts: AlertStore,
    private readonly history: HistoryStore,
    private readonly silences: Silences,
    private readonly notifications: Notifications,
  ) {}

  async create(body: RuleBody): Promise<StoredRule> {
    const rule = readRule(body, body.id ?? `rule_${randomBytes(6).toString('hex')}`);
    return this.bus.transaction(async (tx) => {
      await this.assertFits(tx, rule);
      if ((await this.store.count(tx)) >= MOST_RULES)
        throw new AppError('rules.too-many', `there are ${MOST_RULES} rules already`);
      const stored = await this.store.insert(tx, rule);
      if (!stored)
        throw new AppError('rules.id-taken', `there is a rule ${rule.id}; PUT /api/v1/rules/${rule.id} edits it`);
      await this.bus.append(tx, RulesChangedV1, { ids: [rule.id] });
      return stored;
    });
  }

  /** `ifMatch`: versions that the caller has seen; any other is not overwritten. */
  async replace(id: string, body: RuleBody, ifMatch: readonly number[] | undefined): Promise<StoredRule> {
    if (body.id !== undefined && body.id !== id) throw badParameter('id', `must be ${id} as in the path, or left out`);
    const rule = readRule(body, id);
    return this.bus.transaction(async (tx) => {
      const before = await this.lock(tx, id, ifMatch);
      await this.assertFits(tx, rule);
      if (fingerprintOf(rule) !== before.fingerprint)
        await this.endStates(tx, before, rule.enabled ? 'edited' : 'disabled');
      else {
        if (rule.expiresAtUs !== before.expiresAtUs) await this.reschedule(tx, rule);
        await this.relabel(tx, before, rule);
      }
      const stored = await this.store.update(tx, rule);
      await this.bus.append(tx, RulesChangedV1, { ids: [id] });
      return stored;
    });
  }

  async remove(id: string, ifMatch: readonly number[] | undefined): Promise<void> {
    await this.bus.transaction(async (tx) => {
      await this.endStates(tx, await this.lock(tx, id, ifMatch), 'deleted');
      await this.store.remove(tx, id);
      await this.bus.append(tx, RulesChangedV1, { ids: [id] });
    });
  }

  async one(id: string): Promise<StoredRule> {
    const rule = await this.store.one(id);
    if (!rule) throw unknown(id);
    return rule;
  }

  /** What is wrong with a sound rule here and now. */
  async misfits(rule: Rule, tx?: EntityManager): Promise<RuleFault[]> {
    const { enabled, expiresAtUs = Infinity, channels } = rule;
    const unknownOnes = await this.channels.missing(channels, tx);
    return [
      ...(enabled && expiresAtUs <= nowUs()
        ? [{ field: 'expiresAt', message: 'must be later than now while the rule is enabled' }]
        : []),
      ...(unknownOnes.length > 0 ? [{ field: 'channels', message: unknownChannelsText(unknownOnes) }] : []),
    ];
  }

  private async lock(tx: EntityManager, id: string, ifMatch: readonly number[] | undefined): Promise<StoredRule> {
    const rule = await this.store.lock(tx, id);
    if (!rule) throw unknown(id);
    if (ifMatch && !ifMatch.includes(rule.version))
      throw new AppError('rules.changed-meanwhile', `it is at version ${rule.version}, not ${ifMatch.join(' or ')}`);
    return rule;
  }

  /** Nobody records anything of the rule meanwhile: its row is locked. */
  private async endStates(tx: EntityManager, rule: StoredRule, reason: AlertReason): Promise<void> {
    const atUs = nowUs();
    const stored = await this.states.lock(tx, rule.id);
    const recordings = stored
      .map(({ source, symbol, state }) => ({
        rule,
        key: { source, symbol },
        before: state,
        result: close(state, atUs, reason),
      }))
      .filter(({ result }) => result.transitions.length > 0);
    await this.episodes.recordAll(tx, recordings);
    await this.states.removeOf(tx, rule.id);
    await this.notifications.resume(tx, rule.id);
  }

  /** Alerts that are open take the new labels, unless a person gave them others, and silences look at them. */
  private async relabel(tx: EntityManager, before: Rule, { id, labels }: Rule): Promise<void> {
    const relabelled = await this.alerts.relabel(tx, id, before.labels, labels);
    await this.history.add(
      tx,
      relabelled.map((alert) => ({
        alertId: alert.id,
        kind: 'relabelled',
        atUs: nowUs(),
        value: null,
        note: 'its rule',
      })),
    );
    await this.silences.rematch(tx, relabelled);
  }

  private async reschedule(tx: EntityManager, rule: Rule): Promise<void> {
    const stored = await this.states.lock(tx, rule.id);
    await this.states.save(
      tx,
      stored.map((one) => ({ ...one, state: rescheduled(one.state, policyOf(rule)) })),
    );
  }

  private async assertFits(tx: EntityManager, rule: Rule): Promise<void> {
    const [fault] = await this.misfits(rule, tx);
    if (fault) throw badParameter(fault.field, fault.message);
  }
}

const unknown = (id: string): AppError =>
  new AppError('rules.unknown', `there is no rule ${id.slice(0, 80)}; GET /api/v1/rules lists them`);

/** A fault of a condition is a 422 that says where. */
export function readRule(body: RuleBody, id: string): Rule {
  const read = ruleOf(body, id);
  if ('rule' in read) return read.rule;
  throw new AppError('rules.bad-condition', read.faults.map(toldFault).join('; '), { errors: read.faults });
}
