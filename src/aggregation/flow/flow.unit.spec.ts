import fc from 'fast-check';
import { expect, it } from 'vitest';
import { add, decimalText, exact, INTERVALS } from '../../contracts/index.js';
import { pointsOf, pressure } from './flow.js';

const totals = (volume: string, takerBuyVolume: string, quoteVolume = '0', takerBuyQuoteVolume = '0') => ({
  volume,
  takerBuyVolume,
  quoteVolume,
  takerBuyQuoteVolume,
});

it('tells what was sold as the exact rest, and the imbalance from what was bought', () => {
  expect(pressure(totals('12.84', '7.1', '835674.3228', '462094.057'))).toEqual({
    takerBuyVolume: '7.1',
    takerSellVolume: '5.74',
    takerBuyQuoteVolume: '462094.057',
    takerSellQuoteVolume: '373580.2658',
    imbalance: 0.105919,
  });
  expect(pressure(totals('3', '3')).imbalance).toBe(1);
  expect(pressure(totals('3', '0'))).toMatchObject({ takerSellVolume: '3', imbalance: -1 });
  expect(pressure(totals('3', '1')).imbalance).toBe(-0.33333333);
  expect(pressure(totals('2', '1')).imbalance).toBe(0);
  expect(pressure(totals('0', '0'))).toMatchObject({ takerSellVolume: '0', imbalance: null });
  expect(pressure(totals('9007199254740993.1', '0.1')).takerSellVolume).toBe('9007199254740993');
});

it('adds up to the volume whatever was bought, with an imbalance within [-1, 1]', () => {
  const decimal = fc.record({ units: fc.bigInt({ min: 0n, max: 10n ** 20n }), scale: fc.nat(18) });
  fc.assert(
    fc.property(decimal, decimal, (buy, sell) => {
      const { takerBuyVolume, takerSellVolume, imbalance } = pressure(
        totals(decimalText(add(buy, sell)), decimalText(buy)),
      );
      expect([takerBuyVolume, takerSellVolume]).toEqual([decimalText(buy), decimalText(sell)]);
      if (add(buy, sell).units === 0n) expect(imbalance).toBeNull();
      else expect(Math.abs(imbalance!)).toBeLessThanOrEqual(1);
      const other = pressure(totals(decimalText(add(buy, sell)), takerSellVolume!)).imbalance;
      expect((imbalance ?? 0) + (other ?? 0)).toBe(0);
      expect(exact(takerSellVolume!).units >= 0n).toBe(true);
    }),
  );
});

it('shows a span in points no longer than it, and in at most a day of minutes', () => {
  expect(pointsOf(INTERVALS['1m'])).toEqual(['1m']);
  expect(pointsOf(INTERVALS['1h'])).toEqual(['1m', '5m', '15m', '1h']);
  expect(pointsOf(INTERVALS['1d'])).toEqual(['1m', '5m', '15m', '1h', '4h', '1d']);
  expect(pointsOf(INTERVALS['1d'] + INTERVALS['1m'])).toEqual(['5m', '15m', '1h', '4h', '1d']);
  expect(pointsOf(7 * INTERVALS['1d'])).toEqual(['15m', '1h', '4h', '1d']);
});
