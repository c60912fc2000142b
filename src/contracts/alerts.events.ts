import type { Severity } from './aggregation.events.js';
import { durable } from './event.js';

/** Why an episode began or ended; `manual`: a person said so. */
export const ALERT_REASONS = [
  'condition',
  'no-data',
  'error',
  'edited',
  'disabled',
  'deleted',
  'expired',
  'manual',
] as const;
export type AlertReason = (typeof ALERT_REASONS)[number];

type AlertData = Readonly<{
  alertId: string;
  /** Null for an alert that a person raised. */
  ruleId: string | null;
  name: string;
  /** Both are empty where a manual alert is about no market. */
  source: string;
  symbol: string;
  severity: Severity;
  condition: string;
  /** What the condition compared, as a plain number; null where there was none. */
  value: number | null;
  /** When it began or ended, in event time, epoch microseconds. */
  atUs: number;
  reason: AlertReason;
  /** It is under a silence: nobody is notified of a firing. */
  silenced: boolean;
}>;

export type AlertFiredV1Data = AlertData;
/** Sent once per episode, when it begins. */
export const AlertFiredV1 = durable<AlertFiredV1Data>('alerts.alert-fired.v1');

export type AlertResolvedV1Data = AlertData & Readonly<{ startedAtUs: number; occurrences: number }>;
/** Sent once per episode, when it ends, silenced or not. */
export const AlertResolvedV1 = durable<AlertResolvedV1Data>('alerts.alert-resolved.v1');

/** These rules were made, edited or deleted, or a person changed where they stand: what is known of them is stale. */
export const RulesChangedV1 = durable<Readonly<{ ids: readonly string[] }>>('alerts.rules-changed.v1');
