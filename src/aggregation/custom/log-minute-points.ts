import { formatInstant, LOG_LEVELS, type LogMinutesCountedV1Data } from '../../contracts/index.js';
import { type CustomPoint, LOG_SERIES } from './custom-point.js';

/** As for points that are sent: what a clock that was never set says would stand first or last in a series for ever. */
const EARLIEST_US = Date.UTC(2000) * 1000;
const DAY_US = 86_400_000_000;

/** Six points a minute, one a level, and how many points were left out as their minutes are before 2000 or to come. */
export function logMinutePoints(
  counted: readonly LogMinutesCountedV1Data[],
  nowUs: number,
): { points: CustomPoint[]; leftOut: number } {
  const points: CustomPoint[] = [];
  const known = new Set<string>();
  let leftOut = 0;
  for (const { fileId, minutes } of counted) {
    for (const { minuteUs, part, lines } of minutes) {
      if (!(minuteUs >= EARLIEST_US && minuteUs <= nowUs + DAY_US)) {
        leftOut += LOG_LEVELS.length;
        continue;
      }
      const key = `${fileId}:${formatInstant(minuteUs)}:${part}`;
      if (known.has(key)) continue;
      known.add(key);
      for (const level of LOG_LEVELS)
        points.push({ name: LOG_SERIES + level, key, value: String(lines[level]), atUs: minuteUs });
    }
  }
  return { points, leftOut };
}
