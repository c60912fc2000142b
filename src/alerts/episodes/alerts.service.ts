import { Injectable } from '@nestjs/common';
import { RulesChangedV1, type Severity } from '../../contracts/index.js';
import { Bus } from '../../platform/bus/index.js';
import { AppError, badParameter } from '../../platform/errors/index.js';
import { nowUs } from '../../platform/observability/index.js';
import { unknownChannelsText } from '../channels/channel.js';
import { ChannelStore } from '../channels/channel.store.js';
import { RuleStore } from '../rules/rule.store.js';
import type { Matcher } from '../silences/silence.js';
import { Silences } from '../silences/silences.service.js';
import { type Alert, stateOf } from './alert.js';
import { AlertStore } from './alert.store.js';
import { close } from './episode.js';
import { Episodes } from './episodes.service.js';
import { HistoryStore } from './history.store.js';
import { RuleStateStore } from './rule-state.store.js';

const MOST_OPEN_MANUAL = 1000;
/** Nothing holds back what a person raises. */
const NO_COOLDOWN_US = 0;

export type ManualAlert = Readonly<{
  name: string;
  message?: string | undefined;
  symbol?: string | undefined;
  source?: string | undefined;
  severity?: Severity | undefined;
  value?: number | undefined;
  labels?: Readonly<Record<string, string>> | undefined;
  channels?: readonly string[] | undefined;
}>;

/** What people do with alerts. */
@Injectable()
export class Alerts {
  constructor(
    private readonly bus: Bus,
    private readonly store: AlertStore,
    private readonly history: HistoryStore,
    private readonly rules: RuleStore,
    private readonly channels: ChannelStore,
    private readonly states: RuleStateStore,
    private readonly episodes: Episodes,
    private readonly silences: Silences,
  ) {}

  async one(id: string): Promise<Alert> {
    const alert = /^\d{1,18}$/.test(id) ? await this.store.one(id) : undefined;
    if (!alert) throw unknown(id);
    return alert;
  }

  async raise({ name, message, symbol, source, severity, value, labels, channels }: ManualAlert): Promise<Alert> {
    return this.bus.transaction(async (tx) => {
      const strangers = await this.channels.missing(channels ?? [], tx);
      if (strangers.length > 0) throw badParameter('channels', unknownChannelsText(strangers));
      if ((await this.store.countOpenManual(tx)) >= MOST_OPEN_MANUAL)
        throw new AppError('alerts.too-many', `${MOST_OPEN_MANUAL} are open; resolve some`);
      return this.episodes.raise(tx, {
        ruleId: null,
        name,
        source: source ?? '',
        symbol: symbol ?? '',
        severity: severity ?? 'medium',
        condition: message ?? name,
        threshold: null,
        labels: labels ?? {},
        channels: channels ?? [],
        phase: 'firing',
        openedBy: 'manual',
        startedAtUs: nowUs(),
        resolvedAtUs: null,
        resolution: null,
        value: value ?? null,
        occurrences: 1,
        cooldownUs: NO_COOLDOWN_US,
        notified: false,
        silencedBy: null,
        acknowledgedAtUs: null,
        acknowledgedBy: null,
      });
    });
  }

  /** Its rule fires again only when the condition has ended in between. */
  async resolve(id: string, by: string | undefined): Promise<Alert> {
    const { ruleId, source, symbol } = await this.one(id);
    return this.bus.transaction(async (tx) => {
      const rule = ruleId === null ? undefined : await this.rules.lock(tx, ruleId);
      const [stored] = rule ? await this.states.lock(tx, rule.id, { source, symbol }) : [];
      const atUs = nowUs();
      if (!rule || stored?.state.alertId !== id) {
        if (!(await this.episodes.end(tx, id, atUs, by))) throw resolvedAlready(id);
      } else {
        const result = close(stored.state, atUs, 'manual');
        await this.episodes.record(tx, rule, { source, symbol }, stored.state, result);
        if (by !== undefined)
          await this.history.add(tx, [{ alertId: id, kind: 'resolved-by', atUs, value: null, note: by }]);
        await this.bus.append(tx, RulesChangedV1, { ids: [rule.id] });
      }
      return (await this.store.one(id, tx))!;
    });
  }

  /** Silences what such alerts of this rule and series are about, this one and those to come; a manual one alone. */
  async silence(id: string, lastsUs: number, comment: string, by: string | undefined): Promise<Alert> {
    const alert = await this.one(id);
    if (stateOf(alert) === 'resolved') throw resolvedAlready(id);
    const equal = (name: string, value: string): Matcher => ({ name, op: '=', value });
    const matchers =
      alert.ruleId === null
        ? [equal('alert', id)]
        : [equal('rule', alert.ruleId), equal('source', alert.source), equal('symbol', alert.symbol)];
    const startsAtUs = nowUs();
    await this.silences.create({
      matchers,
      startsAtUs,
      endsAtUs: startsAtUs + lastsUs,
      comment,
      ...(by !== undefined && { createdBy: by }),
    });
    return this.one(id);
  }

  async edit(
    id: string,
    { acknowledged, by, labels }: Readonly<{ acknowledged?: boolean; by?: string; labels?: Record<string, string> }>,
  ): Promise<Alert> {
    await this.one(id);
    return this.bus.transaction(async (tx) => {
      const acknowledgedBy = acknowledged === undefined ? undefined : acknowledged ? (by ?? 'somebody') : null;
      const alert = await this.store.annotate(tx, id, {
        ...(acknowledgedBy !== undefined && { acknowledgedBy }),
        ...(labels !== undefined && { labels }),
      });
      if (!alert) throw unknown(id);
      const kinds = [
        ...(acknowledged === undefined ? [] : [acknowledged ? 'acknowledged' : 'unacknowledged']),
        ...(labels === undefined ? [] : ['relabelled']),
      ];
      await this.history.add(
        tx,
        kinds.map((kind) => ({ alertId: id, kind, atUs: nowUs(), value: null, note: by ?? null })),
      );
      if (labels === undefined || stateOf(alert) === 'resolved') return alert;
      await this.silences.rematch(tx, [alert]);
      return (await this.store.one(id, tx))!;
    });
  }

  async remove(id: string): Promise<void> {
    await this.one(id);
    const isRemoved = await this.bus.transaction((tx) => this.store.remove(tx, id));
    if (!isRemoved) throw new AppError('alerts.not-resolved', `alert ${id} is open: resolve it first`);
  }
}

const unknown = (id: string): AppError =>
  new AppError('alerts.unknown', `there is no alert ${id.slice(0, 60)}; GET /api/v1/alerts lists them`);
const resolvedAlready = (id: string): AppError => new AppError('alerts.resolved', `alert ${id} is resolved`);
