/** How notifications go out, for all channels. */
export type NotificationSettings = Readonly<{
  /** Of rules that name no channel. */
  defaultChannels: readonly string[];
  /** How long a message waits for others to go out with it. */
  groupWaitMs: number;
  /** The runaway guard: so many repeats of one rule within a window hold its firings back for a while. */
  runawayMost: number;
  runawayWithinMs: number;
  runawayHoldMs: number;
  retryFirstMs: number;
  retryMostMs: number;
  /** How long a firing, or a resolve, is tried; then it is a dead letter. */
  firingExpiresMs: number;
  resolveExpiresMs: number;
  /** How long what is over stays in the history. */
  keepDays: number;
  /** Where the dashboard is seen from, for links. */
  publicUrl: string | null;
}>;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

export const DEFAULT_SETTINGS: NotificationSettings = {
  defaultChannels: [],
  groupWaitMs: 1000,
  runawayMost: 15,
  runawayWithinMs: 3 * MINUTE_MS,
  runawayHoldMs: 30 * MINUTE_MS,
  retryFirstMs: 2000,
  retryMostMs: 10 * MINUTE_MS,
  firingExpiresMs: HOUR_MS,
  resolveExpiresMs: 24 * HOUR_MS,
  keepDays: 30,
  publicUrl: null,
};
