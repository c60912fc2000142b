import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { INTERVALS, type IntervalName } from '../../contracts/index.js';
import { indicator } from '../../platform/indicators/index.js';
import { type InputRef, inputKey, VARIABLE_NAMES, WINDOW_FNS } from '../conditions/index.js';
import { Market, type MarketTrade, type MinuteBar, TOPICS, topicsOf, type Warmth } from './index.js';

const MINUTE_US = 60_000_000;
const HOUR_US = 60 * MINUTE_US;
const DAY_US = 24 * HOUR_US;
/** Ten to midnight at the end of a month. */
const START_US = Date.UTC(2026, 7, 31, 23, 50) * 1000;
const KEY = { source: 'binance', symbol: 'BTCUSDT' };

const variable = (name: (typeof VARIABLE_NAMES)[number]): InputRef => ({ kind: 'variable', name });
const window = (fn: (typeof WINDOW_FNS)[number], of: 'price' | 'volume', minutes: number): InputRef => {
  return { kind: 'window', fn, of, minutes };
};
const indicatorOf = (spec: string, interval: IntervalName = '1m', output = ''): InputRef => {
  return { kind: 'indicator', spec, output, interval };
};

const OF_TRADES = VARIABLE_NAMES.filter((name) => name !== 'sentiment' && name !== 'feed_age_s');
const WINDOWS = [1, 2, 7, 60, 1440].flatMap((minutes) =>
  WINDOW_FNS.flatMap((fn) => [window(fn, 'price', minutes), window(fn, 'volume', minutes)]),
);
const INDICATORS = (['1m', '5m', '1h'] as const).flatMap((interval) => [
  ...['sma:3', 'ema:3', 'wma:4', 'rsi:2', 'atr:2', 'obv', 'vwap:session', 'vwap:5', 'twap:5'].map((spec) =>
    indicatorOf(spec, interval),
  ),
  ...['macd', 'signal', 'histogram'].map((output) => indicatorOf('macd:2:4:3', interval, output)),
  ...['upper', 'middle', 'lower'].map((output) => indicatorOf('bollinger:4:2', interval, output)),
  ...['k', 'd'].map((output) => indicatorOf('stochastic:3:2:2', interval, output)),
]);
const EVERYTHING: readonly InputRef[] = [...OF_TRADES.map(variable), ...WINDOWS, ...INDICATORS];

/** All of it, and little, where the room for minutes is small. */
const SOME = [
  EVERYTHING,
  INDICATORS.filter((one) => one.kind === 'indicator' && one.interval === '1m'),
  INDICATORS.filter((one) => one.kind === 'indicator' && one.interval === '5m'),
  WINDOWS.filter((one) => one.kind === 'window' && one.minutes < 10),
] as const;
const someInputs = fc.constantFrom(...SOME);

/** The candles that trades make: of those that have a size. */
function candles(trades: readonly MarketTrade[], interval: IntervalName): MinuteBar[] {
  const stepUs = INTERVALS[interval] * 1000;
  const groups = Map.groupBy(
    trades.filter(({ size }) => size > 0),
    ({ tradedAtUs }) => tradedAtUs - (tradedAtUs % stepUs),
  );
  return [...groups].map(([openTimeUs, some]) => {
    const prices = some.map(({ price }) => price);
    return {
      openTimeUs,
      open: prices[0]!,
      high: Math.max(...prices),
      low: Math.min(...prices),
      close: prices.at(-1)!,
      volume: total(some.map(({ size }) => size)),
      quoteVolume: total(some.map(({ price, size }) => price * size)),
      trades: some.length,
    };
  });
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** Every input from all trades that ever were, made anew. */
class Oracle {
  private readonly minutes: MinuteBar[];
  private readonly now: number;

  constructor(
    private readonly trades: readonly MarketTrade[],
    nowUs: number,
  ) {
    this.minutes = candles(trades, '1m');
    this.now = Math.floor(nowUs / MINUTE_US);
  }

  value(input: InputRef): number {
    const value = this.found(input);
    return Number.isFinite(value) ? value : NaN;
  }

  private found(input: InputRef): number {
    if (input.kind === 'indicator') return this.indicator(input.spec, input.output, input.interval);
    if (input.kind === 'window')
      return input.of === 'price' ? this.prices(input.fn, input.minutes) : this.volumes(input.fn, input.minutes);
    if (input.kind === 'variable') return this.variable(input.name);
    return NaN;
  }

  private get begun(): number {
    return this.minutes.length === 0 ? Infinity : this.minutes[0]!.openTimeUs / MINUTE_US;
  }

  private bar(minute: number): MinuteBar | undefined {
    return this.minutes.find(({ openTimeUs }) => openTimeUs === minute * MINUTE_US);
  }

  private close(minute: number): number {
    return this.minutes.findLast(({ openTimeUs }) => openTimeUs <= minute * MINUTE_US)?.close ?? NaN;
  }

  private prices(fn: string, n: number): number {
    const { now } = this;
    if (fn === 'change' || fn === 'change_pct') {
      const [to, from] = [this.trades.at(-1)?.price ?? NaN, this.close(now - n)];
      return fn === 'change' ? to - from : (100 * (to - from)) / from;
    }
    const from = fn === 'sum' ? now - n + 1 : now - n;
    if (from < this.begun) return NaN;
    const stretch = Array.from({ length: n }, (_, i) => from + i);
    const closes = stretch.map((minute) => this.close(minute));
    if (fn === 'min') return Math.min(...stretch.map((minute) => this.bar(minute)?.low ?? this.close(minute)));
    if (fn === 'max') return Math.max(...stretch.map((minute) => this.bar(minute)?.high ?? this.close(minute)));
    return statistic(fn, closes);
  }

  private volumes(fn: string, n: number): number {
    const { now } = this;
    const isChange = fn === 'change' || fn === 'change_pct';
    const from = isChange ? now - 2 * n + 1 : fn === 'sum' ? now - n + 1 : now - n;
    if (from < this.begun) return NaN;
    const of = (begin: number): number[] => Array.from({ length: n }, (_, i) => this.bar(begin + i)?.volume ?? 0);
    if (fn === 'min') return Math.min(...of(from));
    if (fn === 'max') return Math.max(...of(from));
    if (!isChange) return statistic(fn, of(from));
    const [before, here] = [total(of(from)), total(of(from + n))];
    return fn === 'change' ? here - before : (100 * (here - before)) / before;
  }

  private variable(name: string): number {
    const last = this.trades.at(-1);
    const { now } = this;
    if (name === 'price') return last?.price ?? NaN;
    if (name === 'size') return this.trades.findLast(({ size }) => size > 0)?.size ?? NaN;
    if (name === 'volume' || name === 'quote_volume' || name === 'trades') {
      if (now < this.begun) return NaN;
      const bar = this.bar(now);
      return (name === 'volume' ? bar?.volume : name === 'trades' ? bar?.trades : bar?.quoteVolume) ?? 0;
    }
    if (this.begun === Infinity) return NaN;
    const day = this.minutes.filter(({ openTimeUs }) => openTimeUs > (now - 1440) * MINUTE_US);
    if (name === 'volume_24h') return total(day.map(({ volume }) => volume));
    if (name === 'quote_volume_24h') return total(day.map(({ quoteVolume }) => quoteVolume));
    if (name === 'trades_24h') return total(day.map(({ trades }) => trades!));
    if (name === 'high_24h') return Math.max(...day.map(({ high }) => high));
    if (name === 'low_24h') return Math.min(...day.map(({ low }) => low));
    return (100 * (this.close(now) - (day[0]?.open ?? NaN))) / (day[0]?.open ?? NaN);
  }

  private indicator(spec: string, output: string, interval: IntervalName): number {
    const running = indicator(spec).create(interval);
    let value;
    for (const bar of candles(this.trades, interval)) value = running.next(bar);
    if (value === undefined) return NaN;
    return typeof value === 'number' ? value : value[output]!;
  }
}

function statistic(fn: string, values: readonly number[]): number {
  const mean = total(values) / values.length;
  if (fn === 'sum') return total(values);
  if (fn === 'avg') return mean;
  return Math.sqrt(total(values.map((value) => (value - mean) ** 2)) / values.length);
}

function expectValues(market: Market, inputs: readonly InputRef[], oracle: Oracle): void {
  for (const input of inputs) {
    const [found, wanted] = [market.value(input), oracle.value(input)];
    if (!isNearly(found, wanted, 1e-9)) throw new Error(`${inputKey(input)} is ${found} and not ${wanted}`);
  }
}

const isNearly = (found: number, wanted: number, share: number): boolean =>
  Object.is(found, wanted) || Math.abs(found - wanted) <= Math.max(1e3 * share, Math.abs(wanted) * share);

/** From trades of one instant to half a day without any. */
const gapUs = fc.oneof(
  { weight: 2, arbitrary: fc.constant(0) },
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 40_000_000 }) },
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 5 }).map((minutes) => minutes * MINUTE_US) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 12 * 3600 }).map((seconds) => seconds * 1_000_000) },
);
const aTrade = fc.record({
  gapUs,
  price: fc.double({ min: 60_000, max: 70_000, noNaN: true }),
  size: fc.oneof(
    { weight: 1, arbitrary: fc.constant(0) },
    { weight: 6, arbitrary: fc.double({ min: 1e-6, max: 50, noNaN: true }) },
  ),
  aheadUs: fc.option(gapUs, { freq: 3 }),
});
type Step = Readonly<{ trade: MarketTrade; aheadUs: number | null }>;
const someTrades = (length: number): fc.Arbitrary<Step[]> =>
  fc.array(aTrade, { minLength: 1, maxLength: length, size: 'max' }).map((steps) => {
    let tradedAtUs = START_US;
    return steps.map((step) => {
      tradedAtUs += step.gapUs;
      return { trade: { tradedAtUs, price: step.price, size: step.size }, aheadUs: step.aheadUs };
    });
  });

/** As whoever feeds a market does: the last so many candles that were over then. */
function warmUp(market: Market, warmth: Warmth, trades: readonly MarketTrade[], untilUs: number): void {
  const asked = { ...warmth.bars, ...(warmth.minutes > 0 && { '1m': warmth.minutes }) };
  for (const [name, count] of Object.entries(asked)) {
    const interval = name as IntervalName;
    const over = candles(trades, interval).filter(
      ({ openTimeUs }) => openTimeUs + INTERVALS[interval] * 1000 <= untilUs,
    );
    market.warm(interval, over.slice(-count));
  }
}

const isSize = (input: InputRef): boolean => input.kind === 'variable' && input.name === 'size';
const tradesOf = (steps: readonly Step[]): MarketTrade[] => steps.map(({ trade }) => trade);

describe('a market that lived through all of it', () => {
  it('says at every instant what all the trades say, however often time passes in between, ahead of trades too', () => {
    fc.assert(
      fc.property(someInputs, someTrades(120), fc.integer({ min: 1, max: 40 }), (inputs, steps, every) => {
        const market = new Market(KEY);
        market.want(inputs);
        let nowUs = -Infinity;
        for (const [i, { trade, aheadUs }] of steps.entries()) {
          expect(market.take(trade)).toBe(true);
          nowUs = Math.max(nowUs, trade.tradedAtUs);
          if (aheadUs !== null) market.advance((nowUs += aheadUs));
          // asking changes nothing either
          if (i % every === 0 || i === steps.length - 1)
            expectValues(market, inputs, new Oracle(tradesOf(steps.slice(0, i + 1)), nowUs));
        }
      }),
      { numRuns: 60 },
    );
  }, 120_000);

  it('says to the bit the same without those who ask and those who tell the time', () => {
    fc.assert(
      fc.property(someTrades(150), (steps) => {
        const [asked, alone] = [new Market(KEY), new Market(KEY)];
        for (const market of [asked, alone]) market.want(EVERYTHING);
        let nowUs = START_US;
        for (const { trade, aheadUs } of steps) {
          asked.take(trade);
          alone.take(trade);
          for (const input of EVERYTHING) asked.value(input);
          nowUs = Math.max(nowUs, trade.tradedAtUs) + (aheadUs ?? 0);
          asked.advance(nowUs);
        }
        alone.advance(nowUs);
        expect(EVERYTHING.map((input) => asked.value(input))).toEqual(EVERYTHING.map((input) => alone.value(input)));
      }),
      { numRuns: 60 },
    );
  });
});

describe('a market that is warmed in the middle', () => {
  it('says what the one says that lived through all of it', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(someInputs, someTrades(160), share, (inputs, steps, where) => {
        const trades = tradesOf(steps);
        const pivot = trades[Math.floor(where * (trades.length - 1))]!;
        const fromUs = pivot.tradedAtUs - (pivot.tradedAtUs % MINUTE_US);
        const [past, live] = [true, false].map((isPast) =>
          trades.filter(({ tradedAtUs }) => tradedAtUs < fromUs === isPast),
        ) as [MarketTrade[], MarketTrade[]];
        const market = new Market(KEY);
        warmUp(market, market.want(inputs), past, fromUs);
        market.advance(fromUs);
        // candles know nothing of prices without size, nor how large their last trade was
        const sized = past.filter(({ size }) => size > 0);
        const told = inputs.filter((one) => !isSize(one));
        expectValues(market, told, new Oracle(sized, fromUs));
        for (const trade of live) market.take(trade);
        expectValues(
          market,
          live.some(({ size }) => size > 0) ? inputs : told,
          new Oracle(trades, trades.at(-1)!.tradedAtUs),
        );
      }),
      { numRuns: 150 },
    );
  }, 120_000);

  it('says the same of what is wanted later, once it is warmed with that', () => {
    fc.assert(
      fc.property(
        someTrades(160),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: 5 }),
        (steps, where, share) => {
          const trades = tradesOf(steps);
          const at = Math.floor(where * trades.length);
          const few = EVERYTHING.filter((_, i) => i % (share + 1) === 0);
          const market = new Market(KEY);
          market.want(few);
          for (const trade of trades.slice(0, at)) market.take(trade);
          // what is over when more is wanted
          const nowUs = trades[at - 1]?.tradedAtUs ?? START_US;
          warmUp(market, market.want(EVERYTHING), trades.slice(0, at), nowUs - (nowUs % MINUTE_US));
          for (const trade of trades.slice(at)) market.take(trade);
          const lastUs = trades.at(-1)!.tradedAtUs;
          expectValues(market, EVERYTHING, new Oracle(trades, lastUs));
          if (trades.some(({ size }) => size > 0)) expect(market.want(few)).toEqual({ minutes: 0, bars: {} });
          expectValues(market, few, new Oracle(trades, lastUs));
        },
      ),
      { numRuns: 100 },
    );
  }, 120_000);
});

describe('what changed', () => {
  it('is in the topics of every input whose value is another, but for rounding', () => {
    const feed = [variable('feed_age_s'), variable('sentiment'), { kind: 'custom', name: 'orders' } as const];
    const anomaly = { kind: 'anomaly', anomaly: 'any', minutes: 2 } as const;
    const all: InputRef[] = [...EVERYTHING, ...feed, anomaly];
    const step = fc.tuple(aTrade, fc.integer({ min: 0, max: 9 }));
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }), (steps) => {
        const market = new Market(KEY);
        market.want(all);
        let [tradedAtUs, nowUs] = [START_US, START_US];
        for (const [{ gapUs: afterUs, price, size, aheadUs }, what] of steps) {
          const mark = market.mark;
          const before = all.map((input) => market.value(input));
          if (what < 6) market.take({ tradedAtUs: (tradedAtUs += afterUs), price, size });
          if (what === 6) market.advance((nowUs += aheadUs ?? 0));
          if (what === 7) market.tell('price-spike', nowUs);
          if (what === 8) market.tellCustom('orders', price, nowUs);
          if (what === 9) market.tellSentiment(price, nowUs);
          nowUs = Math.max(nowUs, tradedAtUs);
          const bits = market.changedSince(mark);
          for (const [i, input] of all.entries())
            if ((topicsOf(input) & bits) === 0 && !isNearly(market.value(input), before[i]!, 1e-12))
              throw new Error(`${inputKey(input)} went from ${before[i]} to ${market.value(input)} unheard`);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('is not what a quiet second leaves as it was', () => {
    const market = new Market(KEY);
    market.take({ tradedAtUs: START_US, price: 1, size: 1 });
    const mark = market.mark;
    market.advance(START_US + 1_000_000);
    expect(market.changedSince(mark)).toBe(TOPICS.feed);
    expect(market.changedSince(market.mark)).toBe(0);
  });
});

/** One trade a minute, so many. */
const everyMinute = (count: number, of: (i: number) => Partial<MarketTrade> = () => ({})): MarketTrade[] =>
  Array.from({ length: count }, (_, i) => ({ tradedAtUs: START_US + i * MINUTE_US, price: 100, size: 1, ...of(i) }));

function marketOf(inputs: readonly InputRef[], trades: readonly MarketTrade[] = [], source = 'binance'): Market {
  const market = new Market({ source, symbol: 'BTCUSDT' });
  market.want(inputs);
  for (const trade of trades) market.take(trade);
  return market;
}

describe('trades', () => {
  it('are not taken when they are older than the last one, or than what it was warmed with', () => {
    const market = new Market(KEY);
    market.want([variable('volume')]);
    market.warm('1m', candles(everyMinute(2), '1m'));
    const trade = { tradedAtUs: START_US + 2 * MINUTE_US, price: 5, size: 1 };
    expect(market.take({ ...trade, tradedAtUs: trade.tradedAtUs - 1 })).toBe(false);
    expect(market.lastTradedAtUs).toBeUndefined();
    expect(market.take(trade)).toBe(true);
    expect(market.take(trade)).toBe(true);
    expect(market.take({ ...trade, tradedAtUs: trade.tradedAtUs - 1 })).toBe(false);
    expect(market.value(variable('volume'))).toBe(2);
    expect(market.lastTradedAtUs).toBe(trade.tradedAtUs);
  });

  it('move the price alone when their size is 0, and the candles of a polled source too', () => {
    const inputs = [variable('price'), variable('trades'), variable('size'), indicatorOf('sma:2')];
    const prices = everyMinute(3, (i) => ({ price: 10 * (i + 1), size: 0 }));
    const values = (market: Market): number[] => inputs.map((input) => market.value(input));
    expect(values(marketOf(inputs, prices))).toEqual([30, NaN, NaN, NaN]);
    expect(values(marketOf(inputs, prices, 'fear-greed'))).toEqual([30, 0, NaN, 25]);
  });

  it('that are past when time is ahead of them still count where they belong', () => {
    const inputs = [window('sum', 'volume', 2), window('max', 'price', 1), variable('volume')];
    const market = marketOf(inputs, everyMinute(2));
    market.advance(START_US + 2 * MINUTE_US);
    expect(inputs.map((input) => market.value(input))).toEqual([1, 100, 0]);
    market.take({ tradedAtUs: START_US + 1.9 * MINUTE_US, price: 500, size: 3 });
    expect(inputs.map((input) => market.value(input))).toEqual([4, 500, 0]);
  });
});

describe('where there is no data', () => {
  it('there is none before a window is full of a young series, and the day is as long as that is old', () => {
    const inputs = [
      window('avg', 'price', 3),
      window('change', 'price', 3),
      window('sum', 'volume', 3),
      variable('volume_24h'),
    ];
    const market = marketOf(inputs);
    const values = everyMinute(4, (i) => ({ price: i })).map((trade) => {
      market.take(trade);
      return inputs.map((input) => market.value(input));
    });
    const none = NaN;
    expect(values).toEqual([
      [none, none, none, 1],
      [none, none, none, 2],
      [none, none, 3, 3],
      [1, 3, 3, 4],
    ]);
  });

  it('what is wanted later has none before it is warmed', () => {
    const market = marketOf([variable('price')], everyMinute(50));
    const inputs = [indicatorOf('sma:3'), indicatorOf('vwap:session', '1h'), window('sum', 'volume', 30)];
    expect(market.want(inputs)).toEqual({ minutes: 61, bars: { '1h': 24 } });
    const next = everyMinute(60).slice(50);
    for (const trade of next) market.take(trade);
    expect(inputs.map((input) => market.value(input))).toEqual([NaN, NaN, NaN]);
  });

  it('asks for what a value takes to settle, and for a whole session where it counts from one', () => {
    const ask = (...inputs: InputRef[]): Warmth => new Market(KEY).want(inputs);
    expect(ask(variable('price'))).toEqual({ minutes: 1, bars: {} });
    expect(ask(variable('change_24h'), indicatorOf('sma:20', '5m'))).toEqual({ minutes: 1441, bars: { '5m': 20 } });
    expect(ask(indicatorOf('rsi:14', '1h'))).toEqual({ minutes: 61, bars: { '1h': indicator('rsi:14').settle } });
    expect(ask(indicatorOf('obv', '15m'), indicatorOf('vwap:session', '15m'))).toMatchObject({ bars: { '15m': 2976 } });
    expect(ask(indicatorOf('vwap:session', '1m'))).toEqual({ minutes: 1440, bars: {} });
    expect(ask(indicatorOf('obv', '1d'))).toMatchObject({ bars: { '1d': 366 } });
    expect(ask(window('avg', 'price', 30))).toEqual({ minutes: 31, bars: {} });
    expect(ask(window('change', 'volume', 1440))).toEqual({ minutes: 2880, bars: {} });
  });

  it('there is none while a hole in the trades touches what is looked at', () => {
    const inputs = [
      window('sum', 'volume', 3),
      window('avg', 'price', 3),
      indicatorOf('sma:3'),
      variable('trades'),
      variable('price'),
    ];
    const market = marketOf(inputs, everyMinute(5));
    market.miss(START_US + 4 * MINUTE_US, START_US + 4 * MINUTE_US + 1);
    const seen: number[][] = [];
    for (const trade of everyMinute(9).slice(4)) {
      market.take(trade);
      seen.push(inputs.map((input) => market.value(input)));
    }
    expect(seen).toEqual([
      [NaN, NaN, NaN, NaN, 100],
      [NaN, NaN, NaN, 1, 100],
      [NaN, NaN, NaN, 1, 100],
      [3, NaN, 100, 1, 100],
      [3, 100, 100, 1, 100],
    ]);
  });

  it('a candle that a hole touches is as much of one', () => {
    const bars = candles(everyMinute(6), '1m').map((bar, i) => ({ ...bar, incomplete: i === 3 }));
    const inputs = [
      window('sum', 'volume', 3),
      window('sum', 'volume', 2),
      indicatorOf('sma:3'),
      indicatorOf('vwap:session'),
    ];
    const market = new Market(KEY);
    market.want(inputs);
    market.warm('1m', bars);
    market.take(everyMinute(7)[6]!);
    expect(inputs.map((input) => market.value(input))).toEqual([3, 2, 100, NaN]);
    const nextDay = { ...everyMinute(1)[0]!, tradedAtUs: START_US + 11 * MINUTE_US };
    market.take(nextDay);
    expect(market.value(inputs[3]!)).toBe(100);
  });

  it('a session that a hole began with is none', () => {
    const session = indicatorOf('vwap:session');
    const market = marketOf([session], everyMinute(9));
    market.miss(START_US + 10 * MINUTE_US, START_US + 10 * MINUTE_US + 1);
    for (const trade of everyMinute(14).slice(10)) market.take(trade);
    expect(market.value(session)).toBeNaN();
    market.take({ tradedAtUs: START_US + DAY_US + 10 * MINUTE_US, price: 7, size: 1 });
    expect(market.value(session)).toBe(7);
  });

  it('a bar whose beginning nobody told is as much of one', () => {
    const hourly = indicatorOf('sma:2', '1h');
    const market = new Market(KEY);
    market.want([hourly]);
    market.warm(
      '1h',
      candles(
        everyMinute(600, (i) => ({ tradedAtUs: START_US - DAY_US + i * MINUTE_US })),
        '1h',
      ),
    );
    market.take({ tradedAtUs: START_US, price: 1, size: 1 });
    expect(market.value(hourly)).toBeNaN();
  });

  it('nothing is told of what nobody wants', () => {
    const market = marketOf([variable('price')], everyMinute(1));
    expect(market.value(variable('volume_24h'))).toBeNaN();
    expect(market.value({ kind: 'variable', name: 'price' })).toBe(100);
    expect(market.value(indicatorOf('sma:2'))).toBeNaN();
  });
});

describe('beside the trades', () => {
  it('an anomaly is true until so many minutes after it', () => {
    const [spike, any] = (['price-spike', 'any'] as const).map(
      (anomaly) => ({ kind: 'anomaly', anomaly, minutes: 2 }) as const,
    );
    const market = marketOf([spike!, any!]);
    market.advance(START_US);
    market.tell('volume-drop', START_US);
    market.tell('volume-drop', START_US - HOUR_US);
    expect([market.value(spike!), market.value(any!)]).toEqual([0, 1]);
    market.advance(START_US + 2 * MINUTE_US - 1);
    expect(market.value(any!)).toBe(1);
    const mark = market.mark;
    market.advance(START_US + 2 * MINUTE_US);
    expect(market.value(any!)).toBe(0);
    expect(market.changedSince(mark) & TOPICS.anomaly).toBe(TOPICS.anomaly);
  });

  it('the last point of a custom series counts, and the last sentiment', () => {
    const orders = { kind: 'custom', name: 'orders.open' } as const;
    const market = marketOf([orders, variable('sentiment')]);
    expect([market.value(orders), market.value(variable('sentiment'))]).toEqual([NaN, NaN]);
    market.tellCustom('orders.open', 7, 20);
    market.tellCustom('orders.open', 6, 10);
    market.tellSentiment(30, 1);
    market.tellSentiment(31, 1);
    expect([market.value(orders), market.value(variable('sentiment'))]).toEqual([7, 31]);
  });

  it('the age of a feed counts from when it was heard, by a trade too', () => {
    const age = variable('feed_age_s');
    const market = marketOf([age]);
    market.advance(START_US);
    expect(market.value(age)).toBeNaN();
    market.take({ tradedAtUs: START_US, price: 1, size: 1 });
    market.advance(START_US + 30_000_000);
    expect(market.value(age)).toBe(30);
    market.hear(START_US + 29_500_000);
    expect(market.value(age)).toBe(0.5);
    market.hear(START_US + 31_000_000);
    expect(market.value(age)).toBe(0);
  });
});

describe('the numbers', () => {
  it('an absurd trade leaves no trace when it leaves the window', () => {
    const inputs = WINDOWS.filter(
      (input) => input.kind === 'window' && input.minutes <= 60 && !input.fn.startsWith('change'),
    );
    const absurd = everyMinute(400, (i) =>
      i === 150 ? { price: 1e15, size: 1e15 } : { price: 65_000 + (i % 7), size: 0.1 },
    );
    const sane = absurd.map((trade, i) => (i === 150 ? { ...trade, price: 65_000, size: 0.1 } : trade));
    const [one, other] = [marketOf(inputs, absurd), marketOf(inputs, sane)];
    expect(inputs.map((input) => one.value(input))).toEqual(inputs.map((input) => other.value(input)));
  });

  it('the volume of a day of small trades after large ones is exact to the last digits', () => {
    const trades = everyMinute(6000, (i) => ({ size: i % 2 === 0 ? 1e9 + 0.1 : 1e-7 }));
    const market = marketOf([variable('volume_24h')], trades);
    const exact = 720 * 1_000_000_000 + 72 + 720 * 1e-7;
    expect(Math.abs(market.value(variable('volume_24h')) - exact) / exact).toBeLessThan(1e-15);
  });

  it('ten trades of a tenth are a whole, as in the candle', () => {
    const trades = Array.from({ length: 10 }, () => ({ tradedAtUs: START_US, price: 1, size: 0.1 }));
    expect(marketOf([variable('volume')], trades).value(variable('volume'))).toBe(1);
  });
});

describe('a polled series', () => {
  it('opens its day with the value that stood, which is part of the range', () => {
    const inputs = [variable('change_24h'), variable('high_24h'), variable('low_24h'), variable('volume_24h')];
    const values = [100, 80, 60].map((price, i) => ({ tradedAtUs: START_US + i * 20 * HOUR_US, price, size: 0 }));
    const market = marketOf(inputs, values, 'fear-greed');
    expect(inputs.map((input) => market.value(input))).toEqual([-40, 100, 60, 0]);
    market.advance(START_US + 10 * DAY_US);
    expect(inputs.map((input) => market.value(input))).toEqual([0, 60, 60, 0]);
  });
});
