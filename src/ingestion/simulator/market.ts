import { exponential, hash, keyOf, Octave, unit } from './noise.js';
import { parseStream, type Instrument, type Tape, type TapeFrame, type TapeTrade } from './tape.js';

export type MarketOptions = Readonly<{
  /** Same seed, symbol and id: the same trade, for ever. */
  seed?: number;
  /** Times the usual trades per second. Another rate is another history. */
  rate?: number;
  symbols?: readonly string[];
}>;

/** What sets a symbol's market apart. Prices move in 10^-priceDecimals, sizes in 10^-sizeDecimals; together at most 8. */
type Character = Readonly<{
  symbol: string;
  basePrice: number;
  priceDecimals: number;
  sizeDecimals: number;
  tradesPerSecond: number;
  medianSize: number;
  /** Typical move of a day, as a share of the price. */
  dailyMove: number;
  /** Share of its moves that it has in common with the other markets, 0 to 1. */
  common: number;
}>;

const CHARACTERS: readonly Character[] = [
  character('BTCUSDT', 65_000, 2, 5, 6, 0.0021, 0.014, 0.9),
  character('ETHUSDT', 2_650, 2, 4, 4.5, 0.031, 0.017, 0.82),
  character('ADAUSDT', 0.4513, 4, 1, 1.2, 210, 0.024, 0.7),
  character('SOLUSDT', 148, 2, 3, 2.5, 0.72, 0.022, 0.72),
  character('DOTUSDT', 5.2, 3, 2, 0.8, 17, 0.022, 0.7),
  character('LINKUSDT', 14.2, 3, 2, 1, 7.3, 0.023, 0.68),
  character('UNIUSDT', 7.85, 3, 2, 0.7, 12, 0.025, 0.6),
  character('AVAXUSDT', 24.6, 3, 2, 0.9, 4.1, 0.024, 0.68),
  character('MATICUSDT', 0.5234, 4, 1, 0.6, 170, 0.024, 0.64),
  character('ATOMUSDT', 4.87, 3, 2, 0.5, 19, 0.022, 0.66),
];

export const simulatedSymbols: readonly string[] = CHARACTERS.map(({ symbol }) => symbol);

/**
 * Ten markets that never were: a pure function of (seed, rate, symbol, trade id), readable at any place in any order, from
 * 1970 on. Ids are `day * trades a day + place within the day`, so an id leads to its minute and an instant to its id
 * without counting; each minute is made at once and a few are kept. Tape time is the wall clock.
 */
export function simulatedMarket(options: MarketOptions = {}): Tape {
  const seed = options.seed ?? 1;
  const rate = options.rate ?? 1;
  const symbols = options.symbols ?? simulatedSymbols;
  if (!(rate > 0 && rate <= 1000)) throw new RangeError(`rate is ${rate}, expected above 0 and up to 1000`);
  const markets = new Map(symbols.map((symbol) => [symbol, new Market(characterOf(symbol), seed, rate)]));
  const market = (symbol: string): Market => {
    const found = markets.get(symbol);
    if (!found) throw new RangeError(`no simulated market ${symbol}`);
    return found;
  };
  const spoken = (stream: string): Market | undefined => {
    const name = parseStream(stream);
    return name && (name.channel === 'trade' || name.channel === 'aggTrade') ? markets.get(name.symbol) : undefined;
  };
  return {
    instruments: [...markets.values()].map((each) => each.instrument),
    tradesFrom: (symbol, fromId, limit, nowUs) => market(symbol).tradesFrom(fromId, limit, nowUs),
    lastId: (symbol, nowUs) => {
      const id = market(symbol).countBy(nowUs) - 1;
      return id < 0 ? undefined : id;
    },
    firstIdSince: (symbol, tradedFromUs) => market(symbol).countBy(tradedFromUs - 1),
    cursorAt: (stream, nowUs) => {
      const found = spoken(stream);
      return found ? found.countBy(nowUs) - 1 : undefined;
    },
    framesAfter: (stream, after, limit, nowUs) => {
      const trades = spoken(stream)?.tradesFrom(after + 1, limit, nowUs) ?? [];
      return trades.map((trade): TapeFrame => ({ cursor: trade.id, order: trade.id, atUs: trade.tradedAtUs, trade }));
    },
  };
}

const MINUTE_US = 60_000_000;
const HOUR_US = 60 * MINUTE_US;
const DAY_US = 24 * HOUR_US;
const MINUTES = 1440;

/** Days and minutes that are kept, per symbol. */
const DAYS_KEPT = 4;
const MINUTES_KEPT = 8;

/** The trades of one minute, column by column. Prices and sizes are whole steps. */
type Minute = Readonly<{
  firstId: number;
  timesUs: Float64Array;
  ticks: Float64Array;
  lots: Float64Array;
  buyerIsMaker: Uint8Array;
}>;

class Market {
  readonly instrument: Instrument;
  private readonly tradesPerDay: number;
  private readonly key: Readonly<Record<'pause' | 'order' | 'walk' | 'side' | 'size' | 'minute', number>>;
  private readonly weather: Weather;
  private readonly priceText: (ticks: number) => string;
  private readonly sizeText: (lots: number) => string;
  private readonly days = new Map<number, Float64Array>();
  private readonly minutes = new Map<number, Minute>();

  constructor(
    private readonly of: Character,
    seed: number,
    rate: number,
  ) {
    this.tradesPerDay = Math.max(1, Math.round(of.tradesPerSecond * rate * 86_400));
    const key = (part: string): number => keyOf(seed, `${of.symbol}/${part}`);
    this.key = {
      pause: key('pause'),
      order: key('order'),
      walk: key('walk'),
      side: key('side'),
      size: key('size'),
      minute: key('minute'),
    };
    this.weather = new Weather(of, seed);
    this.priceText = decimalText(of.priceDecimals);
    this.sizeText = decimalText(of.sizeDecimals);
    this.instrument = {
      symbol: of.symbol,
      baseAsset: of.symbol.slice(0, -4),
      quoteAsset: 'USDT',
      tickSize: this.priceText(1),
      stepSize: this.sizeText(1),
    };
  }

  tradesFrom(fromId: number, limit: number, nowUs: number): TapeTrade[] {
    const trades: TapeTrade[] = [];
    const end = Math.min(fromId + limit, this.countBy(nowUs));
    for (let id = Math.max(0, fromId); id < end;) {
      const minute = this.minute(this.minuteOf(id));
      const last = Math.min(end, minute.firstId + minute.timesUs.length);
      for (; id < last; id++) trades.push(this.trade(minute, id));
    }
    return trades;
  }

  /** How many trades had happened by atUs, which is also the id of the next one. */
  countBy(atUs: number): number {
    if (!(atUs >= 0)) return 0;
    if (atUs > Number.MAX_SAFE_INTEGER) return Infinity;
    const number = Math.floor(atUs / MINUTE_US);
    const minute = this.minute(number);
    return minute.firstId + countUpTo(minute.timesUs, atUs);
  }

  private trade(minute: Minute, id: number): TapeTrade {
    const i = id - minute.firstId;
    return {
      id,
      price: this.priceText(minute.ticks[i]!),
      size: this.sizeText(minute.lots[i]!),
      tradedAtUs: minute.timesUs[i]!,
      buyerIsMaker: minute.buyerIsMaker[i] === 1,
    };
  }

  private minuteOf(id: number): number {
    const day = Math.floor(id / this.tradesPerDay);
    return day * MINUTES + countUpTo(this.day(day), id - day * this.tradesPerDay) - 1;
  }

  private minute(number: number): Minute {
    return kept(this.minutes, number, MINUTES_KEPT, () => this.makeMinute(number));
  }

  /** Trades before each minute of the day, and all of the day's at the end: it shares them out by how busy each minute is. */
  private day(day: number): Float64Array {
    return kept(this.days, day, DAYS_KEPT, () => {
      const before = new Float64Array(MINUTES + 1);
      for (let m = 0; m < MINUTES; m++) {
        const number = day * MINUTES + m;
        const chance = 0.6 + 0.8 * unit(this.key.minute, number);
        before[m + 1] = before[m]! + chance * this.weather.bustle(number * MINUTE_US + MINUTE_US / 2);
      }
      const scale = this.tradesPerDay / before[MINUTES]!;
      for (let m = 1; m < MINUTES; m++) before[m] = Math.floor(before[m]! * scale);
      before[MINUTES] = this.tradesPerDay;
      return before;
    });
  }

  private makeMinute(number: number): Minute {
    const day = Math.floor(number / MINUTES);
    const before = this.day(day);
    const m = number - day * MINUTES;
    const firstId = day * this.tradesPerDay + before[m]!;
    const count = before[m + 1]! - before[m]!;
    const startUs = number * MINUTE_US;
    const minute = {
      firstId,
      timesUs: this.times(firstId, count, startUs),
      ticks: new Float64Array(count),
      lots: new Float64Array(count),
      buyerIsMaker: new Uint8Array(count),
    };
    const { of, weather } = this;
    const ticksPerUnit = 10 ** of.priceDecimals;
    const medianLots = of.medianSize * 10 ** of.sizeDecimals;
    weather.enter(startUs);
    let log = weather.logPrice(startUs);
    let atUs = startUs;
    let bid = 0;
    let buys = false;
    for (let i = 0; i < count; i++) {
      const id = firstId + i;
      if (minute.timesUs[i] !== atUs || i === 0) {
        atUs = minute.timesUs[i]!;
        const next = weather.logPrice(atUs);
        const pull = Math.max(-0.3, Math.min(0.3, (next - log) * 4000));
        buys = unit(this.key.side, id) < 0.5 + pull + 0.1 * weather.flow(atUs);
        log = next;
        bid = Math.max(1, Math.floor(of.basePrice * exponential(log) * ticksPerUnit));
      } else if (unit(this.key.walk, id) < 0.2) {
        bid = Math.max(1, buys ? bid + 1 : bid - 1); // an order larger than the best level walks into the book
      }
      minute.ticks[i] = buys ? bid + 1 : bid;
      minute.lots[i] = Math.max(1, Math.round(medianLots * exponential(1.25 * bell(this.key.size, id))));
      minute.buyerIsMaker[i] = buys ? 0 : 1;
    }
    return minute;
  }

  /** Rising instants within the minute. Pauses are uneven, and one taker's order fills as several trades at one instant. */
  private times(firstId: number, count: number, startUs: number): Float64Array {
    const times = new Float64Array(count);
    let total = 0;
    for (let i = 0; i < count; i++) {
      if (i === 0 || hash(this.key.order, firstId + i) % 100 >= 38) {
        const u = unit(this.key.pause, firstId + i);
        total += 0.03 + u * u * u;
      }
      times[i] = total;
    }
    const scale = MINUTE_US / (total + 0.25);
    for (let i = 0; i < count; i++) times[i] = startUs + Math.floor(times[i]! * scale);
    return times;
  }
}

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
class Weather {
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

/** About the normal distribution, cut off at 3.5: the sum of four evenly spread bytes pairs. */
function bell(key: number, n: number): number {
  const a = hash(key, n);
  const b = hash(key ^ 0x5bd1e995, n);
  return ((a & 0xffff) + (a >>> 16) + (b & 0xffff) + (b >>> 16) - 131_070) / 37_837;
}

/** Whole steps of 10^-decimals → the venue's text with eight places. */
function decimalText(decimals: number): (steps: number) => string {
  const scale = 10 ** decimals;
  const zeros = '0'.repeat(8 - decimals);
  return (steps) => {
    const whole = Math.floor(steps / scale);
    return `${whole}.${String(steps - whole * scale + scale).slice(1)}${zeros}`;
  };
}

/** How many of the rising values are <= limit. */
function countUpTo(rising: Float64Array, limit: number): number {
  let from = 0;
  let to = rising.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (rising[middle]! <= limit) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** The value under the key, made when it is not there; the oldest made goes when there are more than `most`. */
function kept<V>(cache: Map<number, V>, key: number, most: number, make: () => V): V {
  const found = cache.get(key);
  if (found !== undefined) return found;
  const made = make();
  cache.set(key, made);
  if (cache.size > most) {
    const [oldest] = cache.keys();
    cache.delete(oldest!);
  }
  return made;
}

function characterOf(symbol: string): Character {
  const found = CHARACTERS.find((each) => each.symbol === symbol);
  if (!found) throw new RangeError(`no simulated market ${symbol}; there are ${simulatedSymbols.join(', ')}`);
  return found;
}

function character(
  symbol: string,
  basePrice: number,
  priceDecimals: number,
  sizeDecimals: number,
  tradesPerSecond: number,
  medianSize: number,
  dailyMove: number,
  common: number,
): Character {
  return { symbol, basePrice, priceDecimals, sizeDecimals, tradesPerSecond, medianSize, dailyMove, common };
}
