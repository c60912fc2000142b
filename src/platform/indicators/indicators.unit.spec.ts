import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { init } from 'talib-web';
import { beforeAll, describe, expect, it } from 'vitest';
import { INTERVAL_NAMES, INTERVALS } from '../../contracts/index.js';
import { indicator, INDICATOR_DEFAULTS, type Bar, type IndicatorSpec, type IndicatorValue } from './index.js';

/**
 * The oracle is TA-Lib's C code as wasm, called below the wrapper of talib-web: that one reads and writes one element
 * beyond its arrays, and does not tell where the output begins.
 */
type Talib = Readonly<{
  HEAPF64: Float64Array;
  HEAP32: Int32Array;
  ccall(name: string, returns: 'number' | null, types: readonly 'number'[], given: readonly number[]): number;
}>;
let talib: Talib;

beforeAll(async () => {
  const wasm = readFileSync(
    createRequire(import.meta.url)
      .resolve('talib-web')
      .replace('index.cjs.js', 'talib.wasm'),
  );
  talib = (await init(`data:application/wasm;base64,${wasm.toString('base64')}`)) as Talib;
});

/** Rows of output and the index of the bar that the first of them stands at. */
type Answer = Readonly<{ lookback: number; rows: number[][] }>;

function ask(
  name: string,
  inputs: readonly (readonly number[])[],
  options: readonly number[],
  outputs: number,
): Answer {
  const call = (called: string, ...given: number[]): number =>
    talib.ccall(
      called,
      'number',
      given.map(() => 'number' as const),
      given,
    );
  const count = inputs[0]!.length;
  const rooms = Array.from({ length: inputs.length + outputs + 1 }, () => call('malloc', count * 8));
  const [told = NaN, ...answered] = rooms.slice(inputs.length);
  for (const [at, input] of inputs.entries()) talib.HEAPF64.set(input, rooms[at]! / 8);
  const given = rooms.slice(0, inputs.length);
  expect(call(`TA_${name}`, 0, count - 1, ...given, ...options, told, told + 4, ...answered)).toBe(0);
  const [lookback = NaN, found = NaN] = talib.HEAP32.subarray(told / 4, told / 4 + 2);
  const rows = Array.from({ length: found }, (_, row) => answered.map((at) => talib.HEAPF64[at / 8 + row]!));
  for (const room of rooms) call('free', room);
  return { lookback, rows };
}

const MINUTE_US = 60_000_000;

type Walk = Readonly<{ seed: number; level: number; volatility: number; count: number }>;
const walks = fc.record<Walk>({
  seed: fc.integer(),
  level: fc.constantFrom(65_000, 310, 1, 1e-6),
  volatility: fc.constantFrom(1e-4, 1e-3, 0.02),
  count: fc.integer({ min: 420, max: 700 }),
});
const longWalks = fc.tuple(walks, fc.constant(800)).map(([walk, more]) => ({ ...walk, count: walk.count + more }));

/** Bars whose prices are whole ticks of a 100,000th of the level: closes are equal now and then. */
function walked({ seed, level, volatility, count }: Walk, move = (close: number, _draw: () => number) => close): Bar[] {
  const draw = drawsFrom(seed);
  const tick = level / 100_000;
  const rounded = (price: number): number => Math.max(1, Math.round(price / tick)) * tick;
  let close = rounded(level);
  return Array.from({ length: count }, (_, i) => {
    const open = close;
    close = rounded(move(open * (1 + volatility * (draw() + draw() + draw() - 1.5)), draw));
    const high = rounded(Math.max(open, close) * (1 + volatility * draw()));
    const low = rounded(Math.min(open, close) * (1 - volatility * draw()));
    const volume = draw() < 0.05 ? 0 : draw() * 20;
    return { openTimeUs: i * MINUTE_US, open, high, low, close, volume, quoteVolume: (volume * (open + close)) / 2 };
  });
}

/** Stands still for a while, or leaps to a price up to a hundred times higher or lower and, later, back. */
function jumped(walk: Walk): Bar[] {
  let still = 0;
  let price = 0;
  return walked(walk, (close, draw) => {
    if (still > 0) still--;
    else if (draw() < 0.02) still = Math.floor(draw() * 60);
    if (still > 0 && price > 0) return price;
    price = draw() < 0.02 ? walk.level * 100 ** (draw() * 2 - 1) : close;
    return price;
  });
}

/** Without one minute in five. */
function holed(bars: readonly Bar[], seed: number): Bar[] {
  const draw = drawsFrom(~seed);
  return bars.filter(() => draw() > 0.2);
}

const constant = (price: number, range: number): Bar[] =>
  Array.from({ length: 420 }, (_, i) => ({
    openTimeUs: i * MINUTE_US,
    open: price,
    high: price + range,
    low: price - range,
    close: price,
    volume: 3,
    quoteVolume: 3 * price,
  }));

const RECORDED = join(import.meta.dirname, '../../../../shared/data/market/binance-spot');
const IS_RECORDED = existsSync(RECORDED);

/** One-second bars of the recorded ETHUSDT session; its frames are in the order of their trades. */
function recordedSeconds(): Bar[] {
  const bars: Bar[] = [];
  const text = ['ethusdt_20240808.gz', 'ethusdt_20240809.gz'].map((file) =>
    gunzipSync(readFileSync(join(RECORDED, file))).toString(),
  );
  for (const [, frame] of text.join('\n').matchAll(/^\d+ (\{.*"e":"trade".*\})$/gm)) {
    const { p, q, T: atMs } = (JSON.parse(frame!) as { data: { p: string; q: string; T: number } }).data;
    const [price, volume, openTimeUs] = [Number(p), Number(q), Math.floor(atMs / 1000) * 1_000_000];
    const quoteVolume = price * volume;
    const last = bars.at(-1);
    if (last?.openTimeUs === openTimeUs)
      bars[bars.length - 1] = {
        ...last,
        high: Math.max(last.high, price),
        low: Math.min(last.low, price),
        close: price,
        volume: last.volume + volume,
        quoteVolume: last.quoteVolume + quoteVolume,
      };
    else bars.push({ openTimeUs, open: price, high: price, low: price, close: price, volume, quoteVolume });
  }
  return bars;
}

/** Mulberry32: the same draws, 0 to 1, of the same seed. */
function drawsFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Column = 'high' | 'low' | 'close' | 'volume';
type Question = Readonly<{ function: string; columns: readonly Column[]; options: readonly number[] }>;

const SIMPLE = 0;

/** How TA-Lib is asked for what one of our names means. */
function question(name: string): Question {
  const [word = '', ...values] = name.split(':');
  const [a = NaN, b = NaN, c = NaN] = values.map(Number);
  const plain: Question = { function: word.toUpperCase(), columns: ['close'], options: values.map(Number) };
  const ranged: Question = { ...plain, columns: ['high', 'low', 'close'] };
  switch (word) {
    case 'bollinger':
      return { ...plain, function: 'BBANDS', options: [a, b, b, SIMPLE] };
    case 'atr':
      return ranged;
    case 'stochastic':
      return { ...ranged, function: 'STOCH', options: [a, b, SIMPLE, c, SIMPLE] };
    case 'obv':
      return { ...plain, columns: ['close', 'volume'] };
    default:
      return plain;
  }
}

const NAMES = [
  'sma:20 sma:2 sma:7 sma:199 ema:20 ema:2 ema:199 wma:20 wma:2 wma:199 rsi:14 rsi:2 rsi:100',
  'macd:12:26:9 macd:2:3:2 macd:50:120:30 macd:3:150:40 bollinger:20:2 bollinger:2:0.5 bollinger:150:2.75',
  'atr:14 atr:1 atr:2 atr:100 stochastic:14:3:3 stochastic:1:1:1 stochastic:5:1:2 stochastic:120:40:20 obv',
].flatMap((line) => line.split(' '));

/** What a value is measured by when it is near nothing itself: a MACD at a crossing, a stochastic at the low. */
function scaleOf(name: string, bars: readonly Bar[]): number {
  if (/^(rsi|stochastic)/.test(name)) return 100;
  return Math.max(...bars.map(({ high, volume }) => (name === 'obv' ? volume : high)));
}

/** Relative error under 1e-9, or under 1e-12 of the scale, and the same warm-up. */
function expectTalib(name: string, bars: readonly Bar[]): void {
  const asked = question(name);
  const spec = indicator(name);
  const scale = scaleOf(name, bars);
  const isBands = asked.function === 'BBANDS';
  // TA-Lib calls a variance below 1e-14 nothing, whatever the price. A power of two changes no digit.
  const factor = isBands ? 2 ** Math.round(-Math.log2(scale)) : 1;
  const inputs = asked.columns.map((column) => bars.map((bar) => bar[column] * factor));
  const { lookback, rows } = ask(asked.function, inputs, asked.options, spec.outputs.length || 1);
  // All bars are of one month: what obv counts over at 1h.
  const running = spec.create('1h');
  const got = bars.map((bar) => running.next(bar));

  expect(got.findIndex((value) => value !== undefined)).toBe(lookback);
  expect(spec.warmUp).toBe(lookback + 1);
  expect(rows).toHaveLength(bars.length - lookback);
  for (const [row, theirs] of rows.entries()) {
    const value = got[lookback + row]!;
    const ours = typeof value === 'number' ? [value] : spec.outputs.map((output) => value[output]!);
    const least = scale * 1e-12 + (isBands ? bandNoise(ours, asked.options[1]!, scale, bars.length) : 0);
    for (const [at, told] of theirs.entries())
      expectClose(ours[at]!, told / factor, least, `${name}, bar ${lookback + row}, ${spec.outputs[at] ?? 'value'}`);
  }
}

/**
 * The oracle is the worse one here: its variance is E[x²] - E[x]² of running sums, wrong by some 1e-16 of x² a bar, and so
 * its deviation the more, the smaller it is. rolling.unit.spec.ts holds ours against two passes.
 */
function bandNoise([upper, middle]: readonly number[], multiplier: number, price: number, bars: number): number {
  const variance = 1e-16 * bars * price ** 2;
  return multiplier * Math.min(Math.sqrt(variance), (variance * multiplier) / (upper! - middle!));
}

function expectClose(ours: number, theirs: number, least: number, what: string): void {
  if (!(Math.abs(ours - theirs) <= Math.max(1e-9 * Math.abs(theirs), least)))
    expect.fail(`${what}: ${ours}, expected ${theirs}`);
}

describe('TA-Lib says the same', () => {
  it.each(NAMES)('of %s on random walks', (name) => {
    fc.assert(
      fc.property(walks, (walk) => expectTalib(name, walked(walk))),
      { numRuns: 25 },
    );
  });

  it.each(NAMES)('of %s on walks that jump and stand still', (name) => {
    fc.assert(
      fc.property(walks, (walk) => expectTalib(name, jumped(walk))),
      { numRuns: 25 },
    );
  });

  it.each(NAMES)('of %s on a series without any change', (name) => {
    for (const price of [65_000.1, 1, 1e-6]) {
      expectTalib(name, constant(price, 0));
      expectTalib(name, constant(price, price / 1000));
    }
  });

  it.each(NAMES)('of %s on a walk that comes to rest for good', (name) => {
    for (const level of [65_000, 310, 1e-6]) {
      const bars = walked({ seed: 7, level, volatility: 0.001, count: 250 });
      const { close } = bars.at(-1)!;
      const rest = { open: close, high: close, low: close, close, volume: 1, quoteVolume: close };
      for (let at = 250; at < 1200; at++) bars.push({ ...rest, openTimeUs: at * MINUTE_US });
      expectTalib(name, bars);
    }
  });

  describe.skipIf(!IS_RECORDED)('of one-second candles of recorded trades', () => {
    let bars: readonly Bar[];
    beforeAll(() => {
      bars = recordedSeconds();
      expect(bars.length).toBeGreaterThan(600);
    });

    it.each(NAMES)('%s', (name) => expectTalib(name, bars));
  });
});

const EVERY = INDICATOR_DEFAULTS.concat('vwap:30', 'twap:1', 'sma:2', 'ema:3', 'rsi:2', 'atr:1', 'stochastic:1:1:1');

describe('an indicator', () => {
  it.each(EVERY)('answers in advance what it answers to the bar, and takes nothing by it: %s', (name) => {
    fc.assert(
      fc.property(walks, fc.constantFrom(...INTERVAL_NAMES), (walk, interval) => {
        const bars = holed(jumped(walk), walk.seed).map((bar) => ({
          ...bar,
          openTimeUs: (bar.openTimeUs / 60_000) * INTERVALS[interval],
        }));
        const [plain, live] = [indicator(name).create(interval), indicator(name).create(interval)];
        const scale = scaleOf(name, bars);
        for (const [at, bar] of bars.entries()) {
          live.peek({ ...bars[(at * 7) % bars.length]!, openTimeUs: bar.openTimeUs });
          const ahead = live.peek(bar);
          const taken = live.next(bar);
          expect(taken).toEqual(plain.next(bar));
          expectSame(ahead, taken, scale * 1e-14, `bar ${at}`);
        }
      }),
      { numRuns: 20 },
    );
  });

  it.each(EVERY)('is the same when begun as many bars before as it takes to settle: %s', (name) => {
    const spec = indicator(name);
    fc.assert(
      fc.property(longWalks, fc.nat(60), (walk, after) => {
        // An RSI where nothing moves remembers the last that did, however long ago.
        const bars = holed(name.startsWith('rsi') ? walked(walk) : jumped(walk), walk.seed);
        const last = bars.length - 1 - after;
        const fromUs = spec.anchored?.(bars[last]!.openTimeUs, '1m');
        const first = fromUs === undefined ? last + 1 - spec.settle : bars.findIndex((bar) => bar.openTimeUs >= fromUs);
        expect(first).toBeGreaterThanOrEqual(0);
        const [late, whole] = [first, 0].map((from) => lastValue(spec, bars.slice(from, last + 1)));
        // Early in a session nothing may be traded yet.
        if (!spec.anchored) expect(whole).toBeDefined();
        expectSame(late, whole, scaleOf(name, bars) * 1e-10, 'the last bar');
      }),
      { numRuns: 30 },
    );
  });
});

function lastValue(spec: IndicatorSpec, bars: readonly Bar[]): IndicatorValue | undefined {
  const running = spec.create('1m');
  let value: IndicatorValue | undefined;
  for (const bar of bars) value = running.next(bar);
  return value;
}

type Answered = IndicatorValue | undefined;

function expectSame(ours: Answered, theirs: Answered, least: number, what: string): void {
  if (typeof ours === 'number' && typeof theirs === 'number') return expectClose(ours, theirs, least, what);
  if (typeof ours !== 'object' || typeof theirs !== 'object') return expect(ours, what).toEqual(theirs);
  expect(Object.keys(ours)).toEqual(Object.keys(theirs));
  for (const [output, value] of Object.entries(ours)) expectClose(value, theirs[output]!, least, `${what}, ${output}`);
}

if (!IS_RECORDED)
  process.stdout.write(
    'skipped: ../shared/data/market/binance-spot is not there, so no recorded candles are compared\n',
  );
