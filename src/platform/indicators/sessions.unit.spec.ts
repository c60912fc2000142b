import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { INTERVAL_NAMES, INTERVALS, type IntervalName } from '../../contracts/index.js';
import { indicator, type Bar } from './index.js';
import { eraOf, eraStartUs, sessionOf, sessionStartUs } from './sessions.js';

/** What two instants of one UTC day, month or year have in common. */
const DAY = '2024-02-29'.length;
const MONTH = '2024-02'.length;
const YEAR = '2024'.length;
const named = (us: number, digits: number): string => new Date(us / 1000).toISOString().slice(0, digits);

const SESSIONS: Record<IntervalName, number> = { '1m': DAY, '5m': DAY, '15m': DAY, '1h': DAY, '4h': DAY, '1d': MONTH };
const ERAS: Record<IntervalName, number> = { '1m': DAY, '5m': DAY, '15m': MONTH, '1h': MONTH, '4h': YEAR, '1d': YEAR };

const openTimes = (interval: IntervalName) =>
  fc.integer({ min: 0, max: Date.UTC(2100, 0) / INTERVALS[interval] }).map((nth) => nth * INTERVALS[interval] * 1000);

describe.each(INTERVAL_NAMES)('at %s', (interval) => {
  it('sessions and eras begin and end with their day, month or year', () => {
    fc.assert(
      fc.property(openTimes(interval), (us) => {
        for (const [span, digits] of [
          [sessionOf(us, interval), SESSIONS[interval]],
          [eraOf(us, interval), ERAS[interval]],
        ] as const) {
          expect(span.startUs).toBeLessThanOrEqual(us);
          expect(span.endUs).toBeGreaterThan(us);
          expect(named(span.startUs, digits)).toBe(named(us, digits));
          expect(named(span.endUs - 1000, digits)).toBe(named(us, digits));
          expect(named(span.startUs - 1000, digits)).not.toBe(named(us, digits));
          expect(named(span.endUs, digits)).not.toBe(named(us, digits));
        }
        expect(sessionStartUs(us, interval)).toBe(sessionOf(us, interval).startUs);
        expect(eraStartUs(us, interval)).toBe(eraOf(us, interval).startUs);
      }),
    );
  });

  it('vwap is that of the session so far, to the digit, and undefined before anything is traded in it', () => {
    fc.assert(
      fc.property(series(interval), (bars) => {
        const vwap = indicator('vwap:session').create(interval);
        for (const [at, bar] of bars.entries()) {
          const session = named(bar.openTimeUs, SESSIONS[interval]);
          const counted = bars.slice(0, at + 1).filter((one) => named(one.openTimeUs, SESSIONS[interval]) === session);
          const expected = quotient(counted);
          expect(vwap.peek(bar)).toBe(expected);
          expect(vwap.next(bar)).toBe(expected);
        }
      }),
    );
  });

  it('obv is that of the era so far, to the digit', () => {
    fc.assert(
      fc.property(series(interval), (bars) => {
        const obv = indicator('obv').create(interval);
        for (const [at, bar] of bars.entries()) {
          const era = named(bar.openTimeUs, ERAS[interval]);
          const counted = bars.slice(0, at + 1).filter((one) => named(one.openTimeUs, ERAS[interval]) === era);
          const steps = counted.slice(1).map((one, i) => Math.sign(one.close - counted[i]!.close) * one.volume);
          const expected = steps.reduce((balance, step) => balance + step, counted[0]!.volume);
          expect(obv.peek(bar)).toBe(expected);
          expect(obv.next(bar)).toBe(expected);
        }
      }),
    );
  });

  it('rolling vwap is that of the last bars, to the digit', () => {
    fc.assert(
      fc.property(series(interval), fc.integer({ min: 1, max: 12 }), (bars, length) => {
        const vwap = indicator(`vwap:${length}`).create(interval);
        for (const [at, bar] of bars.entries()) {
          const expected = at + 1 < length ? undefined : quotient(bars.slice(at + 1 - length, at + 1));
          expect(vwap.peek(bar)).toBe(expected);
          expect(vwap.next(bar)).toBe(expected);
        }
      }),
    );
  });

  it('twap is the mean over windows of time, empty ones at the close before, to the digit', () => {
    fc.assert(
      fc.property(series(interval), fc.integer({ min: 1, max: 12 }), (bars, length) => {
        const twap = indicator(`twap:${length}`).create(interval);
        const prices: number[] = [];
        for (const [at, bar] of bars.entries()) {
          const before = bars[at - 1] ?? bar;
          const windows = (bar.openTimeUs - before.openTimeUs) / (INTERVALS[interval] * 1000);
          for (let empty = 1; empty < windows; empty++) prices.push(before.close);
          prices.push((bar.open + bar.high + bar.low + bar.close) / 4);
          const last = prices.slice(-length);
          const expected = prices.length < length ? undefined : last.reduce((sum, price) => sum + price, 0) / length;
          expect(twap.peek(bar)).toBe(expected);
          expect(twap.next(bar)).toBe(expected);
        }
      }),
    );
  });
});

it('tells where to begin to feed: a session for vwap:session, an era for obv, nowhere for a window', () => {
  const us = Date.UTC(2024, 1, 29, 13) * 1000;
  expect(indicator('vwap:session').anchored!(us, '1h')).toBe(Date.UTC(2024, 1, 29) * 1000);
  expect(indicator('obv').anchored!(us, '1h')).toBe(Date.UTC(2024, 1, 1) * 1000);
  expect(indicator('vwap:20').anchored).toBeUndefined();
});

/** Bars of whole numbers, whose sums are exact: from just before the end of a year, some without volume, some missing. */
function series(interval: IntervalName): fc.Arbitrary<Bar[]> {
  const stepUs = INTERVALS[interval] * 1000;
  const price = fc.integer({ min: 1, max: 60 });
  const step = fc.record({
    windows: fc.oneof({ weight: 8, arbitrary: fc.constantFrom(1, 1, 1, 2, 5) }, { weight: 1, arbitrary: fc.nat(400) }),
    prices: fc.tuple(price, price, price, price),
    volume: fc.oneof(fc.constant(0), fc.nat(1000)),
  });
  return fc.tuple(fc.nat(20), fc.array(step, { minLength: 1, maxLength: 40 })).map(([ahead, steps]) => {
    let openTimeUs = Date.UTC(2025, 0) * 1000 - ahead * stepUs;
    return steps.map(({ windows, prices: [open, high, low, close], volume }) => {
      openTimeUs += Math.max(windows, 1) * stepUs;
      return { openTimeUs, open, high, low, close, volume, quoteVolume: volume * close };
    });
  });
}

function quotient(bars: readonly Bar[]): number | undefined {
  const volume = bars.reduce((sum, bar) => sum + bar.volume, 0);
  return volume === 0 ? undefined : bars.reduce((sum, bar) => sum + bar.quoteVolume, 0) / volume;
}
