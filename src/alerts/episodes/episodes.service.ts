import { Injectable } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter } from 'prom-client';
import type { EntityManager } from 'typeorm';
import { AlertFiredV1, AlertResolvedV1 } from '../../contracts/index.js';
import { Bus, happening, type Happening } from '../../platform/bus/index.js';
import { nowUs } from '../../platform/observability/index.js';
import type { Notice } from '../messages/notice.js';
import { Notifications } from '../notifications/notifications.service.js';
import type { StoredRule } from '../rules/rule.js';
import { RuleStore } from '../rules/rule.store.js';
import { type Silence, silenceOf } from '../silences/silence.js';
import { SilenceStore } from '../silences/silence.store.js';
import type { Alert, HistoryEntry } from './alert.js';
import { AlertStore } from './alert.store.js';
import { chronicle, type Telling } from './chronicle.js';
import type { EpisodeState, Stepped } from './episode.js';
import { HistoryStore } from './history.store.js';
import { RuleStateStore, type SeriesKey } from './rule-state.store.js';

/** What was known when these transitions were made no longer holds: load rules and states again, and evaluate again. */
export class StaleStateError extends Error {
  constructor(what: string) {
    super(`${what} changed meanwhile`);
    this.name = 'StaleStateError';
  }
}

export type Recording = Readonly<{
  rule: StoredRule;
  key: SeriesKey;
  before: EpisodeState;
  /** May be of several steps: their last state, and all their transitions. */
  result: Stepped;
}>;

/** Makes transitions true: states, alerts, history, events and notifications, all in the caller's transaction. */
@Injectable()
export class Episodes {
  constructor(
    private readonly bus: Bus,
    private readonly rules: RuleStore,
    private readonly states: RuleStateStore,
    private readonly alerts: AlertStore,
    private readonly history: HistoryStore,
    private readonly silences: SilenceStore,
    private readonly notifications: Notifications,
    @InjectMetric('alert_transitions_total') private readonly counted: Counter<'to'>,
  ) {}

  /** The state as it is stored then. Throws StaleStateError; the transaction must then be given up. */
  async record(
    tx: EntityManager,
    rule: StoredRule,
    key: SeriesKey,
    before: EpisodeState,
    result: Stepped,
  ): Promise<EpisodeState> {
    const [state] = await this.recordAll(tx, [{ rule, key, before, result }]);
    return state!;
  }

  /** As record, with a statement per table for all of them. No series of a rule may stand twice among them. */
  async recordAll(tx: EntityManager, recordings: readonly Recording[]): Promise<EpisodeState[]> {
    if (recordings.length === 0) return [];
    await this.assertCurrent(tx, recordings);
    const fired = recordings.flatMap(({ result }) => result.transitions.filter(({ kind }) => kind === 'fired'));
    const ids = await this.alerts.newIds(tx, fired.length);
    const silences = fired.length > 0 ? await this.silences.unended(tx) : [];
    const chronicles = recordings.map((one) => chronicle(one, () => ids.shift()!));
    const states = await this.store(tx, recordings, chronicles);
    const changes = chronicles.flatMap(({ change }) => change ?? []);
    const changed = await this.alerts.change(tx, changes);
    if (changed.length < changes.length) throw new StaleStateError('An alert');
    const made = chronicles.flatMap(({ alerts }) => alerts).map((alert) => underSilence(alert, silences));
    await this.alerts.insert(tx, made);
    await this.history.add(
      tx,
      chronicles.flatMap(({ history }) => history).concat(made.flatMap((alert) => silencedEntry(alert))),
    );
    const byId = new Map([...changed, ...made].map((alert) => [alert.id, alert]));
    const tellings = chronicles.flatMap((one) => one.tellings);
    await this.tell(
      tx,
      tellings.map((telling) => ({ telling, alert: byId.get(telling.alertId)! })),
    );
    for (const { result } of recordings) for (const { kind } of result.transitions) this.counted.inc({ to: kind });
    return states;
  }

  /** An alert that no rule has. */
  async raise(tx: EntityManager, alert: Omit<Alert, 'id'>): Promise<Alert> {
    const [id] = await this.alerts.newIds(tx, 1);
    const made = underSilence({ ...alert, id: id! }, await this.silences.unended(tx));
    await this.alerts.insert(tx, [made]);
    const { startedAtUs: atUs, value } = made;
    await this.history.add(tx, [
      { alertId: made.id, kind: 'fired', atUs, value, reason: 'manual' },
      ...silencedEntry(made),
    ]);
    await this.tell(tx, [{ alert: made, telling: { alertId: made.id, kind: 'fired', atUs, value, reason: 'manual' } }]);
    this.counted.inc({ to: 'fired' });
    return made;
  }

  /** Ends an alert that has no state of a rule behind it. Undefined when it is not open. */
  async end(tx: EntityManager, id: string, atUs: number, note: string | undefined): Promise<Alert | undefined> {
    const reason = 'manual';
    const change = { phase: 'resolved', value: null, refired: 0, resolvedAtUs: atUs, resolution: reason } as const;
    const [alert] = await this.alerts.change(tx, [{ id, ...change }]);
    if (!alert) return undefined;
    await this.history.add(tx, [{ alertId: id, kind: 'resolved', atUs, value: null, reason, note: note ?? null }]);
    await this.tell(tx, [{ alert, telling: { alertId: id, kind: 'resolved', atUs, value: null, reason } }]);
    this.counted.inc({ to: 'resolved' });
    return alert;
  }

  /** Notifies of firings that nobody was notified of and that are under no silence any more, if they still fire. */
  async notifyLate(tx: EntityManager, alerts: readonly Alert[]): Promise<void> {
    const told = await this.alerts.markNotified(
      tx,
      alerts.map(({ id }) => id),
    );
    await this.notifications.enqueue(
      tx,
      alerts
        .filter(({ id }) => told.has(id))
        .map((alert) => {
          const { startedAtUs: atUs, openedBy: reason, value, channels } = alert;
          return { notice: noticeOf(alert, { kind: 'fired', atUs, value, reason }), channels };
        }),
    );
  }

  private async assertCurrent(tx: EntityManager, recordings: readonly Recording[]): Promise<void> {
    const rules = new Map(recordings.map(({ rule }) => [rule.id, rule]));
    const current = await this.rules.current(tx, [...rules.values()]);
    if (current.size < rules.size) throw new StaleStateError('A rule');
  }

  private async store(
    tx: EntityManager,
    recordings: readonly Recording[],
    chronicles: readonly Readonly<{ alertId?: string | undefined }>[],
  ): Promise<EpisodeState[]> {
    const states = recordings.map(({ before, result }, index): EpisodeState => {
      const { alertId: _alertId, version: _version, ...state } = result.state;
      const { alertId } = chronicles[index]!;
      return {
        ...state,
        ...(state.open !== undefined && alertId !== undefined && { alertId }),
        ...(before.version !== undefined && { version: before.version }),
      };
    });
    const rows = recordings.map(({ rule, key }, index) => ({ ruleId: rule.id, ...key, state: states[index]! }));
    if ((await this.states.save(tx, rows)) < rows.length) throw new StaleStateError('A state');
    return states.map((state) => ({ ...state, version: (state.version ?? 0) + 1 }));
  }

  /** A silence keeps the firing from people, and the end only where the firing was kept from them. */
  private async tell(tx: EntityManager, told: readonly Readonly<{ alert: Alert; telling: Telling }>[]): Promise<void> {
    await this.notifications.enqueue(
      tx,
      told
        .filter(({ alert }) => alert.notified)
        .map(({ alert, telling }) => ({ notice: noticeOf(alert, telling), channels: alert.channels })),
    );
    await this.bus.appendAll(
      tx,
      told.map(({ alert, telling }) => eventOf(alert, telling)),
    );
  }
}

function underSilence(alert: Alert, silences: readonly Silence[]): Alert {
  const silence = silenceOf(silences, { ...alert, alertId: alert.id }, nowUs());
  return { ...alert, silencedBy: silence?.id ?? null, notified: silence === undefined };
}

function silencedEntry({ id, silencedBy, startedAtUs }: Alert): HistoryEntry[] {
  if (silencedBy === null) return [];
  return [{ alertId: id, kind: 'silenced', atUs: startedAtUs, value: null, note: `silence ${silencedBy}` }];
}

function eventOf(alert: Alert, { kind, atUs, value, reason }: Telling): Happening {
  const data = {
    alertId: alert.id,
    ruleId: alert.ruleId,
    name: alert.name,
    source: alert.source,
    symbol: alert.symbol,
    severity: alert.severity,
    condition: alert.condition,
    value,
    atUs,
    reason,
    silenced: alert.silencedBy !== null,
  };
  if (kind === 'fired') return happening(AlertFiredV1, data);
  return happening(AlertResolvedV1, { ...data, startedAtUs: alert.startedAtUs, occurrences: alert.occurrences });
}

function noticeOf(alert: Alert, { kind, atUs, value, reason }: Omit<Telling, 'alertId'>): Notice {
  const isBlind = reason === 'no-data' || reason === 'error';
  return {
    alertId: alert.id,
    ruleId: alert.ruleId,
    ruleName: alert.name,
    kind: kind === 'fired' && isBlind ? 'no-data' : kind,
    severity: alert.severity,
    source: alert.source,
    symbol: alert.symbol,
    condition: alert.condition,
    value: value ?? alert.value,
    ...(alert.threshold !== null && { threshold: alert.threshold }),
    atUs,
    startedAtUs: alert.startedAtUs,
    reason,
    labels: { ...alert.labels },
    cooldownUs: alert.cooldownUs,
  };
}
