import { type Character, characterOf, simulatedSymbols } from './character.js';
import { exponential, hash, keyOf, unit } from './noise.js';
import { MINUTE_US } from './spans.js';
import { parseStream, type Instrument, type Tape, type TapeFrame, type TapeTrade } from './tape.js';
import { Weather } from './weather.js';

export type MarketOptions = Readonly<{
  /** Same seed, symbol and id: the same trade, for ever. */
  seed?: number;
  /** Times the usual trades per second. Another rate is another history. */
  rate?: number;
  symbols?: readonly string[];
}>;

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
