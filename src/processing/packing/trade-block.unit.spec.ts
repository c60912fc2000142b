import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalDecimal } from '../../contracts/index.js';
import type { TradeRecord } from '../trade-batch.js';
import { UnreadableBlock } from './byte-stream.js';
import { seal, unseal } from './sealed-block.store.js';
import { decodeTrades, encodeTrades } from './trade-block.js';

const digits = (most: number) =>
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: most }).map((all) => all.join(''));
/** Up to what `numeric` holds: 131,072 digits before the point and 16,383 behind it, here some hundreds of each. */
const anyDecimal = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(digits(8), digits(8)) },
  { weight: 2, arbitrary: fc.tuple(digits(38), digits(38)) },
  { weight: 1, arbitrary: fc.tuple(digits(400), digits(300)) },
);
const decimal = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.constantFrom('NaN', 'Infinity', '-Infinity', '0', '-0.5', '999999999999999', '1000000000000000'),
  },
  {
    weight: 20,
    arbitrary: fc
      .tuple(fc.boolean(), anyDecimal)
      .map(([negative, [whole, fraction]]) => canonical(negative, whole, fraction)),
  },
);
const instant = fc.oneof(
  fc.integer({ min: 1_700_000_000_000_000, max: 1_700_003_599_999_999 }),
  fc.integer({ min: 1_700_000_000, max: 1_700_003_599 }).map((second) => second * 1_000_000),
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
);
const id = fc.oneof(
  fc.integer({ min: 1_000_000, max: 1_000_500 }).map(String),
  fc.bigInt({ min: 1_700_000_000_000_000_000n, max: 1_700_003_600_000_000_000n }).map(String),
  fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String),
);
const side = fc.constantFrom('b', 's', '-');
const trades: fc.Arbitrary<TradeRecord> = fc
  .array(fc.tuple(instant, instant, id, decimal, decimal, side), { maxLength: 60 })
  .map((rows) => ({
    tradedAtUs: rows.map(([at]) => at).sort((a, b) => a - b),
    receivedAtUs: rows.map(([, at]) => at),
    tradeIds: rows.map(([, , one]) => one),
    prices: rows.map(([, , , one]) => one),
    sizes: rows.map(([, , , , one]) => one),
    sides: rows.map(([, , , , , one]) => one).join(''),
  }));

describe('the trades of a block', () => {
  it('come back as they were, whatever their times, ids, decimals and sides', () => {
    fc.assert(
      fc.property(trades, (record) => {
        expect(decodeTrades(encodeTrades(record)).record()).toEqual(record);
      }),
      { numRuns: 500 },
    );
  });

  it('come back one by one as they are served', () => {
    const decoded = decodeTrades(encodeTrades(few));
    expect([decoded.trade(0), decoded.trade(1), decoded.trade(2)]).toEqual([
      { tradeId: '7', price: '2683.8', size: '0.002', side: 'sell', tradedAtUs: 1_723_161_255_611_000 },
      { tradeId: '8', price: '2683.81', size: '0', tradedAtUs: 1_723_161_255_611_000 },
      { tradeId: '9', price: `${'9'.repeat(38)}.5`, size: '1200', side: 'buy', tradedAtUs: 1_723_161_255_999_000 },
    ]);
  });

  it('of a contiguous, steady series take four bytes each before compression', () => {
    const count = 1000;
    const steady: TradeRecord = {
      tradedAtUs: Array.from({ length: count }, (_, index) => 1_723_161_255_000_000 + index * 7000),
      receivedAtUs: Array.from({ length: count }, (_, index) => 1_723_161_255_000_000 + index * 7000 + 1500),
      tradeIds: Array.from({ length: count }, (_, index) => String(5000 + index)),
      prices: Array.from({ length: count }, (_, index) => (2000 + (index % 50) / 100).toString()),
      sizes: Array.from({ length: count }, (_, index) => ((index % 60) / 1000).toString()),
      sides: 'b'.repeat(count),
    };
    expect(encodeTrades(steady).length).toBeLessThan(5.1 * count);
  });

  it('are refused where a time is none', () => {
    for (const us of [-1, 0.5, NaN, Infinity, 2 ** 53])
      expect(() => encodeTrades({ ...few, tradedAtUs: [us, us, us] })).toThrow(RangeError);
  });
});

const few: TradeRecord = {
  tradedAtUs: [1_723_161_255_611_000, 1_723_161_255_611_000, 1_723_161_255_999_000],
  receivedAtUs: [1_723_161_254_340_863, 1_723_161_255_700_001, 1_723_161_256_000_000],
  tradeIds: ['7', '8', '9'],
  prices: ['2683.8', '2683.81', `${'9'.repeat(38)}.5`],
  sizes: ['0.002', '0', '1200'],
  sides: 's-b',
};

describe('a sealed block', () => {
  it('opens to the trades that went in', async () => {
    await fc.assert(
      fc.asyncProperty(trades, async (record) => {
        expect((await unseal(await seal(record))).record()).toEqual(record);
      }),
      { numRuns: 50 },
    );
  });

  it('is refused when cut anywhere, and says so', async () => {
    const sealed = await seal(few);
    for (let length = 0; length < sealed.length; length++)
      await expect(unseal(sealed.subarray(0, length))).rejects.toThrow(UnreadableBlock);
  });

  it('is refused when a bit of it is turned, and says so', async () => {
    const sealed = await seal(few);
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const damaged = Buffer.from(sealed);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      await expect(unseal(damaged)).rejects.toThrow(UnreadableBlock);
    }
  });

  it('is refused when it is something else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        await expect(unseal(Buffer.from(bytes))).rejects.toThrow(UnreadableBlock);
      }),
    );
    const later = await seal(few);
    later[2] = 2;
    await expect(unseal(later)).rejects.toThrow('format 2, this version reads 1');
  });
});

describe('bytes that are no columns', () => {
  it('are refused and never read past their end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        try {
          decodeTrades(bytes);
        } catch (fault) {
          expect(fault).toBeInstanceOf(UnreadableBlock);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

function canonical(negative: boolean, whole: string, fraction: string): string {
  const short = canonicalDecimal(`${negative ? '-' : ''}${whole}.${fraction}`);
  if (short !== undefined) return short;
  const [head, tail] = [whole.replace(/^0+(?=\d)/, ''), fraction.replace(/0+$/, '')];
  const text = tail === '' ? head : `${head}.${tail}`;
  return text === '0' ? text : `${negative ? '-' : ''}${text}`;
}
