import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { type AlertReason, RulesChangedV1 } from '../../contracts/index.js';
import { Bus } from '../../platform/bus/index.js';
import { AppError, badParameter } from '../../platform/errors/index.js';
import { nowUs } from '../../platform/observability/index.js';
import { close, rescheduled } from '../episodes/episode.js';
import { Episodes } from '../episodes/episodes.service.js';
import { RuleStateStore } from '../episodes/rule-state.store.js';
import { fingerprintOf, policyOf, type Rule, type StoredRule } from './rule.js';
import { type RuleBody, type RuleFault, ruleOf } from './rule-body.js';
import { RuleStore } from './rule.store.js';

const MOST_RULES = 20_000;

/** Rules are changed here: what an edit ends is resolved with a reason in the same transaction. */
@Injectable()
export class Rules {
  constructor(
    private readonly bus: Bus,
    private readonly store: RuleStore,
    private readonly states: RuleStateStore,
    private readonly episodes: Episodes,
  ) {}

  async create(body: RuleBody): Promise<StoredRule> {
    const rule = readRule(body, body.id ?? `rule_${randomBytes(6).toString('hex')}`);
    return this.bus.transaction(async (tx) => {
      await this.assertChannels(tx, rule);
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
      await this.assertChannels(tx, rule);
      if (fingerprintOf(rule) !== before.fingerprint)
        await this.endStates(tx, before, rule.enabled ? 'edited' : 'disabled');
      else if (rule.expiresAtUs !== before.expiresAtUs) await this.reschedule(tx, rule);
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
  }

  private async reschedule(tx: EntityManager, rule: Rule): Promise<void> {
    const stored = await this.states.lock(tx, rule.id);
    await this.states.save(
      tx,
      stored.map((one) => ({ ...one, state: rescheduled(one.state, policyOf(rule)) })),
    );
  }

  private async assertChannels(tx: EntityManager, { channels }: Rule): Promise<void> {
    const unknownOnes = await this.store.unknownChannels(tx, channels);
    if (unknownOnes.length > 0)
      throw badParameter(
        'channels',
        `names ${unknownOnes.join(', ')}, which is no channel; GET /api/v1/channels lists them`,
      );
  }
}

const unknown = (id: string): AppError =>
  new AppError('rules.unknown', `there is no rule ${id.slice(0, 80)}; GET /api/v1/rules lists them`);

/** A fault of a condition is a 422 that says where. */
function readRule(body: RuleBody, id: string): Rule {
  const read = ruleOf(body, id);
  if ('rule' in read) {
    const { enabled, expiresAtUs = Infinity } = read.rule;
    if (enabled && expiresAtUs <= nowUs())
      throw badParameter('expiresAt', 'must not be over, of a rule that is enabled');
    return read.rule;
  }
  throw new AppError('rules.bad-condition', read.faults.map(toldFault).join('; '), { errors: read.faults });
}

const toldFault = ({ field, message, start }: RuleFault): string =>
  start === undefined ? `${field}: ${message}` : `${field}, character ${start + 1}: ${message}`;
