import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  add,
  addends,
  canonicalDecimal,
  comparePositive,
  DecimalSum,
  decimalText,
  exact,
  type Exact,
  EXACT_ZERO,
  multiply,
  quotientText,
} from './decimal.js';

/** The oracle: a whole number of 10^-40, worked out by nothing but padding. */
const SCALE = 40;
function units(text: string): bigint {
  const [, sign, whole, fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text)!;
  const count = BigInt(whole! + fraction.padEnd(SCALE, '0'));
  return sign === '-' ? -count : count;
}
const unitsOf = ({ units: count, scale }: Exact, to = SCALE): bigint => count * 10n ** BigInt(to - scale);

const digits = (least: number, most: number) => fc.stringMatching(new RegExp(`^\\d{${least},${most}}$`));
/** Plain text as a venue may write it: zeros that carry nothing at both ends. */
const plain = fc
  .tuple(fc.constantFrom('', '-'), digits(1, 30), fc.option(digits(1, 30), { nil: undefined }))
  .map(([sign, whole, fraction]) => `${sign}${whole}${fraction === undefined ? '' : `.${fraction}`}`);
const canonical = plain.map((text) => canonicalDecimal(text)!);
const positive = canonical.map((text) => text.replace('-', ''));
/** As venues trade: some eight decimals, now and then more, now and then huge. */
const traded = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.nat(99_999_999), fc.nat(99_999_999))
      .map(([whole, part]) => canonicalDecimal(`${whole}.${String(part).padStart(8, '0')}`)!),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.nat(999), digits(9, 30))
      .map(([whole, fraction]) => canonicalDecimal(`${whole}.${fraction}`)!),
  },
  { weight: 2, arbitrary: fc.bigInt(0n, 10n ** 37n).map(String) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '0',
      '90071992.54740991',
      '90071992.54740992',
      '90071992.54740993',
      '9007199254740993',
      '1234567.12345678',
      '0.00000001',
    ),
  },
);

/** The sums of sizes and of sizes times prices, by DecimalSum and by adding one after the other. */
const sums = (trades: readonly (readonly [size: string, price: string])[]): [string, string] => {
  const volume = new DecimalSum();
  const quote = new DecimalSum(2);
  for (const [size, price] of trades) {
    const addend = addends(size, price);
    volume.add(addend.size);
    quote.add(addend.product);
  }
  return [decimalText(volume.value), decimalText(quote.value)];
};

const naive = (trades: readonly (readonly [size: string, price: string])[]): [string, string] => [
  decimalText(trades.reduce((total, [size]) => add(total, exact(size)), EXACT_ZERO)),
  decimalText(trades.reduce((total, [size, price]) => add(total, multiply(exact(size), exact(price))), EXACT_ZERO)),
];

const over = (a: string, b: string, scale: number): string => quotientText(exact(a), exact(b), scale);

const size = ({ units: count, scale }: Exact): Exact => ({ units: count < 0n ? -count : count, scale });

/** Negative, zero or positive as `a` is below, equal to or above `b`: by their difference, for the checks below. */
const compare = (a: Exact, b: Exact): number => {
  const difference = add(a, { units: -b.units, scale: b.scale }).units;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
};

describe('canonical decimals', () => {
  it('stay what they are, and keep the value they were made from', () => {
    fc.assert(
      fc.property(plain, (text) => {
        const made = canonicalDecimal(text)!;
        expect(canonicalDecimal(made)).toBe(made);
        expect(units(made)).toBe(units(text));
        expect(made).toMatch(/^(0|-?(0\.\d*[1-9]|[1-9]\d*(\.\d*[1-9])?))$/);
      }),
    );
  });

  it('are equal texts exactly when they are equal numbers', () => {
    fc.assert(
      fc.property(canonical, canonical, (a, b) => {
        expect(a === b).toBe(units(a) === units(b));
      }),
    );
    expect(['1', '01', '1.0', '001.000'].map(canonicalDecimal)).toEqual(['1', '1', '1', '1']);
  });

  it('know one zero', () => {
    expect(['0', '-0', '0.0', '-0.000', '000', '-00'].map(canonicalDecimal)).toEqual(
      Array.from({ length: 6 }, () => '0'),
    );
  });

  it.each([
    '',
    ' ',
    '1 ',
    '+1',
    '1e5',
    '1E-7',
    '.5',
    '5.',
    '--1',
    '1.2.3',
    '0x1f',
    'NaN',
    'Infinity',
    '1,5',
    '١',
    '1\n',
    '9'.repeat(39),
    `0.${'1'.repeat(39)}`,
  ])('are not made of %j', (text) => expect(canonicalDecimal(text)).toBeUndefined());

  it('take 38 digits a side', () => {
    const widest = `-${'9'.repeat(38)}.${'9'.repeat(38)}`;
    expect(canonicalDecimal(widest)).toBe(widest);
    expect(decimalText(exact(widest))).toBe(widest);
  });
});

describe('exact decimals', () => {
  it('go from text to value and back without a change', () => {
    fc.assert(
      fc.property(canonical, (text) => {
        expect(decimalText(exact(text))).toBe(text);
        expect(unitsOf(exact(text))).toBe(units(text));
      }),
    );
  });

  it('have canonical text whatever their scale', () => {
    fc.assert(
      fc.property(fc.bigInt(-(10n ** 40n), 10n ** 40n), fc.nat(39), (count, scale) => {
        const text = decimalText({ units: count, scale });
        expect(unitsOf(exact(text))).toBe(unitsOf({ units: count, scale }));
        expect(decimalText(exact(text))).toBe(text);
      }),
    );
    expect([
      decimalText({ units: 100n, scale: 5 }),
      decimalText({ units: -100n, scale: 2 }),
      decimalText({ units: 0n, scale: 7 }),
    ]).toEqual(['0.001', '-1', '0']);
  });

  it('add, subtract and multiply as whole numbers do', () => {
    fc.assert(
      fc.property(canonical, canonical, (a, b) => {
        expect(unitsOf(add(exact(a), exact(b)))).toBe(units(a) + units(b));
        expect(unitsOf(multiply(exact(a), exact(b)), SCALE * 2)).toBe(units(a) * units(b));
        const [left, right] = [units(a), units(b)];
        expect(compare(exact(a), exact(b))).toBe(left < right ? -1 : left > right ? 1 : 0);
      }),
    );
  });

  it('add the widest product to a sum of the finest', () => {
    const widest = `${'9'.repeat(38)}.${'9'.repeat(38)}`;
    const sum = add(multiply(exact(widest), exact(widest)), exact('1'));
    expect(decimalText(sum)).toBe(decimalText({ units: (10n ** 76n - 1n) ** 2n + 10n ** 76n, scale: 76 }));
  });
});

describe('the order of positive decimals as text', () => {
  it('is the order of their values', () => {
    fc.assert(
      fc.property(positive, positive, (a, b) => {
        expect(Math.sign(comparePositive(a, b))).toBe(compare(exact(a), exact(b)));
      }),
    );
  });

  it('tells numbers apart that differ in the last digit, or in their length alone', () => {
    for (const [less, more] of [
      ['9', '10'],
      ['9.9', '10'],
      ['1.05', '1.5'],
      ['1', '1.00000001'],
      ['0', '0.1'],
      ['99.99', '100.1'],
    ] as const) {
      expect([
        Math.sign(comparePositive(less, more)),
        Math.sign(comparePositive(more, less)),
        comparePositive(more, more),
      ]).toEqual([-1, 1, 0]);
    }
  });
});

describe('a running sum', () => {
  it('equals the exact sum of the sizes and of the products, whatever the mixture', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(traded, traded), { maxLength: 30 }), (trades) => {
        expect(sums(trades)).toEqual(naive(trades));
      }),
      { numRuns: 300 },
    );
  });

  it('is exact at the edge of the quick way, on either side', () => {
    for (const edge of [
      '90071992.54740991',
      '90071992.54740992',
      '90071992.54740993',
      '9007199254740993',
      '0.000000001',
      '123456789012345.6',
      '1234567.12345678',
    ]) {
      for (const trades of [
        [[edge, '1']],
        [['1', edge]],
        [
          [edge, edge],
          ['0.1', '0.1'],
        ],
      ] as const)
        expect(sums(trades)).toEqual(naive(trades));
    }
  });

  it('adds what a float cannot: ten tenths are one', () => {
    expect(sums(Array.from({ length: 10 }, () => ['0.1', '0.3'] as const))).toEqual(['1', '0.3']);
  });

  it('may be read between additions, and is nothing before the first', () => {
    const sum = new DecimalSum(2);
    expect(decimalText(sum.value)).toBe('0');
    sum.add(addends('2', '0.5').product);
    expect(decimalText(sum.value)).toBe('1');
    sum.add(addends('4', '0.250000000001').product);
    expect(decimalText(sum.value)).toBe('2.000000000004');
  });
});

describe('a quotient', () => {
  it('is rounded half up, away from zero on both sides', () => {
    expect([
      over('1', '3', 4),
      over('2', '3', 4),
      over('1', '2', 0),
      over('-1', '2', 0),
      over('-1', '3', 0),
      over('-2', '3', 0),
    ]).toEqual(['0.3333', '0.6667', '1', '-1', '0', '-1']);
    expect([
      over('1', '-8', 2),
      over('-1', '-8', 2),
      over('0', '-7', 3),
      over('100', '0.004', 0),
      over('10', '4', 8),
    ]).toEqual(['-0.13', '0.13', '0', '25000', '2.5']);
  });

  it('lies within half a unit of the last place, and on the far side of a tie', () => {
    fc.assert(
      fc.property(
        canonical,
        canonical.filter((text) => text !== '0'),
        fc.nat(12),
        (a, b, scale) => {
          // |q - a/b| <= 1/2 * 10^-scale, without a division: |2 * 10^scale * (q * b - a)| <= |b|
          const quotient = exact(quotientText(exact(a), exact(b), scale));
          const miss = add(multiply(quotient, exact(b)), multiply(exact(a), exact('-1')));
          const twice = multiply(miss, { units: 2n * 10n ** BigInt(scale), scale: 0 });
          const against = compare(size(twice), size(exact(b)));
          expect(against).toBeLessThanOrEqual(0);
          const beyond = compare(size(multiply(quotient, exact(b))), size(exact(a)));
          expect(against < 0 || beyond > 0).toBe(true);
        },
      ),
    );
  });

  it('by zero is refused', () => expect(() => quotientText(exact('1'), exact('0'), 2)).toThrow(RangeError));
});
