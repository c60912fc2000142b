import type { Severity } from '../../contracts/index.js';

export const NOTICE_KINDS = ['fired', 'resolved', 'no-data'] as const;
export type NoticeKind = (typeof NOTICE_KINDS)[number];

/** What became of an alert, as told to whoever is to be notified. */
export type Notice = Readonly<{
  alertId: string;
  /** Null for an alert that a person raised: nothing limits its repeats. */
  ruleId: string | null;
  ruleName: string;
  kind: NoticeKind;
  severity: Severity;
  source: string;
  symbol: string;
  condition: string;
  value: number | null;
  threshold?: number;
  /** When it fired or ended, in event time. */
  atUs: number;
  startedAtUs: number;
  reason?: string;
  labels: Readonly<Record<string, string>>;
  /** How long after a firing the next one of the same rule and series waits, on each channel. */
  cooldownUs: number;
}>;

/** One notice on its way to one channel. */
export type Item = Notice &
  Readonly<{
    notificationId: string;
    /** The same for a firing and its resolve. */
    thread: string;
    /** Of a resolve: the id of the message that its firing went out in. */
    toldIn?: string;
    /** A resolve whose firing was never delivered: both are told in one. */
    isMerged: boolean;
    /** Firings that were held back since the last one was told. */
    held: number;
    /** With this notice the rule is stopped: it notified too often. */
    stoppedUntilUs?: number;
    /** There is no such alert: somebody tests a channel. */
    isTest?: true;
  }>;

/** What goes out in one piece. `id` stays the same however often it is tried. */
export type Message = Readonly<{ id: string; items: readonly [Item, ...Item[]] }>;

export type Status = 'firing' | 'no-data' | 'resolved' | 'fired-and-resolved' | 'test';

export function statusOf({ kind, isMerged, isTest }: Pick<Item, 'kind' | 'isMerged' | 'isTest'>): Status {
  if (isTest) return 'test';
  if (kind === 'resolved') return isMerged ? 'fired-and-resolved' : 'resolved';
  return kind === 'fired' ? 'firing' : 'no-data';
}

const RANKS: Readonly<Record<Severity, number>> = { low: 0, medium: 1, high: 2, critical: 3 };

export const rankOf = (severity: Severity): number => RANKS[severity];
