import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decimalText, INTERVAL_NAMES, INTERVALS, type RecordedSeries } from '../../contracts/index.js';
import { type Candle, MINUTE_US, mergeCandles, minuteCandles, rollUp, windowStart } from './candle.js';
import { candleRows } from './candle-merger.service.js';

type Tick = Readonly<{ id: string; price: string; size: string; side: 'b' | 's' | '-'; atUs: number }>;

/** 2024-08-09 00:00 UTC: the recorded session crosses it too. */
const MIDNIGHT_US = 1_723_161_600_000_000;
const tick = (id: number, price: string, size = '1', atUs = MIDNIGHT_US, side: Tick['side'] = 'b'): Tick => ({
  id: String(id),
  price,
  size,
  side,
  atUs,
});

function seriesOf(ticks: readonly Tick[], symbol = 'ETHUSDT', source = 'binance'): RecordedSeries {
  return {
    source,
    exchange: 'Binance',
    symbol,
    venueSymbol: symbol,
    tradeIds: ticks.map(({ id }) => id),
    prices: ticks.map(({ price }) => price),
    sizes: ticks.map(({ size }) => size),
    sides: ticks.map(({ side }) => side).join(''),
    tradedAtUs: ticks.map(({ atUs }) => atUs),
    firstReceivedAtUs: Math.min(...ticks.map(({ atUs }) => atUs + 1_200_000)),
  };
}

/** Numbers as text, for sums of equal value may stand at different scales. */
const told = ({ volume, quoteVolume, takerBuyVolume, takerBuyQuoteVolume, ...rest }: Candle) => ({
  ...rest,
  volume: decimalText(volume),
  quoteVolume: decimalText(quoteVolume),
  takerBuyVolume: decimalText(takerBuyVolume),
  takerBuyQuoteVolume: decimalText(takerBuyQuoteVolume),
});
const toldAll = (candles: readonly Candle[]) => candles.map(told).sort((a, b) => a.openTimeUs - b.openTimeUs);

/** Eight decimals a number, as Binance has; worked out apart from our own decimals. */
const UNIT = 10n ** 8n;
const units = (text: string): bigint => {
  const [whole, fraction = ''] = text.split('.');
  return BigInt(whole! + fraction.padEnd(8, '0'));
};
const text = (value: bigint, scale: number): string => {
  const digits = value.toString().padStart(scale + 1, '0');
  return `${digits.slice(0, -scale)}.${digits.slice(-scale)}`.replace(/\.?0+$/, '');
};

const volume = (some: readonly Tick[]): string => text(some.reduce((sum, one) => sum + units(one.size), 0n) * UNIT, 16);

const quote = (some: readonly Tick[]): string =>
  text(
    some.reduce((sum, one) => sum + units(one.size) * units(one.price), 0n),
    16,
  );

/** The candles as the definition has them: sort, then read off. Of a polled source every value counts, but as no trade. */
function oracle(ticks: readonly Tick[], intervalUs: number, observed = false) {
  const windows = Map.groupBy(
    ticks.filter(({ size }) => observed || size !== '0'),
    ({ atUs }) => Number((BigInt(atUs) / BigInt(intervalUs)) * BigInt(intervalUs)),
  );
  return [...windows]
    .map(([openTimeUs, members]) => {
      const ordered = members.toSorted((a, b) => a.atUs - b.atUs || Number(BigInt(a.id) - BigInt(b.id)));
      const prices = ordered.map(({ price }) => price).sort((a, b) => Number(units(a) - units(b)));
      const buys = ordered.filter(({ side }) => side === 'b');
      const [first, last] = [ordered[0]!, ordered.at(-1)!];
      return {
        openTimeUs,
        open: first.price,
        openAtUs: first.atUs,
        openId: first.id,
        high: prices.at(-1)!,
        low: prices[0]!,
        close: last.price,
        closeAtUs: last.atUs,
        closeId: last.id,
        volume: volume(ordered),
        quoteVolume: quote(ordered),
        trades: ordered.filter(({ size }) => size !== '0').length,
        takerBuyVolume: volume(buys),
        takerBuyQuoteVolume: quote(buys),
      };
    })
    .sort((a, b) => a.openTimeUs - b.openTimeUs);
}

const decimal = fc
  .tuple(fc.nat(3), fc.nat(99_999_999))
  .map(([whole, part]) => text(BigInt(whole) * UNIT + BigInt(part), 8));
/** Many trades at few instants: bursts of one microsecond are the rule, not the exception. */
const ticks = fc
  .array(
    fc.record({
      price: decimal.filter((price) => price !== '0'),
      size: fc.oneof({ weight: 5, arbitrary: decimal }, { weight: 1, arbitrary: fc.constant('0') }),
      side: fc.constantFrom('b' as const, 's' as const, '-' as const),
      minute: fc.integer({ min: -1500, max: 1500 }),
      offsetUs: fc.constantFrom(0, 1, 59_999_999, 30_000_000),
    }),
    { minLength: 1, maxLength: 40 },
  )
  .chain((list) =>
    fc.tuple(
      fc.constant(list),
      fc.shuffledSubarray(
        Array.from({ length: 200 }, (_, id) => id + 1),
        { minLength: list.length, maxLength: list.length },
      ),
    ),
  )
  .map(([list, ids]) =>
    list.map(({ minute, offsetUs, ...rest }, i): Tick => ({
      ...rest,
      id: String(ids[i]),
      atUs: MIDNIGHT_US + Math.trunc(minute / 3) * MINUTE_US + offsetUs,
    })),
  );
/** The same trades in another order and in parts of any length, empty ones too. */
const inParts = ticks.chain((whole) =>
  fc.record({
    whole: fc.constant(whole),
    parts: fc
      .tuple(
        fc.shuffledSubarray(whole, { minLength: whole.length, maxLength: whole.length }),
        fc.array(fc.nat(whole.length), { maxLength: 6 }),
      )
      .map(([shuffled, cuts]) =>
        [0, ...cuts.sort((a, b) => a - b), shuffled.length].map((cut, i, all) =>
          shuffled.slice(cut, all[i + 1] ?? shuffled.length),
        ),
      ),
  }),
);

const comparable = (rows: ReturnType<typeof candleRows>) =>
  rows.map(({ candle, ...key }) => ({ ...key, candle: told(candle) }));

const keys = (events: Parameters<typeof candleRows>[0]) =>
  candleRows(events).map(({ symbol, interval, candle }) => `${symbol} ${interval} ${candle.openTimeUs}`);

const only = (...some: readonly Tick[]): ReturnType<typeof told> => {
  const candles = minuteCandles(seriesOf(some));
  expect(candles).toHaveLength(1);
  return told(candles[0]!);
};

const big = (id: string, price: string): Tick => ({ ...tick(0, price), id });

describe('the candles of a set of trades', () => {
  it('are what the definition says, on every interval', () => {
    fc.assert(
      fc.property(ticks, (some) => {
        for (const name of INTERVAL_NAMES) {
          const intervalUs = INTERVALS[name] * 1000;
          expect(toldAll(rollUp(minuteCandles(seriesOf(some)), intervalUs))).toEqual(oracle(some, intervalUs));
        }
      }),
    );
  });

  it('do not depend on the order of the trades, nor on the parts in which they came', () => {
    fc.assert(
      fc.property(inParts, ({ whole, parts }) => {
        const merged = rollUp(
          parts.flatMap((part) => minuteCandles(seriesOf(part))),
          MINUTE_US,
        );
        expect(toldAll(merged)).toEqual(toldAll(minuteCandles(seriesOf(whole))));
      }),
    );
  });

  it('do not depend on what was merged with what first', () => {
    fc.assert(
      fc.property(inParts, fc.infiniteStream(fc.nat()), ({ whole, parts }, choices) => {
        let heap = parts.flatMap((part) => rollUp(minuteCandles(seriesOf(part)), INTERVALS['1d'] * 1000));
        const openTimes = new Set(heap.map(({ openTimeUs }) => openTimeUs));
        while (heap.length > openTimes.size) {
          const at = (choices.next().value as number) % heap.length;
          const one = heap[at]!;
          const other = heap.find((candle, i) => i !== at && candle.openTimeUs === one.openTimeUs);
          if (other) heap = [...heap.filter((candle) => candle !== one && candle !== other), mergeCandles(one, other)];
          else heap = [...heap.filter((candle) => candle !== one), one];
        }
        expect(toldAll(heap)).toEqual(oracle(whole, INTERVALS['1d'] * 1000));
      }),
      { numRuns: 50 },
    );
  });

  it('come out the same from the rows of any events', () => {
    fc.assert(
      fc.property(inParts, ({ whole, parts }) => {
        const split = candleRows(parts.map((part) => ({ series: [seriesOf(part), seriesOf(part, 'BTCUSDT')] })));
        const one = candleRows([{ series: [seriesOf(whole, 'BTCUSDT'), seriesOf(whole)] }]);
        expect(comparable(split)).toEqual(comparable(one));
        for (const interval of INTERVAL_NAMES) {
          const own = one
            .filter((row) => row.symbol === 'ETHUSDT' && row.interval === interval)
            .map((row) => row.candle);
          expect(toldAll(own)).toEqual(oracle(whole, INTERVALS[interval] * 1000));
        }
      }),
    );
  });
});

describe('the candles of a polled source', () => {
  /** Mostly observed values; a trade among them, should one ever come, must not break the law. */
  const observed = inParts.map(({ whole, parts }) => {
    const asObserved = (one: Tick): Tick => (Number(one.id) % 5 === 0 ? one : { ...one, size: '0' });
    return { whole: whole.map(asObserved), parts: parts.map((part) => part.map(asObserved)) };
  });
  const seriesOfIndex = (some: readonly Tick[]) => seriesOf(some, 'FEARGREED', 'fear-greed');

  it('are what the definition says, whatever the order of the values and the parts in which they came', () => {
    fc.assert(
      fc.property(observed, ({ whole, parts }) => {
        for (const name of INTERVAL_NAMES) {
          const intervalUs = INTERVALS[name] * 1000;
          const candles = parts.flatMap((part) => minuteCandles(seriesOfIndex(part)));
          expect(toldAll(rollUp(candles, intervalUs))).toEqual(oracle(whole, intervalUs, true));
        }
      }),
    );
  });

  it('have prices without volume and without trades', () => {
    const values = [tick(1, '40', '0'), tick(2, '47', '0', MIDNIGHT_US + 1), tick(3, '44', '0', MIDNIGHT_US + 2)];
    const candles = minuteCandles(seriesOfIndex(values));
    expect(toldAll(candles)).toMatchObject([
      { open: '40', high: '47', low: '40', close: '44', volume: '0', quoteVolume: '0', trades: 0, takerBuyVolume: '0' },
    ]);
  });
});

describe('the rows of candles', () => {
  it('stand in one order of series, interval and time, each once, whatever the order of the events', () => {
    const some = [tick(1, '10', '1', MIDNIGHT_US + MINUTE_US), tick(2, '11', '1', MIDNIGHT_US - MINUTE_US)];
    const forth = keys([{ series: [seriesOf(some, 'BTCUSDT')] }, { series: [seriesOf(some, 'ADAUSDT')] }]);
    const back = keys([
      { series: [seriesOf(some.toReversed(), 'ADAUSDT'), seriesOf([tick(3, '12', '1', MIDNIGHT_US)], 'ADAUSDT')] },
      { series: [seriesOf(some, 'BTCUSDT')] },
    ]);
    expect(back.filter((key) => forth.includes(key))).toEqual(forth);
    expect(new Set(back).size).toBe(back.length);
    expect(forth[0]).toBe(`ADAUSDT 1m ${MIDNIGHT_US - MINUTE_US}`);
  });

  it('are none for no trades', () => expect(candleRows([{ series: [] }, { series: [seriesOf([])] }])).toEqual([]));
});

describe('a candle', () => {
  it('opens and closes by the smaller and the larger id where the time is equal', () => {
    expect(only(tick(10, '3'), tick(9, '1'), tick(11, '2'))).toMatchObject({
      open: '1',
      openId: '9',
      close: '2',
      closeId: '11',
      high: '3',
      low: '1',
    });
  });

  it('opens and closes by time before id', () => {
    expect(
      only(tick(1, '5', '1', MIDNIGHT_US + 2), tick(3, '6', '1', MIDNIGHT_US + 1), tick(2, '7', '1', MIDNIGHT_US + 3)),
    ).toMatchObject({ open: '6', close: '7' });
  });

  it('orders ids beyond the safe integers', () => {
    expect(
      only(big('9007199254740993', '2'), big('9007199254740992', '1'), big('10000000000000000', '3')),
    ).toMatchObject({ open: '1', close: '3' });
  });

  it('leaves out what has no size, even its price', () => {
    expect(only(tick(1, '999', '0'), tick(2, '5', '2'), tick(3, '0.1', '0'))).toMatchObject({
      open: '5',
      high: '5',
      low: '5',
      close: '5',
      volume: '2',
      trades: 1,
    });
    expect(minuteCandles(seriesOf([tick(1, '999', '0')]))).toEqual([]);
  });

  it('counts only what takers bought as bought: neither sales nor the untold', () => {
    const mixed = [
      tick(1, '2', '1', MIDNIGHT_US, 'b'),
      tick(2, '2', '10', MIDNIGHT_US, 's'),
      tick(3, '2', '100', MIDNIGHT_US, '-'),
    ];
    expect(only(...mixed)).toMatchObject({
      volume: '111',
      quoteVolume: '222',
      takerBuyVolume: '1',
      takerBuyQuoteVolume: '2',
    });
  });

  it('sums what binary floats cannot', () => {
    const sizes = Array.from({ length: 10 }, (_, i) => tick(i, '0.3', '0.1'));
    expect(only(...sizes)).toMatchObject({ volume: '1', quoteVolume: '0.3' });
  });

  it('holds the first microsecond of its window and not the one after the last', () => {
    const edges = [
      tick(1, '1', '1', MIDNIGHT_US),
      tick(2, '2', '1', MIDNIGHT_US + MINUTE_US - 1),
      tick(3, '3', '1', MIDNIGHT_US + MINUTE_US),
    ];
    expect(toldAll(minuteCandles(seriesOf(edges))).map(({ openTimeUs, trades }) => [openTimeUs, trades])).toEqual([
      [MIDNIGHT_US, 2],
      [MIDNIGHT_US + MINUTE_US, 1],
    ]);
  });

  it('starts at UTC midnight for a day, and at hours that four divides for four hours', () => {
    const at = Date.parse('2024-08-09T23:59:59.999Z') * 1000 + 999;
    expect(windowStart(at, INTERVALS['1d'] * 1000)).toBe(MIDNIGHT_US);
    expect(windowStart(at, INTERVALS['4h'] * 1000)).toBe(Date.parse('2024-08-09T20:00:00Z') * 1000);
    expect(windowStart(at + 1, INTERVALS['1d'] * 1000)).toBe(Date.parse('2024-08-10T00:00:00Z') * 1000);
    expect(rollUp(minuteCandles(seriesOf([tick(1, '1', '1', at)])), INTERVALS['4h'] * 1000)[0]!.openTimeUs).toBe(
      Date.parse('2024-08-09T20:00:00Z') * 1000,
    );
  });
});
