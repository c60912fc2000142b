import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OpenGap } from '../candles/gap.store.js';
import { type CloseOfCandle, closesOf, type Missing } from './closes.js';

const MINUTE_US = 60_000_000;

/** The candle of a minute, closed at its number, with trade ids 10 a minute: 100 to 109 in minute 10. */
const candle = (minute: number, settled = true): CloseOfCandle => ({
  openTimeUs: minute * MINUTE_US,
  closeTimeUs: (minute + 1) * MINUTE_US,
  openId: String(minute * 10),
  closeId: String(minute * 10 + 9),
  close: minute,
  settled,
});
const gap = (from: number, to: number): OpenGap => ({ fromTradeId: BigInt(from), toTradeId: BigInt(to) });
const closes = (candles: readonly CloseOfCandle[], missing: Missing, gaps: readonly OpenGap[] = []) => {
  const windows = { fromUs: 10 * MINUTE_US, toUs: 16 * MINUTE_US, intervalUs: MINUTE_US };
  const found = closesOf(candles, gaps, windows, missing);
  const text = [...found.closes].map((close) => (Number.isNaN(close) ? '-' : close)).join(' ');
  return `${text}: ${found.candles} ${found.missing} ${found.incomplete}`;
};
const [, ten, eleven, , , fourteen, , sixteen] = [9, 10, 11, 12, 13, 14, 15, 16].map((minute) => candle(minute));

describe('the closes of consecutive windows', () => {
  it('are those of the candles; quiet windows are left out, or hold the close before', () => {
    expect(closes([ten!, eleven!, fourteen!, sixteen!], 'skip')).toBe('10 11 - - 14 -: 3 3 0');
    expect(closes([ten!, eleven!, fourteen!, sixteen!], 'hold')).toBe('10 11 11 11 14 14: 3 3 0');
  });

  it('hold what stood before the first window, and look beyond the last only to know that nothing was traded', () => {
    expect(closes([candle(7), candle(12), candle(20)], 'hold')).toBe('7 7 12 12 12 12: 1 5 0');
    expect(closes([candle(7), candle(20)], 'skip')).toBe('- - - - - -: 0 6 0');
  });

  it('are not known in a hole, in either way, nor where the series does not reach', () => {
    const hole = [gap(120, 139)];
    for (const missing of ['skip', 'hold'] as const) {
      expect(closes([ten!, eleven!, fourteen!, candle(15)], missing, hole)).toBe('10 11 - - 14 15: 4 0 2');
      expect(closes([eleven!, candle(12)], missing)).toBe('- 11 12 - - -: 2 0 4');
    }
    const timed: OpenGap = { ...gap(0, 0), fromUs: 12.5 * MINUTE_US, toUs: 13 * MINUTE_US };
    expect(closes([ten!, eleven!, fourteen!, candle(15)], 'hold', [timed])).toBe('10 11 - - 14 15: 4 0 2');
  });

  it('leave out a candle that is incomplete or still open, and hold nothing of it', () => {
    const candles = [ten!, candle(11, false), fourteen!, candle(15)];
    expect(closes(candles, 'skip')).toBe('10 - - - 14 15: 3 2 1');
    expect(closes(candles, 'hold')).toBe('10 - - - 14 15: 3 2 1');
  });

  it('count every window once, and differ between skip and hold in quiet windows only', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.nat(25), { minLength: 1 }),
        fc.uniqueArray(fc.nat(25)),
        fc.array(fc.tuple(fc.nat(250), fc.nat(30))),
        (minutes, unsettled, holes) => {
          const candles = minutes.sort((a, b) => a - b).map((minute) => candle(minute, !unsettled.includes(minute)));
          const gaps = holes.map(([from, length]) => gap(from, from + length));
          const windows = { fromUs: 5 * MINUTE_US, toUs: 20 * MINUTE_US, intervalUs: MINUTE_US };
          const [skip, hold] = (['skip', 'hold'] as const).map((missing) => closesOf(candles, gaps, windows, missing));
          expect(skip!.candles + skip!.missing + skip!.incomplete).toBe(15);
          expect({ ...hold, closes: 0 }).toEqual({ ...skip, closes: 0 });
          const used = (found: typeof skip): number => found!.closes.filter((close) => !Number.isNaN(close)).length;
          expect(used(skip)).toBe(skip!.candles);
          expect(used(hold)).toBeLessThanOrEqual(skip!.candles + skip!.missing);
          skip!.closes.forEach((close, i) => {
            if (!Number.isNaN(close)) expect([close, hold!.closes[i]]).toEqual([i + 5, i + 5]);
          });
        },
      ),
    );
  });
});
