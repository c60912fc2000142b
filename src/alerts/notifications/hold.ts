import type { Severity } from '../../contracts/index.js';
import { type Notice, rankOf } from '../messages/notice.js';

/** The last firing of a rule and series that a channel was told. */
export type LastTold = Readonly<{ atUs: number; kind: string; severity: Severity }>;

/**
 * Until when a firing is held back, or undefined: it goes out now. Repeats wait for the rule's cooldown, as it is now,
 * from when the last was told; everything of a stopped rule waits for its end. What is worse than what was told never
 * waits: a higher severity, and a condition that holds after data was missing.
 */
export function heldUntilUs(
  notice: Pick<Notice, 'kind' | 'severity' | 'cooldownUs'>,
  last: LastTold | undefined,
  stoppedUntilUs: number | undefined,
  nowUs: number,
): number | undefined {
  if (last && isWorse(notice, last)) return undefined;
  const isRepeat = last !== undefined && last.kind === notice.kind;
  const untilUs = Math.max(stoppedUntilUs ?? 0, isRepeat ? last.atUs + notice.cooldownUs : 0);
  return untilUs > nowUs ? untilUs : undefined;
}

const isWorse = (notice: Pick<Notice, 'kind' | 'severity'>, last: LastTold): boolean =>
  rankOf(notice.severity) > rankOf(last.severity) || (notice.kind === 'fired' && last.kind === 'no-data');

/** Repeats within the guard's window: what was told beyond once per series. */
export const isRunaway = (told: Readonly<{ notices: number; series: number }>, most: number): boolean =>
  told.notices - told.series >= most;
