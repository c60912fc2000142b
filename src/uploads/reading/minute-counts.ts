import { LOG_LEVELS, type LogLevel, type LogMinutesCountedV1Data } from '../../contracts/index.js';

const MINUTE_US = 60_000_000;
/** Minutes that are counted at a time: lines may be out of order by as much without a second part of a minute. */
const MOST_OPEN = 60;

type Minute = LogMinutesCountedV1Data['minutes'][number];
type Lines = Record<LogLevel, number>;
/** JSON: minutes by when they were last counted, the latest at the end. */
export type MinutesMemory = Readonly<{
  part: number;
  open: readonly (readonly [minuteUs: number, lines: readonly number[]])[];
}>;

const NONE: MinutesMemory = { part: 0, open: [] };

/** Lines by minute and level. A minute is told once enough others were counted after it. */
export class MinuteCounts {
  private readonly open: Map<number, Lines>;
  /** Raised for each minute that is told: of two parts of a minute the later has the higher one. */
  private part: number;

  constructor({ part, open }: MinutesMemory = NONE) {
    this.part = part;
    this.open = new Map(open.map(([minuteUs, counts]) => [minuteUs, linesOf(counts)]));
  }

  count(atUs: number, level: LogLevel | undefined): void {
    const minuteUs = Math.floor(atUs / MINUTE_US) * MINUTE_US;
    const lines = this.open.get(minuteUs) ?? linesOf([]);
    if (level !== undefined) lines[level]++;
    this.open.delete(minuteUs);
    this.open.set(minuteUs, lines);
  }

  /** Minutes that are over; all of them once the file is. */
  told(isFileOver: boolean): Minute[] {
    const many = isFileOver ? this.open.size : this.open.size - MOST_OPEN;
    if (many <= 0) return [];
    const told = [...this.open].slice(0, many).map(([minuteUs, lines]) => ({ minuteUs, part: this.part++, lines }));
    for (const { minuteUs } of told) this.open.delete(minuteUs);
    return told;
  }

  memory(): MinutesMemory {
    const open = [...this.open].map(
      ([minuteUs, lines]) => [minuteUs, LOG_LEVELS.map((level) => lines[level])] as const,
    );
    return { part: this.part, open };
  }
}

const linesOf = (counts: readonly number[]): Lines =>
  Object.fromEntries(LOG_LEVELS.map((level, place) => [level, counts[place] ?? 0])) as Lines;
