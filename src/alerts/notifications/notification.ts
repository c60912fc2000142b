import type { Severity } from '../../contracts/index.js';
import type { NoticeKind } from '../messages/notice.js';

/**
 * `pending`: it waits to be sent, or to be tried again. `sending`: under way. `held`: a repeat, sent later if it still
 * fires then. `sent`: the receiver took it. `superseded`: told together with the resolve. `suppressed`: it was held until
 * it was over. `dead`: given up; it can be replayed.
 */
export const NOTIFICATION_STATES = ['pending', 'sending', 'held', 'sent', 'superseded', 'suppressed', 'dead'] as const;
export type NotificationState = (typeof NOTIFICATION_STATES)[number];

export type Attempt = Readonly<{
  atUs: number;
  /** `lost`: the process ended before there was an answer. */
  outcome: 'sent' | 'retry' | 'dead' | 'lost';
  reason: string;
  status: number | null;
  error: string | null;
  durationMs: number;
  /** The id it went out under. */
  messageId: string;
}>;

export type Notification = Readonly<{
  id: string;
  /** Place in the history. */
  seq: string;
  alertId: string;
  ruleId: string | null;
  kind: NoticeKind;
  severity: Severity;
  source: string;
  symbol: string;
  channel: string;
  state: NotificationState;
  reason: string | null;
  isMerged: boolean;
  held: number;
  attempts: number;
  nextAtUs: number;
  createdAtUs: number;
  finishedAtUs: number | null;
  history: readonly Attempt[];
}>;

/** A rule whose firings are held back because it notified too often. */
export type StoppedRule = Readonly<{ ruleId: string; stoppedAtUs: number; untilUs: number; notices: number }>;
