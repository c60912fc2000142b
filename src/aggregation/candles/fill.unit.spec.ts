import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StoredCandle } from './candle.store.js';
import { fillQuietWindows } from './fill.js';
import type { OpenGap } from './gap.store.js';

const MINUTE_US = 60_000_000;

/** The candle of a minute, with trade ids 10 a minute: 100 to 109 in minute 10. */
const candle = (minute: number, close = String(minute)): StoredCandle => ({
  source: 'binance',
  symbol: 'ETHUSDT',
  interval: '1m',
  openTimeUs: minute * MINUTE_US,
  closeTimeUs: (minute + 1) * MINUTE_US,
  open: '1',
  high: '1000',
  low: '0.1',
  close,
  volume: '5',
  quoteVolume: '25',
  trades: 7,
  takerBuyVolume: '1',
  takerBuyQuoteVolume: '5',
  closed: true,
  revision: 2,
  incomplete: true,
  openId: String(minute * 10),
  closeId: String(minute * 10 + 9),
});
const gap = (from: number, to: number): OpenGap => ({ fromTradeId: BigInt(from), toTradeId: BigInt(to) });
const fill = (
  minutes: readonly number[],
  before: number | undefined,
  fromMinute: number,
  gaps: readonly OpenGap[] = [],
) =>
  fillQuietWindows(
    minutes.map((minute) => candle(minute)),
    before === undefined ? undefined : candle(before),
    fromMinute * MINUTE_US,
    MINUTE_US,
    gaps,
  );
const shape = (filled: ReturnType<typeof fill>): string =>
  filled.map((one) => `${one.openTimeUs / MINUTE_US}${one.filled ? '*' : ''}`).join(' ');

describe('quiet windows', () => {
  it('are filled flat at the close before them, without volume and without a claim to be traded', () => {
    const [, quiet] = fill([10, 12], undefined, 10);
    expect(quiet).toEqual({
      ...candle(11),
      open: '10',
      high: '10',
      low: '10',
      close: '10',
      volume: '0',
      quoteVolume: '0',
      trades: 0,
      takerBuyVolume: '0',
      takerBuyQuoteVolume: '0',
      closed: true,
      revision: 0,
      incomplete: false,
      openId: '100',
      closeId: '109',
      filled: true,
    });
  });

  it('are filled between candles, and from the candle before the page on', () => {
    expect(shape(fill([10, 13, 14], undefined, 10))).toBe('10 11* 12* 13 14');
    expect(shape(fill([13], 10, 11))).toBe('11* 12* 13');
  });

  it('are not filled before the page begins', () => expect(shape(fill([13], 5, 12))).toBe('12* 13'));

  it('are not filled where no candle stands before them, nor after the last one', () => {
    expect(shape(fill([13], undefined, 10))).toBe('13');
    expect(shape(fill([], 10, 11))).toBe('');
  });

  it('are not made up across an open gap, but are on both sides of the stretch it lies in', () => {
    expect(shape(fill([10, 12, 14, 16], undefined, 10, [gap(125, 141)]))).toBe('10 11* 12 14 15* 16');
  });

  it('are filled beside a gap that lies elsewhere', () => {
    for (const elsewhere of [gap(1, 99), gap(101, 108), gap(121, 140)])
      expect(shape(fill([10, 12], undefined, 10, [elsewhere]))).toBe('10 11* 12');
  });

  it('are not filled where a single trade between the two candles is missing', () => {
    for (const between of [gap(110, 110), gap(119, 119), gap(50, 110), gap(119, 500), gap(1, 500)])
      expect(shape(fill([10, 12], undefined, 10, [between]))).toBe('10 12');
  });

  it('leave every candle as it was, in order, with each window once and none beyond', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.nat(40), { minLength: 1 }),
        fc.option(fc.nat(5), { nil: undefined }),
        (list, ahead) => {
          const minutes = list.map((minute) => minute + 10).sort((a, b) => a - b);
          const filled = fill(minutes, ahead, 8);
          expect(filled.filter((one) => !one.filled)).toEqual(minutes.map((minute) => candle(minute)));
          const first = ahead === undefined ? minutes[0]! : 8;
          expect(filled.map((one) => one.openTimeUs / MINUTE_US)).toEqual(
            Array.from({ length: minutes.at(-1)! - first + 1 }, (_, i) => first + i),
          );
        },
      ),
    );
  });
});
