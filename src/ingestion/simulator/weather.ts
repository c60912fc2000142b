import type { Character } from './character.js';
import { exponential, hash, keyOf, Octave, unit } from './noise.js';
import { DAY_US, HOUR_US, MINUTE_US } from './spans.js';

const PERIODS_FROM_US = 40 * DAY_US;
const PERIODS_TO_US = 1_200_000;
/** Between the periods of two octaves; not a whole number, so that they never line up. */
const PERIODS_RATIO = 2.15;
/** Octaves up to this period swell and fade with volatility; slower ones carry the level, which must not. */
const SWELLS_UP_TO_US = 100 * MINUTE_US;
/** Below this nothing is common to the markets. */
const COMMON_DOWN_TO_US = 8_000_000;
/** Makes the sum of octaves move about `dailyMove` a day (standard deviation, measured). */
const AMPLITUDE = 0.84;

const SHOCK_EVERY_US = 4 * HOUR_US;
const SHOCK_RISE_US = 45_000_000;
const SHOCK_RUSH_US = 7 * MINUTE_US;

type Wave = Readonly<{ octave: Octave; amplitude: number; swells: boolean }>;

/** What moves a market: the price before it is rounded, how far it swings, how busy it is. All continuous in time. */
export class Weather {
  private readonly waves: readonly Wave[];
  private readonly swings: readonly Wave[];
  private readonly crowds: readonly Wave[];
  private readonly shockKey: number;
  private readonly flows: Octave;
  private swingFromUs = 0;
  private swingFrom = 0;
  private swingTo = 0;

  constructor(
    private readonly of: Character,
    seed: number,
  ) {
    const own = Math.sqrt(1 - of.common * of.common);
    const waves: Wave[] = [];
    for (let us = PERIODS_FROM_US; us > PERIODS_TO_US; us /= PERIODS_RATIO) {
      const move = AMPLITUDE * of.dailyMove * Math.sqrt(us / DAY_US);
      const swells = us <= SWELLS_UP_TO_US;
      const shared = us > COMMON_DOWN_TO_US ? of.common : 0;
      const name = `price/${waves.length}`;
      if (shared) waves.push({ octave: wave(seed, `all/${name}`, us), amplitude: move * shared, swells });
      waves.push({ octave: wave(seed, `${of.symbol}/${name}`, us), amplitude: shared ? move * own : move, swells });
    }
    this.waves = waves;
    this.swings = [
      { octave: wave(seed, 'all/swing/0', 3 * DAY_US), amplitude: 0.35, swells: false },
      { octave: wave(seed, 'all/swing/1', 11 * HOUR_US), amplitude: 0.35, swells: false },
      { octave: wave(seed, `${of.symbol}/swing/2`, 5 * HOUR_US), amplitude: 0.35, swells: false },
      { octave: wave(seed, `${of.symbol}/swing/3`, 1.7 * HOUR_US), amplitude: 0.4, swells: false },
    ];
    this.crowds = [
      { octave: wave(seed, `${of.symbol}/crowd/0`, 23 * MINUTE_US), amplitude: 0.4, swells: false },
      { octave: wave(seed, `${of.symbol}/crowd/1`, 4 * MINUTE_US), amplitude: 0.5, swells: false },
    ];
    this.shockKey = keyOf(seed, `${of.symbol}/shock`);
    this.flows = wave(seed, `${of.symbol}/flow`, 9 * MINUTE_US);
  }

  /** Trades per minute against the symbol's mean: the hour of the day, volatility, crowds and shocks. */
  bustle(timeUs: number): number {
    const calm = exponential(sum(this.crowds, timeUs)) * this.swing(timeUs);
    return calm * (0.5 + 0.5 * hours(timeUs)) * (1 + 4 * this.shock(timeUs).rush);
  }

  /** Call before `logPrice` for instants of the minute that starts here: volatility is drawn as a line across it. */
  enter(minuteUs: number): void {
    this.swingFromUs = minuteUs;
    this.swingFrom = this.swing(minuteUs);
    this.swingTo = this.swing(minuteUs + MINUTE_US);
  }

  /** Natural logarithm of price over base price. */
  logPrice(timeUs: number): number {
    const swing = this.swingFrom + ((this.swingTo - this.swingFrom) * (timeUs - this.swingFromUs)) / MINUTE_US;
    let level = 0;
    for (const { octave, amplitude, swells } of this.waves) {
      level += (swells ? amplitude * swing : amplitude) * octave.at(timeUs);
    }
    return level + this.shock(timeUs).move;
  }

  /** Who presses: -1 sellers, 1 buyers. */
  flow(timeUs: number): number {
    return this.flows.at(timeUs);
  }

  /** How far prices swing against the usual; about 1. */
  private swing(timeUs: number): number {
    return exponential(sum(this.swings, timeUs)) * Math.sqrt(hours(timeUs));
  }

  /**
   * News: in about half of the four-hour spans the price runs off within a minute, the crowd comes for some, and the move
   * fades over the next span.
   */
  private shock(timeUs: number): { move: number; rush: number } {
    let move = 0;
    let rush = 0;
    const span = Math.floor(timeUs / SHOCK_EVERY_US);
    for (let n = span - 1; n <= span; n++) {
      const h = hash(this.shockKey, n);
      if ((h & 1) === 0) continue;
      const since = timeUs - (n + unit(this.shockKey ^ 1, n)) * SHOCK_EVERY_US;
      if (since <= 0 || since >= SHOCK_EVERY_US) continue;
      const up = Math.min(1, since / SHOCK_RISE_US);
      const left = 1 - since / SHOCK_EVERY_US;
      const size = this.of.dailyMove * (0.12 + 0.3 * unit(this.shockKey ^ 2, n)) * (h & 2 ? 1 : -1);
      move += size * up * up * (3 - 2 * up) * left * left * left;
      const crowd = Math.max(0, 1 - since / SHOCK_RUSH_US);
      rush += up * crowd * crowd;
    }
    return { move, rush };
  }
}

function wave(seed: number, name: string, periodUs: number): Octave {
  return new Octave(keyOf(seed, name), periodUs);
}

function sum(waves: readonly Wave[], timeUs: number): number {
  let total = 0;
  for (const { octave, amplitude } of waves) total += amplitude * octave.at(timeUs);
  return total;
}

/** The shape of a day: quiet at 4:00 UTC, busy when Europe and above all America open. Mean about 1. */
function hours(timeUs: number): number {
  const hour = (timeUs % DAY_US) / HOUR_US;
  return 0.62 + 1.1 * bump(hour, 14.6, 2.6) + 0.45 * bump(hour, 8, 1.8) + 0.3 * bump(hour, 0, 1.2);
}

function bump(hour: number, centre: number, width: number): number {
  const away = Math.abs(hour - centre);
  const x = Math.min(away, 24 - away) / width;
  return 1 / (1 + x * x * x * x);
}
