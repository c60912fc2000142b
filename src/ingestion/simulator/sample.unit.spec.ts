import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MOST_SAMPLE_MINUTES, sampleSessions } from './sample.js';
import { DAY_US, MINUTE_US } from './spans.js';

const UNTIL_US = Date.UTC(2026, 2, 8, 15) * 1000;
const minutesOf = ({ fromUs, toUs }: { fromUs: number; toUs: number }): number => (toUs - fromUs) / MINUTE_US;

describe('the sessions of a sample', () => {
  it('are one a day over a week, a thousand minutes in all', () => {
    const sessions = sampleSessions(1000, UNTIL_US);
    expect(sessions.map(minutesOf)).toEqual([142, 143, 143, 143, 143, 143, 143]);
    expect(sessions.map(({ toUs }) => (UNTIL_US - toUs) / DAY_US)).toEqual([6, 5, 4, 3, 2, 1, 0]);
  });

  it('are the newest days when there is less than a minute for each', () => {
    expect(sampleSessions(2, UNTIL_US)).toEqual([
      { fromUs: UNTIL_US - DAY_US - MINUTE_US, toUs: UNTIL_US - DAY_US },
      { fromUs: UNTIL_US - MINUTE_US, toUs: UNTIL_US },
    ]);
  });

  it('hold all the minutes asked for, apart and in order, within the week', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: MOST_SAMPLE_MINUTES }), (minutes) => {
        const sessions = sampleSessions(minutes, UNTIL_US);
        expect(sessions.reduce((sum, session) => sum + minutesOf(session), 0)).toBe(minutes);
        expect(sessions[0]!.fromUs).toBeGreaterThanOrEqual(UNTIL_US - 7 * DAY_US);
        expect(sessions.at(-1)!.toUs).toBe(UNTIL_US);
        for (const [index, { fromUs }] of sessions.entries())
          expect(fromUs).toBeGreaterThanOrEqual(sessions[index - 1]?.toUs ?? 0);
      }),
    );
  });
});
