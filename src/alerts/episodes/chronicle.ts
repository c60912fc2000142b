import type { AlertReason } from '../../contracts/index.js';
import type { StoredRule } from '../rules/rule.js';
import type { Alert, AlertChange, HistoryEntry } from './alert.js';
import type { EpisodeState, Stepped, Transition } from './episode.js';

/** That an alert fired, or that it ended. */
export type Telling = Readonly<{
  alertId: string;
  kind: 'fired' | 'resolved';
  atUs: number;
  value: number | null;
  reason: AlertReason;
}>;

/** What transitions of one series make of its alerts. */
export type Chronicle = Readonly<{
  /** What becomes of the alert that was open before. */
  change: AlertChange | undefined;
  /** Alerts that are new, as they stand after the last transition. */
  alerts: readonly Alert[];
  history: readonly HistoryEntry[];
  /** In order. */
  tellings: readonly Telling[];
  /** The alert that is open after the last. */
  alertId: string | undefined;
}>;

type Told = Readonly<{
  rule: StoredRule;
  key: Readonly<{ source: string; symbol: string }>;
  before: EpisodeState;
  result: Stepped;
}>;

/** `newId` gives the ids of alerts that fire, in their order. */
export function chronicle({ rule, key, before, result }: Told, newId: () => string): Chronicle {
  const alerts: Alert[] = [];
  const history: HistoryEntry[] = [];
  const tellings: Telling[] = [];
  let change: AlertChange | undefined;
  let alertId = before.alertId;
  for (const transition of result.transitions) {
    const { kind, atUs, value, reason } = transition;
    if (kind === 'fired') {
      alertId = newId();
      alerts.push(alertOf(alertId, rule, key, transition));
      if (transition.pendingSinceUs !== undefined)
        history.push({ alertId, kind: 'pending', atUs: transition.pendingSinceUs, value: null });
    }
    if (alertId === undefined) continue; // nothing is open
    history.push({ alertId, kind, atUs, value, reason: reason ?? null });
    if (kind !== 'fired') {
      const made = alerts.findIndex(({ id }) => id === alertId);
      if (made < 0) change = changed(change ?? unchanged(alertId), transition);
      else alerts[made] = amended(alerts[made]!, transition);
    }
    if (kind !== 'fired' && kind !== 'resolved') continue;
    tellings.push({ alertId, kind, atUs, value, reason: reason ?? 'condition' });
    if (kind === 'resolved') alertId = undefined;
  }
  return { change, alerts, history, tellings, alertId };
}

const alertOf = (id: string, rule: StoredRule, key: Told['key'], fired: Transition): Alert => ({
  id,
  ruleId: rule.id,
  name: rule.name,
  source: key.source,
  symbol: key.symbol,
  severity: rule.severity,
  condition: rule.condition,
  threshold: rule.threshold ?? null,
  labels: rule.labels,
  channels: rule.channels,
  phase: fired.reason === 'no-data' || fired.reason === 'error' ? fired.reason : 'firing',
  openedBy: fired.reason ?? 'condition',
  startedAtUs: fired.atUs,
  resolvedAtUs: null,
  resolution: null,
  value: fired.value,
  occurrences: 1,
  cooldownUs: rule.cooldownUs,
  notified: false,
  silencedBy: null,
  acknowledgedAtUs: null,
  acknowledgedBy: null,
});

const unchanged = (id: string): AlertChange => ({
  id,
  phase: 'firing',
  value: null,
  refired: 0,
  resolvedAtUs: null,
  resolution: null,
});

const changed = (change: AlertChange, { kind, atUs, value, reason }: Transition): AlertChange => ({
  ...change,
  phase: phaseAfter(kind),
  value: value ?? change.value,
  refired: change.refired + (kind === 'refired' ? 1 : 0),
  ...(kind === 'resolved' && { resolvedAtUs: atUs, resolution: reason ?? 'condition' }),
});

function amended(alert: Alert, transition: Transition): Alert {
  const { id, refired, ...change } = changed({ ...alert, refired: 0 }, transition);
  return { ...alert, ...change, id, occurrences: alert.occurrences + refired };
}

function phaseAfter(kind: Transition['kind']): Alert['phase'] {
  switch (kind) {
    case 'recovering':
    case 'resolved':
    case 'no-data':
    case 'error':
      return kind;
    default:
      return 'firing';
  }
}
