import type { AlertReason, Severity } from '../../contracts/index.js';
import type { Phase } from './episode.js';

/** One episode, or what a person raised by hand, as it stands. */
export type Alert = Readonly<{
  id: string;
  /** Null for a manual one. */
  ruleId: string | null;
  name: string;
  source: string;
  symbol: string;
  severity: Severity;
  condition: string;
  threshold: number | null;
  labels: Readonly<Record<string, string>>;
  /** Those of the rule when it fired. */
  channels: readonly string[];
  phase: Exclude<Phase, 'inactive' | 'pending'> | 'resolved';
  openedBy: AlertReason;
  startedAtUs: number;
  resolvedAtUs: number | null;
  resolution: AlertReason | null;
  /** Of the last transition that had one. */
  value: number | null;
  /** How often it fired: once, and once more each time it had nearly recovered. */
  occurrences: number;
  cooldownUs: number;
  /** Its firing was handed to notifications. */
  notified: boolean;
  /** The silence it is under. */
  silencedBy: string | null;
  acknowledgedAtUs: number | null;
  acknowledgedBy: string | null;
}>;

export const ALERT_STATES = ['active', 'resolved', 'silenced'] as const;
export type AlertState = (typeof ALERT_STATES)[number];

/** Silence is an overlay: it hides that an alert is active, never that it is resolved. */
export function stateOf({ resolvedAtUs, silencedBy }: Pick<Alert, 'resolvedAtUs' | 'silencedBy'>): AlertState {
  if (resolvedAtUs !== null) return 'resolved';
  return silencedBy === null ? 'active' : 'silenced';
}

export type HistoryEntry = Readonly<{
  alertId: string;
  kind: string;
  atUs: number;
  value: number | null;
  reason?: string | null;
  /** Who did it, or the silence it came under. */
  note?: string | null;
}>;

/** What a transition makes of an alert that is open. */
export type AlertChange = Readonly<{
  id: string;
  phase: Alert['phase'];
  value: number | null;
  /** Added to the occurrences. */
  refired: number;
  resolvedAtUs: number | null;
  resolution: AlertReason | null;
}>;
