import { DAY_US, MINUTE_US } from './spans.js';

/** A stretch of whole minutes, [fromUs, toUs). */
export type Session = Readonly<{ fromUs: number; toUs: number }>;

export const SAMPLE_DAYS = 7;
export const MOST_SAMPLE_MINUTES = SAMPLE_DAYS * 1440;

/**
 * A week's sample: one session a day, all ending at the same time of day and alike in length (the newer ones take what is
 * left over), oldest first; the last one ends at `untilUs`. So any rolling day holds one session, as the day before it
 * does, and every interval has candles all over the week.
 */
export function sampleSessions(minutes: number, untilUs: number): Session[] {
  const sessions: Session[] = [];
  for (let daysBack = SAMPLE_DAYS - 1; daysBack >= 0; daysBack--) {
    const length = Math.floor(minutes / SAMPLE_DAYS) + (daysBack < minutes % SAMPLE_DAYS ? 1 : 0);
    const toUs = untilUs - daysBack * DAY_US;
    if (length > 0) sessions.push({ fromUs: toUs - length * MINUTE_US, toUs });
  }
  return sessions;
}
